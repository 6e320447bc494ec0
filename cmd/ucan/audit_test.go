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
	"ucan/smooth/certificate"
	"ucan/smooth/stats"
)

// halfSpaceDim is the number of coordinates of the half-space below.
const halfSpaceDim = 16

// halfSpaceModel writes a classifier of 16 coordinates whose boundary lies at the given distance
// from 0, and a file with two inputs at that distance: 0, and one beside it.
func halfSpaceModel(t *testing.T, distance float32) (dir, model, data string) {
	t.Helper()
	runtimetest.Open(t)
	dir = t.TempDir()
	model, data = filepath.Join(dir, "half.onnx"), filepath.Join(dir, "x.npy")
	b := onnx.NewBuilder("g", 17)
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(halfSpaceDim))
	w := make([]float32, 2*halfSpaceDim) // columns ∓w with ‖w‖ = 1/2
	for i := range halfSpaceDim {
		v := float32(1) / 8
		if i%3 == 0 {
			v = -v
		}
		w[2*i], w[2*i+1] = -v, v
	}
	scores := b.Gemm(x, onnx.Tensor(b, "w", []int64{halfSpaceDim, 2}, w), onnx.Tensor(b, "b", []int64{2}, []float32{distance / 2, -distance / 2}), false)
	b.Output("y", scores, onnx.Float, onnx.Sym("N"), onnx.Fixed(2))
	m, err := b.Build()
	if err == nil {
		err = m.Write(model)
	}
	if err == nil {
		inputs := make([]float32, 2*halfSpaceDim)
		inputs[halfSpaceDim+1], inputs[halfSpaceDim+2] = 0.5, -0.5
		err = os.WriteFile(data, npy.Encode(inputs, []int{2, halfSpaceDim}), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir, model, data
}

// edited writes the certificates of a file with other votes and everything that follows from them.
func edited(t *testing.T, from, to string, edit func(c *certificate.Certificate)) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.SplitSeq(strings.TrimSpace(read(t, from)), "\n") {
		c, err := certificate.Parse([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		edit(c)
		if c, err = certificate.FromCounts(c, certificate.Terms{}, nil); err == nil {
			err = c.SetID()
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(text, '\n'))
	}
	if err := os.WriteFile(to, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestAuditAttack: certificates of a half-space hold; with votes invented that claim more than is
// true, they verify and are caught, by gradients through the ONNX model.
func TestAuditAttack(t *testing.T) {
	t.Parallel()
	dir, model, data := halfSpaceModel(t, 1)
	file := filepath.Join(dir, "run.jsonl")
	want(t, exitDone, "certify", "--model", model, "--data", "npy:"+data, "--sigma", "1", "--n", "20000", "--seed", "1", "--quiet", "--json", file)
	attack := func(code int, args ...string) searchRecord {
		t.Helper()
		got := want(t, code, append([]string{"audit", "attack", "--model", model, "--data", "npy:" + data, "--seed", "4", "--threads", "1", "--quiet", "--format", "json"}, args...)...)
		var out searchRecord
		if err := json.Unmarshal([]byte(got.stdout), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := attack(exitDone, "--certificates", file); out.Flips != 0 || out.Inputs != 2 || !out.Gradients || out.Audit != "attack" || out.Least < 0 || out.Least > 0.1 {
		t.Errorf("true certificates: %+v", out)
	}
	for name, claim := range subtest.Rows(map[string]float64{"a twentieth more": 1.05, "half more": 1.5}) {
		t.Run(name, func(t *testing.T) {
			forged := edited(t, file, filepath.Join(dir, name+".jsonl"), func(c *certificate.Certificate) {
				votes := int64(1e6 * stats.NormalCDF(claim)) // so many that the bound is near
				c.Statistics.N, c.Statistics.Counts = 1e6, map[int]int64{0: votes, 1: 1e6 - votes}
			})
			want(t, exitDone, "verify", forged)
			picture := filepath.Join(dir, name+".svg")
			out := attack(exitCheck, "--certificates", forged, "--n", "50000", "--plot", picture)
			if out.Flips != 2 || !out.Violated || out.Results[0].Share < 0.99 {
				t.Errorf("claimed %g of the true radius: %+v", claim, out.Outcome)
			}
			// At the boundary of what is claimed the margin is 2Φ(1 − claim) − 1.
			if truth := 2*stats.NormalCDF(1-claim) - 1; math.Abs(out.Least-truth) > 0.02 {
				t.Errorf("margin %v, the claimed boundary has %v", out.Least, truth)
			}
			if text := read(t, picture); !strings.Contains(text, "<svg") || !strings.Contains(text, "difference") {
				t.Errorf("the picture is %.80q", text)
			}
			want(t, exitUsage, "audit", "attack", "--model", model, "--data", "npy:"+data, "--certificates", forged, "--plot", picture, "--quiet")
		})
	}
	if out := attack(exitDone, "--certificates", file, "--restarts", "0"); out.Gradients || len(out.Notes) != 1 {
		t.Errorf("random search: %+v", out)
	}
	// Text names the worst inputs and the verdict.
	if got := want(t, exitDone, "audit", "attack", "--model", model, "--data", "npy:"+data, "--certificates", file, "--seed", "4", "--quiet"); !strings.Contains(got.stdout, "no violation") || !strings.Contains(got.stdout, "2 deployed") {
		t.Errorf("%s", got.stdout)
	}
	// Another model, other data and a file of another kind are refused.
	_, other, _ := halfSpaceModel(t, 2)
	want(t, exitRefused, "audit", "attack", "--model", other, "--data", "npy:"+data, "--certificates", file, "--quiet")
	changed := filepath.Join(dir, "changed.npy")
	if err := os.WriteFile(changed, npy.Encode(append(make([]float32, halfSpaceDim-1), 1), []int{1, halfSpaceDim}), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, exitRefused, "audit", "attack", "--model", model, "--data", "npy:"+changed, "--certificates", file, "--quiet")
	want(t, exitUsage, "audit", "attack", "--model", model, "--data", "npy:"+data)
	want(t, exitUsage, "audit", "attack", "--model", model, "--data", "npy:"+data, "--certificates", file, "--level", "2")
}
