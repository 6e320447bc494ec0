package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestSpectralNoise makes noise in closed form, and certifies under it.
func TestSpectralNoise(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	make := func(name string, flags ...string) (string, outcome) {
		out := filepath.Join(dir, name)
		args := append([]string{"train", "npg", "--kind", "dataset", "--method", "spectral", "--data", "digits?seed=7", "--max", "150", "--out", out, "--quiet"}, flags...)
		return out, want(t, exitDone, args...)
	}
	bundle, made := make("a", "--distortion", "0.1", "--ceiling", "2")
	if !strings.Contains(made.stdout, "dataset generator, guarantee deployed, from the spectrum of 150 inputs") {
		t.Errorf("the summary says\n%s", made.stdout)
	}
	again, _ := make("b", "--distortion", "0.1", "--ceiling", "2")
	if read(t, filepath.Join(bundle, "npg.yaml")) != read(t, filepath.Join(again, "npg.yaml")) {
		t.Error("the same data gave another bundle")
	}
	json, loud := make("c", "--distortion", "0.4", "--ceiling", "2", "--format", "json")
	if !strings.Contains(loud.stdout, `"guarantee": "deployed"`) {
		t.Errorf("%s: JSON says\n%s", json, loud.stdout)
	}
	got := want(t, exitDone, "certify", "--model", model, "--npg", bundle, "--data", "digits?seed=8", "--max", "3", "--n", "100", "--seed", "1", "--batch", "32", "--workers", "1", "--force")
	if !strings.Contains(got.stderr, "the noise is shaped in the basis dct2:1x28x28") {
		t.Errorf("certify does not say how the noise is shaped:\n%s", got.stderr)
	}
}

func TestSpectralRefusals(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	spectral := []string{"--method", "spectral", "--distortion", "0.1"}
	for name, c := range map[string]struct {
		code int
		say  string
		args []string
	}{
		"no distortion":       {exitUsage, "no loss of signal", []string{"--kind", "dataset", "--method", "spectral"}},
		"distortion 1":        {exitUsage, "out of range", []string{"--kind", "dataset", "--method", "spectral", "--distortion", "1"}},
		"another kind":        {exitUsage, "give --kind dataset", append([]string{"--kind", "pattern"}, spectral...)},
		"pixels":              {exitUsage, "--basis dct", append([]string{"--kind", "dataset", "--basis", "pixel"}, spectral...)},
		"what is not used":    {exitUsage, "does not use it", append([]string{"--kind", "dataset", "--epochs", "3", "--joint"}, spectral...)},
		"a floor that drowns": {exitUsage, "lower the floor", append([]string{"--kind", "dataset", "--floor", "0.9"}, "--method", "spectral", "--distortion", "0.001")},
		"without the method":  {exitUsage, "--method spectral only", []string{"--kind", "dataset", "--model", model, "--distortion", "0.1"}},
		"a table":             {exitRefused, "no frequencies", append([]string{"--kind", "dataset", "--data", "csv:" + tableOfTwo(t)}, spectral...)},
	} {
		args := append([]string{"train", "npg", "--quiet", "--out", filepath.Join(dir, "x"), "--data", "digits?seed=7", "--max", "50"}, c.args...)
		got := want(t, c.code, args...)
		if !strings.Contains(got.stderr, c.say) {
			t.Errorf("%s: the error lacks %q:\n%s", name, c.say, got.stderr)
		}
	}
}
