package family

import (
	"fmt"
	"math"

	"ucan/smooth/internal/special"
	"ucan/smooth/stats"
	"ucan/smooth/stream"
)

// Exp2 is the exponential of the ℓ2 norm: density ∝ ‖x‖₂^(−j) e^(−‖x‖₂^k) on ℝᵈ,
// k > 0, 0 ≤ j < d. For k = 2, j = 0 it is Gaussian noise with variance ½.
//
// λ is the raw scale. ‖x‖₂^k is Gamma((d−j)/k); the variance of a coordinate is
// (λ²/d) Γ((d−j+2)/k)/Γ((d−j)/k). Norm ℓ2, at λ = 1, d ≥ 2 (any d for k = 2, j = 0):
//
//   - k = 2, j = 0: R = Φ⁻¹(p_A)/√2, exact;
//   - otherwise the level set of levelset.go, exact for the worst classifier;
//   - k = 1, j = 0 by the method "differential" as well: R = (d−1) artanh(c),
//     P[cos θ > c] = 1 − p_A for a uniform direction; smaller by 0.4 % at d = 20.
//
// Source: Cohen et al. 2019, Theorem 1, for k = 2, j = 0; otherwise Yang et al. 2020,
// level-set method and differential method.
//
// Sampling loses at most (d+2)·[stream.LostMass].
type Exp2 struct {
	k, j float64
	sets levelSets
}

var _ Isotropic = (*Exp2)(nil)

// NewExp2 returns the family with the given exponents, k > 0 and 0 ≤ j; j must be
// below the dimension it is used in.
func NewExp2(k, j float64) (*Exp2, error) {
	if !(k > 0) || math.IsInf(k, 1) {
		return nil, fmt.Errorf("noise family exp2 with k = %v; k must be positive: %w", k, ErrDomain)
	}
	if !(j >= 0) || math.IsInf(j, 1) {
		return nil, fmt.Errorf("noise family exp2 with j = %v; j must be at least 0: %w", j, ErrDomain)
	}
	return &Exp2{k: k, j: j}, nil
}

// Name returns "exp2".
func (*Exp2) Name() string { return "exp2" }

// Params returns k and j.
func (f *Exp2) Params() map[string]float64 { return map[string]float64{"k": f.k, "j": f.j} }

// Norms returns ℓ2.
func (*Exp2) Norms() []Norm { return []Norm{L2} }

// shape returns (d−j)/k.
func (f *Exp2) shape(dim int) (float64, error) {
	if err := checkDim(f, dim); err != nil {
		return 0, err
	}
	if f.j >= float64(dim) {
		return 0, fmt.Errorf("noise family exp2 with j = %v in dimension %d; j must be below the dimension: %w", f.j, dim, ErrDomain)
	}
	return (float64(dim) - f.j) / f.k, nil
}

// Sample implements Sampler. Where j is not below len(dst) there is no such
// distribution, and every value is NaN.
func (f *Exp2) Sample(dst []float32, src *stream.Source) {
	shape, err := f.shape(len(dst))
	if err != nil {
		fill(dst, float32(math.NaN()))
		return
	}
	sphere(dst, src, math.Pow(src.Gamma(shape), 1/f.k))
}

// LostMass bounds the total-variation distance of a sample from the exact law.
func (*Exp2) LostMass(dim int) float64 { return float64(dim+2) * stream.LostMass }

// Slack implements Numeric; Gaussian noise has a closed form.
func (f *Exp2) Slack() float64 {
	if f.gaussian() {
		return 0
	}
	return levelSetMargin / 2
}

// Lambda1 implements Scaler.
func (f *Exp2) Lambda1(dim int) (float64, error) {
	shape, err := f.shape(dim)
	if err != nil {
		return 0, err
	}
	return math.Sqrt(float64(dim) / special.GammaRatio(shape, 2/f.k)), nil
}

// gaussian reports that the noise is Gaussian with variance ½.
func (f *Exp2) gaussian() bool { return f.k == 2 && f.j == 0 }

// Methods implements Methodical: both for k = 1, j = 0, else the level set.
func (f *Exp2) Methods(Norm) []string {
	if f.k == 1 && f.j == 0 {
		return []string{LevelSet, Differential}
	}
	return []string{LevelSet}
}

// Radius implements Theorem, by the level-set method.
func (f *Exp2) Radius(n Norm, dim int, pLower float64) (float64, error) {
	return f.RadiusBy(LevelSet, n, dim, pLower)
}

