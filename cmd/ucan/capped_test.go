package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/smooth/certificate"
)

// TestCappedALM: noise whose axes pass the range of images has a capped ALM beside its ALM, in the
// summary, in certificates that verify accepts with the data at hand, and after --from-counts.
func TestCappedALM(t *testing.T) {
	dir := t.TempDir()
	file, derived := filepath.Join(dir, "c.jsonl"), filepath.Join(dir, "d.jsonl")
	run := []string{
		"certify", "--model", demoModel, "--data", "digits?n=12", "--npg", "pattern:l2,kappa=0.3,iota=0.2", "--n", "200", "--n0", "20", "--seed", "1",
		"--json", file,
	}
	text := want(t, exitDone, run...).stdout
	if !strings.Contains(text, "average capped ALM") || !strings.Contains(text, "reach the data's range") {
		t.Errorf("the summary lacks capped ALM: %s", text)
	}
	all := readCertificates(t, file)
	capped := 0
	for _, c := range all {
		if c.Input.Box == nil || *c.Input.Box != (certificate.Box{0, 1}) || c.ALMCapped == nil || c.CappedShare == nil {
			t.Fatalf("input %d: box %v, capped %v, share %v", c.Input.Index, c.Input.Box, c.ALMCapped, c.CappedShare)
		}
		if *c.ALMCapped > min(c.ALM, 1) {
			t.Errorf("input %d: capped ALM %v of %v", c.Input.Index, *c.ALMCapped, c.ALM)
		}
		if *c.CappedShare > 0 {
			capped++
		}
	}
	if capped == 0 {
		t.Fatal("no axis reaches the range: the noise is no example")
	}
	want(t, exitDone, "verify", file, "--resample", "100", "--model", demoModel, "--data", "digits?n=12", "--seed", "2", "--quiet")
	want(t, exitDone, "certify", "--from-counts", file, "--alpha", "0.01", "--json", derived, "--quiet")
	want(t, exitDone, "verify", derived, "--quiet")
	for _, c := range readCertificates(t, derived) {
		if c.ALMCapped == nil || *c.ALMCapped > c.ALM {
			t.Errorf("derived, input %d: capped ALM %v of %v", c.Input.Index, c.ALMCapped, c.ALM)
		}
	}
	// A forger who widens the box where no axis is at its cap is found with the data.
	isotropic := filepath.Join(dir, "i.jsonl")
	want(t, exitDone, "certify", "--model", demoModel, "--data", "digits?n=1", "--sigma", "0.1", "--n", "200", "--n0", "20", "--seed", "1", "--json", isotropic, "--quiet")
	c := readCertificates(t, isotropic)[0]
	c.Input.Box[1] = 2
	if err := c.SetID(); err != nil {
		t.Fatal(err)
	}
	line, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(isotropic, append(line, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	found := want(t, exitCheck, "verify", isotropic, "--resample", "100", "--model", demoModel, "--data", "digits?n=1", "--seed", "2", "--quiet")
	if !strings.Contains(found.stdout+found.stderr, "input.box") {
		t.Errorf("%s%s", found.stdout, found.stderr)
	}
}

func readCertificates(t *testing.T, path string) []*certificate.Certificate {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []*certificate.Certificate
	for line := range bytes.Lines(text) {
		c, err := certificate.Parse(bytes.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// TestNoRangeNoCappedALM: a table of numbers has no known range; the summary says so, in JSON too.
func TestNoRangeNoCappedALM(t *testing.T) {
	dir := t.TempDir()
	digits, file := filepath.Join(dir, "x.csv"), filepath.Join(dir, "c.jsonl")
	var rows strings.Builder
	for i := range 2 {
		rows.WriteString(strings.Repeat("0.5,", 783) + "0.25," + []string{"1", "2"}[i] + "\n")
	}
	if err := os.WriteFile(digits, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	got := want(t, exitDone, "certify", "--model", demoModel, "--data", "csv:"+digits+"?label=784&shape=1x28x28", "--sigma", "0.05", "--n", "200", "--n0", "20", "--seed", "1",
		"--json", file, "--quiet", "--force", "--format", "json")
	var summary struct {
		Certified int
		Measures  []struct{ Measure string }
		Notes     []string
	}
	if err := json.Unmarshal([]byte(got.stdout), &summary); err != nil {
		t.Fatal(err)
	}
	if summary.Certified == 0 || len(summary.Measures) != 1 || !strings.Contains(strings.Join(summary.Notes, "; "), "no capped ALM") {
		t.Errorf("%+v", summary)
	}
	for _, c := range readCertificates(t, file) {
		if c.Input.Box != nil || c.ALMCapped != nil || c.CappedShare != nil {
			t.Errorf("input %d has a capped ALM", c.Input.Index)
		}
	}
	want(t, exitDone, "verify", file, "--quiet")
}
