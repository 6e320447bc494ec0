package report

import (
	"math"
	"sort"

	"ucan/internal/results"
)

// Quantile is one quantile of a distribution.
type Quantile struct {
	Level float64 `json:"level"`
	Value float64 `json:"value"`
}

// pQuantiles gives quantiles of p_lower over the rows that did not fail.
func pQuantiles(rows []results.Row) []Quantile {
	var p []float64
	for _, r := range rows {
		if r.Status == results.Certified || r.Status == results.Abstained {
			p = append(p, r.PLower)
		}
	}
	if len(p) == 0 {
		return nil
	}
	sort.Float64s(p)
	var out []Quantile
	for _, level := range []float64{0, 0.1, 0.25, 0.5, 0.75, 0.9, 1} {
		// The inverse of the empirical distribution: always a value that occurred.
		k := max(int(math.Ceil(level*float64(len(p)))), 1)
		out = append(out, Quantile{Level: level, Value: p[k-1]})
	}
	return out
}
