package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// joined concatenates files.
func joined(t *testing.T, to string, from ...string) string {
	t.Helper()
	var all strings.Builder
	for _, path := range from {
		all.WriteString(read(t, path))
	}
	if err := os.WriteFile(to, []byte(all.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestPinnedNoiseCalledDeployed raises the guarantee of noise that is another one for each input,
// in whatever other clothes.
func TestPinnedNoiseCalledDeployed(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir, model := workshop(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	network(t, path("mu.onnx"), 0.1, "mu")
	network(t, path("sigma.onnx"), 0.3, "sigma")
	want(t, exitDone, certifyArgs(model, "--npg", path("mu.onnx")+","+path("sigma.onnx"), "--sigma", "1", "--max", "4", "--json", path("pinned.jsonl"))...)
	want(t, exitDone, "verify", path("pinned.jsonl"))
	bundle := []certificate.File{{Name: "npg.yaml", SHA256: strings.Repeat("ab", 32)}}
	for name, edit := range subtest.Rows(map[string]func(i int, c *certificate.Certificate){
		"alone":       func(int, *certificate.Certificate) {},
		"kind":        func(_ int, c *certificate.Certificate) { c.Noise.NPG.Kind = "dataset" },
		"null":        func(_ int, c *certificate.Certificate) { c.Noise.NPG = nil },
		"null, seeds": func(i int, c *certificate.Certificate) { c.Noise.NPG, c.Run.Seed = nil, certificate.Seed(i) },
		"bundles": func(i int, c *certificate.Certificate) {
			c.Noise.NPG = &certificate.NPG{Kind: "dataset", Spec: fmt.Sprint("bundle", i), Files: bundle}
		},
		"fields": func(i int, c *certificate.Certificate) { c.Noise.NPG = fieldOf(fmt.Sprintf("s%d.npy", i)) },
		"three kinds": func(i int, c *certificate.Certificate) {
			c.Noise.NPG = []*certificate.NPG{nil, {Kind: "dataset", Spec: "b", Files: bundle}, fieldOf("s.npy"), nil}[i]
		},
		"pattern name": func(_ int, c *certificate.Certificate) { c.Noise.NPG = &certificate.NPG{Kind: "pattern", Spec: "l2"} },
		"pattern": func(i int, c *certificate.Certificate) {
			c.Noise.NPG = &certificate.NPG{Kind: "pattern", Spec: "pattern:l2,kappa=1,iota=0.5,span=1,floor=0.001"}
			c.Run.Seed = certificate.Seed(i)
		},
		"two sources": func(i int, c *certificate.Certificate) { c.Noise.NPG, c.Input.Source = nil, fmt.Sprint("source", i) },
		"shapes": func(i int, c *certificate.Certificate) {
			c.Noise.NPG, c.Input.Shape = nil, [][]int{{784}, {28, 28}, {1, 28, 28}, {1, 784}}[i]
		},
		"indices": func(i int, c *certificate.Certificate) { c.Noise.NPG, c.Input.Index = nil, 0 },
	}) {
		t.Run(name, func(t *testing.T) {
			forged := filepath.Join(t.TempDir(), "forged.jsonl")
			altered(t, path("pinned.jsonl"), forged, func(i int, c *certificate.Certificate) {
				c.Guarantee = smooth.Deployed
				edit(i, c)
			})
			got := want(t, exitCheck, "verify", forged)
			if strings.Contains(got.stdout, "0 false") {
				t.Errorf("verify says\n%s", got.stdout)
			}
		})
	}
	// The same with other methods and terms on each line: counted under one noise for each input
	// all the same.
	for i, more := range [][]string{{"--alpha", "0.01"}, {"--norm", "linf"}, {"--alpha", "0.001"}} {
		forged := path(fmt.Sprintf("terms%d.jsonl", i))
		want(t, exitDone, append([]string{"certify", "--from-counts", path("pinned.jsonl"), "--json", forged, "--quiet"}, more...)...)
	}
	parts := make([]string, 3)
	for i := range parts {
		line := strings.SplitAfter(read(t, path(fmt.Sprintf("terms%d.jsonl", i))), "\n")[i]
		if err := os.WriteFile(path("line.jsonl"), []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
		parts[i] = path(fmt.Sprintf("part%d.jsonl", i))
		altered(t, path("line.jsonl"), parts[i], func(_ int, c *certificate.Certificate) { c.Guarantee, c.Noise.NPG = smooth.Deployed, nil })
	}
	if got := want(t, exitCheck, "verify", joined(t, path("terms.jsonl"), parts...)); !strings.Contains(got.stdout, "other noise than on line") {
		t.Errorf("verify says\n%s", got.stdout)
	}
}

func fieldOf(name string) *certificate.NPG {
	return &certificate.NPG{Kind: "field", Spec: name + ",floor=0.001", Files: []certificate.File{{Name: name, SHA256: strings.Repeat("cd", 32)}}}
}

// TestSeveralHonestNoises verifies files that hold several noises for good reasons.
func TestSeveralHonestNoises(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir, model := workshop(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, more := range map[string][]string{
		"narrow": {"--sigma", "0.2", "--max", "4"}, "wide": {"--sigma", "0.4", "--max", "3"}, "shifted": {"--sigma", "0.4", "--skip", "4", "--max", "3"},
		"pattern": {"--sigma", "0.3", "--npg", "pattern:dct16", "--max", "4"}, "lattice": {"--sigma", "0.3", "--arithmetic", "lattice", "--skip", "5", "--max", "2"},
		"wide again": {"--sigma", "0.4", "--skip", "2", "--max", "3"},
	} {
		want(t, exitDone, certifyArgs(model, append([]string{"--json", path(name + ".jsonl"), "--force"}, more...)...)...)
	}
	of := func(names ...string) string {
		var from []string
		for _, name := range names {
			from = append(from, path(name+".jsonl"))
		}
		return joined(t, path("joined.jsonl"), from...)
	}
	got := want(t, exitDone, "verify", of("narrow", "wide", "pattern", "lattice"))
	for _, text := range []string{"13 certificates, 13 true", "4 runs that differ in noise, arithmetic: one curve mixes them", "gaussian σ 0.2", "pattern:dct,kappa=16", "lattice", "0.001", "400", "the votes were taken as stored"} {
		if !strings.Contains(got.stdout, text) {
			t.Errorf("verify does not say %q:\n%s", text, got.stdout)
		}
	}
	// A part of another shard's inputs is no reason for doubt, and the inputs that two shards share
	// are counted once.
	got = want(t, exitDone, "verify", of("wide", "wide again"))
	if !strings.Contains(got.stdout, "5 certificates, 5 true") || !strings.Contains(got.stdout, "1 lines repeat an earlier certificate and are not counted; the first is line 4, which is line 3 again") {
		t.Errorf("verify says\n%s", got.stdout)
	}
	// Other noise on other inputs is what a generator that reads them would give.
	want(t, exitCheck, "verify", of("narrow", "shifted"))
}

// TestUncheckedAndFalse puts certificates that cannot be checked beside true and false ones.
func TestUncheckedAndFalse(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	want(t, exitDone, certifyArgs(model, "--max", "3", "--json", path("a.jsonl"))...)
	altered(t, path("a.jsonl"), path("open.jsonl"), func(i int, c *certificate.Certificate) {
		if i == 1 {
			c.Guarantee = smooth.NoGuarantee
		}
	})
	got := want(t, exitFailed, "verify", path("open.jsonl"))
	if !strings.Contains(got.stdout, "3 certificates, 2 true, 0 false, 1 cannot be checked") || !strings.Contains(got.stderr, "line 2") {
		t.Errorf("verify says\n%s%s", got.stdout, got.stderr)
	}
	for _, bad := range []int{0, 2} { // before and after
		altered(t, path("open.jsonl"), path("both.jsonl"), func(i int, c *certificate.Certificate) {
			if i == bad {
				c.Radii.L1 *= 1.5
			}
		})
		got = want(t, exitCheck, "verify", path("both.jsonl"), "--format", "json")
		var out verificationJSON
		if err := json.Unmarshal([]byte(got.stdout), &out); err != nil {
			t.Fatal(err)
		}
		if out.True != 1 || out.False != 1 || len(out.Unchecked) != 1 || out.Unchecked[0].Line != 2 || len(out.Findings) != 1 || out.Findings[0].Line != bad+1 {
			t.Errorf("verify says %+v", out)
		}
	}
}

// TestVerifyForeignFiles names files of other kinds: wrong usage, with what to do.
func TestVerifyForeignFiles(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	want(t, exitDone, certifyArgs(model, "--max", "2", "--out", path("a.tsv"), "--json", path("a.jsonl"), "--plot", path("a.png"))...)
	for name, text := range map[string]string{
		"a.yaml": "models:\n  - file: x.onnx\n", "a.html": "<!DOCTYPE html>\n<html></html>\n", "a.gz": "\x1f\x8b\x08\x00", "a.npy": "\x93NUMPY\x01\x00", "empty.jsonl": "", "blank.jsonl": "\n \n",
		"log.jsonl": `{"epoch":1,"loss":0.5}` + "\n", "array.json": "[1,2]\n", "other.jsonl": `{"a":1}` + "\n" + `{"a":2}` + "\n", "cohen.tsv": "idx\tlabel\tpredict\n",
	} {
		if err := os.WriteFile(path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, hint := range map[string]string{
		model: "binary", path("a.tsv"): "table of results", path("cohen.tsv"): "table of results", path("a.png"): "picture", path("a.jsonl.run.json"): "record of a run",
		path("a.yaml"): "YAML", path("a.html"): "HTML", path("a.gz"): "unpack", path("a.npy"): "numpy", path("empty.jsonl"): "empty", path("blank.jsonl"): "empty",
		path("log.jsonl"): "JSON of another kind", path("array.json"): "JSON array", path("other.jsonl"): "none of its 2 lines",
	} {
		if got := want(t, exitUsage, "verify", name); !strings.Contains(got.stderr, hint) || !strings.Contains(got.stderr, "name") && !strings.Contains(got.stderr, "unpack") {
			t.Errorf("%s: %s", name, got.stderr)
		}
	}
}

// TestResampleFindsOtherData alters what only the model and the data show.
func TestResampleFindsOtherData(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir, model := workshop(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	check := func(file string) []string {
		return []string{"verify", file, "--resample", "100", "--model", model, "--data", "digits?n=60", "--quiet"}
	}
	want(t, exitDone, certifyArgs(model, "--max", "2", "--json", path("a.jsonl"))...)
	want(t, exitDone, check(path("a.jsonl"))...)
	for field, edit := range subtest.Rows(map[string]func(c *certificate.Certificate){
		"input.label": func(c *certificate.Certificate) {
			c.Input.Label = (c.Input.Label + 1) % 10
			right := c.Predict == c.Input.Label
			c.Correct = &right
		},
		"input.shape":         func(c *certificate.Certificate) { c.Input.Shape = []int{784} },
		"input.sha256":        func(c *certificate.Certificate) { c.Input.Index++ },
		"input.index":         func(c *certificate.Certificate) { c.Input.Index = 1000 },
		"model.classes":       func(c *certificate.Certificate) { c.Model.Classes++ },
		"model.decision":      func(c *certificate.Certificate) { c.Model.Decision = "argmin" },
		"model.preprocessing": func(c *certificate.Certificate) { c.Model.Preprocessing = []byte(`{"scale":2}`) },
	}) {
		t.Run(field, func(t *testing.T) {
			altered(t, path("a.jsonl"), path("b.jsonl"), func(i int, c *certificate.Certificate) {
				if i == 1 {
					edit(c)
				}
			})
			want(t, exitDone, "verify", path("b.jsonl"))
			if got := want(t, exitCheck, check(path("b.jsonl"))...); !strings.Contains(got.stdout, field) || !strings.Contains(got.stdout, "1 true, 1 false") {
				t.Errorf("%s: verify says\n%s", field, got.stdout)
			}
		})
	}
	altered(t, path("a.jsonl"), path("b.jsonl"), func(_ int, c *certificate.Certificate) { c.Input.Source = "digits:others" })
	if got := want(t, exitDone, check(path("b.jsonl"))...); !strings.Contains(got.stdout, "2 certificates name the data \"digits:others\"") {
		t.Errorf("verify says\n%s", got.stdout)
	}
}

// TestFloatCalledLattice calls votes of float32 noise votes of the lattice.
func TestFloatCalledLattice(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir, model := workshop(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	args := func(file string, more ...string) []string {
		return certifyArgs(model, append([]string{"--sigma", "1", "--n", "2000", "--max", "4", "--json", path(file), "--force"}, more...)...)
	}
	check := func(file string) []string {
		return []string{"verify", path(file), "--resample", "100", "--model", model, "--data", "digits?n=60", "--quiet", "--force"}
	}
	want(t, exitDone, args("float.jsonl")...)
	want(t, exitDone, args("lattice.jsonl", "--arithmetic", "lattice")...)
	want(t, exitDone, check("lattice.jsonl")...)
	altered(t, path("float.jsonl"), path("forged.jsonl"), func(_ int, c *certificate.Certificate) {
		c.Noise.Arithmetic = "lattice"
		derived, err := certificate.FromCounts(c, certificate.Terms{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		*c = *derived
	})
	want(t, exitDone, "verify", path("forged.jsonl"))
	if got := want(t, exitCheck, check("forged.jsonl")...); !strings.Contains(got.stdout, "noise.arithmetic") {
		t.Errorf("verify says\n%s", got.stdout)
	}
	altered(t, path("lattice.jsonl"), path("seed.jsonl"), func(_ int, c *certificate.Certificate) { c.Run.Seed++ })
	if got := want(t, exitDone, check("seed.jsonl")...); !strings.Contains(got.stdout, "in lattice arithmetic did not repeat their votes") {
		t.Errorf("verify says\n%s", got.stdout)
	}
}
