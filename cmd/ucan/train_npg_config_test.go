package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"ucan/fixtures/subtest"
)

// npgConfigs are configuration files of generators: kind, basis, volume and regulariser, bounds,
// mean, joint training, epochs and seed, each as a study would set them.
func npgConfigs() map[string]string {
	return map[string]string{
		"pattern": `
train: {epochs: 1, batch: 32, validation: 0}
npg: {kind: pattern, basis: dct, volume: min, volume_weight: 0.3, reg: 0.2, floor: 0.06, ceiling: 0.9}`,
		"dataset": `
noise: {family: gaussian, sigma: 0.5}
train: {epochs: 1, batch: 32, validation: 8, val_samples: 4, lr: 0.0005, weight_decay: 0.01, schedule: onecycle, keep: last}
npg: {kind: dataset, basis: dct, joint: true, joint_rate: 0.1, volume: area, volume_weight: 0.4, reg: 0, target_sigma: 0.25, target_mean: logmean, fixed_mean: true}`,
		"certification": `
train: {epochs: 1, batch: 32, draws: 2, consistency: 0.1, smoothing: 0.05, validation: 0}
npg: {kind: certification, volume: mean, volume_weight: 0.2, reg: 0.1, floor: 0.1, ceiling: 0.5, mu_scale: 0.2}`,
		"per-input": `
train: {epochs: 2, draws: 25, lr: 0.02, ema: 0, clip: 0}
npg: {kind: per-input, basis: dct, joint: false, reg: 0, floor: 0.06, ceiling: 0.8, fixed_mean: true}`,
	}
}

// TestTrainNPGFromOneFile trains every kind from a configuration file alone.
func TestTrainNPGFromOneFile(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("trains four generators")
	}
	dir, model := workshop(t)
	for kind, text := range subtest.Rows(npgConfigs()) {
		t.Run(kind, func(t *testing.T) {
			out := filepath.Join(dir, "one-"+kind)
			inputs := 40
			if kind == "per-input" {
				inputs = 1
			}
			text = strings.Replace(text, "train: {", fmt.Sprintf("train: {out: %q, ", out), 1)
			text = fmt.Sprintf("model: {file: %q}\ndata: {source: \"digits?n=%d\"}\nseed: 7\nruntime: {threads: 1}\n%s\n", model, inputs, text)
			file := filepath.Join(dir, kind+".yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			got := want(t, exitDone, "train", "npg", "--config", file, "--format", "json", "--quiet")
			var s struct {
				Kind, Out string
				Seed      uint64
				Sigma     struct{ Min, Max float64 }
			}
			if err := json.Unmarshal([]byte(got.stdout), &s); err != nil {
				t.Fatal(err)
			}
			if s.Kind != kind || s.Out != out || s.Seed != 7 || s.Sigma.Min < 0.05 || s.Sigma.Max > 1 {
				t.Errorf("the file gave %+v", s)
			}
			if kind != "dataset" {
				return
			}
			// The bundle stands for the classifier that was trained along, too.
			want(t, exitDone, "certify", "--model", out, "--npg", out, "--sigma", "0.5", "--data", "digits?n=2", "--n0", "10", "--n", "50", "--seed", "1", "--quiet")
		})
	}
}

// TestTrainNPGSeed is what the contract says of seeds: a random one unless given, printed, stored,
// and enough to repeat the run, held-out inputs included.
func TestTrainNPGSeed(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	train := func(code int, name string, more ...string) (out outcome, seed uint64, sha string) {
		out = want(t, code, append([]string{
			"train", "npg", "--kind", "pattern", "--model", model, "--data", "digits?n=48", "--hold-out", "16", "--val-samples", "2", "--patience", "1",
			"--batch", "16", "--epochs", "1", "--threads", "1", "--out", filepath.Join(dir, name), "--quiet", "--format", "json",
		}, more...)...)
		var s struct {
			Seed   uint64
			SHA256 string
		}
		if code == exitDone {
			if err := json.Unmarshal([]byte(out.stdout), &s); err != nil {
				t.Fatal(err)
			}
		}
		return out, s.Seed, s.SHA256
	}
	_, seed, sha := train(exitDone, "first")
	if _, again, same := train(exitDone, "second", "--seed", fmt.Sprint(seed)); again != seed || same != sha {
		t.Errorf("the printed seed %d repeats another run: %s, not %s", seed, same, sha)
	}
	if _, again, same := train(exitDone, "first", "--resume"); again != seed || same != sha {
		t.Errorf("resumed with the seed %d instead of %d, bundle %s instead of %s", again, seed, same, sha)
	}
	if out, _, _ := train(exitUsage, "first", "--resume", "--seed", fmt.Sprint(seed+1)); !strings.Contains(out.stderr, fmt.Sprint(seed)) {
		t.Errorf("resuming with another seed: %q does not name the stored one", out.stderr)
	}
}
