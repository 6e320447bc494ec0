// Package atomicfile writes files that appear whole or not at all: to a temporary name in the same folder, synced,
// renamed, and the folder synced.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ucan/runtime/files"
)

// Write makes the file at path of what write writes, replacing an older one in one step. Where write fails, nothing
// changes.
func Write(path string, write func(io.Writer) error) (err error) {
	if err = files.CheckTarget(path); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	dir := filepath.Dir(path)
	tmp, err := files.CreateTemp(path)
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %q: %w", path, err)
			_ = tmp.Close()           // closed already, or of no use
			_ = os.Remove(tmp.Name()) // what is left of a failed write
		}
	}()
	w := bufio.NewWriterSize(tmp, 1<<16)
	if err = errors.Join(write(w), w.Flush()); err != nil {
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
	SyncFolder(dir)
	return nil
}

// WriteBytes is [Write] of bytes.
func WriteBytes(path string, b []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// SyncFolder makes new names in a folder durable, where the system can; the files themselves are synced anyway.
func SyncFolder(dir string) { _ = files.SyncDir(dir) }