// RadiusBy implements Methodical.
func (f *Exp2) RadiusBy(method string, n Norm, dim int, pLower float64) (float64, error) {
	done, err := checkRadius(f, n, dim, pLower)
	if err != nil {
		return 0, err
	}
	shape, err := f.shape(dim)
	if err != nil {
		return 0, err
	}
	p := min(pLower, topProbability)
	if f.gaussian() {
		return below(max(0, stats.NormalQuantileLower(p))*(math.Sqrt2/2), 0x1p-51), nil
	}
	if err := checkSphere(f, dim); err != nil || done {
		return 0, err
	}
	if method == Differential && f.k == 1 && f.j == 0 {
		x, y := special.BetaQuantile(0.5, (float64(dim)-1)/2, 2*(p-0.5), 2*(1-p))
		c := math.Sqrt(x)
		// artanh c = ln((1+c)/√(1−c²)), and by its own logarithm for small c.
		if c < 0.5 {
			return below((float64(dim)-1)*math.Atanh(c), quantileMargin), nil
		}
		return below((float64(dim)-1)*(math.Log1p(c)-0.5*math.Log(y)), quantileMargin), nil
	}
	return levelRadius(f, dim, f.sets.radius(dim, p, func() radial { return f.radial(dim, shape) }))
}

// Probability implements Inverter for the level-set method.
func (f *Exp2) Probability(n Norm, dim int, radius float64) (float64, error) {
	if _, err := checkRadius(f, n, dim, 0.5); err != nil {
		return 0, err
	}
	shape, err := f.shape(dim)
	if err != nil {
		return 0, err
	}
	if f.gaussian() {
		return stats.NormalCDF(radius * math.Sqrt2), nil
	}
	if err := checkSphere(f, dim); err != nil {
		return 0, err
	}
	return f.sets.probability(dim, radius, func() radial { return f.radial(dim, shape) }), nil
}

func (f *Exp2) radial(dim int, shape float64) radial {
	k, j := f.k, f.j
	return radial{
		cap:     special.NewCap(dim),
		lo:      special.LogGammaQuantile(shape, negligible, 1),
		hi:      special.LogGammaQuantile(shape, 1, negligible),
		step:    3 / math.Sqrt(shape),
		density: func(s float64) float64 { return math.Exp(special.LogGammaPower(shape, math.Exp(s))) },
		radius:  func(s float64) float64 { return math.Exp(s / k) },
		gap: func(r, tau float64) float64 {
			t := math.Pow(r, k)
			if j == 0 {
				if u := tau / t; u > -1 {
					return r * r * math.Expm1(2/k*math.Log1p(u))
				}
				return -r * r
			}
			return r * r * math.Expm1(2*logStep(t, k, j, tau))
		},
		rise: func(r, gap float64) float64 {
			v := math.Log1p(gap/(r*r)) / 2 // ln s/r
			return math.Pow(r, k)*math.Expm1(k*v) + j*v
		},
	}
}

// logStep solves t(e^(kv) − 1) + jv = τ for v, j > 0. The left side is convex and
// increasing, so Newton's method from the right falls monotonically.
func logStep(t, k, j, tau float64) float64 {
	v := tau / (k*t + j) // the tangent at 0 lies below: right of the root
	if tau > 0 {
		v = math.Min(v, math.Log1p(tau/t)/k) // and so is the root without jv
	}
	for range 100 {
		e := math.Expm1(k * v)
		next := v - (t*e+j*v-tau)/(k*t*(e+1)+j)
		if !(next < v) || v-next <= 1e-16*math.Abs(v) {
			return next
		}
		v = next
	}
	return v
}

// levelRadius turns the 0 of a level-set radius that could not be had into an error.
func levelRadius(f Family, dim int, r float64) (float64, error) {
	if !(r > 0) || math.IsInf(r, 1) {
		return 0, fmt.Errorf("noise family %s %v in dimension %d: no radius to 9 digits in double precision; choose less extreme parameters: %w", f.Name(), f.Params(), dim, ErrDomain)
	}
	return r, nil
}

// checkSphere refuses dimension 1, where a direction has no angle.
func checkSphere(f Family, dim int) error {
	if dim < 2 {
		return fmt.Errorf("noise family %s in dimension %d; its theorem needs at least 2: %w", f.Name(), dim, ErrDomain)
	}
	return nil
}
