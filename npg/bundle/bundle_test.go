package bundle

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/npg"
	"ucan/smooth"
)

// examples returns one bundle of every kind, for inputs of shape [1, 2, 3].
func examples() map[string]*Bundle {
	limits := npg.Limits{Floor: 0.1, Ceiling: 2}
	graph := []byte("not checked here")
	x := []float32{1, 2, 3, 4, 5, 6}
	return map[string]*Bundle{
		"pattern": {Kind: npg.KindPattern, Shape: []int{1, 2, 3}, Limits: limits, MuScale: 1, FixedMean: true, Sigma: []float32{1, 1, .5, .5, 2, 2}},
		"dataset": {
			Kind: npg.KindDataset, Basis: "dct2:1x2x3", Shape: []int{1, 2, 3}, Limits: npg.DefaultLimits(), MuScale: 0.25,
			Mu: []float32{0, 0, .1, .1, 0, 0}, Sigma: []float32{.25, .5, 1, 1, 2, 4},
			Graphs:    map[Role][]byte{Joint: graph, Base: []byte("base")},
			Training:  map[string]any{"epochs": 3, "loss": 0.5, "data": map[string]any{"source": "digits"}},
			Diagnoses: []Diagnosis{{Name: "collapse", Value: 0.5, Threshold: 0.05, Text: "σ differs across pixels"}},
		},
		"certification": {Kind: npg.KindCertification, Shape: []int{1, 2, 3}, Limits: limits, MuScale: 1, Graphs: map[Role][]byte{Mu: graph, Sigma: []byte("s")}},
		"per-input": {
			Kind: npg.KindPerInput, Shape: []int{1, 2, 3}, Limits: limits, MuScale: 1,
			Inputs: []Input{
				{SHA256: smooth.InputID(x), Sigma: []float32{1, 1, 1, 1, 1, .5}},
				{SHA256: smooth.InputID(x[:1]), Mu: x, Sigma: []float32{2, 2, 2, 2, 2, 2}},
			},
		},
	}
}

