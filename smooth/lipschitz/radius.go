package lipschitz

import (
	"fmt"
	"math"

	"ucan/smooth/family"
	"ucan/smooth/stats"
)

// Theorem is the certificate of Gaussian noise whose scale is a Lipschitz function of the input;
// see the package's documentation. All distances are in units of the scale at the certified input.
type Theorem struct {
	// Rate is ρ: log σ changes by at most Rate·b between inputs at distance b. Zero or more.
	Rate float64
	// Extra is added to the change of log σ, for errors of its computation.
	Extra float64
	// Loss bounds the total-variation distance between the noise as drawn and the Gaussian law.
	Loss float64
}

var (
	_ family.Theorem  = Theorem{}
	_ family.Inverter = Theorem{}
	_ family.Numeric  = Theorem{}
)

// Quantised is the theorem for a service that computes log τ(z) in float64 with an error of at
// most 2⁻²⁶, and draws noise of scales λ·float32(τ(z) s̄_i), rounded up to float32, in dim
// coordinates. rate is ρ = r·λ·τ(x) for the τ(x) as computed.
//
// # Proof
//
// Let σ(z) = λ·τ(z)·(1 + 2⁻²⁵) with the computed τ. At z and at x its logarithm has an error of at
// most 2⁻²⁶ each, which Extra = 2⁻²⁴ covers; ρ is raised by a relative 2⁻²⁴ for the factor 1 +
// 2⁻²⁵ and its own rounding. Both roundings together move a scale by a relative amount in [−2⁻²⁴,
// 2⁻²⁴ + 2⁻²³], which is within e = 2⁻²³ of σ(z) s̄_i. For two centred normal laws whose standard
// deviations have the ratio 1 + e_i, the Kullback–Leibler divergence is ½((1 + e_i)² − 1) − log(1
// + e_i) ≤ 1.01 e_i² for |e_i| ≤ 1e-3; over dim coordinates at most 1.01·dim·e², and Pinsker's
// inequality bounds the total-variation distance by √(1.01·dim·e²/2) ≤ 0.72·√dim·2⁻²³. A region
// measured in the rounded scales of x has a radius of at least (1 − 2⁻²³) times that in σ(x) s̄,
// which margin covers.
func Quantised(dim int, rate float64) Theorem {
	return Theorem{Rate: rate * (1 + 0x1p-24), Extra: 0x1p-24, Loss: 0.72 * math.Sqrt(float64(dim)) * 0x1p-23}
}

// Validate returns an error that names the first value out of range.
func (t Theorem) Validate() error {
	switch {
	case !(t.Rate >= 0) || math.IsInf(t.Rate, 0):
		return fmt.Errorf("rate %v of the scale must be finite and not negative: %w", t.Rate, ErrDomain)
	case !(t.Extra >= 0 && t.Extra <= 1):
		return fmt.Errorf("an error of %v in log σ must lie in [0, 1]: %w", t.Extra, ErrDomain)
	case !(t.Loss >= 0 && t.Loss < 0.5):
		return fmt.Errorf("loss %v must lie in [0, 1/2): %w", t.Loss, ErrDomain)
	}
	return nil
}

// margin is by how much, relative, a radius is lowered below what is proved: 2⁻²³ for regions that
// are measured in rounded scales ([Quantised]), the rest for the last digits of another platform's
// mathematical functions.
const margin = 2e-7

// Slack implements family.Numeric.
func (Theorem) Slack() float64 { return 2e-8 }

// maxNoncentrality is where λ₀ ends: scales nearer to each other are moved apart.
const maxNoncentrality = 1e8

// maxDrift is the change of log σ beyond which nothing is certified.
const maxDrift = 20

// Tail returns the largest mass q, rounded down, such that a bound on p_A with 1 − p_A < q
// certifies every input at a distance of at most b ≥ 0. Under constant noise it would be Φ(−b).
func (t Theorem) Tail(dim int, b float64) (float64, error) {
	if err := t.Validate(); err != nil {
		return 0, err
	}
	if !(b >= 0) {
		return 0, fmt.Errorf("distance %v: %w", b, ErrDomain)
	}
	drift := (t.Rate*b + t.Extra) * (1 + 0x1p-50)
	if drift > maxDrift || b > 100 {
		return 0, nil
	}
	shrunk, err := t.shrunk(dim, b, drift)
	if err != nil {
		return 0, err
	}
	grown, err := t.grown(dim, b, drift)
	if err != nil {
		return 0, err
	}
	return max(0, (min(shrunk, grown)-t.Loss)*(1-0x1p-50)), nil
}

// ulps is a relative margin above the rounding of a dozen operations.
const ulps = 0x1p-48

