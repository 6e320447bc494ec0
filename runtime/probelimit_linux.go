package runtime

import "golang.org/x/sys/unix"

// limitSelf bounds the private writable memory of this process (RLIMIT_DATA:
// address space that is only reserved, as the Go runtime does, is not
// counted) and forbids core dumps, which an abort would leave behind.
func limitSelf(bytes int64) error {
	n := uint64(max(bytes, 0))
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &old); err != nil {
		return err
	}
	n = min(n, old.Max)
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: n, Max: n}); err != nil {
		return err
	}
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}
