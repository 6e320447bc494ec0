package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// errLocked says that another process trains in a folder.
var errLocked = errors.New("another process is training there")

// Lock takes a folder, which it makes, for one run. The system drops the lock of a process that
// dies. Call release at the end.
func Lock(dir string) (release func() error, err error) {
	if err = os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("lock the run's folder: %w", err)
	}
	l := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o644))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the run's folder: %w; check that it can be written", err)
	}
	if !ok {
		return nil, fmt.Errorf("lock the run's folder %q: %w; wait for it, or train into another folder", filepath.Base(filepath.Dir(dir)), errLocked)
	}
	return l.Unlock, nil
}
