package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// carrier is a classifier by the sign of w·z, inputs on both sides at a distance of .1 from it,
// and generators: one whose μ = 20·(w·x)·w carries the answer, one without offset whose scales
// depend on the input, and one whose scale is the same for all.
type carrier struct{ dir, model, data, leaking, honest, collapsed string }

func newCarrier(t *testing.T) carrier {
	t.Helper()
	runtimetest.Open(t)
	const d = 4
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	c := carrier{dir, path("f.onnx"), "csv:" + path("x.csv") + "?label=class", path("leaking.onnx"), path("honest.onnx"), path("collapsed.onnx")}
	write := func(name string, f func(b *onnx.Builder, x, along onnx.Value)) {
		b := onnx.NewBuilder("g", 17)
		x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(d))
		f(b, x, b.MatMul(x, onnx.Tensor(b, "w", []int64{d, 1}, []float32{.5, -.5, .5, .5})))
		m, err := b.Build()
		if err == nil {
			err = m.Write(name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	wide := func(b *onnx.Builder, name string, v onnx.Value) {
		b.Output(name, v, onnx.Float, onnx.Sym("N"), onnx.Fixed(d))
	}
	write(c.model, func(b *onnx.Builder, _, along onnx.Value) {
		z := b.Mul(along, b.Scalar(onnx.Float, 4))
		b.Output("y", b.Concat(1, b.Neg(z), z), onnx.Float, onnx.Sym("N"), onnx.Fixed(2))
	})
	write(c.leaking, func(b *onnx.Builder, x, along onnx.Value) {
		wide(b, "mu", b.MatMul(along, onnx.Tensor(b, "back", []int64{1, d}, []float32{10, -10, 10, 10})))
		wide(b, "sigma", b.Add(b.Mul(x, b.Scalar(onnx.Float, 0)), b.Scalar(onnx.Float, 0.5)))
	})
	write(c.honest, func(b *onnx.Builder, x, _ onnx.Value) {
		wide(b, "sigma", b.Add(b.Mul(b.Abs(x), b.Scalar(onnx.Float, 0.5)), b.Scalar(onnx.Float, 0.03)))
	})
	write(c.collapsed, func(b *onnx.Builder, x, _ onnx.Value) {
		wide(b, "sigma", b.Add(b.Mul(x, b.Scalar(onnx.Float, 0)), b.Scalar(onnx.Float, 0.1)))
	})
	var rows strings.Builder
	rows.WriteString("a,b,c,d,class\n")
	for i := range 60 {
		class, u, v := i%2, float64(i)/60, float64(i*7%60)/60
		along := float64(2*class-1) * 0.1 // w·x
		fmt.Fprintf(&rows, "%v,%v,%v,%v,%d\n", along/2+u, -along/2+u, along/2+v, along/2-v, class)
	}
	if err := os.WriteFile(path("x.csv"), []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// audit runs an audit of a generator and reads its document into out.
func (c carrier) audit(t *testing.T, code int, out any, name, generator string, args ...string) {
	t.Helper()
	line := append([]string{"audit", name, "--model", c.model, "--npg", generator, "--data", c.data, "--seed", "5", "--threads", "1", "--quiet", "--format", "json"}, args...)
	if err := json.Unmarshal([]byte(want(t, code, line...).stdout), out); err != nil {
		t.Fatal(err)
	}
}

// TestAuditLeak: an offset that carries the answer is found, scales that do not are no leak, and
// one scale for all is called a collapse.
func TestAuditLeak(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	picture := filepath.Join(c.dir, "leak.png")
	var out leakRecord
	c.audit(t, exitCheck, &out, "leak", c.leaking, "--plot", picture)
	if out.Audit != "leak" || !out.Violated || out.Violations < 1 || out.Rate < 0.9 || out.Interval[0] < out.Chance || out.Leak == nil || out.Leak.ThroughMu == nil || *out.Leak.ThroughMu < 0.9 {
		t.Errorf("a leaking generator: %+v", out)
	}
	if !strings.HasPrefix(read(t, picture), "\x89PNG") {
		t.Error("no picture")
	}
	out = leakRecord{}
	c.audit(t, exitDone, &out, "leak", c.honest)
	if out.Violated || out.Leak == nil || out.Guarantee != "pinned" {
		t.Errorf("an honest generator: %+v", out)
	}
	out = leakRecord{}
	c.audit(t, exitDone, &out, "leak", c.collapsed)
	if out.Violated || !strings.Contains(strings.Join(out.Found, " "), "collapse") {
		t.Errorf("a collapsed generator: %+v", out)
	}
	out = leakRecord{}
	c.audit(t, exitDone, &out, "leak", "pattern:l2,kappa=0.3,iota=0.2,span=1")
	if out.Violated || out.Leak != nil || out.Interval[1] != 0 || len(out.Notes) == 0 {
		t.Errorf("a pattern: %+v", out)
	}
}

// TestAuditManipulation: with an offset that carries the answer, a perturbation that only the
// generator sees has another class certified; without offset it moves the radius alone, and fixed
// noise not at all.
func TestAuditManipulation(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	picture := filepath.Join(c.dir, "manipulation.svg")
	args := []string{"--max", "8", "--n", "1000", "--budget", "0.3", "--steps", "8"}
	var out manipulationRecord
	c.audit(t, exitCheck, &out, "manipulation", c.leaking, append(args, "--plot", picture)...)
	if out.Audit != "manipulation" || !out.Violated || out.Inputs != 8 || out.Changed != 8 || out.WrongClean != 0 || out.WrongAfter != 8 || out.Rate != 1 || len(out.Notes) != 0 {
		t.Errorf("a leaking generator: %+v", out.Effect)
	}
	if !strings.Contains(read(t, picture), "<svg") {
		t.Error("no picture")
	}
	// The offset alone moves the smoothed boundary by 20·δ: a certificate for the other class is
	// as large as its own at −.2: 20·.2 − .1 beyond the boundary, less what 1,000 samples cannot
	// show.
	for _, m := range out.Results {
		if m.Wrong.Class != m.Target || m.Wrong.Radius < 1 {
			t.Errorf("input %d: %+v", m.Index, m)
		}
	}
	out = manipulationRecord{}
	c.audit(t, exitDone, &out, "manipulation", c.honest, args...)
	if out.Violated || out.Changed != 0 || out.WrongAfter != 0 || out.CleanCertified == 0 || !(out.ReducedRatio < 0.9) || !(out.EnlargedRatio > 1.1) || out.LargestRatio < out.EnlargedRatio {
		t.Errorf("an honest generator: %+v", out.Effect)
	}
	for _, m := range out.Results {
		if m.Clean.Class >= 0 && m.Reduced.Class >= 0 && m.Reduced.Class != m.Clean.Class {
			t.Errorf("input %d: %+v", m.Index, m)
		}
	}
	out = manipulationRecord{}
	c.audit(t, exitDone, &out, "manipulation", "pattern:l2,kappa=0.3,iota=0.2,span=1", args...)
	if out.Violated || out.ReducedRatio != 1 || out.EnlargedRatio != 1 || out.LargestRatio != 1 {
		t.Errorf("a pattern: %+v", out.Effect)
	}
	want(t, exitUsage, "audit", "manipulation", "--model", c.model, "--npg", c.honest, "--data", c.data)
	want(t, exitUsage, "audit", "manipulation", "--model", c.model, "--data", c.data, "--budget", "1")
}
