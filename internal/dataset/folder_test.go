//go:build unix

package dataset_test

import (
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/dataset"
)

// tree writes a small image under each of the names.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "set")
	for i, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		img := image.NewGray(image.Rect(0, 0, 4, 4))
		img.SetGray(0, 0, color.Gray{uint8(i + 1)})
		if err = errors.Join(png.Encode(f, img), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func link(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Skipf("no links here: %v", err)
	}
}

// Each real folder is read once, under its own name, whatever links lead to it.
func TestFolderLinks(t *testing.T) {
	outside := tree(t, "x/e.png", "x/deep/f.png")
	cases := map[string]struct {
		links   map[string]string // from the name of the link
		inputs  int
		classes string
		notes   int
	}{
		"none":                      {nil, 4, "a b c", 0},
		"to the parent":             {map[string]string{"c/loop": ".."}, 4, "a b c", 1},
		"to itself":                 {map[string]string{"b/b": "."}, 4, "a b c", 1},
		"two folders to each other": {map[string]string{"a/b": "../b", "b/a": "../a"}, 4, "a b c", 2},
		"above the source":          {map[string]string{"a/up": "../.."}, 4, "a b c", 1},
		"to the system's root":      {map[string]string{"a/up": "/"}, 4, "a b c", 1},
		"before the folder itself":  {map[string]string{"0": "c"}, 4, "a b c", 1},
		"elsewhere":                 {map[string]string{"d": filepath.Join(outside, "x")}, 6, "a b c d", 0},
		"elsewhere twice":           {map[string]string{"d": filepath.Join(outside, "x"), "e": filepath.Join(outside, "x")}, 6, "a b c d", 1},
		"elsewhere a part first":    {map[string]string{"d": filepath.Join(outside, "x", "deep"), "e": filepath.Join(outside, "x")}, 6, "a b c d e", 1},
	}
	for name, c := range subtest.Rows(cases) {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, "a/1.png", "a/2.png", "b/1.png", "c/sub/1.png")
			for from, to := range c.links {
				link(t, to, filepath.Join(dir, filepath.FromSlash(from)))
			}
			s, err := dataset.Open(t.Context(), "folder:"+dir, dataset.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			info := s.Info()
			if s.Len() != c.inputs || strings.Join(info.Labels, " ") != c.classes || len(info.Notes) != c.notes {
				t.Errorf("%d inputs, classes %q, notes %q", s.Len(), info.Labels, info.Notes)
			}
		})
	}
}

func TestFolderFaults(t *testing.T) {
	dir := tree(t, "a/1.png", "b/1.png")
	if err := syscall.Mkfifo(filepath.Join(dir, "b", "2.png"), 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := dataset.Open(t.Context(), "folder:"+dir, dataset.Options{}); err == nil || !strings.Contains(err.Error(), "pipe") {
		t.Errorf("a pipe among the images: %v", err)
	}
	deep := strings.Repeat("d/", 70) + "1.png"
	if _, err := dataset.Open(t.Context(), "folder:"+tree(t, "a/1.png", deep), dataset.Options{}); !errors.Is(err, dataset.ErrFormat) {
		t.Errorf("a folder of depth 70: %v", err)
	}
}
