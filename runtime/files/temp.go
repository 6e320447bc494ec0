package files

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CreateTemp makes a new, hidden file beside path, for a writer that puts it in the
// path's place when it is complete. Its permissions are those that the file will have:
// of the file that it replaces, and otherwise what the umask leaves of reading and
// writing for all. (Those of os.CreateTemp are for this user alone.)
func CreateTemp(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	perm, replaces := fs.FileMode(0o666), false
	if info, err := os.Stat(path); err == nil {
		perm, replaces = info.Mode().Perm(), true
	}
	var f *os.File
	_, err := fresh(dir, "."+base+"-", func(name string) (err error) {
		f, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		return err
	})
	if err != nil || !replaces {
		return f, err
	}
	// The umask is for new files. Some file systems keep no permissions; what
	// was set at first holds there.
	_ = f.Chmod(perm)
	return f, nil
}

// MakeFolder makes a new folder whose name begins with prefix, for a writer that renames
// it when it is complete. Its permissions are what the umask leaves of perm.
func MakeFolder(parent, prefix string, perm fs.FileMode) (string, error) {
	return fresh(parent, prefix, func(name string) error { return os.Mkdir(name, perm) })
}

// fresh calls create with names that begin with prefix until one was not taken.
func fresh(dir, prefix string, create func(name string) error) (string, error) {
	for range 1000 {
		name := filepath.Join(dir, prefix+rand.Text())
		if err := create(name); !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
	return "", fmt.Errorf("create a file in %q: all names are taken", dir)
}
