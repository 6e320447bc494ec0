package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrIrregular is the error, possibly wrapped, for a path that names something else than a
// regular file: a folder, a named pipe, a device or a socket.
var ErrIrregular = errors.New("not a regular file")

// CheckTarget returns an error that matches [ErrIrregular] if something else than a regular file
// lies under the path, links followed. A path that does not exist, or cannot be looked at,
// passes: opening it tells more.
func CheckTarget(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	return CheckRegular(path, info)
}

// CheckRegular is [CheckTarget] for a file that was looked at already.
func CheckRegular(path string, info fs.FileInfo) error {
	mode := info.Mode()
	if mode.IsRegular() {
		return nil
	}
	what := "something"
	switch {
	case mode.IsDir():
		what = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		what = "a pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	}
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("it is %s, %w; name a file", what, ErrIrregular)}
}
