package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/harden"
	demomodel "ucan/models/demo"
)

// TestHarden hardens the demonstration's model: what it leaves can be certified by itself, verified
// and gone on with.
func TestHarden(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir := t.TempDir()
	demo, out := filepath.Join(dir, "demo.onnx"), filepath.Join(dir, "hard")
	if err := os.WriteFile(demo, demomodel.Model(), 0o644); err != nil {
		t.Fatal(err)
	}
	args := func(more ...string) []string {
		return append([]string{"harden", "--model", demo, "--data", "digits?n=160&seed=7", "--sigma", "0.8", "--budget", "3s", "--seed", "3", "--threads", "1", "--out", out}, more...)
	}
	first := want(t, exitDone, args()...)
	for _, text := range []string{harden.Nothing, harden.Wiener, harden.FineTuned, "table", "difference in points"} {
		if !strings.Contains(first.stdout, text) {
			t.Errorf("%q is not in\n%s", text, first.stdout)
		}
	}
	var r harden.Record
	if err := json.Unmarshal([]byte(read(t, filepath.Join(out, harden.RecordFile))), &r); err != nil || !r.Done || r.Chosen == "" || len(r.Candidates) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, name := range []string{harden.TableFile, harden.CurveFile} {
		if len(read(t, filepath.Join(out, name))) < 100 {
			t.Errorf("%s is all but empty", name)
		}
	}
	for _, side := range []string{"before.jsonl", "after.jsonl"} {
		want(t, exitDone, "verify", filepath.Join(out, side))
	}
	want(t, exitDone, "certify", "--model", filepath.Join(out, harden.ModelDir), "--data", "digits?n=4&seed=9", "--sigma", "0.8", "--n", "200", "--seed", "1")
	want(t, exitUsage, args()...)                             // it exists
	want(t, exitUsage, args("--resume", "--keep-weights")...) // another question
	if again := want(t, exitDone, args("--resume")...); again.stdout != first.stdout {
		t.Errorf("a finished run says\n%s\nafter\n%s", again.stdout, first.stdout)
	}
}

// TestHardenKeepsWeights trains a denoiser instead, and begins with the same data for both.
func TestHardenKeepsWeights(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir := t.TempDir()
	demo, out := filepath.Join(dir, "demo.onnx"), filepath.Join(dir, "hard")
	if err := os.WriteFile(demo, demomodel.Model(), 0o644); err != nil {
		t.Fatal(err)
	}
	o := want(t, exitDone, "harden", "--model", demo, "--data", "digits?n=200&seed=7", "--val", "digits?n=60&seed=8", "--npg", "pattern:dct,kappa=4,gamma=2,iota=0.2",
		"--keep-weights", "--budget", "8s", "--threads", "1", "--out", out, "--format", "json")
	var r harden.Record
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	if last := r.Candidates[len(r.Candidates)-1]; last.Name != harden.Denoiser {
		t.Errorf("candidates %+v", r.Candidates)
	}
	if !strings.Contains(r.Split.Certified, "0/") || strings.Contains(r.Split.Except, ",") {
		t.Errorf("split %+v", r.Split)
	}
}

func TestHardenFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	demo := filepath.Join(dir, "demo.onnx")
	if err := os.WriteFile(demo, demomodel.Model(), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tt := range subtest.Rows(map[string]struct {
		code int
		args []string
		say  string
	}{
		"no folder":       {exitUsage, []string{"--model", demo, "--data", "digits", "--sigma", "1"}, "folder"},
		"no noise":        {exitUsage, []string{"--model", demo, "--data", "digits", "--out", filepath.Join(dir, "a")}, "sigma"},
		"no such time":    {exitUsage, []string{"--model", demo, "--data", "digits", "--sigma", "1", "--budget", "soon", "--out", filepath.Join(dir, "b")}, "90s"},
		"too few":         {exitUsage, []string{"--model", demo, "--data", "digits?n=20", "--sigma", "1", "--out", filepath.Join(dir, "c")}, "too few"},
		"certify and see": {exitUsage, []string{"--model", demo, "--data", "digits?n=300", "--val", "digits?n=300", "--sigma", "1", "--out", filepath.Join(dir, "d")}, "--val"},
		"wrongly scaled":  {exitRefused, []string{"--model", demo, "--scale", "-1", "--data", "digits?n=3000", "--sigma", "1", "--budget", "5s", "--out", filepath.Join(dir, "e")}, "chance"},
	}) {
		t.Run(name, func(t *testing.T) {
			o := want(t, tt.code, append([]string{"harden"}, tt.args...)...)
			if !strings.Contains(o.stderr, tt.say) {
				t.Errorf("stderr %q", o.stderr)
			}
		})
	}
}
