// Package files opens regular files and nothing else. Opening a named pipe waits for
// its other end, reading a device may never end, and replacing one breaks the machine;
// so every reader and writer of paths that a user or a file names goes through here.
package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"ucan/internal/atomicfile"
)

var (
	// ErrIrregular is the error, possibly wrapped, for a path that names something else
	// than a regular file.
	ErrIrregular = atomicfile.ErrIrregular
	// ErrTooLarge is the error, possibly wrapped, for a file beyond a limit in bytes.
	ErrTooLarge = errors.New("the file is too large")
)

// Open opens a regular file for reading. It never waits, and links are followed.
// Errors are those of os.Open, or match [ErrIrregular].
func Open(path string) (*os.File, error) { return OpenFile(path, os.O_RDONLY, 0) }

// OpenFile is os.OpenFile for regular files: what exists under the path must be one.
func OpenFile(path string, flag int, perm fs.FileMode) (*os.File, error) {
	// Look before opening: to open a device may already do something.
	if err := atomicfile.CheckTarget(path); err != nil {
		return nil, err
	}
	return checked(os.OpenFile(path, flag|nonblock, perm))
}

// OpenRoot is os.OpenRoot, which waits when the path names a pipe: anything but a folder is
// an error.
func OpenRoot(dir string) (*os.Root, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: errors.New("it is not a folder")}
	}
	return os.OpenRoot(dir)
}

// OpenIn opens a regular file below root for reading, as [Open] does.
func OpenIn(root *os.Root, name string) (*os.File, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if err = atomicfile.CheckRegular(name, info); err != nil {
		return nil, err
	}
	return checked(root.OpenFile(name, os.O_RDONLY|nonblock, 0))
}

// WithoutPath drops the path of a file system's error, for callers that add it.
func WithoutPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// checked looks again at what was opened: the path may have changed in between.
func checked(f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = atomicfile.CheckRegular(f.Name(), info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Read reads a regular file of at most limit bytes. Errors are those of [Open], or match
// [ErrTooLarge].
func Read(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	b, err := ReadAll(f, limit)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return b, nil
}

// ReadAll reads r, which is a file or less, to its end. A stream of more than limit bytes
// is an error that matches [ErrTooLarge]; no more than that is held in memory.
func ReadAll(r io.Reader, limit int64) ([]byte, error) {
	var b bytes.Buffer
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			if info.Size() > limit {
				return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, info.Size(), limit)
			}
			// A buffer that grows would end at up to twice the size, beside its last copy.
			b.Grow(int(info.Size()) + bytes.MinRead)
		}
	}
	_, err := b.ReadFrom(io.LimitReader(r, limit+1))
	if err == nil && int64(b.Len()) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return b.Bytes(), err
}
