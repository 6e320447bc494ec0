// Package atomicfile writes files that appear complete or not at all.
//
// Each file is written under a temporary name in its own folder, synced and renamed; then the
// folder is synced. Only regular files are replaced: a pipe or a device under the path is an
// error. The package imports the standard library only, so that every package may use it.
package atomicfile

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces the file at path, in one step, by what fill writes. If fill fails, nothing
// changes. Any number of processes may write the same path at once; the last one to finish wins.
func Write(path string, fill func(io.Writer) error) error {
	return write(path, createTemp, fill)
}

// WriteBytes is [Write] of b.
func WriteBytes(path string, b []byte) error { return Write(path, content(b)) }

// WriteLocked is [Write] for a path that only the caller writes, because it holds a lock. The
// temporary name is always the same, so a process that is killed leaves one such file at most,
// and the next write replaces it.
func WriteLocked(path string, fill func(io.Writer) error) error {
	return write(path, createLocked, fill)
}

// WriteLockedBytes is [WriteLocked] of b.
func WriteLockedBytes(path string, b []byte) error { return WriteLocked(path, content(b)) }

func content(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

func write(path string, create func(path string) (*os.File, error), fill func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %q: %w", path, cause(err))
		}
	}()
	if err = CheckTarget(path); err != nil {
		return err
	}
	tmp, err := create(path)
	if err != nil {
		return fmt.Errorf("%w; check that the folder exists and can be written", cause(err))
	}
	defer func() {
		if err != nil {
			_ = tmp.Close() // it may be closed already
			_ = os.Remove(tmp.Name())
		}
	}()
	w := bufio.NewWriterSize(tmp, 1<<16)
	if err = fill(w); err != nil {
		return err
	}
	if err = w.Flush(); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	SyncDir(filepath.Dir(path))
	return nil
}

// cause drops the temporary name from an error of the system: the message names the path.
func cause(err error) error {
	switch e := err.(type) { //nolint:errorlint // only errors of the system itself, not what fill wrapped
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	}
	return err
}

func createTemp(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	var f *os.File
	_, err := fresh(dir, "."+base+"-", func(name string) (err error) {
		f, err = create(name, path)
		return err
	})
	return f, err
}

func createLocked(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	name := filepath.Join(dir, "."+base+".tmp")
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return create(name, path)
}

// create makes the new file name. Its permissions are those of the file at target, which it
// will replace, or else what the umask leaves of reading and writing for all. (Files of
// os.CreateTemp can be read by their owner only.)
func create(name, target string) (*os.File, error) {
	perm, replaces := fs.FileMode(0o666), false
	if info, err := os.Stat(target); err == nil {
		perm, replaces = info.Mode().Perm(), true
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err == nil && replaces {
		// The umask is for new files. File systems without permissions ignore this.
		_ = f.Chmod(perm)
	}
	return f, err
}

// MakeFolder makes a new folder whose name begins with prefix, for a caller that renames it when
// it is complete. Its permissions are what the umask leaves of perm.
func MakeFolder(parent, prefix string, perm fs.FileMode) (string, error) {
	return fresh(parent, prefix, func(name string) error { return os.Mkdir(name, perm) })
}

// fresh calls create with random names that begin with prefix until one does not exist yet.
func fresh(dir, prefix string, create func(name string) error) (string, error) {
	for range 1000 {
		name := filepath.Join(dir, prefix+rand.Text())
		if err := create(name); !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
	return "", fmt.Errorf("create a file in %q: all names are taken", dir)
}

// SyncDir makes new names in a folder durable. Some systems cannot sync a folder; its files are
// complete there all the same, so there is no error.
func SyncDir(dir string) {
	if d, err := os.Open(filepath.Clean(dir)); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
