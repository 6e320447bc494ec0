package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/results"
	"ucan/runtime/processor"
)

// act makes commands of this process take the processor for another one.
func act(t *testing.T, kind string) {
	t.Helper()
	before := thisProcessor
	thisProcessor = func() string { return kind }
	t.Cleanup(func() { thisProcessor = before })
}

// cpusOf lists what the certificates of a file say of their processors.
func cpusOf(t *testing.T, path string) []string {
	t.Helper()
	var cpus []string
	for line := range strings.Lines(read(t, path)) {
		var c struct {
			Run struct {
				CPU string `json:"cpu"`
			} `json:"run"`
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		cpus = append(cpus, c.Run.CPU)
	}
	return cpus
}

// TestResumeOnAnotherProcessor: certificates and records name the processor; a run may go on on
// another kind, which the command says; and what verify and the ids say does not depend on it.
func TestResumeOnAnotherProcessor(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir, model := workshop(t)
	tsv, jsonl := filepath.Join(dir, "run.tsv"), filepath.Join(dir, "run.jsonl")
	args := certifyArgs(model, "--out", tsv, "--json", jsonl, "--batch", "32")
	here := processor.Current().String()
	want(t, exitDone, args...)
	whole := cpusOf(t, jsonl)
	if run, err := results.ReadRun(tsv); err != nil || !slices.Equal(run.Processors(), []string{here}) {
		t.Fatalf("the record names %q (%v), want %q", run.Processors(), err, here)
	}
	if slices.ContainsFunc(whole, func(cpu string) bool { return cpu != here }) || len(whole) < 3 {
		t.Fatalf("the certificates name %q, want %q", whole, here)
	}
	ids := identities(t, jsonl)

	cut := func(path string, lines int) {
		all := strings.SplitAfter(read(t, path), "\n")
		if err := os.WriteFile(path, []byte(strings.Join(all[:lines], "")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cut(tsv, 3)
	cut(jsonl, 2)
	if got := want(t, exitDone, append(args, "--resume")...); strings.Contains(got.stderr, "goes on on") {
		t.Errorf("the same processor is no news: %s", got.stderr)
	}
	cut(tsv, 3)
	cut(jsonl, 2)
	act(t, "sparc64 (injected)")
	got := want(t, exitDone, append(args, "--resume", "--quiet")...)
	if !strings.Contains(got.stderr, "warning") || !strings.Contains(got.stderr, "goes on on sparc64 (injected)") || !strings.Contains(got.stderr, here) {
		t.Errorf("another processor goes on without a word: %s", got.stderr)
	}
	cpus := cpusOf(t, jsonl)
	for i, cpu := range cpus {
		if i < 2 && cpu != here || i >= 2 && cpu != "sparc64 (injected)" {
			t.Errorf("certificate %d names %q", i, cpu)
		}
	}
	if !slices.Equal(identities(t, jsonl), ids) {
		t.Error("the name of a processor changes ids")
	}
	want(t, exitDone, "verify", jsonl)
	for _, path := range []string{tsv, jsonl} {
		if run, err := results.ReadRun(path); err != nil || !slices.Equal(run.Processors(), []string{here, "sparc64 (injected)"}) {
			t.Errorf("the record names %q (%v)", run.Processors(), err)
		}
	}

	// Records and certificates of earlier versions name none.
	for _, path := range []string{tsv, jsonl} {
		run, err := results.ReadRun(path)
		if err != nil {
			t.Fatal(err)
		}
		delete(run.Environment, results.CPUKey)
		delete(run.Environment, results.CPUsKey)
		if err = run.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	cut(tsv, 3)
	first, _, _ := strings.Cut(read(t, jsonl), "\n")
	if err := os.WriteFile(jsonl, []byte(strings.Replace(first, `"cpu":"`+here+`",`, "", 1)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := want(t, exitDone, append(args, "--resume")...); strings.Contains(got.stderr, "goes on on") {
		t.Errorf("an unknown processor is no other one: %s", got.stderr)
	}
	if cpus := cpusOf(t, jsonl); cpus[0] != "" || cpus[1] != "sparc64 (injected)" {
		t.Errorf("certificates name %q", cpus)
	}
	want(t, exitDone, "verify", jsonl)
}
