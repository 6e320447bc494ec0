package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"ucan/internal/audit"
	"ucan/internal/report"
	"ucan/internal/results"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
)

// runFromCounts derives the certificates that the stored votes of a file support at another alpha,
// norm or bound. No model runs and no sample is drawn.
func runFromCounts(ctx context.Context, a *app, o *certifyOptions) error {
	path, output, terms := o.counts, &o.output, o.terms
	if err := refuseExisting(output.outputs()); err != nil {
		return err
	}
	derived, err := audit.Derive(ctx, path, terms, results.Beside(path), buildName())
	if err != nil {
		return fmt.Errorf("certify from counts %q: %w", path, err)
	}
	rows, err := writeDerived(output, terms, derived)
	if err != nil {
		return err
	}
	options := report.DefaultOptions()
	options.Grid, options.Measures, options.LabelAware = output.radii, measuresOf(output.measures), derived.LabelAware
	summary, err := report.Summarise(rows, options)
	if err != nil {
		return err
	}
	runs, err := audit.RunsOf(derived.Certificates)
	if err != nil {
		return err
	}
	summary.Notes = append(summary.Notes, audit.Caveats(runs)...)
	if terms.Alpha != 0 || terms.Bound != nil {
		summary.Notes = append(summary.Notes, "the terms were chosen after the votes: if several alphas or bounds are tried and the best is kept, give each its share of alpha (alpha/2 for two)")
	}
	return a.present(summary, output, []report.Series{{Name: filepath.Base(path), Rows: rows}}, "Derived from "+filepath.Base(path))
}

// checkCounts reads what --from-counts is to change; what was not given stays as stored. It refuses
// flags that stored votes cannot follow: ignoring them silently would make a certificate seem to
// hold for other noise, another number of samples or all inputs together.
func (c *certifyOptions) checkCounts(f *faults) {
	s := &c.statistics
	if f.changed(&s.Alpha) {
		checkAlpha(f, &s.Alpha)
		c.terms.Alpha = s.Alpha
	}
	if c.noise.norm != "" {
		var err error
		if c.terms.Norm, err = family.ParseNorm(c.noise.norm); err != nil {
			f.add(&c.noise.norm, "%w", err)
		}
	}
	if f.changed(&s.bound) {
		bound, _ := smooth.ParseBound(s.bound) // another value was refused
		c.terms.Bound = &bound
	}
	obeyed := []any{&c.noise.norm, &s.Alpha, &s.bound, &c.counts, &c.seed.text}
	for _, option := range f.in(noiseSection, statisticsSection) {
		if f.app.flags.Changed(option.flag) && !slices.Contains(obeyed, option.into) {
			f.add(option.into, "stored votes are those of their own noise and samples; with --from-counts only --alpha, --norm and --bound change, leave it out")
		}
	}
}

// writeDerived writes derived certificates where the options say, and returns their rows.
func writeDerived(o *outputOptions, terms certificate.Terms, derived audit.Derived) (rows []results.Row, err error) {
	var indices []int
	for _, c := range derived.Certificates {
		indices = append(indices, int(c.Input.Index))
	}
	writer, err := results.Open(results.Config{
		TSV: o.tsv, JSONL: o.jsonl, Indices: indices,
		Run: results.Run{Command: "certify --from-counts", Configuration: map[string]any{"alpha": terms.Alpha, "norm": terms.Norm, "bound": terms.Bound}, Hashes: map[string]string{"counts": derived.SHA256}},
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, writer.Close()) }()
	for _, c := range derived.Certificates {
		if err := writer.Put(c); err != nil {
			return nil, err
		}
	}
	return writer.Rows(), nil
}
