package diagnose

import (
	"context"
	"errors"
	"fmt"

	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/stream"
)

// Sampler draws votes of the smoothed classifier; *[smooth.Smoother] is one.
type Sampler interface {
	Sample(ctx context.Context, x []float32, id [32]byte, noise *smooth.SealedNoise, phase stream.Phase, from, to uint64) (smooth.Counts, error)
}

// Input is one clean input.
type Input struct {
	X []float32
	// ID keys the noise; it should be smooth.InputID(X).
	ID [32]byte
	// Label is the class, or −1 when unknown.
	Label int
}

// Subject is the generator under examination and what it is used with.
type Subject struct {
	Generator npg.Generator
	// Sampler is the base classifier; nil leaves abstention and leak unmeasured.
	Sampler Sampler
	// Noise is the family, norm and λ that the generator's fields are used with; its own fields are
	// ignored.
	Noise smooth.Noise
	// Floor and Ceiling bound σ, and MuCap bounds |μ_i|; 0 means unknown.
	Floor, Ceiling, MuCap float64
}

// Run examines the generator on the inputs, at least one, all of one dimension. Generated fields of
// all inputs are held in memory at once. It fails when the generator or the classifier does, or the
// options are out of range.
//
// All noise is drawn from stream phase [stream.Audit]: nothing measured here can bias a later
// certificate.
func Run(ctx context.Context, s Subject, inputs []Input, o Options) (_ Report, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("diagnose: %w", err)
		}
	}()
	if err = o.Validate(); err != nil {
		return Report{}, err
	}
	if s.Generator == nil {
		return Report{}, errors.New("no generator")
	}
	if len(inputs) == 0 {
		return Report{}, errors.New("no inputs; give some of the data that the generator is for")
	}
	cases, err := generate(ctx, s.Generator, inputs)
	if err != nil {
		return Report{}, err
	}
	r := Report{
		Inputs: len(cases), Dim: len(cases[0].X), Guarantee: string(s.Generator.Guarantee()),
		Basis: cases[0].basis(),
		Sigma: describeSigma(cases, s.Floor, s.Ceiling), Mu: describeMu(cases, s.MuCap),
	}
	if err = measureVotes(ctx, s, cases, o, &r); err != nil {
		return Report{}, err
	}
	r.Diagnoses = diagnoses(r, o)
	return r, nil
}

// specimen is an input with its fields; mu and sigma are copies to compute with, nil for zeros and
// ones.
type specimen struct {
	Input
	fields    smooth.Fields
	mu, sigma []float32
}

// basis names the basis of the scale field, "" for none.
func (s specimen) basis() string {
	if u := s.fields.Basis(); u != nil {
		return u.Name()
	}
	return ""
}

func generate(ctx context.Context, g npg.Generator, inputs []Input) ([]specimen, error) {
	cases := make([]specimen, len(inputs))
	for i, in := range inputs {
		if len(in.X) == 0 || len(in.X) != len(inputs[0].X) {
			return nil, fmt.Errorf("input %d has %d values and the first %d; all must have the same shape", i, len(in.X), len(inputs[0].X))
		}
		p, err := g.Parameters(ctx, in.X)
		if err != nil {
			return nil, fmt.Errorf("noise parameters of input %d: %w", i, err)
		}
		cases[i] = specimen{Input: in, fields: p.Fields, mu: p.Mu(), sigma: p.Sigma()}
		if cases[i].basis() != cases[0].basis() {
			return nil, errors.New("the generator answers in several bases; give one that keeps to one")
		}
		for name, field := range map[string][]float32{"μ": cases[i].mu, "σ": cases[i].sigma} {
			if field != nil && len(field) != len(in.X) {
				return nil, fmt.Errorf("the generator's %s has %d values and the inputs %d; use a generator made for inputs of this shape", name, len(field), len(in.X))
			}
		}
	}
	return cases, nil
}
