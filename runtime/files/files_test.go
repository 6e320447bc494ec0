//go:build unix

package files_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ucan/internal/atomicfile"
	"ucan/runtime/files"
)

// irregular makes one of each thing that is no regular file, and links to them.
func irregular(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	paths := []string{pipe, folder, "/dev/zero", "/dev/null"}
	socket := filepath.Join(dir, "s")
	if l, err := net.Listen("unix", socket); err == nil {
		t.Cleanup(func() { _ = l.Close() })
		paths = append(paths, socket)
	}
	for i, p := range paths[:2] {
		link := filepath.Join(dir, "link"+string(rune('0'+i)))
		if err := os.Symlink(p, link); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, link)
	}
	return paths
}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	for _, path := range irregular(t) {
		if _, err := files.Open(path); !errors.Is(err, files.ErrIrregular) {
			t.Errorf("Open(%s): %v", path, err)
		}
		if _, err := files.Read(path, 1<<20); !errors.Is(err, files.ErrIrregular) {
			t.Errorf("Read(%s): %v", path, err)
		}
		if _, err := files.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600); !errors.Is(err, files.ErrIrregular) {
			t.Errorf("OpenFile(%s): %v", path, err)
		}
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			if _, err = files.OpenRoot(path); err == nil {
				t.Errorf("OpenRoot(%s) took it for a folder", path)
			}
		}
		if err := atomicfile.CheckTarget(path); !errors.Is(err, files.ErrIrregular) {
			t.Errorf("CheckTarget(%s): %v", path, err)
		}
	}
}

func TestBelowARoot(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	if err = syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	if err = os.WriteFile(filepath.Join(dir, "plain"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = files.OpenIn(root, "pipe"); !errors.Is(err, files.ErrIrregular) {
		t.Errorf("a pipe below a root: %v", err)
	}
	f, err := files.OpenIn(root, "plain")
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
}

func TestReadLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := files.Read(path, 5); err != nil || string(b) != "12345" {
		t.Errorf("at the limit: %q, %v", b, err)
	}
	if _, err := files.Read(path, 4); !errors.Is(err, files.ErrTooLarge) {
		t.Errorf("beyond the limit: %v", err)
	}
	// A stream does not tell its size before.
	if _, err := files.ReadAll(strings.NewReader("12345"), 4); !errors.Is(err, files.ErrTooLarge) {
		t.Errorf("a stream beyond the limit: %v", err)
	}
	if _, err := files.Read(path+"-absent", 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	if err := atomicfile.CheckTarget(path + "-absent"); err != nil {
		t.Errorf("an absent target: %v", err)
	}
}
