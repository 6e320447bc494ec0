// Package spectral shapes noise to the power of the data in closed form: the noise of largest
// volume at a given loss of signal.
//
// Behind noise with the standard deviation s_k along the k-th vector of a basis, the best linear
// estimate of an input loses the share P_k s_k²/(P_k + s_k²) of its power P_k there (package
// wiener). The volume of what is certified grows with Σ log s_k. So
//
//	maximise Σ log s_k   subject to   Σ P_k s_k²/(P_k + s_k²) ≤ D,   floor ≤ s_k ≤ ceiling.
//
// The problem falls apart into one for each k, given a price λ of the loss: log s − λPs²/(P + s²)
// is stationary where (P + s²)² = 2λP²s², which is s² − cPs + P = 0 with c = √(2λ). Its smaller
// root
//
//	s = 2/(c + √(c² − 4/P))
//
// is a maximum, the larger one a minimum, and beyond that the term rises again, since nothing is
// left to lose: the other candidate is the ceiling, and the only one where c²P < 4. What is best at
// a price is best among all noises that lose as little (Everett, "Generalized Lagrange multiplier
// method for solving problems of optimum allocation of resources", 1963, theorem 1), so the price
// is searched whose loss comes nearest to D from below. It is reverse water-filling (Cover and
// Thomas, "Elements of information theory", 13.3.3), with a ceiling on what is drowned.
package spectral

import (
	"errors"
	"fmt"
	"math"
)

// Config says what the noise may do.
type Config struct {
	// Distortion is the loss D as a share of the whole power, in (0, 1).
	Distortion float64
	// Floor and Ceiling bound the scales, 0 < Floor ≤ Ceiling < ∞.
	Floor, Ceiling float64
}

// ErrConfig marks a configuration that cannot be met.
var ErrConfig = errors.New("the spectral noise cannot be made")

// Noise is what was found.
type Noise struct {
	// Scales are the standard deviations s_k.
	Scales []float64
	// Lost is the share of the power that the best linear estimate loses under it, at most the
	// configured distortion.
	Lost float64
	// Capped is the number of scales at the ceiling.
	Capped int
}

// steps halve the price's range until its ends are neighbours.
const steps = 200

// Shape makes the noise for inputs with the power P_k ≥ 0 along each vector.
func Shape(power []float64, c Config) (*Noise, error) {
	total := 0.0
	for k, p := range power {
		if !(p >= 0) || math.IsInf(p, 0) {
			return nil, fmt.Errorf("%w: the power of coefficient %[3]d is %[2]v; it must be finite and not negative", ErrConfig, p, k)
		}
		total += p
	}
	switch {
	case !(c.Distortion > 0 && c.Distortion < 1):
		return nil, fmt.Errorf("%w: a distortion of %v; give a share of the data's power between 0 and 1", ErrConfig, c.Distortion)
	case !(c.Floor > 0 && c.Ceiling >= c.Floor) || math.IsInf(c.Ceiling, 0):
		return nil, fmt.Errorf("%w: scales from %v to %v; give a positive floor and a finite ceiling no less than it", ErrConfig, c.Floor, c.Ceiling)
	case total == 0:
		return nil, fmt.Errorf("%w: the data do not vary", ErrConfig)
	}
	n := &Noise{Scales: make([]float64, len(power))}
	// Prices c from one that lets everything drown to one that holds all at the floor.
	low, high := 0.0, 1.0
	for n.at(high, power, c, total); n.Lost > c.Distortion; n.at(high, power, c, total) {
		if low, high = high, 2*high; math.IsInf(high, 0) || n.atFloor(power, c) {
			return nil, fmt.Errorf("%w: scales of %v lose %.3g of the data's power, which is more than the distortion %v; lower the floor", ErrConfig, c.Floor, n.Lost, c.Distortion)
		}
	}
	for range steps {
		middle := low + (high-low)/2
		if middle <= low || middle >= high {
			break
		}
		if n.at(middle, power, c, total); n.Lost > c.Distortion {
			low = middle
		} else {
			high = middle
		}
	}
	n.at(high, power, c, total)
	return n, nil
}

// at sets the scales that are best at a price.
func (n *Noise) at(price float64, power []float64, c Config, total float64) {
	n.Lost, n.Capped = 0, 0
	for k, p := range power {
		s := best(price, p, c)
		if s == c.Ceiling {
			n.Capped++
		}
		n.Scales[k] = s
		n.Lost += loss(p, s) / total
	}
}

// atFloor reports whether no scale of a coefficient with power can fall any further.
func (n *Noise) atFloor(power []float64, c Config) bool {
	for k, s := range n.Scales {
		if s > c.Floor && power[k] > 0 {
			return false
		}
	}
	return true
}

// best is the scale that maximises log s − (c²/2)·loss within the limits.
func best(price, p float64, c Config) float64 {
	root := price*price - 4/p
	if p == 0 || !(root > 0) {
		return c.Ceiling
	}
	s := max(c.Floor, 2/(price+math.Sqrt(root)))
	if s >= c.Ceiling {
		return c.Ceiling
	}
	if worth(price, p, c.Ceiling) > worth(price, p, s) {
		return c.Ceiling
	}
	return s
}

// worth is log s − (c²/2)·loss.
func worth(price, p, s float64) float64 { return math.Log(s) - price*price/2*loss(p, s) }

// loss is P s²/(P + s²).
func loss(p, s float64) float64 {
	if p == 0 {
		return 0
	}
	return p * (s * s / (p + s*s))
}
