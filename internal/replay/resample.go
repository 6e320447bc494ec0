package replay

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"

	"ucan/internal/audit"
	"ucan/internal/dataset"
	"ucan/internal/fault"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/lattice"
	"ucan/smooth/stream"
)

// Resampler compares certificates with the model and the data, and draws fresh noise for every
// certified input.
type Resampler struct {
	// Inputs are the data, Name their name in certificates.
	Inputs Source
	Name   string
	// Box is the range of the data's values, nil where it is not known.
	Box *certificate.Box
	// Opened is the classifier that certificates are of, and others that they may name: selectors,
	// and classifiers of the sets of a selector.
	Opened []Opened
	// Fields finds noise fields outside the certificates.
	Fields certificate.Loader
	// Samples is the number of fresh samples of each certified input, Seed that of their streams.
	Samples int64
	Seed    uint64
}

// Opened is an opened classifier.
type Opened struct {
	// Model names it as certificates do, Smoother samples it with the streams of a seed.
	Model    certificate.Model
	Smoother func(seed uint64) (*smooth.Smoother, error)
}

// Resampling is the outcome of repeating the Monte Carlo.
type Resampling struct {
	Samples   int64 `json:"samples"`
	Checked   int   `json:"checked"`
	Disagreed int   `json:"disagreed"`
	// Unrepeated counts certificates in lattice arithmetic whose own samples gave other votes this
	// time.
	Unrepeated int `json:"unrepeated"`
	// Sources are the names that certificates give the data, where they are not that of the data
	// given.
	Sources map[string]int `json:"other_sources,omitempty"`
	Source  string         `json:"source"`
}

// resampling is one call of Run.
type resampling struct {
	Resampler
	fresh  []*smooth.Smoother // of Opened
	of     int                // certificates in all, among which the level is shared
	result Resampling
}

// Run checks certificates that are true in themselves and adds to the report what it finds. each is
// called after every certificate.
func (r Resampler) Run(ctx context.Context, all []audit.Numbered, report *audit.Report, each func()) (Resampling, error) {
	s := resampling{Resampler: r, of: len(all), result: Resampling{Samples: r.Samples, Source: r.Name}}
	for _, o := range r.Opened {
		fresh, err := o.Smoother(r.Seed)
		if err != nil {
			return s.result, err
		}
		s.fresh = append(s.fresh, fresh)
	}
	for _, c := range all {
		each()
		if c.Status == certificate.Failed {
			continue
		}
		findings, err := s.check(ctx, c.Certificate)
		var bad *dataset.ItemError
		switch {
		case errors.As(err, &bad):
			report.Unchecked = append(report.Unchecked, audit.Unchecked{Line: c.Line, Index: c.Input.Index, Reason: err.Error()})
		case err != nil:
			return s.result, fmt.Errorf("line %d: %w", c.Line, err)
		}
		for _, f := range findings {
			report.Findings = append(report.Findings, audit.Finding{Line: c.Line, Index: c.Input.Index, Finding: f})
		}
		if len(findings) > 0 {
			report.False++
		}
	}
	return s.result, nil
}

// check compares one certificate with the model and the data.
func (s *resampling) check(ctx context.Context, c *certificate.Certificate) ([]certificate.Finding, error) {
	own, f, found := s.opened(c.Model)
	if !found {
		return []certificate.Finding{f}, nil
	}
	if n := int64(s.Inputs.Len()); c.Input.Index >= n {
		return []certificate.Finding{{Field: "input.index", Stored: fmt.Sprint(c.Input.Index), Recomputed: fmt.Sprintf("data of %d inputs", n)}}, nil
	}
	item, err := s.Inputs.At(ctx, int(c.Input.Index))
	if err != nil {
		return nil, err
	}
	if findings := otherInput(c, item, s.Box); len(findings) > 0 {
		return findings, nil
	}
	if c.Input.Source != s.Name {
		if s.result.Sources == nil {
			s.result.Sources = map[string]int{}
		}
		s.result.Sources[c.Input.Source]++
	}
	f, found, err = s.lattice(ctx, c, item, own)
	if err != nil || found {
		return []certificate.Finding{f}, err
	}
	if c.Status != certificate.Certified {
		return nil, nil
	}
	noise, err := c.SealedNoise(s.Fields)
	if err != nil {
		return nil, err
	}
	counts, err := s.fresh[own].Sample(ctx, item.X, item.SHA256, noise, stream.Resample, 0, uint64(s.Samples))
	if err != nil {
		return nil, err
	}
	s.result.Checked++
	if disagree(c, counts) {
		s.result.Disagreed++
	}
	if f, found := contradiction(c, counts, s.of*max(1, len(c.Stages))); found {
		return []certificate.Finding{f}, nil
	}
	return s.selector(ctx, c, item)
}

