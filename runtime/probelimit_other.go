//go:build !linux

package runtime

import (
	"os"
	"os/exec"
	"time"
)

// limitSelf does nothing where the system has no limit on private memory that
// a Go program survives; the parent's time limit remains, and the child's own.
func limitSelf(int64, time.Duration) error { return nil }

// dieWithParent is left to the child's standard input, which ends with the parent.
func dieWithParent(*exec.Cmd) {}

func signalName(*os.ProcessState) string { return "" }

func outOfTime(*os.ProcessState, time.Duration) bool { return false }
