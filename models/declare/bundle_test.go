package declare_test

import (
	"os"
	"path/filepath"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/models/declare"
)

// A bundle's folder is a model, called by the folder's name; other folders and files are what they
// are.
func TestBundles(t *testing.T) {
	rows := map[string]struct {
		files      []string
		path       string // within the folder net
		file, name string
	}{
		"classifier":             {[]string{"model.onnx", "train.yaml"}, "", "net/model.onnx", "net"},
		"its file":               {[]string{"model.onnx", "train.yaml"}, "model.onnx", "net/model.onnx", "net"},
		"joint":                  {[]string{"base.onnx", "npg.yaml", "generator.onnx"}, "", "net/base.onnx", "net"},
		"generator alone":        {[]string{"npg.yaml", "generator.onnx"}, "", "net", "net"},
		"export with its model":  {[]string{"model.onnx"}, "", "net/model.onnx", "model"},
		"base without generator": {[]string{"base.onnx"}, "", "net", "net"},
		"file":                   {[]string{"resnet.v2.onnx", "train.yaml"}, "resnet.v2.onnx", "net/resnet.v2.onnx", "resnet.v2"},
		"nothing":                {nil, "absent.onnx", "net/absent.onnx", "absent"},
	}
	for label, row := range subtest.Rows(rows) {
		t.Run(label, func(t *testing.T) {
			dir := t.TempDir()
			net := filepath.Join(dir, "net")
			if err := os.Mkdir(net, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, name := range row.files {
				if err := os.WriteFile(filepath.Join(net, name), []byte("x"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(net, row.path)
			if got, want := declare.ModelPath(path), filepath.Join(dir, filepath.FromSlash(row.file)); got != want {
				t.Errorf("the file is %q, want %q", got, want)
			}
			if got := declare.ModelName(path); got != row.name {
				t.Errorf("the name is %q, want %q", got, row.name)
			}
		})
	}
}

// A link that leads out of the folder is no file of the bundle's.
func TestBundleOfALink(t *testing.T) {
	dir := t.TempDir()
	net := filepath.Join(dir, "net")
	outside := filepath.Join(dir, "secret.onnx")
	if err := os.Mkdir(net, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(outside, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(net, "model.onnx")); err != nil {
		t.Skipf("no links here: %v", err)
	}
	if got := declare.ModelPath(net); got != net {
		t.Errorf("the link counts as %q", got)
	}
}
