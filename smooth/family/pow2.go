package family

import (
	"fmt"
	"math"

	"ucan/smooth/internal/special"
	"ucan/smooth/stream"
)

// Pow2 is a power law of the ℓ2 norm: density ∝ (1+‖x‖₂^k)^(−a) on ℝᵈ, k > 0,
// a > d/k. For k = 2 it is a multivariate t distribution.
//
// λ is the raw scale. t/(1+t) is Beta(d/k, a−d/k) for t = ‖x‖₂^k; the variance of a
// coordinate is (λ²/d) Γ((d+2)/k)/Γ(d/k) · Γ(a−(d+2)/k)/Γ(a−d/k), infinite for
// a ≤ (d+2)/k. Norm ℓ2, d ≥ 2: the level set of levelset.go, exact for the worst
// classifier. Without a given, a = (2d+4)/k, which has a variance in every dimension.
//
// Source: Yang et al. 2020, level-set method.
//
// Sampling loses at most (d+3)·[stream.LostMass].
type Pow2 struct {
	k, a float64 // a NaN: (2d+4)/k
	sets levelSets
}

var _ Isotropic = (*Pow2)(nil)

// NewPow2 returns the family with the given exponents, k > 0 and a, which must
// exceed d/k in the dimension d it is used in; NaN chooses (2d+4)/k.
func NewPow2(k, a float64) (*Pow2, error) {
	if !(k > 0) || math.IsInf(k, 1) {
		return nil, fmt.Errorf("noise family pow2 with k = %v; k must be positive: %w", k, ErrDomain)
	}
	if a <= 0 || math.IsInf(a, 0) {
		return nil, fmt.Errorf("noise family pow2 with a = %v; a must exceed the dimension over k: %w", a, ErrDomain)
	}
	return &Pow2{k: k, a: a}, nil
}

// Name returns "pow2".
func (*Pow2) Name() string { return "pow2" }

// Params returns k, and a unless it depends on the dimension.
func (f *Pow2) Params() map[string]float64 {
	p := given("a", f.a)
	p["k"] = f.k
	return p
}

// Norms returns ℓ2.
func (*Pow2) Norms() []Norm { return []Norm{L2} }

// ForDim returns the family with its exponent fixed for the dimension.
func (f *Pow2) ForDim(dim int) (Isotropic, error) {
	_, _, err := f.shapes(dim)
	if err != nil {
		return nil, err
	}
	if math.IsNaN(f.a) {
		return isotropic(NewPow2(f.k, (2*float64(dim)+4)/f.k))
	}
	return f, nil
}

// shapes returns d/k and a − d/k.
func (f *Pow2) shapes(dim int) (b, m float64, err error) {
	if err := checkDim(f, dim); err != nil {
		return 0, 0, err
	}
	b = float64(dim) / f.k
	a := f.a
	if math.IsNaN(a) {
		a = (2*float64(dim) + 4) / f.k
	}
	if a <= b {
		return 0, 0, fmt.Errorf("noise family pow2 with a = %v, k = %v in dimension %d; a must exceed the dimension over k: %w", f.a, f.k, dim, ErrDomain)
	}
	return b, a - b, nil
}

// Sample implements Sampler. Where a does not exceed len(dst)/k there is no such
// distribution, and every value is NaN.
func (f *Pow2) Sample(dst []float32, src *stream.Source) {
	b, m, err := f.shapes(len(dst))
	if err != nil {
		fill(dst, float32(math.NaN()))
		return
	}
	x := src.Gamma(b)
	sphere(dst, src, math.Pow(x/src.Gamma(m), 1/f.k))
}

// LostMass bounds the total-variation distance of a sample from the exact law.
func (*Pow2) LostMass(dim int) float64 { return float64(dim+3) * stream.LostMass }

// Slack implements Numeric.
func (*Pow2) Slack() float64 { return levelSetMargin / 2 }

// Lambda1 implements Scaler; the variance is infinite for a ≤ (d+2)/k.
func (f *Pow2) Lambda1(dim int) (float64, error) {
	b, m, err := f.shapes(dim)
	if err != nil {
		return 0, err
	}
	if m <= 2/f.k {
		return 0, fmt.Errorf("noise family pow2 with a = %v ≤ (d+2)/k: %w; give the raw scale lambda", b+m, ErrInfiniteVariance)
	}
	log := special.LogGammaRatio(b, 2/f.k) + special.LogGammaRatio(m, -2/f.k)
	return math.Sqrt(float64(dim)) * math.Exp(-log/2), nil
}

// Methods implements Methodical: the level set.
func (*Pow2) Methods(Norm) []string { return []string{LevelSet} }

// RadiusBy implements Methodical.
func (f *Pow2) RadiusBy(_ string, n Norm, dim int, pLower float64) (float64, error) {
	return f.Radius(n, dim, pLower)
}

// Radius implements Theorem.
func (f *Pow2) Radius(n Norm, dim int, pLower float64) (float64, error) {
	done, err := checkRadius(f, n, dim, pLower)
	if err != nil {
		return 0, err
	}
	b, m, err := f.shapes(dim)
	if err != nil {
		return 0, err
	}
	if err := checkSphere(f, dim); err != nil || done {
		return 0, err
	}
	return levelRadius(f, dim, f.sets.radius(dim, min(pLower, topProbability), func() radial { return f.radial(dim, b, m) }))
}

// Probability implements Inverter.
func (f *Pow2) Probability(n Norm, dim int, radius float64) (float64, error) {
	if _, err := f.Radius(n, dim, 0.5); err != nil {
		return 0, err
	}
	b, m, err := f.shapes(dim)
	if err != nil {
		return 0, err
	}
	return f.sets.probability(dim, radius, func() radial { return f.radial(dim, b, m) }), nil
}

func (f *Pow2) radial(dim int, b, m float64) radial {
	k, a := f.k, b+m
	logit := func(x, y float64) float64 { return math.Log(x / y) }
	return radial{
		cap:  special.NewCap(dim),
		lo:   logit(special.BetaQuantile(b, m, negligible, 1)),
		hi:   logit(special.BetaQuantile(b, m, 1, negligible)),
		step: 3 * math.Sqrt(1/b+1/m),
		density: func(s float64) float64 {
			e := math.Exp(-math.Abs(s))
			x, y := e/(1+e), 1/(1+e)
			if s > 0 {
				x, y = y, x
			}
			return special.BetaPower(b, m, x, y)
		},
		radius: func(s float64) float64 { return math.Exp(s / k) },
		gap: func(r, tau float64) float64 {
			t := math.Pow(r, k)
			if u := (1 + t) / t * math.Expm1(tau/a); u > -1 {
				return r * r * math.Expm1(2/k*math.Log1p(u))
			}
			return -r * r
		},
		rise: func(r, gap float64) float64 {
			t := math.Pow(r, k)
			v := math.Log1p(gap/(r*r)) / 2 // ln s/r
			return a * math.Log1p(t/(1+t)*math.Expm1(k*v))
		},
	}
}
