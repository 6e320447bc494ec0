//go:build unix

package runtime

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is what all threads of the process have used.
func processorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return time.Duration(time.Now().UnixNano()) // then wall time counts
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
