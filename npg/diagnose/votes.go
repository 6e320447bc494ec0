package diagnose

import (
	"context"
	"fmt"

	"ucan/smooth"
	"ucan/smooth/stats"
	"ucan/smooth/stream"
)

// measureVotes fills in what needs the base classifier.
func measureVotes(ctx context.Context, s Subject, cases []specimen, o Options, r *Report) error {
	if s.Sampler == nil {
		r.Notes = append(r.Notes, "abstention and label leak: not measured without a base classifier")
		return nil
	}
	var err error
	if r.Abstention, err = abstention(ctx, s, cases, o); err != nil {
		return err
	}
	if s.Generator.Guarantee() == smooth.Deployed {
		r.Notes = append(r.Notes, "label leak: impossible, the noise is the same for every input")
		return nil
	}
	var note string
	if r.Leak, note, err = leak(ctx, s, cases, o); err != nil {
		return err
	}
	if note != "" {
		r.Notes = append(r.Notes, "label leak: "+note)
	}
	return nil
}

// seal makes the noise with the given fields.
func (s Subject) seal(dim int, f smooth.Fields) (*smooth.SealedNoise, error) {
	n := s.Noise
	n.Fields = f
	return n.Seal(dim)
}

// abstention samples every input under its own noise.
func abstention(ctx context.Context, s Subject, cases []specimen, o Options) (*Abstention, error) {
	out := &Abstention{Inputs: len(cases), N: int64(o.Samples), Alpha: o.Alpha, Accuracy: -1}
	labelled, right := 0, 0
	for i, c := range cases {
		noise, err := s.seal(len(c.X), c.fields)
		if err != nil {
			return nil, err
		}
		counts, err := s.Sampler.Sample(ctx, c.X, c.ID, noise, stream.Audit, 0, uint64(o.Samples))
		if err != nil {
			return nil, fmt.Errorf("classify input %d under noise: %w", i, err)
		}
		class, votes, ok := counts.Top()
		lower := 0.0
		if ok {
			if lower, err = stats.ClopperPearsonLower(votes, counts.N, o.Alpha); err != nil {
				return nil, err
			}
		}
		certified := lower > 0.5
		if !certified {
			out.Abstained++
		}
		if c.Label >= 0 {
			labelled++
			if certified && class == c.Label {
				right++
			}
		}
	}
	interval, err := stats.ExactInterval(int64(out.Abstained), int64(out.Inputs), 1-o.Confidence)
	if err != nil {
		return nil, err
	}
	out.Share = float64(out.Abstained) / float64(out.Inputs)
	out.Low, out.High = interval.Low, interval.High
	if labelled > 0 {
		out.Accuracy = float64(right) / float64(labelled)
	}
	return out, nil
}
