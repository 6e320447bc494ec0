package models_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/models"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// put moves a file into a hub's blobs and leaves a link to it at name, as download tools do.
func put(t *testing.T, from, hub, name string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	putBytes(t, data, hub, name)
}

func putBytes(t *testing.T, data []byte, hub, name string) {
	t.Helper()
	blob, link := filepath.Join(hub, "blobs", strings.ReplaceAll(name, "/", "_")+"-3f2a"), filepath.Join(hub, filepath.FromSlash(name))
	for _, path := range []string{blob, link} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(blob, data, 0o644); err != nil {
		t.Fatal(err)
	}
	target, err := filepath.Rel(filepath.Dir(link), blob)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err) // links need a privilege on some systems
	}
}

// hubModel lays a classifier with external data, its declaration and a denoiser out as a hub's
// cache does, in a folder of the snapshot, and returns the model's path.
func hubModel(t *testing.T, declaration string) (path, hub string) {
	t.Helper()
	from, hub := t.TempDir(), filepath.Join(t.TempDir(), "models--o--m")
	m, err := onnx.Read(plain(t, 17, "N").node("Identity", "l", "y").scores("N").write())
	if err != nil {
		t.Fatal(err)
	}
	if err = m.WriteExternal(filepath.Join(from, "m.onnx"), 1); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"m.onnx", "m.onnx.data"} {
		put(t, filepath.Join(from, name), hub, "snapshots/r1/onnx/"+name)
	}
	put(t, denoiserFile(t, 17, "N", 3, 2, 2), hub, "snapshots/r1/onnx/denoisers/half.onnx")
	putBytes(t, []byte(declaration), hub, "snapshots/r1/onnx/model.yaml")
	// A second revision that shares files with the first: links to links.
	second := filepath.Join(hub, "snapshots", "r2", "onnx")
	if err = os.MkdirAll(second, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"m.onnx", "m.onnx.data", "denoisers", "model.yaml"} {
		if err = os.Symlink(filepath.Join("..", "..", "r1", "onnx", name), filepath.Join(second, name)); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(hub, "snapshots", "r1", "onnx", "m.onnx"), hub
}

// A model of a hub's cache loads and runs, with everything that belongs to it, as the same files do
// without links.
func TestModelsOfAHub(t *testing.T) {
	path, hub := hubModel(t, "denoiser: denoisers/half.onnx\nlabels: [a, b, c]\n")
	rt := runtimetest.Open(t)
	labels := func(path string) []int32 {
		t.Helper()
		m, err := models.Open(context.Background(), rt, path, models.Options{SourceShape: refShape, SkipLoadTrial: true})
		if err != nil {
			t.Fatal(err)
		}
		if r := m.Report(); r.YAML != "model.yaml" || r.Denoiser != "half.onnx" || !slices.Equal(r.Labels, []string{"a", "b", "c"}) {
			t.Errorf("%s: read %q, denoiser %q, labels %v", path, r.YAML, r.Denoiser, r.Labels)
		}
		return classify(t, m, refRows(6))
	}
	plainDir := t.TempDir()
	for _, name := range []string{"m.onnx", "m.onnx.data", "model.yaml", "denoisers/half.onnx"} {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(path), name))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(plainDir, name)
		if err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want := labels(filepath.Join(plainDir, "m.onnx"))
	if got := labels(path); !slices.Equal(got, want) {
		t.Errorf("labels %v, without links %v", got, want)
	}
	if got := labels(filepath.Join(hub, "snapshots", "r2", "onnx", "m.onnx")); !slices.Equal(got, want) {
		t.Errorf("labels %v over two links, without links %v", got, want)
	}
	t.Chdir(filepath.Join(hub, "snapshots", "r1"))
	if got := labels(filepath.Join("onnx", "m.onnx")); !slices.Equal(got, want) {
		t.Errorf("labels %v by a relative path, want %v", got, want)
	}
}

// What lies beside a model, or is named by what lies beside it, may not lead elsewhere.
func TestNothingBesideAModelLeadsElsewhere(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege")
	}
	elsewhere := t.TempDir()
	secret := filepath.Join(elsewhere, "secret.yaml")
	if err := os.WriteFile(secret, []byte("labels: [a, b, c]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	denoiser := denoiserFile(t, 17, "N", 3, 2, 2)
	for name, c := range subtest.Rows(map[string]struct {
		make func(dir string) error
		want string
	}{
		"a declaration that is a link": {func(dir string) error { return os.Symlink(secret, filepath.Join(dir, "model.yaml")) }, "leads out of its folder"},
		"one of the model's own name": {func(dir string) error {
			to, err := filepath.Rel(dir, secret)
			return errors.Join(err, os.Symlink(to, filepath.Join(dir, "m.model.yaml")))
		}, "m.model.yaml"},
		"a link to nothing":             {func(dir string) error { return os.Symlink("nothing", filepath.Join(dir, "model.yaml")) }, "put the file itself"},
		"a device":                      {func(dir string) error { return os.Symlink("/dev/zero", filepath.Join(dir, "model.yaml")) }, "leads out of its folder"},
		"a denoiser by a full path":     {declares("denoiser: " + denoiser), "--denoiser FILE"},
		"a denoiser above":              {declares("denoiser: ../d.onnx"), "--denoiser FILE"},
		"a denoiser over a link":        {both(declares("denoiser: d/m.onnx"), func(dir string) error { return os.Symlink(filepath.Dir(denoiser), filepath.Join(dir, "d")) }), "leads out of its folder"},
		"a denoiser that is a link":     {both(declares("denoiser: d.onnx"), func(dir string) error { return os.Symlink(denoiser, filepath.Join(dir, "d.onnx")) }), "--denoiser FILE"},
		"a denoiser that is no file":    {declares("denoiser: ."), "not a regular file"},
		"a denoiser that is not there":  {declares("denoiser: none.onnx"), "none.onnx"},
		"a denoiser through the parent": {declares("denoiser: x/../../d.onnx"), "leads out of its folder"},
	}) {
		t.Run(name, func(t *testing.T) {
			path := plain(t, 17, "N").node("Identity", "l", "y").scores("N").write()
			if err := c.make(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
			_, err := models.Open(context.Background(), runtimetest.Open(t), path, models.Options{SourceShape: refShape, SkipLoadTrial: true})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func declares(text string) func(string) error {
	return func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "model.yaml"), []byte(text+"\n"), 0o644)
	}
}

func both(a, b func(string) error) func(string) error {
	return func(dir string) error { return errors.Join(a(dir), b(dir)) }
}

// External data keeps to the hub's blobs, and to the folder where there is no hub.
func TestExternalDataOfAHubLeadsNowhereElse(t *testing.T) {
	path, hub := hubModel(t, "")
	data, other := filepath.Join(filepath.Dir(path), "m.onnx.data"), filepath.Join(filepath.Dir(hub), "other")
	content, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(other, content, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range subtest.Rows(map[string]string{
		"beside the hub": filepath.Join("..", "..", "..", "..", "other"), "by a full path": other, "in the hub but no blob": filepath.Join("..", "..", "..", "config"),
	}) {
		t.Run(name, func(t *testing.T) {
			if err = errors.Join(os.Remove(data), os.Symlink(target, data), os.WriteFile(filepath.Join(hub, "config"), content, 0o644)); err != nil {
				t.Fatal(err)
			}
			_, err := models.Open(context.Background(), runtimetest.Open(t), path, models.Options{SourceShape: refShape, SkipLoadTrial: true})
			if !errors.Is(err, onnx.ErrOutside) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