// shrunk is the condition for κ = e^{−drift}: 1 − p < F(κ²M; λ₀).
func (t Theorem) shrunk(dim int, b, drift float64) (float64, error) {
	// κ may be any number up to e^{−drift}; from here on it is exact.
	apart := b / math.Sqrt(maxNoncentrality)
	if apart >= 1 {
		return 0, nil
	}
	kappa := min(math.Exp(-drift), math.Sqrt(1-apart)) * (1 - ulps)
	d := (1 - kappa) * (1 + kappa)
	if !(d > 0) {
		return 0, nil
	}
	m, err := quantileBelow(dim, square(kappa*b/d)*(1-ulps), 0.5-t.Loss)
	if err != nil {
		return 0, err
	}
	cdf, _, err := NoncentralChiSquare(dim, square(b/d)*(1+ulps), square(kappa)*m*(1-ulps))
	return cdf.Lower, err
}

// grown is the condition for κ = e^{drift}: 1 − p < 1 − F(κ²M; λ₀).
func (t Theorem) grown(dim int, b, drift float64) (float64, error) {
	kappa := max(math.Exp(drift), math.Sqrt(1+b/math.Sqrt(maxNoncentrality))) * (1 + ulps)
	d := (kappa - 1) * (kappa + 1)
	m, err := quantileAbove(dim, square(kappa*b/d)*(1+ulps), 0.5+t.Loss)
	if err != nil {
		return 0, err
	}
	x := square(kappa) * m * (1 + ulps)
	if x > MaxSize {
		return 0, nil
	}
	_, survival, err := NoncentralChiSquare(dim, square(b/d)*(1-ulps), x)
	return survival.Lower, err
}

func square(x float64) float64 { return x * x }

// Radius implements family.Theorem: the largest certified distance, in units of the scale at the
// input, rounded toward zero.
func (t Theorem) Radius(n family.Norm, dim int, pLower float64) (float64, error) {
	if math.IsNaN(pLower) || pLower < 0 || pLower > 1 {
		return 0, fmt.Errorf("bound on p_A is %v; it must lie in [0, 1]: %w", pLower, ErrDomain)
	}
	if err := t.check(n, dim); err != nil {
		return 0, err
	}
	if pLower <= 0.5 {
		return 0, nil
	}
	q := 1 - min(pLower, math.Nextafter(1, 0)) // exact
	b, err := t.distance(dim, q)
	if err != nil {
		return 0, err
	}
	// b is an estimate; what is returned is checked by the bounds, and margin below that.
	for step := 0x1p-42; step <= 0.5; step *= 2 {
		at := b * (1 - step)
		tail, err := t.Tail(dim, at)
		if err != nil {
			return 0, err
		}
		if q < tail {
			return at * (1 - margin), nil
		}
	}
	return 0, nil
}

func (t Theorem) check(n family.Norm, dim int) error {
	if n != family.L2 {
		return fmt.Errorf("lipschitz noise in %s: %w", n, family.ErrNoTheorem)
	}
	if dim < 1 || dim > MaxDim {
		return fmt.Errorf("lipschitz noise in dimension %d: %w", dim, ErrDomain)
	}
	return t.Validate()
}

// distance estimates the b with Tail(b) = q, by secants in normal quantiles, in which the tail is
// nearly straight, inside a bracket.
func (t Theorem) distance(dim int, q float64) (float64, error) {
	want := -stats.NormalQuantile(q)
	lo, hi := 0.0, want // constant noise certifies at most want
	rest := want        // what is missing at lo
	b := want / math.Sqrt(1+2*float64(dim)*square(t.Rate))
	before, fBefore := 0.0, -want
	for range 60 {
		tail, err := t.Tail(dim, b)
		if err != nil {
			return 0, err
		}
		f := math.Inf(1)
		if tail > 0 {
			f = -stats.NormalQuantile(tail) - want
		}
		if f < 0 {
			lo, rest = b, -f
		} else {
			hi = b
		}
		if hi-lo <= 1e-11*hi || rest < 1e-12*want {
			break
		}
		next := b - f*(b-before)/(f-fBefore)
		if !(next > lo && next < hi) {
			next = lo + (hi-lo)/2
		}
		if math.Abs(next-b) <= 1e-12*b {
			return next, nil
		}
		before, fBefore, b = b, f, next
	}
	return lo, nil
}

// Probability implements family.Inverter.
func (t Theorem) Probability(n family.Norm, dim int, radius float64) (float64, error) {
	if err := t.check(n, dim); err != nil {
		return 0, err
	}
	tail, err := t.Tail(dim, radius/(1-margin))
	return 1 - tail, err
}
