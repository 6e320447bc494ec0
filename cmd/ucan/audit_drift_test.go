package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/npy"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// counterexample writes the classifier A iff |w·z| < 1 with ‖w‖ = 1 in d dimensions, and a
// generator of scales that are .3 at 0 and 3 at w·x = .05: the service that recomputes them
// answers B there (with probability .74), inside the region of radius .94 that the noise of 0
// proves.
func counterexample(t *testing.T, d int64) (dir, model, generator, data string) {
	t.Helper()
	runtimetest.Open(t)
	dir = t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	model, generator, data = path("f.onnx"), path("sigma.onnx"), path("x.npy")
	w := make([]float32, d)
	for i := range w {
		w[i] = float32(1 / math.Sqrt(float64(d)))
	}
	write := func(name string, outputs int64, f func(b *onnx.Builder, along onnx.Value) onnx.Value) {
		b := onnx.NewBuilder("g", 17)
		x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(d))
		b.Output("y", f(b, b.MatMul(x, onnx.Tensor(b, "w", []int64{d, 1}, w))), onnx.Float, onnx.Sym("N"), onnx.Fixed(outputs))
		m, err := b.Build()
		if err == nil {
			err = m.Write(name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(model, 2, func(b *onnx.Builder, along onnx.Value) onnx.Value {
		z := b.Mul(b.Sub(b.Abs(along), b.Scalar(onnx.Float, 1)), b.Scalar(onnx.Float, 4))
		return b.Concat(1, b.Neg(z), z)
	})
	write(generator, d, func(b *onnx.Builder, along onnx.Value) onnx.Value {
		s := b.Add(b.Mul(b.Abs(along), b.Scalar(onnx.Float, 54)), b.Scalar(onnx.Float, 0.3))
		ones := make([]float32, d)
		for i := range ones {
			ones[i] = 1
		}
		return b.MatMul(s, onnx.Tensor(b, "ones", []int64{1, d}, ones))
	})
	if err := os.WriteFile(data, npy.Encode(make([]float32, d), []int{1, int(d)}), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, model, generator, data
}

// TestAuditDrift: the counterexamples hold under the stored noise and flip under recomputed noise,
// which only drift sees.
func TestAuditDrift(t *testing.T) {
	t.Parallel()
	for name, d := range subtest.Rows(map[string]int64{"one dimension": 1, "sixteen": 16}) {
		t.Run(name, func(t *testing.T) {
			dir, model, generator, data := counterexample(t, d)
			file := filepath.Join(dir, "run.jsonl")
			given := []string{"--model", model, "--data", "npy:" + data, "--seed", "3", "--threads", "1", "--quiet"}
			want(t, exitDone, append([]string{"certify", "--npg", generator, "--n", "4000", "--json", file, "--force"}, given...)...)
			audit := func(code int, args ...string) searchRecord {
				t.Helper()
				got := want(t, code, append(append([]string{"audit"}, args...), append(given, "--format", "json")...)...)
				var out searchRecord
				if err := json.Unmarshal([]byte(got.stdout), &out); err != nil {
					t.Fatal(err)
				}
				return out
			}
			if out := audit(exitDone, "attack", "--certificates", file); out.Flips != 0 || out.Guarantees["pinned"] != 1 {
				t.Errorf("under the stored noise: %+v", out)
			}
			out := audit(exitCheck, "drift", "--npg", generator, "--certificates", file, "--plot", filepath.Join(dir, "worst.png"))
			if out.Audit != "drift" || out.Flips != 1 || !out.Violated || len(out.Notes) != 0 || out.Results[0].Margin > -0.4 {
				t.Errorf("recomputed: %+v", out)
			}
			if !strings.HasPrefix(read(t, filepath.Join(dir, "worst.png")), "\x89PNG") {
				t.Error("no picture")
			}
			// Scales that do not depend on the input leave nothing to recompute; other noise than
			// the certificates' is refused.
			field, fixed := filepath.Join(dir, "field.npy"), filepath.Join(dir, "fixed.jsonl")
			scales := make([]float32, d)
			for i := range scales {
				scales[i] = 0.3
			}
			if err := os.WriteFile(field, npy.Encode(scales, []int{int(d)}), 0o600); err != nil {
				t.Fatal(err)
			}
			want(t, exitDone, append([]string{"certify", "--npg", field, "--n", "4000", "--json", fixed, "--force"}, given...)...)
			if out := audit(exitDone, "drift", "--npg", field, "--certificates", fixed); out.Flips != 0 || out.Violated {
				t.Errorf("deployed noise: %+v", out)
			}
			want(t, exitRefused, append([]string{"audit", "drift", "--npg", generator, "--floor", "2", "--certificates", file}, given...)...)
			want(t, exitUsage, append([]string{"audit", "drift", "--certificates", file}, given...)...)
		})
	}
}
