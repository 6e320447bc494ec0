package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime/onnx"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// altered writes the certificates of a file again, edited and sealed, so that no digest tells.
func altered(t *testing.T, from, to string, edit func(i int, c *certificate.Certificate)) {
	t.Helper()
	var out strings.Builder
	for i, line := range strings.Split(strings.TrimSpace(read(t, from)), "\n") {
		c, err := certificate.Parse([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		edit(i, c)
		if err = c.SetID(); err != nil {
			t.Fatal(err)
		}
		text, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(text, '\n'))
	}
	if err := os.WriteFile(to, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyOtherNoiseThanNamed has true certificates that name a generator which did not make
// their noise.
func TestVerifyOtherNoiseThanNamed(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir, model := workshop(t)
	for name, npg := range subtest.Rows(map[string][2]string{
		"pixels":      {"pattern:l2,kappa=0.3,iota=0.8379", "pattern:l2,kappa=0.4,iota=0.9"},
		"frequencies": {"pattern:dct256", "pattern:dct,kappa=16,gamma=3,iota=0.5"},
		"basis":       {"pattern:dct,kappa=2,gamma=2,iota=0.5", "pattern:l2"},
	}) {
		t.Run(name, func(t *testing.T) {
			path := func(file string) string { return filepath.Join(dir, name+file) }
			for i, file := range []string{"a.jsonl", "b.jsonl"} {
				want(t, exitDone, certifyArgs(model, "--npg", npg[i], "--sigma", "1", "--max", "2", "--json", path(file), "--force")...)
				want(t, exitDone, "verify", path(file))
			}
			honest, err := certificate.Parse([]byte(strings.SplitN(read(t, path("a.jsonl")), "\n", 2)[0]))
			if err != nil {
				t.Fatal(err)
			}
			altered(t, path("b.jsonl"), path("c.jsonl"), func(_ int, c *certificate.Certificate) { c.Noise.NPG.Spec = honest.Noise.NPG.Spec })
			if got := want(t, exitCheck, "verify", path("c.jsonl")); !strings.Contains(got.stdout, "noise.npg.spec") || !strings.Contains(got.stdout, "0 true") {
				t.Errorf("%s: verify says\n%s", name, got.stdout)
			}
		})
	}
}

// TestVerifyNoiseThatChanges calls noise deployed that is another one for every input.
func TestVerifyNoiseThatChanges(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	network(t, path("net.onnx"), 0.2, "mu", "sigma")
	want(t, exitDone, certifyArgs(model, "--npg", path("net.onnx"), "--sigma", "1", "--max", "3", "--json", path("a.jsonl"))...)
	want(t, exitDone, "verify", path("a.jsonl"))
	altered(t, path("a.jsonl"), path("b.jsonl"), func(_ int, c *certificate.Certificate) {
		c.Guarantee, c.Noise.NPG = smooth.Deployed, nil
	})
	if got := want(t, exitCheck, "verify", path("b.jsonl")); !strings.Contains(got.stdout, "other noise than on line 1") || !strings.Contains(got.stdout, "1 true, 2 false") {
		t.Errorf("verify says\n%s", got.stdout)
	}
}

// network writes a generator of the given outputs: the scale is base plus a tenth of the picture's
// mean, the offset a hundredth of base.
func network(t *testing.T, path string, base float64, outputs ...string) {
	t.Helper()
	b := onnx.NewBuilder("npg", 17)
	dims := []onnx.Dim{onnx.Sym("N"), onnx.Fixed(1), onnx.Fixed(28), onnx.Fixed(28)}
	x := b.Input("x", onnx.Float, dims...)
	zero := b.Mul(x, b.Scalar(onnx.Float, 0))
	mean := b.Mul(b.GlobalAveragePool(x), b.Scalar(onnx.Float, 0.1))
	fields := map[string]onnx.Value{
		"mu":    b.Add(zero, b.Scalar(onnx.Float, base/100)),
		"sigma": b.Add(zero, b.Add(mean, b.Scalar(onnx.Float, base))),
	}
	for _, name := range outputs {
		b.Output(name, fields[name], onnx.Float, dims...)
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := m.Write(path); err != nil {
		t.Fatal(err)
	}
}

// TestResumeUnderAnotherGenerator exchanges one of two networks of the same name.
func TestResumeUnderAnotherGenerator(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir, model := workshop(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	network(t, path("a/net.onnx"), 0.1, "mu")
	network(t, path("b/net.onnx"), 0.2, "sigma")
	network(t, path("c/net.onnx"), 0.3, "mu")
	args := func(mu, count string) []string {
		return certifyArgs(model, "--npg", path(mu+"/net.onnx")+","+path("b/net.onnx"), "--sigma", "1", "--max", count, "--out", path("r.tsv"), "--json", path("r.jsonl"))
	}
	want(t, exitDone, args("a", "2")...)
	if got := want(t, exitUsage, append(args("c", "4"), "--resume")...); !strings.Contains(got.stderr, "npg:net.onnx") {
		t.Errorf("the other network is not named: %s", got.stderr)
	}
	want(t, exitDone, append(args("a", "4"), "--resume")...)
}

// TestResumeUnderAnotherSize crops pictures of two sizes to one shape.
func TestResumeUnderAnotherSize(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir, model := workshop(t)
	folder := digitFolder(t, 6)
	args := func(resize, count string) []string {
		return []string{
			"certify", "--model", model, "--data", "folder:" + folder, "--sigma", "0.25", "--n", "100", "--seed", "1", "--max-failures", "1", "--quiet",
			"--crop", "28", "--resize", resize, "--max", count, "--force", "--out", filepath.Join(dir, "r.tsv"),
		}
	}
	want(t, exitDone, args("40", "2")...)
	if got := want(t, exitUsage, append(args("32", "4"), "--resume")...); !strings.Contains(got.stderr, "resize") {
		t.Errorf("the other size is not named: %s", got.stderr)
	}
	want(t, exitDone, append(args("40", "2"), "--resume")...)
}

// TestGridBeyondAnInput gives an adaptive run radii that the noise of some inputs cannot reach.
func TestGridBeyondAnInput(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	network(t, path("net.onnx"), 0.1, "mu", "sigma")
	want(t, exitDone, certifyArgs(model, "--npg", path("net.onnx"), "--sigma", "0.5", "--adaptive", "fast", "--n", "1000", "--grid", "0,0.05,0.1,2", "--max", "3", "--json", path("a.jsonl"))...)
	want(t, exitDone, "verify", path("a.jsonl"))
}
