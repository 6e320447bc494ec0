package harden

import (
	"fmt"
	"math"

	"ucan/internal/results"
)

// Candidate is a way to a certifiable classifier, measured on the inputs of the choice.
type Candidate struct {
	Name string `json:"name"`
	// Accuracy is the share of inputs that are right, Radius the mean radius R·(∏σ)^{1/d}, with 0
	// for those that are not.
	Accuracy float64 `json:"accuracy"`
	Radius   float64 `json:"radius"`
	// Gain is the mean radius less that of the best candidate before it, over the same inputs, and
	// Error the standard error of that difference.
	Gain  float64 `json:"gain"`
	Error float64 `json:"gain_standard_error"`
	// Rate is how many rows it did in a second.
	Rate float64 `json:"rows_per_second"`
	// Verdict says in words what became of it.
	Verdict string `json:"verdict"`

	radii []float64
}

// measured is a candidate with the radii of a table.
func measured(name string, rows []results.Row) Candidate {
	c := Candidate{Name: name, Rate: rate(rows)}
	for _, row := range rows {
		r := 0.0
		if row.Correct && row.Status == results.Certified {
			r = row.ALM
			c.Accuracy++
		}
		c.radii = append(c.radii, r)
		c.Radius += r
	}
	n := math.Max(1, float64(len(rows)))
	c.Accuracy, c.Radius = c.Accuracy/n, c.Radius/n
	return c
}

// rate is how many samples a second went into a table.
func rate(rows []results.Row) float64 {
	samples, seconds := int64(0), 0.0
	for _, row := range rows {
		samples, seconds = samples+row.N, seconds+row.Seconds
	}
	return max(1e-6, float64(samples)/max(seconds, 1e-6))
}

// better says whether a candidate is taken in place of a cheaper one: its mean radius must be
// larger by more than twice the standard error of the paired difference. Whoever tosses coins
// between equal candidates would take the dearer one in 2 of 100 cases.
func (c *Candidate) better(than *Candidate) bool {
	n := float64(len(c.radii))
	mean, square := 0.0, 0.0
	for i, r := range c.radii {
		d := r - than.radii[i]
		mean += d / n
		square += d * d / n
	}
	c.Gain = mean
	c.Error = math.Sqrt(math.Max(0, square-mean*mean) / math.Max(1, n-1))
	return mean > 2*c.Error && mean > 0
}

// choose goes through candidates in the order of their cost and returns the number of the one that
// is taken.
func choose(all []Candidate) int {
	best := 0
	for i := range all {
		c := &all[i]
		switch {
		case i == 0:
			c.Verdict = "the model as it is"
		case len(c.radii) != len(all[0].radii):
			// It could not be measured, and its verdict says why.
		case c.better(&all[best]):
			c.Verdict = fmt.Sprintf("mean radius larger than that of %q by %.3f ± %.3f", all[best].Name, c.Gain, c.Error)
			best = i
		default:
			c.Verdict = fmt.Sprintf("mean radius not larger than that of %q by two standard errors (%.3f ± %.3f)", all[best].Name, c.Gain, c.Error)
		}
	}
	return best
}
