package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
)

// npgArgs learns a pattern's numbers on few digits: 2 epochs of 3 steps.
func npgArgs(model, out string, more ...string) []string {
	return append([]string{
		"train", "npg", "--kind", "pattern", "--model", model, "--data", "digits?n=112", "--hold-out", "16", "--val-samples", "8",
		"--batch", "32", "--epochs", "2", "--seed", "5", "--threads", "1", "--out", out, "--quiet",
	}, more...)
}

// TestTrainNPG learns a pattern, certifies with its bundle, and goes on with a finished run.
func TestTrainNPG(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir, model := workshop(t)
	out := filepath.Join(dir, "field")
	first := want(t, exitDone, npgArgs(model, out, "--format", "json")...)
	var summary struct {
		Kind, Guarantee, SHA256 string
		Steps                   int
		Sigma                   struct{ Min, Max float64 }
	}
	if err := json.Unmarshal([]byte(first.stdout), &summary); err != nil {
		t.Fatalf("%q: %v", first.stdout, err)
	}
	if summary.Kind != "pattern" || summary.Guarantee != "deployed" || summary.Steps != 6 || !(summary.Sigma.Min >= 0.05 && summary.Sigma.Max <= 1) {
		t.Errorf("the summary is %+v", summary)
	}
	manifest := read(t, filepath.Join(out, "npg.yaml"))
	if strings.Contains(manifest, filepath.Dir(out)) {
		t.Error("npg.yaml holds a path of this machine")
	}
	again := want(t, exitUsage, npgArgs(model, out)...)
	if !strings.Contains(again.stderr, "--resume") {
		t.Errorf("a folder with a run in it: %q names no remedy", again.stderr)
	}
	want(t, exitDone, npgArgs(model, out, "--resume")...)
	if read(t, filepath.Join(out, "npg.yaml")) != manifest {
		t.Error("resuming a finished run changes its bundle")
	}
	other := want(t, exitUsage, npgArgs(model, out, "--resume", "--volume-weight", "0.7")...)
	if !strings.Contains(other.stderr, "other settings") {
		t.Errorf("resuming with other settings: %q", other.stderr)
	}
	certified := want(t, exitDone, "certify", "--model", model, "--data", "digits?n=4", "--npg", out, "--n0", "20", "--n", "100", "--seed", "1", "--quiet", "--format", "json")
	if !strings.Contains(certified.stdout, `"inputs": 4`) {
		t.Errorf("certified with the bundle: %s", certified.stdout)
	}
	if strings.Contains(certified.stderr, "trained under") {
		t.Errorf("warned of the noise that it was trained under: %q", certified.stderr)
	}
	for _, noise := range [][]string{{"--sigma", "0.5"}, {"--noise", "laplace"}} {
		o := want(t, exitDone, append([]string{"predict", "--model", model, "--data", "digits?n=1", "--npg", out, "--n", "50", "--seed", "1"}, noise...)...)
		if !strings.Contains(o.stderr, "trained under gaussian") {
			t.Errorf("%v: no warning that it was trained under other noise: %q", noise, o.stderr)
		}
	}
}

func TestTrainNPGNamesFaults(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	out := filepath.Join(dir, "field")
	for _, c := range []struct {
		want string
		more []string
	}{
		{"--kind", []string{"--kind", "other"}},
		{"--volume", []string{"--volume", "most"}},
		{"--target-mean", []string{"--target-sigma", "0.3", "--target-mean", "median"}},
		{"--start", []string{"--target-sigma", "0.3", "--start", "0.2"}},
		{"floor", []string{"--floor", "2"}},
		{"basis", []string{"--kind", "certification", "--basis", "dct"}},
		{"--target-norm", []string{"--target-norm", "l1"}},
		{"Gaussian", []string{"--basis", "dct", "--noise", "laplace"}},
	} {
		got := want(t, exitUsage, npgArgs(model, out, c.more...)...)
		if !strings.Contains(got.stderr, c.want) || strings.Count(strings.TrimSpace(got.stderr), "\n") > 0 {
			t.Errorf("%v: %q does not name %q on one line", c.more, got.stderr, c.want)
		}
	}
}
