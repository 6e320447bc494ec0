package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime/onnx"
)

// chooser writes a selector of two sets: the second where the picture's mean is above a level.
func chooser(t *testing.T, path string, level float64) {
	t.Helper()
	b := onnx.NewBuilder("selector", 17)
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(1), onnx.Fixed(28), onnx.Fixed(28))
	above := b.Flatten(b.Mul(b.Sub(b.GlobalAveragePool(x), b.Scalar(onnx.Float, level)), b.Scalar(onnx.Float, 100)), 1)
	b.Output("scores", b.Concat(1, b.Neg(above), above), onnx.Float, onnx.Sym("N"), onnx.Fixed(2))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Write(path); err != nil {
		t.Fatal(err)
	}
}

func TestSelectorRun(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	selector := path("selector.onnx")
	chooser(t, selector, 0.13)
	args := func(more ...string) []string {
		return certifyArgs(model, append([]string{"--selector", selector, "--selector-sigma", "0.5", "--set", "sigma:0.25", "--set", "pattern:dct32=" + model}, more...)...)
	}
	run := args("--guarantee", "selector", "--out", path("a.tsv"), "--json", path("a.jsonl"))
	want(t, exitDone, run...)
	whole, genuine := timeless(t, path("a.tsv")), read(t, path("a.jsonl"))
	chosen := map[int]int{}
	for _, line := range strings.Split(strings.TrimSpace(genuine), "\n") {
		var c struct {
			Guarantee, Status string
			Statistics        struct{ Alpha float64 }
			Stages            []struct {
				Name  string
				Alpha float64
				Set   int
			}
			Regions []json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		if c.Guarantee != "selector" || len(c.Stages) != 2 || c.Stages[0].Alpha != 0.0005 || c.Stages[1].Alpha != 0.0005 || c.Statistics.Alpha != 0.001 {
			t.Errorf("the certificate says %s", line)
		}
		if c.Status == "certified" {
			chosen[c.Stages[1].Set]++
			if len(c.Regions) != 2 {
				t.Errorf("%d regions of two stages", len(c.Regions))
			}
		}
	}
	if len(chosen) != 2 {
		t.Errorf("certified under the sets %v; the test wants both", chosen)
	}
	want(t, exitDone, "verify", path("a.jsonl"))
	resample := []string{"verify", path("a.jsonl"), "--resample", "300", "--model", model, "--data", "digits?n=60", "--quiet"}
	want(t, exitDone, append(resample, "--other-model", selector)...)
	if got := want(t, exitUsage, resample...); !strings.Contains(got.stderr, "--other-model") {
		t.Errorf("without the selector resampling says %s", got.stderr)
	}
	other := path("other.onnx")
	chooser(t, other, 0.2)
	want(t, exitCheck, append(resample, "--other-model", other)...)
	want(t, exitDone, "certify", "--from-counts", path("a.jsonl"), "--alpha", "0.01", "--json", path("b.jsonl"))
	want(t, exitDone, "verify", path("b.jsonl"))
	want(t, exitDone, append([]string{"predict"}, args("--n", "300")[1:]...)...)

	// Interrupted after two rows and continued, the run is the same; with another selector it is
	// refused.
	lines := strings.SplitAfter(read(t, path("a.tsv")), "\n")
	if err := os.WriteFile(path("a.tsv"), []byte(strings.Join(lines[:3], "")), 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, exitUsage, append(append([]string{}, run...), "--selector", other, "--resume")...)
	want(t, exitDone, append(run, "--resume")...)
	if timeless(t, path("a.tsv")) != whole {
		t.Error("the continued run differs from the whole one")
	}
}

// TestSelectorStopsEarly: both stages may take fewer samples.
func TestSelectorStopsEarly(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	selector, out := filepath.Join(dir, "selector.onnx"), filepath.Join(dir, "a.jsonl")
	chooser(t, selector, 0.13)
	for _, profile := range []string{"fast", "two-stage"} {
		_ = os.Remove(out)
		want(t, exitDone, certifyArgs(model, "--selector", selector, "--selector-sigma", "0.5", "--set", "sigma:0.25", "--set", "sigma:0.5",
			"--adaptive", profile, "--n", "1000", "--max", "4", "--json", out, "--force")...)
		if err := os.Remove(out + ".run.json"); err != nil {
			t.Fatal(err)
		}
		want(t, exitDone, "verify", out)
	}
}

func TestSelectorRefusals(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	selector, net := filepath.Join(dir, "selector.onnx"), filepath.Join(dir, "net.onnx")
	chooser(t, selector, 0.13)
	network(t, net, 0.2, "mu", "sigma")
	two := []string{"--set", "sigma:0.25", "--set", "sigma:0.5"}
	with := func(more ...string) []string {
		return append([]string{"--selector", selector, "--selector-sigma", "0.5"}, more...)
	}
	for name, row := range subtest.Rows(map[string]struct {
		code int
		says string
		args []string
	}{
		"no σ of the selector":     {exitUsage, "selector-sigma", append([]string{"--selector", selector}, two...)},
		"sets without a selector":  {exitUsage, "--selector", two},
		"no sets":                  {exitUsage, "--set", with()},
		"a set too many":           {exitUsage, "2 classes for 3 sets", with(append(two, "--set", "sigma:1")...)},
		"a set of scale 0":         {exitUsage, "sigma:0", with("--set", "sigma:0", "--set", "sigma:1")},
		"a model without a name":   {exitUsage, "names no model", with("--set", "sigma:1=", "--set", "sigma:1")},
		"a generator beside":       {exitUsage, "--set", with(append(two, "--npg", "pattern:dct32")...)},
		"noise of each input":      {exitRefused, "made for each input", with("--set", "sigma:0.25", "--set", net)},
		"another guarantee":        {exitRefused, `gives "selector"`, with(append(two, "--guarantee", "pinned")...)},
		"deployed, and it is not":  {exitRefused, `gives "pinned"`, []string{"--npg", net, "--guarantee", "deployed"}},
		"a guarantee that is none": {exitUsage, "guarantee", []string{"--guarantee", "absolute"}},
		"no such selector":         {exitFailed, "no-such.onnx", append([]string{"--selector", filepath.Join(dir, "no-such.onnx"), "--selector-sigma", "1"}, two...)},
	}) {
		t.Run(name, func(t *testing.T) {
			got := want(t, row.code, certifyArgs(model, row.args...)...)
			if !strings.Contains(got.stderr, row.says) {
				t.Errorf("it does not say %q:\n%s", row.says, got.stderr)
			}
		})
	}
}
