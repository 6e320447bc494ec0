package sidefile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"ucan/runtime/files"
	"ucan/runtime/onnx/sidefile"
)

// tree makes files (by content) and links (by target, after "→") below a fresh folder.
func tree(t *testing.T, entries map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range entries {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := cutLink(content); link {
			err = os.Symlink(filepath.FromSlash(target), path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func cutLink(content string) (string, bool) {
	const arrow = "→"
	if len(content) > len(arrow) && content[:len(arrow)] == arrow {
		return content[len(arrow):], true
	}
	return "", false
}

func TestWhatMayBeOpened(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege")
	}
	dir := tree(t, map[string]string{
		"secret":                       "no",
		"plain/a":                      "yes",
		"plain/sub/b":                  "yes",
		"plain/inner":                  "→a",
		"plain/up":                     "→sub/../a",
		"plain/out":                    "→../secret",
		"plain/absolute":               "→/etc/hostname",
		"plain/chain":                  "→out",
		"plain/folder":                 "→sub",
		"plain/outfolder":              "→..",
		"plain/device":                 "→/dev/zero",
		"plain/dead":                   "→nothing",
		"models--o--m/blobs/3f":        "yes",
		"models--o--m/config":          "no",
		"models--o--m/refs/main":       "no",
		"models--o--m/snapshots/r/a":   "→../../blobs/3f",
		"models--o--m/snapshots/r/n/b": "→../../../blobs/3f",
		"models--o--m/snapshots/r/two": "→n/b",
		"models--o--m/snapshots/s/a":   "→../r/a",
		"models--o--m/snapshots/r/out": "→../../../secret",
		"models--o--m/snapshots/r/cfg": "→../../config",
		"models--o--m/snapshots/r/ref": "→../../refs/main",
		"models--o--m/snapshots/r/oth": "→../../../models--o--x/blobs/3f",
		"models--o--m/snapshots/r/dir": "→../../blobs",
		"models--o--x/blobs/3f":        "no",
		"alike/snapshots/r/a":          "→../../blob/3f", // no folder blobs: not a hub
		"alike/blob/3f":                "no",
		"linked/blobs":                 "→../models--o--m/blobs",
		"linked/snapshots/r/a":         "→../../blobs/3f",
	})
	for _, c := range []struct {
		folder, name string
		want         error
	}{
		{"plain", "a", nil},
		{"plain", "sub/b", nil},
		{"plain", "sub/../a", nil},
		{"plain", "inner", nil},
		{"plain", "up", nil},
		{"plain", "folder/b", nil},
		{"plain", "out", sidefile.ErrOutside},
		{"plain", "absolute", sidefile.ErrOutside},
		{"plain", "chain", sidefile.ErrOutside},
		{"plain", "outfolder/secret", sidefile.ErrOutside},
		{"plain", "device", sidefile.ErrOutside},
		{"plain", "../secret", sidefile.ErrOutside},
		{"plain", "/etc/hostname", sidefile.ErrOutside},
		{"plain", "", sidefile.ErrOutside},
		{"plain", "folder", files.ErrIrregular},
		{"plain", "dead", fs.ErrNotExist},
		{"plain", "missing", fs.ErrNotExist},
		{"models--o--m/snapshots/r", "a", nil},
		{"models--o--m/snapshots/r", "n/b", nil},
		{"models--o--m/snapshots/r/n", "b", nil},
		{"models--o--m/snapshots/r", "two", nil},
		{"models--o--m/snapshots/s", "a", nil},
		{"models--o--m/snapshots/r", "out", sidefile.ErrOutside},
		{"models--o--m/snapshots/r", "cfg", sidefile.ErrOutside},
		{"models--o--m/snapshots/r", "ref", sidefile.ErrOutside},
		{"models--o--m/snapshots/r", "oth", sidefile.ErrOutside},
		{"models--o--m/snapshots/r", "dir", files.ErrIrregular},
		{"models--o--m/snapshots/r", "../../blobs/3f", sidefile.ErrOutside},
		{"models--o--m/snapshots/r/n", "../a", sidefile.ErrOutside},
		{"models--o--m/snapshots", "r/a", sidefile.ErrOutside}, // not in a revision
		{"alike/snapshots/r", "a", sidefile.ErrOutside},
		{"linked/snapshots/r", "a", sidefile.ErrOutside},
	} {
		folder, err := sidefile.Open(filepath.Join(dir, c.folder))
		if err != nil {
			t.Fatal(err)
		}
		data, err := folder.ReadFile(filepath.FromSlash(c.name), 10)
		if !errors.Is(err, c.want) || c.want == nil && (err != nil || string(data) != "yes") {
			t.Errorf("%s of %s: %q, %v, want %v", c.name, c.folder, data, err, c.want)
		}
		if err = folder.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The folder counts as the user gives it, from wherever the process stands.
func TestTheFolderIsNamedByTheUser(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege")
	}
	dir := tree(t, map[string]string{
		"models--o--m/blobs/3f":            "yes",
		"models--o--m/snapshots/r/onnx/a":  "→../../../blobs/3f",
		"home/model":                       "→../models--o--m/snapshots/r",
		"home/here":                        "yes",
		"models--o--m/snapshots/r/outside": "→../../../home/here",
	})
	for _, c := range []struct {
		from, path string
		want       error
	}{
		{".", "models--o--m/snapshots/r/onnx/a", nil},
		{"models--o--m", "snapshots/r/onnx/a", nil},
		{"models--o--m/snapshots", "r/onnx/a", nil},
		{"models--o--m/snapshots/r", "onnx/a", nil},
		{"models--o--m/snapshots/r/onnx", "a", nil},
		{"home", "here", nil},
		{"home", "model/onnx/a", nil},
		{"models--o--m/snapshots/r", "outside", sidefile.ErrOutside},
		{"home", "missing/a", fs.ErrNotExist},
	} {
		t.Chdir(filepath.Join(dir, c.from))
		if err := sidefile.Check(filepath.FromSlash(c.path)); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s from %s: %v", c.path, c.from, err)
		}
	}
}

func TestReadFileIsBounded(t *testing.T) {
	dir := tree(t, map[string]string{"a": "12345"})
	folder, err := sidefile.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if data, err := folder.ReadFile("a", 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := folder.ReadFile("a", 4); err == nil {
		t.Error("more than the limit was read")
	}
}
