package stats

import (
	"fmt"
	"math"
)

// Paired counts how two methods did on the same inputs.
type Paired struct {
	// Both, First, Second and Neither are the numbers of inputs on which both succeeded, only the
	// first, only the second, and none; each ≥ 0.
	Both, First, Second, Neither int64
}

// Difference returns an interval for the difference of the two success probabilities, first minus
// second. Its coverage is at least 1 − alpha: the probabilities that only one method succeeds are
// bounded by [ExactInterval] with alpha/2 each, and the ends are rounded outward. It is narrow
// where the methods succeed on the same inputs.
//
// Source: Bonferroni's inequality, for two intervals of Clopper and Pearson (1934).
func (p Paired) Difference(alpha float64) (Interval, error) {
	first, second, err := p.discordant(p.Both+p.First+p.Second+p.Neither, alpha)
	if err != nil {
		return Interval{}, fmt.Errorf("paired difference: %w", err)
	}
	return Interval{Low: down(first.Low - second.High), High: up(first.High - second.Low)}, nil
}

// Ratio returns an interval for the ratio of the two success probabilities, first over second. Its
// coverage is at least 1 − alpha, given the number m of inputs on which any method succeeded: of
// these, a share q₁ is the first's alone and q₂ the second's, the ratio is (1 − q₂)/(1 − q₁), and
// both shares are bounded by [ExactInterval] with alpha/2 each. High is +Inf where the second
// method may never succeed. m = 0 is an error.
//
// Source: as for [Paired.Difference].
func (p Paired) Ratio(alpha float64) (Interval, error) {
	first, second, err := p.discordant(p.Both+p.First+p.Second, alpha)
	if err != nil {
		return Interval{}, fmt.Errorf("paired ratio: %w", err)
	}
	return Interval{
		Low:  max(0, down(down(1-second.High)/up(1-first.Low))),
		High: up(up(1-second.Low) / max(0, down(1-first.High))),
	}, nil
}

// discordant bounds the shares, among n inputs, of those on which one method alone succeeded.
func (p Paired) discordant(n int64, alpha float64) (first, second Interval, err error) {
	if min(p.Both, p.First, p.Second, p.Neither) < 0 {
		return first, second, fmt.Errorf("counts %d, %d, %d and %d; give 0 or more", p.Both, p.First, p.Second, p.Neither)
	}
	if first, err = ExactInterval(p.First, n, alpha/2); err != nil {
		return first, second, err
	}
	second, err = ExactInterval(p.Second, n, alpha/2)
	return first, second, err
}

// down and up are the neighbouring numbers, for rounding outward.
func down(x float64) float64 { return math.Nextafter(x, math.Inf(-1)) }
func up(x float64) float64   { return math.Nextafter(x, math.Inf(1)) }
