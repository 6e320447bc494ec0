package perinput

import (
	"math"

	"ucan/smooth/family"
	"ucan/smooth/stats"
)

// gap is G and its derivatives by p_A and p_B, at probabilities that are kept away from 0 and 1 by
// as much as the number of copies can tell.
type gap struct{ value, byA, byB float64 }

func (c Config) gap(dim int, pA, pB float64) (gap, error) {
	edge := 1 / float64(2*c.Samples+2)
	clamp := func(p float64) (float64, float64) {
		if p <= edge || p >= 1-edge {
			return min(max(p, edge), 1-edge), 0
		}
		return p, 1
	}
	a, inA := clamp(pA)
	b, inB := clamp(pB)
	if c.Family.Name() == "gaussian" && c.Norm == family.L2 {
		zA, zB := stats.NormalQuantile(a), stats.NormalQuantile(b)
		return gap{
			value: c.Lambda * (zA - zB) / 2,
			byA:   inA * c.Lambda / (2 * density(zA)),
			byB:   -inB * c.Lambda / (2 * density(zB)),
		}, nil
	}
	value, err := c.Family.Radius(c.Norm, dim, a)
	if err != nil {
		return gap{}, err
	}
	// A central difference: radii are smooth and known to some 12 digits. Below p = 1/2 they are
	// flat at 0; the slope of p itself leads out of there.
	h := 1e-4 * min(a, 1-a)
	up, err := c.Family.Radius(c.Norm, dim, a+h)
	if err != nil {
		return gap{}, err
	}
	down, err := c.Family.Radius(c.Norm, dim, a-h)
	if err != nil {
		return gap{}, err
	}
	slope := (up - down) / (2 * h)
	if a <= 0.5 {
		value, slope = a-0.5, 1
	}
	return gap{value: c.Lambda * value, byA: inA * c.Lambda * slope}, nil
}

// density is that of the standard normal law.
func density(z float64) float64 { return math.Exp(-z*z/2) / math.Sqrt(2*math.Pi) }

// volume is (∏σ)^{1/d} + κ·min σ for t = log σ, and its gradient by t. Equal minima share the
// gradient.
func volume(t []float64, kappa float64, grad []float64) float64 {
	sum, least, ties := 0.0, math.Inf(1), 0
	for _, v := range t {
		sum += v
		switch {
		case v < least:
			least, ties = v, 1
		case v == least:
			ties++
		}
	}
	d := float64(len(t))
	mean, low := math.Exp(sum/d), kappa*math.Exp(least)
	for i, v := range t {
		grad[i] = mean / d
		if v == least {
			grad[i] += low / float64(ties)
		}
	}
	return mean + low
}

// adam ascends; see Kingma and Ba 2015, algorithm 1, with β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
type adam struct {
	m, v []float64
	step int
}

func newAdam(n int) *adam { return &adam{m: make([]float64, n), v: make([]float64, n)} }

func (a *adam) ascend(t, grad []float64, rate float64) {
	const beta1, beta2, epsilon = 0.9, 0.999, 1e-8
	a.step++
	c1, c2 := 1-math.Pow(beta1, float64(a.step)), 1-math.Pow(beta2, float64(a.step))
	for i, g := range grad {
		a.m[i] = beta1*a.m[i] + (1-beta1)*g
		a.v[i] = beta2*a.v[i] + (1-beta2)*g*g
		t[i] += rate * (a.m[i] / c1) / (math.Sqrt(a.v[i]/c2) + epsilon)
	}
}
