package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A resumed run holds what it finds to its own terms, even where the record beside it was edited to agree with them.
func TestResumeFindsAnEditedRecord(t *testing.T) {
	_, model := workshop(t)
	for name, c := range map[string]struct {
		output       string
		first, again []string
		old, edited  string // in the record
		code         int
	}{
		"alpha of a table":          {"a.tsv", nil, []string{"--alpha", "0.05"}, `"alpha": 0.001`, `"alpha": 0.05`, exitCheck},
		"samples of a table":        {"a.tsv", nil, []string{"--n", "500"}, `"n": 400`, `"n": 500`, exitCheck},
		"alpha of certificates":     {"a.jsonl", nil, []string{"--alpha", "0.05"}, `"alpha": 0.001`, `"alpha": 0.05`, exitCheck},
		"sigma of certificates":     {"a.jsonl", nil, []string{"--sigma", "0.5"}, `0.25`, `0.5`, exitCheck},
		"seed of certificates":      {"a.jsonl", nil, []string{"--seed", "8"}, `"seed": 7`, `"seed": 8`, exitCheck},
		"alpha of an adaptive run":  {"a.jsonl", []string{"--adaptive", "fast"}, []string{"--adaptive", "fast", "--alpha", "0.05"}, `"alpha": 0.001`, `"alpha": 0.05`, exitCheck},
		"nothing":                   {"a.jsonl", nil, nil, ``, ``, exitDone},
		"nothing of a table":        {"a.tsv", nil, nil, ``, ``, exitDone},
		"nothing of lattice noise":  {"a.jsonl", []string{"--arithmetic", "lattice", "--noise", "laplace"}, []string{"--arithmetic", "lattice", "--noise", "laplace"}, ``, ``, exitDone},
		"nothing of two-sided runs": {"a.tsv", []string{"--bound", "two"}, []string{"--bound", "two"}, ``, ``, exitDone},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, c.output)
			flag := "--out"
			if strings.HasSuffix(path, "jsonl") {
				flag = "--json"
			}
			args := func(more []string) []string {
				return certifyArgs(model, append([]string{"--max", "3", flag, path}, more...)...)
			}
			want(t, exitDone, args(c.first)...)
			lines := strings.SplitAfter(read(t, path), "\n")
			torn := strings.Join(lines[:2], "")
			if err := os.WriteFile(path, []byte(torn), 0o644); err != nil {
				t.Fatal(err)
			}
			record := read(t, path+".run.json")
			edited := strings.ReplaceAll(record, c.old, c.edited)
			if c.old != "" && edited == record {
				t.Fatalf("the record has no %s:\n%s", c.old, record)
			}
			if c.old == "" {
				edited = record
			}
			if err := os.WriteFile(path+".run.json", []byte(edited), 0o644); err != nil {
				t.Fatal(err)
			}
			want(t, c.code, append(args(c.again), "--resume")...)
			if c.code != exitDone && read(t, path) != torn {
				t.Error("the refused run changed the output")
			}
		})
	}
}
