package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"ucan/internal/audit"
	"ucan/internal/dataset"
	"ucan/internal/progress"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/stream"
)

// resampling is the outcome of repeating the Monte Carlo.
type resampling struct {
	Samples   int64 `json:"samples"`
	Checked   int   `json:"checked"`
	Disagreed int   `json:"disagreed"`
	// Unrepeated counts certificates in lattice arithmetic whose own samples gave other votes this time.
	Unrepeated int `json:"unrepeated"`
	// Sources are the names that certificates give the data, where they are not that of the data given.
	Sources map[string]int `json:"other_sources,omitempty"`
	Source  string         `json:"source"`
}

func (s resampling) print(w io.Writer) {
	fmt.Fprintf(w, "resampled %d certificates with %d fresh samples each; in %d of them class counts differ from the stored ones beyond chance\n", s.Checked, s.Samples, s.Disagreed)
	if s.Unrepeated > 0 {
		fmt.Fprintf(w, "%d certificates in lattice arithmetic did not repeat their votes: made on another kind of processor or library, or with another seed than run.seed\n", s.Unrepeated)
	}
	for name, n := range s.Sources {
		fmt.Fprintf(w, "%d certificates name the data %q, and these are %q; hashes, shapes and labels agree\n", n, name, s.Source)
	}
}

// resampler repeats the Monte Carlo of certificates.
type resampler struct {
	bench    *bench
	smoother *smooth.Smoother
	record   certificate.Model
	folder   *certificate.Folder
	samples  int64
	of       int // certificates in all, among which the level is shared
	result   *resampling
}

// resample compares the certificates that were true so far with the model and the data, and draws fresh noise for every
// certified input.
func (a *app) resample(ctx context.Context, path string, n int64, all []audit.Kept, v *verification) error {
	r := a.values()
	model, declared, data := requireModel(r), a.declaration(r), a.dataOptions(r)
	session, err := a.sessionOptions(r)
	if err != nil {
		return err
	}
	var o certifyOptions
	o.seed, o.seedGiven = seedOf(r)
	if err = r.err(); err != nil {
		return err
	}
	if _, err = o.settle(nil); err != nil {
		return err
	}
	bench, err := a.openWorkbench(ctx, model, declared, session, data, nil)
	if err != nil {
		return err
	}
	s := resampler{bench: bench, folder: certificate.NewFolder(filepath.Dir(path)), samples: n, of: len(all), result: &resampling{Samples: n, Source: bench.Info.Name}}
	if s.smoother, err = bench.Smoother(o.seed); err != nil {
		return err
	}
	if s.record, err = bench.ModelRecord(); err != nil {
		return err
	}
	var usable []*certificate.Certificate
	for _, c := range all {
		if c.Input.Index < int64(bench.Source.Len()) {
			usable = append(usable, c.Certificate)
		}
	}
	seal, indices := sealStored(usable, s.folder)
	if err = bench.checkRows(ctx, a, indices, o.seed, seal); err != nil {
		return err
	}
	bar := progress.New(a.progressWriter(), a.progressOptions(len(all), 0))
	defer bar.Close()
	for _, c := range all {
		bar.Add(1)
		if c.Status == certificate.Failed {
			continue
		}
		findings, err := s.check(ctx, c.Certificate)
		var bad *dataset.ItemError
		switch {
		case errors.As(err, &bad):
			v.Unchecked = append(v.Unchecked, audit.Unchecked{Line: c.Line, Index: c.Input.Index, Reason: err.Error()})
		case err != nil:
			return fmt.Errorf("resample %q: line %d: %w", path, c.Line, err)
		}
		for _, f := range findings {
			v.Findings = append(v.Findings, audit.Finding{Line: c.Line, Index: c.Input.Index, Finding: f})
		}
		if len(findings) > 0 {
			v.False++
		}
	}
	v.resampled = s.result
	return nil
}

// check compares one certificate with the model and the data.
func (s *resampler) check(ctx context.Context, c *certificate.Certificate) ([]certificate.Finding, error) {
	if f, other := audit.OtherModel(c.Model, s.record); other {
		return []certificate.Finding{f}, nil
	}
	if n := int64(s.bench.Source.Len()); c.Input.Index >= n {
		return []certificate.Finding{{Field: "input.index", Stored: fmt.Sprint(c.Input.Index), Recomputed: fmt.Sprintf("data of %d inputs", n)}}, nil
	}
	item, err := s.bench.Source.At(ctx, int(c.Input.Index))
	if err != nil {
		return nil, err
	}
	if findings := audit.OtherInput(c, audit.Item{SHA256: item.SHA256, Shape: item.Shape, Label: item.Label}); len(findings) > 0 {
		return findings, nil
	}
	if c.Input.Source != s.result.Source {
		if s.result.Sources == nil {
			s.result.Sources = map[string]int{}
		}
		s.result.Sources[c.Input.Source]++
	}
	f, found, err := s.lattice(ctx, c, item)
	if err != nil || found {
		return []certificate.Finding{f}, err
	}
	if c.Status != certificate.Certified {
		return nil, nil
	}
	noise, err := c.SealedNoise(s.folder)
	if err != nil {
		return nil, err
	}
	counts, err := s.smoother.Sample(ctx, item.X, item.SHA256, noise, stream.Resample, 0, uint64(s.samples))
	if err != nil {
		return nil, err
	}
	s.result.Checked++
	if audit.Disagree(c, counts) {
		s.result.Disagreed++
	}
	if f, found := audit.Contradiction(c, counts, s.of); found {
		return []certificate.Finding{f}, nil
	}
	return nil, nil
}

// lattice repeats the run's own samples of a certificate that claims lattice arithmetic.
func (s *resampler) lattice(ctx context.Context, c *certificate.Certificate, item dataset.Item) (certificate.Finding, bool, error) {
	if c.Noise.Arithmetic != string(smooth.Lattice) {
		return certificate.Finding{}, false, nil
	}
	smoother, err := s.bench.Smoother(uint64(c.Run.Seed))
	if err != nil {
		return certificate.Finding{}, false, err
	}
	return audit.CheckLattice(c, item.X, s.folder, func(noise *smooth.SealedNoise, n int64) (smooth.Counts, error) {
		return smoother.Sample(ctx, item.X, item.SHA256, noise, stream.Estimate, 0, uint64(n))
	}, &s.result.Unrepeated)
}
