//go:build unix

package atomicfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// New files get what the umask leaves; a file that is replaced keeps its permissions.
func TestPermissionsObeyTheUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	for _, c := range []struct {
		umask    int
		existing fs.FileMode // 0: none
		want     fs.FileMode
		folder   fs.FileMode
	}{
		{0o022, 0, 0o644, 0o755},
		{0o077, 0, 0o600, 0o700},
		{0o002, 0, 0o664, 0o775},
		{0o027, 0, 0o640, 0o750},
		{0o022, 0o600, 0o600, 0o755},
		{0o077, 0o664, 0o664, 0o700},
		{0o022, 0o755, 0o755, 0o755},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "a")
		if c.existing != 0 {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.existing); err != nil {
				t.Fatal(err)
			}
		}
		syscall.Umask(c.umask)
		f, err := createTemp(path)
		if err != nil {
			t.Fatal(err)
		}
		folder, err := MakeFolder(dir, ".f-", 0o777)
		if err != nil {
			t.Fatal(err)
		}
		syscall.Umask(0o022)
		if info, err := f.Stat(); err != nil || info.Mode().Perm() != c.want {
			t.Errorf("umask %o over %o: a file of mode %o, want %o", c.umask, c.existing, info.Mode().Perm(), c.want)
		}
		if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != c.folder {
			t.Errorf("umask %o: a folder of mode %o, want %o", c.umask, info.Mode().Perm(), c.folder)
		}
		if filepath.Dir(f.Name()) != dir || f.Close() != nil {
			t.Errorf("made %q", f.Name())
		}
	}
	if _, err := createTemp(filepath.Join(t.TempDir(), "none", "a")); err == nil {
		t.Error("a file in no folder")
	}
}
