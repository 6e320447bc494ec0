package attack

import (
	"math"

	"ucan/smooth/stats"
)

// Interval is a confidence interval.
type Interval [2]float64

// Outcome sums up attempts.
type Outcome struct {
	// Inputs were attacked, Flips of them flipped beyond chance: a share of Rate, whose exact
	// interval is Interval.
	Inputs   int      `json:"inputs"`
	Flips    int      `json:"violations"`
	Rate     float64  `json:"rate"`
	Interval Interval `json:"interval"`
	// PValue is the probability of so many false certificates at their α; Violated says that there
	// are more flips than α explains, or any where the rule allows none.
	PValue   float64 `json:"p_value"`
	Violated bool    `json:"violated"`
	// Least is the smallest margin, of input LeastIndex; Least is 1 without inputs.
	Least      float64 `json:"least_margin"`
	LeastIndex int     `json:"least_index"`
}

// Tally sums up attempts on claims at their levels alpha, in order. With strict, one flip is a
// violation.
func (o Options) Tally(attempts []Attempt, alpha []float64, strict bool) (Outcome, error) {
	out := Outcome{Inputs: len(attempts), Least: 1, LeastIndex: -1, PValue: 1, Interval: Interval{0, 1}}
	for _, a := range attempts {
		if a.Flipped {
			out.Flips++
		}
		if a.Margin < out.Least || out.LeastIndex < 0 {
			out.Least, out.LeastIndex = a.Margin, a.Index
		}
	}
	if out.Inputs == 0 {
		return out, nil
	}
	out.Rate = float64(out.Flips) / float64(out.Inputs)
	interval, err := stats.ExactInterval(int64(out.Flips), int64(out.Inputs), 1-o.Confidence)
	if err != nil {
		return out, err
	}
	out.Interval = Interval{interval.Low, interval.High}
	out.PValue = falseOnes(out.Flips, alpha)
	out.Violated = out.Flips > 0 && (strict || out.PValue <= o.share())
	return out, nil
}

// falseOnes is the probability that at least k of independent certificates are false, each with its
// own probability: the tail of the Poisson-binomial law, summed up certificate by certificate.
func falseOnes(k int, alpha []float64) float64 {
	if k <= 0 {
		return 1
	}
	below := make([]float64, k) // P[number so far = i], i < k
	below[0] = 1
	tail := 0.0
	for _, p := range alpha {
		tail += below[k-1] * p
		for i := k - 1; i > 0; i-- {
			below[i] += p * (below[i-1] - below[i])
		}
		below[0] *= 1 - p
	}
	return math.Min(1, tail)
}
