package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth/certificate"
)

// A resumed run holds what it finds to its own terms, even where the record beside it was edited to
// agree with them.
func TestResumeFindsAnEditedRecord(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	_, model := workshop(t)
	for name, c := range subtest.Rows(map[string]struct {
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
	}) {
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

// A resumed run keeps no row that its own votes contradict, nor a certificate that was altered and
// sealed again.
func TestResumeFindsAnEditedRow(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	_, model := workshop(t)
	column := map[string]int{"label": 1, "radius": 3, "l1": 7, "alm": 10, "p_lower": 11, "k": 12, "n": 13, "guarantee": 14}
	for name, c := range subtest.Rows(map[string]struct {
		more   []string
		column string
		value  func(old string) string
		code   int
	}{
		"radius":                    {nil, "radius", func(string) string { return "0.900000" }, exitCheck},
		"l1":                        {nil, "l1", func(string) string { return "0.900000" }, exitCheck},
		"k":                         {nil, "k", func(string) string { return "7" }, exitCheck},
		"guarantee":                 {nil, "guarantee", func(string) string { return "pinned" }, exitCheck},
		"alm of a pattern":          {[]string{"--npg", "pattern:dct16"}, "alm", func(string) string { return "0.900000" }, exitCheck},
		"radius of an adaptive run": {[]string{"--adaptive", "fast"}, "radius", func(string) string { return "0.333333" }, exitCheck},
		"p_lower off the grid":      {[]string{"--adaptive", "fast"}, "p_lower", func(string) string { return "0.812345" }, exitCheck},
		"n that is no look":         {[]string{"--adaptive", "fast"}, "n", func(string) string { return "401" }, exitCheck},
		"p_lower of two bounds":     {[]string{"--bound", "two"}, "p_lower", func(string) string { return "0.999999" }, exitCheck},
		"n of two stages":           {[]string{"--adaptive", "two-stage"}, "n", func(string) string { return "999999" }, exitCheck},
		"nothing":                   {nil, "radius", func(old string) string { return old }, exitDone},
		"nothing of an adaptive":    {[]string{"--adaptive", "fast"}, "radius", func(old string) string { return old }, exitDone},
	}) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.tsv")
			args := certifyArgs(model, append([]string{"--max", "2", "--out", path, "--force"}, c.more...)...)
			want(t, exitDone, args...)
			lines := strings.SplitAfter(read(t, path), "\n")
			fields := strings.Split(lines[1], "\t")
			fields[column[c.column]] = c.value(fields[column[c.column]])
			kept := lines[0] + strings.Join(fields, "\t")
			if err := os.WriteFile(path, []byte(kept), 0o644); err != nil {
				t.Fatal(err)
			}
			got := want(t, c.code, append(args, "--resume")...)
			if c.code != exitDone && (read(t, path) != kept || !strings.Contains(got.stderr, "input 0")) {
				t.Errorf("the refused run changed the table or does not name the input: %s", got.stderr)
			}
		})
	}
	for name, edit := range subtest.Rows(map[string]func(c *certificate.Certificate){
		"radius":        func(c *certificate.Certificate) { c.Radii.L2 *= 2 },
		"source":        func(c *certificate.Certificate) { c.Input.Source = "mnist:t10k" },
		"preprocessing": func(c *certificate.Certificate) { c.Model.Preprocessing = []byte(`{"scale":2}`) },
		"table's row": func(c *certificate.Certificate) {
			c.Input.Label = (c.Input.Label + 1) % 10
			right := c.Predict == c.Input.Label
			c.Correct = &right
		},
		"no seal": nil,
	}) {
		t.Run("certificate: "+name, func(t *testing.T) {
			dir := t.TempDir()
			tsv, jsonl := filepath.Join(dir, "r.tsv"), filepath.Join(dir, "r.jsonl")
			args := certifyArgs(model, "--max", "2", "--out", tsv, "--json", jsonl)
			want(t, exitDone, args...)
			if edit == nil {
				text := strings.Replace(read(t, jsonl), `"radii":{"l1":0.`, `"radii":{"l1":1.`, 1)
				if err := os.WriteFile(jsonl, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			} else {
				altered(t, jsonl, jsonl, func(i int, c *certificate.Certificate) {
					if i == 1 {
						edit(c)
					}
				})
			}
			if got := want(t, exitCheck, append(args, "--resume")...); !strings.Contains(got.stderr, "line ") {
				t.Errorf("no line is named: %s", got.stderr)
			}
		})
	}
}
