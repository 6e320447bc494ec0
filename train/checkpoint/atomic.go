package checkpoint

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"ucan/runtime/files"
)

// WriteAtomic makes a file of what write writes: under a temporary name in the same folder, synced and renamed, so that
// it appears complete or not at all. Only one writer of a path may run at a time.
func WriteAtomic(path string, write func(w io.Writer) error) (err error) {
	if err = files.CheckTarget(path); err != nil {
		return err
	}
	// One name for all times: a run that is killed leaves one such file, and its successor writes over it. Nobody else
	// writes here, since a run locks its folder.
	tmp, err := files.OpenFile(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close() // may be closed already
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	if err = write(tmp); err != nil {
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
	return files.SyncDir(filepath.Dir(path))
}

// WriteFile is [WriteAtomic] for bytes at hand.
func WriteFile(path string, b []byte) error {
	return WriteAtomic(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}
