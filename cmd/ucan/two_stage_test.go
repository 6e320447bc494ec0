package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"ucan/fixtures/subtest"
)

func TestTwoStageRun(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	tsv, jsonl := filepath.Join(dir, "a.tsv"), filepath.Join(dir, "a.jsonl")
	args := func(more ...string) []string {
		return certifyArgs(model, append([]string{"--adaptive", "two-stage", "--max", "4"}, more...)...)
	}
	run := args("--kappa", "50", "--n0", "40", "--out", tsv, "--json", jsonl)
	want(t, exitDone, run...)
	whole, genuine := timeless(t, tsv), read(t, jsonl)
	for _, member := range []string{`"method":"two-stage"`, `"two_stage":{"kappa":50,"cap":400}`, `"n0":40`} {
		if strings.Count(genuine, member) != 4 {
			t.Errorf("not every certificate has %s:\n%s", member, genuine)
		}
	}
	want(t, exitDone, "verify", jsonl)
	want(t, exitDone, "certify", "--from-counts", jsonl, "--alpha", "0.01", "--json", filepath.Join(dir, "other.jsonl"))
	want(t, exitDone, "verify", filepath.Join(dir, "other.jsonl"))
	// A cap or a kappa that the pilot's number of samples contradicts is an alteration.
	if err := os.WriteFile(jsonl, []byte(strings.ReplaceAll(genuine, `"kappa":50`, `"kappa":5`)), 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, exitCheck, "verify", jsonl)
	if err := os.WriteFile(jsonl, []byte(genuine), 0o644); err != nil {
		t.Fatal(err)
	}
	// Interrupted after two rows and continued, the run is the same; under other terms it is
	// refused.
	lines := strings.SplitAfter(read(t, tsv), "\n")
	if err := os.WriteFile(tsv, []byte(strings.Join(lines[:3], "")), 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, exitUsage, args("--kappa", "60", "--n0", "40", "--out", tsv, "--json", jsonl, "--resume")...)
	want(t, exitDone, append(run, "--resume")...)
	if timeless(t, tsv) != whole {
		t.Error("the continued run differs from the whole one")
	}
	for name, more := range subtest.Rows(map[string][]string{
		"kappa of 0":        {"--kappa", "0"},
		"kappa not finite":  {"--kappa", "+Inf"},
		"two bounds":        {"--bound", "two"},
		"label-aware":       {"--label-aware"},
		"a grid":            {"--grid", "0.1"},
		"no pilot":          {"--n0", "0"},
		"too small a cap":   {"--n", "50"},
		"kappa, not staged": {"--adaptive", "off", "--kappa", "100"},
	}) {
		t.Run(name, func(t *testing.T) {
			if got := ucan(t, args(more...)...); got.code != exitUsage {
				t.Errorf("%s: exit %d: %s", name, got.code, got.stderr)
			}
		})
	}
}
