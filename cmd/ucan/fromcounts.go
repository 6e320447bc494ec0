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

// runFromCounts derives the certificates that the stored votes of a file support at another alpha, norm or bound. No
// model runs and no sample is drawn.
func runFromCounts(ctx context.Context, a *app, path string) error {
	r := a.values()
	output := a.outputOptions(r)
	terms := countTerms(r)
	refuseForeign(r)
	if err := r.err(); err != nil {
		return err
	}
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
	options.Grid, options.LabelAware = output.radii, derived.LabelAware
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
	return a.present(summary, output.plot, []report.Series{{Name: filepath.Base(path), Rows: rows}}, "Derived from "+filepath.Base(path))
}

// countTerms reads what is to be changed; what was not given stays as stored.
func countTerms(r *values) certificate.Terms {
	var terms certificate.Terms
	var err error
	if r.changed("statistics.alpha") {
		if terms.Alpha = r.float("statistics.alpha"); !(terms.Alpha > 0 && terms.Alpha < 1) {
			r.fault("statistics.alpha", "%s is out of range; give a probability between 0 and 1", r.text("statistics.alpha"))
		}
	}
	if text := r.text("noise.norm"); text != "" {
		if terms.Norm, err = family.ParseNorm(text); err != nil {
			r.fault("noise.norm", "%s", err)
		}
	}
	if r.changed("statistics.bound") {
		bound, err := smooth.ParseBound(r.text("statistics.bound"))
		if err != nil {
			r.fault("statistics.bound", "%q is unknown; give one or two", r.text("statistics.bound"))
		}
		terms.Bound = &bound
	}
	return terms
}

// refuseForeign refuses flags that stored votes cannot follow: ignoring them silently would make a certificate seem to hold for
// other noise, another number of samples or all inputs together.
func refuseForeign(r *values) {
	obeyed := []string{"noise.norm", "statistics.alpha", "statistics.bound", "statistics.from_counts", "seed"}
	for _, key := range slices.Concat(noiseKeys, statisticsKeys, certifyKeys) {
		if f := r.flags.Lookup(findSetting(key).flag); f != nil && f.Changed && !slices.Contains(obeyed, key) {
			r.fault(key, "stored votes are those of their own noise and samples; with --from-counts only --alpha, --norm and --bound change, leave it out")
		}
	}
}

// writeDerived writes derived certificates where the options say, and returns their rows.
func writeDerived(o outputOptions, terms certificate.Terms, derived audit.Derived) (rows []results.Row, err error) {
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
