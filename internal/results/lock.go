package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
)

// lockFile holds an exclusive lock on path+".lock" for as long as an output is
// written. The system drops the lock of a process that dies.
type lockFile struct{ l *flock.Flock }

// lock takes the lock at once or fails with ErrLocked.
func lock(output string) (*lockFile, error) {
	path := output + ".lock"
	for range 10 {
		l := flock.New(path, flock.SetPermissions(0o644))
		ok, err := l.TryLock()
		if err != nil {
			return nil, fmt.Errorf("lock %q: %w; check that its folder exists and can be written", output, err)
		}
		if !ok {
			return nil, kindErrorf(ErrLocked, "lock %q: another process is writing it; wait for that, or write elsewhere", output)
		}
		// The file may have been removed by its last holder between our opening
		// and locking it; then the lock guards nothing, and we try again.
		same, err := sameFile(l, path)
		if err == nil && same {
			return &lockFile{l: l}, nil
		}
		if err = errors.Join(err, l.Unlock()); err != nil {
			return nil, fmt.Errorf("lock %q: %w", output, err)
		}
	}
	return nil, kindErrorf(ErrLocked, "lock %q: other processes keep taking it; wait for them, or write elsewhere", output)
}

func sameFile(l *flock.Flock, path string) (bool, error) {
	held, err := l.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(held, named), err
}

// release removes the lock file and then the lock.
func (f *lockFile) release() error {
	// Removing first, while the lock is held, lets nobody lock a name that is
	// about to go; where an open file cannot be removed it simply stays.
	_ = os.Remove(f.l.Path())
	return f.l.Unlock()
}
