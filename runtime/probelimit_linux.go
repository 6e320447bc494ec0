package runtime

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limitSelf bounds the private writable memory of this process (RLIMIT_DATA:
// address space that is only reserved, as the Go runtime does, is not
// counted) and its processor time, and forbids core dumps, which an abort would leave
// behind.
func limitSelf(bytes int64, limit time.Duration) error {
	if err := lower(unix.RLIMIT_DATA, uint64(max(bytes, 0)), 0); err != nil {
		return err
	}
	used := make(chan os.Signal, 1)
	signal.Notify(used, unix.SIGXCPU)
	go func() {
		<-used
		os.Exit(timeUsed)
	}()
	if err := lower(unix.RLIMIT_CPU, uint64((limit+time.Second-1)/time.Second), killAfter); err != nil {
		return err
	}
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}

const (
	// timeUsed is the exit code of a child that used up its processor time.
	timeUsed = 75
	// killAfter is the processor time, in seconds, after which the system kills a child that
	// does not end by itself.
	killAfter = 2
)

// lower sets a limit that this process cannot raise again: a soft one, at which the system
// sends a signal or refuses, and a hard one that lies further by more.
func lower(resource int, n, more uint64) error {
	var old unix.Rlimit
	if err := unix.Getrlimit(resource, &old); err != nil {
		return err
	}
	hard := min(n+more, old.Max)
	return unix.Setrlimit(resource, &unix.Rlimit{Cur: min(n, hard), Max: hard})
}

// dieWithParent has the system kill the child when its parent dies.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// signalName is the name of the signal that ended a process, "" for none.
func signalName(state *os.ProcessState) string {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return unix.SignalName(status.Signal())
	}
	return ""
}

// outOfTime reports whether a child ended because it had used up its processor time.
func outOfTime(state *os.ProcessState, limit time.Duration) bool {
	if state.ExitCode() == timeUsed {
		return true
	}
	// Killed at the hard limit. The system's own account of the time is rounded.
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && state.UserTime()+state.SystemTime() > limit
}
