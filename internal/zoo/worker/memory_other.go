//go:build !linux

package worker

import "errors"

// resident is the physical memory that the process holds, in bytes. It is not known on this system,
// so that limits of memory do not hold here.
func resident() (int64, error) { return 0, errors.ErrUnsupported }

// groupLimit is the limit of the process's control group, which this system does not have.
func groupLimit() int64 { return 0 }
