package main

import (
	"fmt"
	"io"

	"ucan/internal/audit"
	"ucan/internal/replay"
	"ucan/internal/table"
)

// falsehood is one false field of one certificate, as JSON.
type falsehood struct {
	Line       int    `json:"line"`
	Index      int64  `json:"index"`
	Field      string `json:"field"`
	Stored     string `json:"stored"`
	Recomputed string `json:"recomputed"`
}

// verification is the outcome of checking a file.
type verification struct {
	audit.Report
	resampled *replay.Resampling
}

// verificationJSON is a verification as a document.
type verificationJSON struct {
	Certificates int               `json:"certificates"`
	True         int               `json:"true"`
	False        int               `json:"false"`
	Findings     []falsehood       `json:"findings"`
	Unchecked    []audit.Unchecked `json:"unchecked"`
	Repeated     []audit.Repeat    `json:"repeated"`
	Runs         []audit.Run       `json:"runs"`
	// Differences name what the runs differ in; certificates of different runs belong in different
	// curves.
	Differences []string           `json:"differences"`
	Resampled   *replay.Resampling `json:"resampled,omitempty"`
}

func (v *verification) present(a *app, path string) error {
	if a.json() {
		if err := writeJSON(a.stdout, v.document()); err != nil {
			return err
		}
	} else if err := v.print(a.stdout); err != nil {
		return err
	}
	if v.False > 0 {
		first := v.Findings[0]
		return checkf("verify %q: %d of %d certificates are false or altered; the first is on line %d, %s: stored %s, recomputed %s",
			path, v.False, v.Certificates, first.Line, first.Field, first.Stored, first.Recomputed)
	}
	if n := len(v.Unchecked); n > 0 {
		first := v.Unchecked[0]
		return fmt.Errorf("verify %q: %d of %d certificates cannot be checked, and the others are true; the first is on line %d: %s", path, n, v.Certificates, first.Line, first.Reason)
	}
	return nil
}

func (v *verification) document() verificationJSON {
	d := verificationJSON{
		Certificates: v.Certificates, True: v.True(), False: v.False, Findings: []falsehood{},
		Unchecked: append([]audit.Unchecked{}, v.Unchecked...), Repeated: append([]audit.Repeat{}, v.Repeated...),
		Runs: append([]audit.Run{}, v.Runs...), Differences: append([]string{}, audit.Differences(v.Runs)...), Resampled: v.resampled,
	}
	for _, f := range v.Findings {
		d.Findings = append(d.Findings, falsehood{f.Line, f.Index, f.Field, f.Stored, f.Recomputed})
	}
	return d
}

func (v *verification) print(w io.Writer) error {
	if len(v.Findings) > 0 {
		t := table.New(">line", ">input", "field", "stored", "recomputed")
		for _, f := range v.Findings {
			t.Row(f.Line, f.Index, f.Field, f.Stored, f.Recomputed)
		}
		if _, err := t.WriteTo(w); err != nil {
			return err
		}
	}
	if len(v.Unchecked) > 0 {
		t := table.New(">line", ">input", "cannot be checked")
		for _, u := range v.Unchecked {
			t.Row(u.Line, u.Index, u.Reason)
		}
		if _, err := t.WriteTo(w); err != nil {
			return err
		}
	}
	open := ""
	if n := len(v.Unchecked); n > 0 {
		open = fmt.Sprintf(", %d cannot be checked", n)
	}
	fmt.Fprintf(w, "%d certificates, %d true, %d false%s\n", v.Certificates, v.True(), v.False, open)
	if n := len(v.Repeated); n > 0 {
		first := v.Repeated[0]
		fmt.Fprintf(w, "%d lines repeat an earlier certificate and are not counted; the first is line %d, which is line %d again\n", n, first.Line, first.First)
	}
	if err := v.printRuns(w); err != nil {
		return err
	}
	switch {
	case v.resampled != nil:
		printResampling(w, *v.resampled)
	case v.True() > 0:
		fmt.Fprintln(w, "note: the votes were taken as stored; --resample draws new ones")
	}
	return nil
}

// mostRuns bounds the lines about runs; a document (--format json) has all.
const mostRuns = 20

// printRuns lists the terms that certificates have in common.
func (v *verification) printRuns(w io.Writer) error {
	if len(v.Runs) == 0 {
		return nil
	}
	t := table.New(">certificates", ">inputs", "model", "data", "guarantee", "noise", "norm", "arithmetic", "method", ">n", ">alpha")
	for _, r := range v.Runs[:min(len(v.Runs), mostRuns)] {
		method := r.Method
		if method == "" {
			method = "– (failed)"
		}
		t.Row(r.Certificates, r.Inputs, r.Model, r.Source, r.Guarantee, r.Noise, r.Norm, r.Arithmetic, method, r.N, fmt.Sprintf("%g", float64(r.Alpha)))
	}
	fmt.Fprintln(w)
	if _, err := t.WriteTo(w); err != nil {
		return err
	}
	if more := len(v.Runs) - mostRuns; more > 0 {
		fmt.Fprintf(w, "and %d more runs\n", more)
	}
	for _, caveat := range audit.Caveats(v.Runs) {
		fmt.Fprintf(w, "note: %s\n", caveat)
	}
	return nil
}

func printResampling(w io.Writer, s replay.Resampling) {
	fmt.Fprintf(w, "resampled %d certificates with %d fresh samples each; in %d of them class counts differ from the stored ones beyond chance\n", s.Checked, s.Samples, s.Disagreed)
	if s.Unrepeated > 0 {
		fmt.Fprintf(w, "%d certificates in lattice arithmetic did not repeat their votes: made on another kind of processor or library, or with another seed than run.seed\n", s.Unrepeated)
	}
	for name, n := range s.Sources {
		fmt.Fprintf(w, "%d certificates name the data %q, and these are %q; hashes, shapes and labels agree\n", n, name, s.Source)
	}
}
