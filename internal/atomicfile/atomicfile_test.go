package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestWriteReplacesWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := WriteBytes(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	err := Write(path, func(w io.Writer) error {
		if _, err := w.Write([]byte("half of the new")); err != nil {
			return err
		}
		return full
	})
	if !errors.Is(err, full) {
		t.Fatalf("%v, want the cause", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
		t.Errorf("after a failed write: %q, %v; want the old content", b, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left over: %v, %v", entries, err)
	}
	if err := WriteBytes(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "new" {
		t.Errorf("after a write: %q, %v", b, err)
	}
}

func TestWriteNeedsTheFolder(t *testing.T) {
	if err := WriteBytes(filepath.Join(t.TempDir(), "absent", "f"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want that the folder is missing", err)
	}
}

func TestWriteLockedReplacesWhatAKilledProcessLeft(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	left := filepath.Join(dir, ".f.tmp")
	if err := os.WriteFile(left, []byte("half, and longer than the whole"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteLockedBytes(path, []byte("whole")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "whole" {
		t.Errorf("%q, %v", b, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

func TestErrorsNameThePathAndNotTheTemporaryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "absent", "f")
	for name, write := range map[string]func(string, []byte) error{"any": WriteBytes, "locked": WriteLockedBytes} {
		err := write(path, nil)
		if want := fmt.Sprintf("write %q: no such file or directory; check that the folder exists and can be written", path); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	if err := WriteBytes(t.TempDir(), nil); !errors.Is(err, ErrIrregular) {
		t.Errorf("a folder was replaced: %v", err)
	}
}