// selector draws fresh votes of the selector of a certificate that has one.
func (s *resampling) selector(ctx context.Context, c *certificate.Certificate, item dataset.Item) ([]certificate.Finding, error) {
	if len(c.Stages) == 0 {
		return nil, nil
	}
	stage, err := c.SelectorAlone()
	if err != nil {
		return nil, err
	}
	own, f, found := s.opened(stage.Model)
	if !found && len(s.Opened) == 1 {
		return nil, fault.Wrongf("its selector is %s (%.12s), which is not at hand; name its file with --other-model", stage.Model.Name, stage.Model.SHA256)
	}
	if !found {
		f.Field = "stages.0." + f.Field
		return []certificate.Finding{f}, nil
	}
	noise, err := stage.SealedNoise(nil)
	if err != nil {
		return nil, err
	}
	counts, err := s.fresh[own].Sample(ctx, item.X, smooth.SelectorID(item.SHA256), noise, stream.Resample, 0, uint64(s.Samples))
	if err != nil {
		return nil, err
	}
	if f, found := contradiction(stage, counts, s.of*len(c.Stages)); found {
		f.Field = "stages.0." + f.Field
		return []certificate.Finding{f}, nil
	}
	return nil, nil
}

// opened returns the place of a certificate's classifier among those that are open, or in what it
// differs from the first.
func (s *resampling) opened(m certificate.Model) (int, certificate.Finding, bool) {
	var first certificate.Finding
	for i, o := range s.Opened {
		f, other := audit.OtherModel(m, o.Model)
		if !other {
			return i, f, true
		}
		if i == 0 {
			first = f
		}
	}
	return 0, first, false
}

// lattice checks a certificate that claims lattice arithmetic: the input must be an 8-bit image,
// and the run's own samples, drawn again with its own seed, must give the stored votes. Fresh votes
// cannot tell a float32 run that is called lattice, for the two noises have nearly the same law;
// the same samples can. A float32 run whose votes are the same on the lattice passes rightly: its
// certificate is the one that a lattice run makes. Votes that belong to neither arithmetic prove
// nothing: the run had another kind of processor, library or seed. They are counted as unrepeated.
func (s *resampling) lattice(ctx context.Context, c *certificate.Certificate, item dataset.Item, opened int) (certificate.Finding, bool, error) {
	finding := certificate.Finding{Field: "noise.arithmetic", Stored: c.Noise.Arithmetic}
	if c.Noise.Arithmetic != string(smooth.Lattice) {
		return finding, false, nil
	}
	if _, err := lattice.Pixels(item.X); err != nil {
		finding.Recomputed = err.Error()
		return finding, true, nil //nolint:nilerr // an input that is no 8-bit image is what was looked for
	}
	own, err := s.Opened[opened].Smoother(uint64(c.Run.Seed))
	if err != nil {
		return finding, false, err
	}
	for _, arithmetic := range []smooth.Arithmetic{smooth.Lattice, smooth.Float32} {
		other := *c
		other.Noise.Arithmetic = string(arithmetic)
		noise, err := other.SealedNoise(s.Fields)
		if err != nil {
			return finding, false, err
		}
		counts, err := own.Sample(ctx, item.X, item.SHA256, noise, stream.Estimate, 0, uint64(c.Statistics.N))
		if err != nil {
			return finding, false, err
		}
		if !maps.Equal(certificate.Votes(counts.PerClass), c.Statistics.Counts) || counts.Invalid != c.Statistics.Invalid {
			continue
		}
		finding.Recomputed = "the votes are those of float32 arithmetic, and not of the lattice"
		return finding, arithmetic == smooth.Float32, nil
	}
	s.result.Unrepeated++
	return finding, false, nil
}

// Stored returns the noise that certificates store for inputs below count that are the certified
// ones, and the indices of these inputs. For other inputs the noise is nil.
func Stored(all []audit.Numbered, count int, load certificate.Loader) (seal func(context.Context, dataset.Item) (*smooth.SealedNoise, error), indices []int) {
	stored := map[int]*certificate.Certificate{}
	for _, c := range all {
		if i := int(c.Input.Index); i < count && c.Status == certificate.Certified && stored[i] == nil {
			stored[i] = c.Certificate
			indices = append(indices, i)
		}
	}
	return func(_ context.Context, item dataset.Item) (*smooth.SealedNoise, error) {
		c := stored[item.Index]
		if c == nil || hex.EncodeToString(item.SHA256[:]) != c.Input.SHA256 {
			return nil, nil
		}
		if _, err := lattice.Pixels(item.X); err != nil && c.Noise.Arithmetic == string(smooth.Lattice) {
			return nil, nil // noise on the lattice cannot be drawn for it, which is for Run to say
		}
		return c.SealedNoise(load)
	}, indices
}
