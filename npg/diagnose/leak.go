package diagnose

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"ucan/smooth"
	"ucan/smooth/stream"
)

// leakFrom is the first sample index of the leak audit within phase Audit, beyond what the
// abstention draws.
const leakFrom = 1 << 32

// fieldChoice is which of the input's own fields stay while the image is swapped; the other is the
// donor's.
type fieldChoice struct{ mu, sigma bool }

// leak is the swap audit. The note says why it was not made, and is "" when it was.
func leak(ctx context.Context, s Subject, cases []specimen, o Options) (*Leak, string, error) {
	p := pairing(cases)
	switch {
	case p.inputs < o.LeastInputs:
		return nil, fmt.Sprintf("not measured on %d labelled inputs, it takes %d; give more data", p.inputs, o.LeastInputs), nil
	case len(p.classes) < 2:
		return nil, "not measured, all inputs have one label; give data of several classes", nil
	case !p.usable():
		return nil, "not measured, one of the two classes has a single input; give more data", nil
	}
	donors := p.donors(o, o.Donors)
	out := &Leak{
		Inputs: p.inputs, Classes: len(p.classes), Donors: len(donors[p.members[p.classes[0]][0]]), Draws: o.Draws,
		Confidence: o.Confidence, Chance: p.chance(),
	}
	var err error
	if out.Accuracy, err = swapped(ctx, s, cases, donors, o.Draws, fieldChoice{true, true}); err != nil {
		return nil, "", err
	}
	out.Low, out.High = chernoff(out.Accuracy, out.Inputs, 1-o.Confidence)
	if out.Reader, err = read(ctx, s, cases, o); err != nil {
		return nil, "", err
	}
	if !out.read(o.Thresholds) {
		return out, "", nil
	}
	for _, part := range []struct {
		keep fieldChoice
		to   **float64
	}{{fieldChoice{mu: true}, &out.ThroughMu}, {fieldChoice{sigma: true}, &out.ThroughSigma}} {
		accuracy, err := swapped(ctx, s, cases, donors, o.Draws, part.keep)
		if err != nil {
			return nil, "", err
		}
		*part.to = &accuracy
	}
	return out, "", nil
}

// read reports whether the base classifier reads the label.
func (l *Leak) read(t Thresholds) bool { return l.Low > l.Chance+t.Leak }

// readable reports whether the linear reader does.
func (l *Leak) readable(t Thresholds) bool {
	return l.Reader != nil && l.Reader.Low > l.Reader.Chance+t.Leak
}

// swapped is the share of samples that get the label of the input whose noise parameters were kept.
func swapped(ctx context.Context, s Subject, cases []specimen, donors map[int][]int, draws int, keep fieldChoice) (float64, error) {
	var votes, samples int64
	for i, c := range cases { // in order, so that sums do not depend on a map's
		for k, j := range donors[i] {
			d := cases[j]
			mu, sigma := c.mu, c.sigma
			if !keep.mu {
				mu = d.mu
			}
			if !keep.sigma {
				sigma = d.sigma
			}
			fields, err := smooth.NewFields(len(c.X), mu, sigma, c.fields.Basis())
			if err != nil {
				return 0, err
			}
			noise, err := s.seal(len(c.X), fields)
			if err != nil {
				return 0, err
			}
			from := leakFrom + uint64(k*draws)
			counts, err := s.Sampler.Sample(ctx, d.X, c.ID, noise, stream.Audit, from, from+uint64(draws))
			if err != nil {
				return 0, fmt.Errorf("classify input %d with the noise of input %d: %w", j, i, err)
			}
			votes += counts.Votes(c.Label)
			samples += counts.N
		}
	}
	return float64(votes) / float64(samples), nil
}

// pairs groups the labelled inputs by class.
type pairs struct {
	classes []int // in rising order
	members map[int][]int
	ids     [][32]byte // of every case
	inputs  int        // labelled ones
}

func pairing(cases []specimen) pairs {
	p := pairs{members: map[int][]int{}}
	for i, c := range cases {
		p.ids = append(p.ids, c.ID)
		if c.Label < 0 {
			continue
		}
		if p.members[c.Label] == nil {
			p.classes = append(p.classes, c.Label)
		}
		p.members[c.Label] = append(p.members[c.Label], i)
		p.inputs++
	}
	slices.Sort(p.classes)
	return p
}

// usable reports whether every input has donors.
func (p pairs) usable() bool {
	if len(p.classes) == 2 {
		return len(p.members[p.classes[0]]) > 1 && len(p.members[p.classes[1]]) > 1
	}
	return len(p.classes) > 2
}

// chance is the ceiling of the package documentation.
func (p pairs) chance() float64 {
	total := 0.0
	for _, b := range p.classes {
		most := 0
		for _, a := range p.classes {
			if a != b || len(p.classes) == 2 {
				most = max(most, len(p.members[a]))
			}
		}
		total += float64(most)
	}
	others := len(p.classes) - 1
	if len(p.classes) == 2 {
		others = 2
	}
	return min(1, total/float64(others*p.inputs))
}

// donors chooses, for every labelled input, images of distinct other classes; with two classes, of
// both. The choice depends on the input alone, so that what a reader learns of one half's choices
// says nothing of the other's.
func (p pairs) donors(o Options, number int) map[int][]int {
	out := make(map[int][]int, p.inputs)
	for _, a := range p.classes {
		for _, i := range p.members[a] {
			tag := sha256.Sum256(append([]byte("ucan diagnose: donors "), p.ids[i][:]...))
			source := stream.New(o.Seed, tag, stream.Audit).Source(0)
			from := slices.Clone(p.classes)
			if len(from) > 2 {
				from = slices.DeleteFunc(from, func(c int) bool { return c == a })
			}
			shuffle(from, &source)
			for _, class := range from[:min(number, len(from))] {
				pool := slices.DeleteFunc(slices.Clone(p.members[class]), func(j int) bool { return j == i })
				out[i] = append(out[i], pool[below(len(pool), &source)])
			}
		}
	}
	return out
}

// shuffle is Fisher and Yates's.
func shuffle(values []int, source *stream.Source) {
	for i := len(values) - 1; i > 0; i-- {
		j := below(i+1, source)
		values[i], values[j] = values[j], values[i]
	}
}

// below draws from 0 … n−1; the bias of the remainder is below n/2⁶⁴.
func below(n int, source *stream.Source) int { return int(source.Uint64() % uint64(n)) }
