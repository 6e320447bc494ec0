package runtime

import (
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limitSelf bounds the private writable memory of this process (RLIMIT_DATA:
// address space that is only reserved, as the Go runtime does, is not
// counted) and its processor time, and forbids core dumps, which an abort would leave
// behind.
func limitSelf(bytes int64, limit time.Duration) error {
	if err := lower(unix.RLIMIT_DATA, uint64(max(bytes, 0))); err != nil {
		return err
	}
	if err := lower(unix.RLIMIT_CPU, uint64((limit+time.Second-1)/time.Second)); err != nil {
		return err
	}
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}

// lower sets a limit that this process cannot raise again. At the hard limit of processor
// time the system kills it; the soft one sends a signal that Go ignores.
func lower(resource int, n uint64) error {
	var old unix.Rlimit
	if err := unix.Getrlimit(resource, &old); err != nil {
		return err
	}
	n = min(n, old.Max)
	return unix.Setrlimit(resource, &unix.Rlimit{Cur: n, Max: n})
}

// dieWithParent has the system kill the child when its parent dies.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// outOfTime reports whether the system ended a process that used up its processor time,
// and not its memory.
func outOfTime(state *os.ProcessState, limit time.Duration) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	used := state.UserTime() + state.SystemTime()
	return ok && status.Signaled() && used > limit-limit/10
}
