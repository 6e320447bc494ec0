package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
)

// TestTrainDenoiser trains a small denoiser by the command, certifies with it, and repeats the
// training to the same bytes.
func TestTrainDenoiser(t *testing.T) {
	t.Parallel()
	model, data := smallWorld(t)
	out := filepath.Join(t.TempDir(), "bundle")
	args := func(out string) []string {
		return []string{
			"train", "denoiser", "--arch", "ffdnet", "--width", "4", "--depth", "3", "--model", model, "--surrogate", model, "--data", data,
			"--hold-out", "8", "--val-samples", "4", "--batch", "8", "--sigma-range", "0.25,0.5", "--objective", "mse,stability", "--epochs", "1,2",
			"--seed", "5", "--threads", "1", "--format", "json", "--out", out,
		}
	}
	var r struct {
		SHA256     string `json:"sha256"`
		Arch       string `json:"architecture"`
		Inputs     int    `json:"inputs"`
		Denoiser   int64  `json:"multiply_adds"`
		Classifier int64  `json:"classifier_multiply_adds"`
		Training   struct {
			Epochs int      `json:"epochs"`
			Noisy  *float64 `json:"noisy_accuracy"`
		} `json:"training"`
	}
	if err := json.Unmarshal([]byte(want(t, exitDone, args(out)...).stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Arch != "ffdnet" || r.Inputs != 40 || r.Denoiser == 0 || r.Classifier == 0 || r.Training.Epochs != 3 || r.Training.Noisy == nil {
		t.Errorf("%+v", r)
	}
	record := read(t, filepath.Join(out, "denoiser.yaml"))
	for _, text := range []string{"surrogates:", "sigma_range: [0.25, 0.5]", "objective: stability", r.SHA256} {
		if !strings.Contains(record, text) {
			t.Errorf("the record does not say %q:\n%s", text, record)
		}
	}
	again := filepath.Join(t.TempDir(), "again")
	want(t, exitDone, args(again)...)
	if read(t, filepath.Join(again, "denoiser.onnx")) != read(t, filepath.Join(out, "denoiser.onnx")) {
		t.Error("the same command gave other bytes")
	}
	for sigma, warned := range map[string]bool{"0.4": false, "0.6": true} {
		text := want(t, exitDone, "certify", "--model", model, "--denoiser", out, "--data", data, "--max", "2", "--n", "100", "--sigma", sigma, "--seed", "1").stderr
		if strings.Contains(text, "was trained under") != warned {
			t.Errorf("σ = %s: %s", sigma, text)
		}
	}
	if text := want(t, exitUsage, args(out)...).stderr; !strings.Contains(text, "--resume") {
		t.Errorf("a bundle was replaced: %s", text)
	}
}

func TestTrainDenoiserUsage(t *testing.T) {
	t.Parallel()
	model, data := smallWorld(t)
	for name, c := range subtest.Rows(map[string]struct {
		args []string
		says string
	}{
		"range and σ":      {[]string{"--sigma", "1", "--sigma-range", "0.1,0.2"}, "both a range and one scale"},
		"range":            {[]string{"--sigma-range", "0.3,0.2"}, "is not a range"},
		"range of wiener":  {[]string{"--arch", "wiener", "--sigma-range", "0.1,0.2"}, "wiener is for one noise"},
		"epochs of wiener": {[]string{"--arch", "wiener", "--sigma", "1", "--epochs", "3"}, "is not trained"},
		"objective":        {[]string{"--sigma", "1", "--objective", "vae"}, "objective"},
		"epochs":           {[]string{"--sigma", "1", "--epochs", "3"}, "numbers of epochs for 2 objectives"},
		"number of epochs": {[]string{"--sigma", "1", "--epochs", "1,x"}, "not a number of epochs"},
		"decay":            {[]string{"--sigma", "1", "--ema", "1"}, "out of range"},
	}) {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"train", "denoiser", "--arch", "unet", "--model", model, "--data", data, "--out", filepath.Join(t.TempDir(), "b")}, c.args...)
			if text := want(t, exitUsage, args...).stderr; !strings.Contains(text, c.says) {
				t.Errorf("%q; want %q", text, c.says)
			}
		})
	}
	text := want(t, exitUsage, "train", "denoiser", "--arch", "unet", "--data", data, "--sigma", "1", "--objective", "stability", "--out", filepath.Join(t.TempDir(), "b")).stderr
	if !strings.Contains(text, "--model") {
		t.Error(text)
	}
}
