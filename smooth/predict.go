package smooth

import (
	"context"
	"fmt"

	"ucan/smooth/stats"
	"ucan/smooth/stream"
)

// PredictN is the sample size of a prediction.
type PredictN struct {
	// N is the number of samples, at least 1.
	N int64
	// Alpha is the probability of an answer that is not the smoothed
	// classifier's, in (0, 1).
	Alpha float64
}

// Predict answers as the smoothed classifier at x, or abstains. Source: PREDICT of
// Cohen, Rosenfeld and Kolter 2019, Proposition 1.
//
// It draws N samples of phase Predict and returns the leading class when a
// two-sided exact binomial test against the runner-up has p-value ≤ Alpha: the
// answer then differs from the smoothed classifier's with probability at most
// Alpha. Samples without a vote are a class of their own, which can be a
// runner-up and is never the answer.
func (s *Smoother) Predict(ctx context.Context, x []float32, id [32]byte, noise *SealedNoise, c PredictN) (Prediction, error) {
	if c.N < 1 {
		return Prediction{}, fmt.Errorf("smooth: n is %d; it must be at least 1", c.N)
	}
	if err := validateAlpha(c.Alpha); err != nil {
		return Prediction{}, err
	}
	counts, err := s.Sample(ctx, x, id, noise, stream.Predict, 0, uint64(c.N))
	if err != nil {
		return Prediction{}, err
	}
	return predictionOf(counts, c.Alpha), nil
}

// predictionOf tests the leading class against the runner-up.
func predictionOf(counts Counts, alpha float64) Prediction {
	p := Prediction{Abstained: true, Alpha: alpha, PValue: 1, Counts: counts}
	if counts.Invalid > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%d of %d samples gave no vote (NaN or a tie); they count against the answer", counts.Invalid, counts.N))
	}
	var top int64
	p.Class, top, p.HasClass = counts.Top()
	if !p.HasClass {
		return p
	}
	second := counts.Invalid
	for class, votes := range counts.PerClass {
		if class != p.Class && votes > second {
			second = votes
		}
	}
	if second > top {
		return p
	}
	p.PValue = stats.BinomialTest(top, second)
	p.Abstained = p.PValue > alpha
	return p
}
