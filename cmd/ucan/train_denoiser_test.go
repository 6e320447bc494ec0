package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDenoiserOfARun makes a denoiser, certifies with it, and looks at what the certificate says.
func TestDenoiserOfARun(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	bundle := filepath.Join(dir, "wiener")
	made := want(t, exitDone, "train", "denoiser", "--model", model, "--data", "digits?seed=7", "--max", "200", "--sigma", "0.5", "--out", bundle, "--quiet")
	for _, part := range []string{"wiener, in the basis dct, from 200 inputs", "gaussian noise of σ = 0.5", "multiply–adds a row; the classifier "} {
		if !strings.Contains(made.stdout, part) {
			t.Errorf("the summary lacks %q:\n%s", part, made.stdout)
		}
	}
	again := filepath.Join(dir, "again")
	want(t, exitDone, "train", "denoiser", "--data", "digits?seed=7", "--max", "200", "--sigma", "0.5", "--out", again, "--quiet")
	if read(t, filepath.Join(bundle, "denoiser.onnx")) != read(t, filepath.Join(again, "denoiser.onnx")) {
		t.Error("the same data gave another denoiser")
	}
	jsonl := filepath.Join(dir, "run.jsonl")
	certify := []string{"certify", "--model", model, "--data", "digits?seed=8", "--max", "4", "--n", "200", "--seed", "1", "--sigma", "0.5", "--batch", "32", "--workers", "1"}
	got := want(t, exitDone, append(certify, "--denoiser", bundle, "--json", jsonl)...)
	if strings.Contains(got.stderr, "trained under") {
		t.Errorf("warned of its own noise:\n%s", got.stderr)
	}
	var line struct {
		Model struct {
			Denoiser struct{ Name, SHA256 string }
		}
	}
	first, _, _ := strings.Cut(read(t, jsonl), "\n")
	if err := json.Unmarshal([]byte(first), &line); err != nil {
		t.Fatal(err)
	}
	if d := line.Model.Denoiser; d.Name != "wiener" || !strings.Contains(made.stdout, d.SHA256) {
		t.Errorf("the certificate names the denoiser %+v", d)
	}
	want(t, exitDone, "verify", jsonl, "--resample", "1", "--model", model, "--denoiser", bundle, "--data", "digits?seed=8")
	want(t, exitCheck, "verify", jsonl, "--resample", "1", "--model", model, "--data", "digits?seed=8")
}

func TestDenoiserUnderOtherNoise(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	bundle := filepath.Join(dir, "wiener")
	pattern := "pattern:dct,kappa=4,gamma=2,iota=0.25"
	want(t, exitDone, "train", "denoiser", "--data", "digits?seed=7", "--max", "50", "--npg", pattern, "--out", bundle, "--quiet")
	base := []string{"--model", model, "--denoiser", bundle, "--data", "digits?seed=8", "--max", "2", "--n", "100", "--seed", "1", "--batch", "32", "--workers", "1"}
	for name, c := range map[string]struct {
		flags []string
		warns bool
	}{
		"its own":          {[]string{"--npg", pattern}, false},
		"another scale":    {[]string{"--npg", pattern, "--sigma", "0.5"}, true},
		"another pattern":  {[]string{"--npg", "pattern:dct,kappa=4,gamma=3,iota=0.25"}, true},
		"isotropic":        {[]string{"--sigma", "1"}, true},
		"another family":   {[]string{"--noise", "laplace", "--sigma", "1"}, true},
		"its own, spelled": {[]string{"--npg", "pattern:dct,iota=0.25,kappa=4,gamma=2"}, false},
	} {
		command := "predict"
		if name == "isotropic" {
			command = "certify"
		}
		got := want(t, exitDone, append(append([]string{command}, base...), c.flags...)...)
		if strings.Contains(got.stderr, "trained under") != c.warns {
			t.Errorf("%s under %s noise: a warning is %v, want %v:\n%s", command, name, !c.warns, c.warns, got.stderr)
		}
	}
	// A record of another file is told, and one that cannot be read.
	for name, alter := range map[string]func(string) string{
		"is of another file": func(s string) string {
			return strings.Replace(s, "denoiser_sha256: ", "denoiser_sha256: 00", 1)
		},
		"record of the denoiser is damaged": func(string) string { return "schema: [" },
	} {
		path := filepath.Join(bundle, "denoiser.yaml")
		whole := read(t, path)
		if err := os.WriteFile(path, []byte(alter(whole)), 0o600); err != nil {
			t.Fatal(err)
		}
		got := want(t, exitDone, append(append([]string{"predict"}, base...), "--npg", pattern)...)
		if !strings.Contains(got.stderr, name) {
			t.Errorf("nothing says %q:\n%s", name, got.stderr)
		}
		if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDenoiserRefusals(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	out := func(name string) string { return filepath.Join(dir, name) }
	for name, c := range map[string]struct {
		code int
		say  string
		args []string
	}{
		"no data, no model": {exitUsage, "no data given", []string{"--sigma", "1", "--out", out("a")}},
		"no noise":          {exitUsage, "no noise scale given", []string{"--data", "digits", "--out", out("b")}},
		"no folder":         {exitUsage, "name a folder", []string{"--data", "digits", "--sigma", "1"}},
		"an architecture":   {exitUsage, "arch", []string{"--data", "digits", "--sigma", "1", "--arch", "transformer", "--out", out("c")}},
		"no variance":       {exitRefused, "no variance", []string{"--data", "digits", "--max", "9", "--noise", "pareto", "--param", "a=2", "--lambda", "1", "--out", out("d")}},
		"another shape":     {exitRefused, "", []string{"--model", model, "--data", "csv:" + tableOfTwo(t), "--sigma", "1", "--out", out("e")}},
		"one input":         {exitFailed, "two or more", []string{"--data", "digits", "--max", "1", "--sigma", "1", "--out", out("f")}},
	} {
		got := want(t, c.code, append([]string{"train", "denoiser", "--quiet"}, c.args...)...)
		if !strings.Contains(got.stderr, c.say) {
			t.Errorf("%s: the error lacks %q:\n%s", name, c.say, got.stderr)
		}
	}
	got := want(t, exitUsage, "predict", "--model", model, "--denoiser", empty, "--data", "digits", "--max", "2", "--n", "0")
	if !strings.Contains(got.stderr, "a folder without denoiser.onnx") {
		t.Errorf("an empty folder as a denoiser:\n%s", got.stderr)
	}
	// Without data, the statistics of photographs; a second bundle in the folder is refused.
	want(t, exitDone, "train", "denoiser", "--model", model, "--sigma", "0.5", "--out", out("g"), "--quiet")
	want(t, exitUsage, "train", "denoiser", "--model", model, "--sigma", "0.5", "--out", out("g"), "--quiet")
	want(t, exitDone, "train", "denoiser", "--model", model, "--sigma", "0.5", "--out", out("g"), "--quiet", "--resume")
	want(t, exitDone, "train", "denoiser", "--data", "csv:"+tableOfTwo(t), "--sigma", "0.1", "--out", out("h"), "--quiet")
}