func write(t *testing.T, b *Bundle) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bundle")
	if err := Write(dir, b); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBundlesReadBack(t *testing.T) {
	for name, b := range examples() {
		dir := write(t, b)
		got, err := Read(dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Hash() != b.Hash() || len(got.Hash()) != 64 {
			t.Errorf("%s: hash %q, then %q", name, b.Hash(), got.Hash())
		}
		if name == "per-input" { // an absent offset is stored as zeros beside present ones
			b.Inputs[0].Mu = make([]float32, 6)
		}
		if b.Graphs == nil {
			b.Graphs = map[Role][]byte{}
		}
		if !reflect.DeepEqual(got, b) {
			t.Errorf("%s: read %+v, wrote %+v", name, got, b)
		}
	}
}

// The same bundle gives the same bytes, also over an old one, and leaves other files alone.
func TestWriteIsReproducible(t *testing.T) {
	dir := write(t, examples()["certification"])
	for _, name := range []string{"train.jsonl", filepath.Join("checkpoint", "a")} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("kept"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := Write(dir, examples()["dataset"]); err != nil {
		t.Fatal(err)
	}
	fresh := write(t, examples()["dataset"])
	for _, name := range []string{ManifestName, "sigma.npy", "mu.npy", "generator.onnx", "base.onnx"} {
		a, errA := os.ReadFile(filepath.Join(dir, name))
		b, errB := os.ReadFile(filepath.Join(fresh, name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs (%v, %v)", name, errA, errB)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "train.jsonl")); err != nil || string(text) != "kept" {
		t.Errorf("train.jsonl: %q, %v", text, err)
	}
	leftovers, err := filepath.Glob(filepath.Join(dir, ".bundle-*"))
	if err != nil || len(leftovers) > 0 {
		t.Errorf("temporary files are left: %v", leftovers)
	}
}

// A crash between the files of another bundle leaves a folder that is none, not a mixture.
func TestInterruptedWriteIsNoBundle(t *testing.T) {
	dir := write(t, examples()["pattern"])
	if err := os.Mkdir(filepath.Join(dir, "generator.onnx"), 0o777); err != nil { // the second file cannot be written
		t.Fatal(err)
	}
	if err := Write(dir, examples()["dataset"]); err == nil {
		t.Fatal("writing over a folder succeeded")
	}
	if _, err := Read(dir); !errors.Is(err, ErrBundle) || Exists(dir) {
		t.Errorf("a half-written folder reads as a bundle (%v)", err)
	}
}

func TestReadRefuses(t *testing.T) {
	whole := map[string]string{}
	for name, b := range examples() {
		whole[name] = write(t, b)
	}
	edit := func(old, new string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, ManifestName)
			text, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(text), old) {
				t.Fatalf("npg.yaml holds no %q (%v):\n%s", old, err, text)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range subtest.Rows(map[string]struct {
		bundle string
		damage func(t *testing.T, dir string)
		want   string
	}{
		"no folder":        {"pattern", func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) }, "no such file"},
		"no npg.yaml":      {"pattern", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, ManifestName))) }, "no npg.yaml"},
		"empty npg.yaml":   {"pattern", func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, ManifestName), 0)) }, "empty"},
		"missing file":     {"pattern", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "sigma.npy"))) }, "sigma.npy"},
		"altered file":     {"pattern", func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "sigma.npy")) }, "altered"},
		"altered graph":    {"certification", func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "mu.onnx")) }, "altered"},
		"schema":           {"pattern", edit("ucan.npg/1", "ucan.npg/9"), "schema"},
		"unknown key":      {"pattern", edit("mu_scale:", "mean_scale:"), "mean_scale"},
		"guarantee":        {"certification", edit("guarantee: pinned", "guarantee: deployed"), "guarantee"},
		"kind":             {"pattern", edit("kind: pattern", "kind: certification"), "guarantee"},
		"kind and promise": {"certification", edit("kind: certification\nguarantee: pinned", "kind: dataset\nguarantee: deployed"), "sigma_field"},
		"unknown kind":     {"certification", edit("kind: certification", "kind: magic"), "magic"},
		"shape":            {"pattern", edit("shape: [1, 2, 3]", "shape: [1, 2, 4]"), "values"},
		"no shape":         {"pattern", edit("shape: [1, 2, 3]", "shape: []"), "shape"},
		"huge shape":       {"pattern", edit("shape: [1, 2, 3]", "shape: [100000, 100000, 100000]"), "too large"},
		"floor":            {"pattern", edit("floor: 0.1", "floor: 0"), "floor"},
		"NaN floor":        {"pattern", edit("floor: 0.1", "floor: .nan"), "floor"},
		"ceiling":          {"pattern", edit("ceiling: 2", "ceiling: 0.05"), "ceiling"},
		"mu_scale":         {"pattern", edit("mu_scale: 1", "mu_scale: .inf"), "mu_scale"},
		"basis":            {"dataset", edit("dct2:1x2x3", "dct2:1x2x4"), "basis"},
		"other basis":      {"dataset", edit("dct2:1x2x3", "fft:1x2x3"), "basis"},
		"parent folder":    {"pattern", edit("name: sigma.npy", "name: ../sigma.npy"), "bad file name"},
		"absolute path":    {"pattern", edit("name: sigma.npy", "name: /etc/passwd"), "bad file name"},
		"unknown role":     {"pattern", edit("role: sigma_field", "role: tau_field"), "role"},
		"two documents":    {"pattern", func(t *testing.T, dir string) { add(t, dir, "---\nkind: pattern\n") }, "document"},
		"a line too many":  {"per-input", edit("role: inputs", "role: mu"), "inputs"},
		"link": {"pattern", func(t *testing.T, dir string) {
			path := filepath.Join(dir, "sigma.npy")
			must(t, os.Rename(path, filepath.Join(filepath.Dir(dir), "elsewhere")))
			must(t, os.Symlink(filepath.Join("..", "elsewhere"), path))
		}, "leads out of its folder"},
	}) {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "bundle")
			must(t, os.CopyFS(dir, os.DirFS(whole[c.bundle])))
			c.damage(t, dir)
			_, err := Read(dir)
			if !errors.Is(err, ErrBundle) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line about %q", err, c.want)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, dir, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, ManifestName), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(text)
	must(t, errors.Join(err, f.Close()))
}

// flip changes the last byte of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	data[len(data)-1] ^= 1
	must(t, os.WriteFile(path, data, 0o666))
}

func TestWriteRefuses(t *testing.T) {
	for name, change := range subtest.Rows(map[string]func(b *Bundle){
		"no field":           func(b *Bundle) { b.Sigma = nil },
		"field of 5":         func(b *Bundle) { b.Sigma = b.Sigma[1:] },
		"mean and fixed":     func(b *Bundle) { b.Mu = b.Sigma },
		"unknown role":       func(b *Bundle) { b.Graphs = map[Role][]byte{"tau": nil} },
		"inputs":             func(b *Bundle) { b.Inputs = examples()["per-input"].Inputs },
		"two of one input":   func(b *Bundle) { *b = *examples()["per-input"]; b.Inputs[1].SHA256 = b.Inputs[0].SHA256 },
		"constant certified": func(b *Bundle) { *b = *examples()["certification"]; b.Sigma = make([]float32, 6) },
		"no graph":           func(b *Bundle) { *b = *examples()["certification"]; b.Graphs = nil },
		"dropped offset":     func(b *Bundle) { *b = *examples()["certification"]; b.MuScale = 0 },
	}) {
		t.Run(name, func(t *testing.T) {
			b := examples()["pattern"]
			change(b)
			dir := filepath.Join(t.TempDir(), "b")
			if err := Write(dir, b); err == nil {
				t.Errorf("%s: written", name)
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: something was written", name)
			}
		})
	}
}

