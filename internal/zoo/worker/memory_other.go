//go:build !linux

package worker

import "errors"

// Resident is the physical memory that the process holds, in bytes. It is not known on this system, so that limits of
// memory do not hold here.
func Resident() (int64, error) { return 0, errors.ErrUnsupported }

// GroupLimit is the limit of the process's control group, which this system does not have.
func GroupLimit() int64 { return 0 }