func TestStoredGenerators(t *testing.T) {
	all := examples()
	g, err := all["dataset"].Stored()
	must(t, err)
	p, err := g.Parameters(t.Context(), nil)
	if err != nil || g.Guarantee() != smooth.Deployed || p.Basis().Name() != "dct2:1x2x3" || p.Mu()[2] != .1 || p.Sigma()[5] != 4 {
		t.Errorf("dataset: %v, %v", p, err)
	}
	all["pattern"].Sigma[0], all["pattern"].Sigma[1] = 0, 9
	g, err = all["pattern"].Stored()
	must(t, err)
	if p, err = g.Parameters(t.Context(), nil); err != nil || p.Sigma()[0] < 0.1 || p.Sigma()[1] != 2 || p.Floored != 1 || p.Ceiled != 3 {
		t.Errorf("limits: %v, %d at the floor, %d at the ceiling (%v)", p.Sigma(), p.Floored, p.Ceiled, err)
	}
	g, err = all["per-input"].Stored()
	must(t, err)
	if p, err = g.Parameters(t.Context(), []float32{1, 2, 3, 4, 5, 6}); err != nil || g.Guarantee() != smooth.Pinned || p.Sigma()[5] != .5 {
		t.Errorf("per-input: %v, %v", p, err)
	}
	if _, err = g.Parameters(t.Context(), []float32{1, 2, 3, 4, 5, 7}); err == nil || !strings.Contains(err.Error(), "per-input") {
		t.Errorf("an input without fields: %v", err)
	}
	if _, err = all["certification"].Stored(); err == nil {
		t.Error("networks were taken for stored fields")
	}
}

// The hash covers every file: it changes with any of them.
func TestHashBindsAllFiles(t *testing.T) {
	hashes := map[string]bool{}
	for _, change := range []func(b *Bundle){
		func(*Bundle) {},
		func(b *Bundle) { b.Graphs[Joint] = []byte("other") },
		func(b *Bundle) { b.Graphs[Base] = []byte("other") },
		func(b *Bundle) { b.Sigma[0] = 3 },
		func(b *Bundle) { b.Mu[0] = 3 },
		func(b *Bundle) { b.Limits.Floor = 0.2 },
		func(b *Bundle) { b.Basis = "" },
	} {
		b := examples()["dataset"]
		change(b)
		write(t, b)
		hashes[b.Hash()] = true
	}
	if len(hashes) != 7 {
		t.Errorf("%d different hashes of 7 bundles: %v", len(hashes), slices.Collect(maps.Keys(hashes)))
	}
}

// A bundle may lie in a model hub's cache, where every file is a link to a blob; a link that leads
// elsewhere is refused.
func TestBundlesOfAHub(t *testing.T) {
	for name, b := range examples() {
		dir := write(t, b)
		hub := filepath.Join(t.TempDir(), "models--o--b")
		snapshot := filepath.Join(hub, "snapshots", "r", "generators", "one")
		must(t, os.MkdirAll(snapshot, 0o777))
		must(t, os.MkdirAll(filepath.Join(hub, "blobs"), 0o777))
		entries, err := os.ReadDir(dir)
		must(t, err)
		for i, e := range entries {
			blob := string(rune('a' + i))
			must(t, os.Rename(filepath.Join(dir, e.Name()), filepath.Join(hub, "blobs", blob)))
			if err = os.Symlink(filepath.Join("..", "..", "..", "..", "blobs", blob), filepath.Join(snapshot, e.Name())); err != nil {
				t.Skip(err)
			}
		}
		got, err := Read(snapshot)
		if err != nil || got.Hash() != b.Hash() || !Exists(snapshot) {
			t.Errorf("%s: %v, exists %v", name, err, Exists(snapshot))
		}
		manifest := filepath.Join(snapshot, ManifestName)
		must(t, os.Rename(filepath.Join(hub, "blobs", string(rune('a'+slices.IndexFunc(entries, func(e fs.DirEntry) bool { return e.Name() == ManifestName })))), filepath.Join(hub, "manifest")))
		must(t, os.Remove(manifest))
		must(t, os.Symlink(filepath.Join("..", "..", "..", "..", "manifest"), manifest))
		if _, err := Read(snapshot); !errors.Is(err, ErrBundle) || !strings.Contains(err.Error(), "leads out") || Exists(snapshot) {
			t.Errorf("%s: a manifest outside the blobs: %v", name, err)
		}
	}
}
