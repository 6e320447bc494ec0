package sequential

import (
	"fmt"
	"math"

	"ucan/smooth/stats"
)

// Anytime tests one level, H: p_A ≤ p, by an e-process: a test without a
// schedule. It may be looked at after every sample, stopped at will, and
// continued at will, past any horizon and on another day, always at error
// probability alpha. For that freedom it loses a little: at the looks and the
// futility of the default profile it costs the same samples on published logs and
// certifies up to a quarter of a point less (docs/adaptive.md).
//
// The e-process is a mixture of likelihood ratios of alternatives q_i < q0 for
// the failure probability against q0 = 1 − p,
//
//	E = Σ w_i ((1−q_i)/(1−q0))^(n−F) (q_i/q0)^F,
//
// a non-negative supermartingale starting at 1 whenever p_A ≤ p, so that
// P[E ever reaches 1/alpha] ≤ alpha. Source: Ville's inequality. The mixture holds 16
// alternatives Φ(−(z + d_i)), z = Φ⁻¹(p), with d_i in geometric progression
// and w_i ∝ 1/d_i, and one near-zero failure rate. The horizon tunes d_1 only:
// it is the distance that a run of that many samples can just resolve.
//
// An Anytime value is immutable and safe for concurrent use. Several levels
// tested in order from the lowest need no correction of alpha.
type Anytime struct {
	p, alpha float64
	logW     []float64 // ln w_i
	keep     []float64 // ln((1−q_i)/(1−q0))
	fail     []float64 // ln(q_i/q0)
}

const (
	anytimePoints = 16
	anytimeAtom   = 0.1 // weight of the near-zero failure rate
	// anytimeSlack is added to ln(1/alpha) against rounding; the sums have a
	// relative error below 1e-14, so it holds to more than 1e9 samples.
	anytimeSlack = 1e-6
)

// NewAnytime returns the test of p_A ≤ p, p in [1/2, 1), at error probability
// alpha in (0, 1), tuned for runs of about horizon ≥ 1 samples.
func NewAnytime(p, alpha float64, horizon int64) (*Anytime, error) {
	switch {
	case !(p >= 0.5 && p < 1):
		return nil, fmt.Errorf("anytime test: level probability %v is outside [1/2, 1)", p)
	case !(alpha > 0 && alpha < 1):
		return nil, fmt.Errorf("anytime test: error probability alpha %v is not strictly between 0 and 1", alpha)
	case horizon < 1:
		return nil, fmt.Errorf("anytime test: horizon %d is below 1 sample", horizon)
	}
	q0 := 1 - p // exact
	z := stats.NormalQuantile(p)
	// Distance whose information over the horizon pays for ln(1/alpha).
	goal := (math.Log(1/alpha) + 3) / float64(horizon)
	lo, hi := 0.0, 40.0
	for range 200 {
		mid := (lo + hi) / 2
		if q := stats.NormalSurvival(z + mid); q > 0 && klBernoulli(q, q0) < goal {
			lo = mid
		} else {
			hi = mid
		}
	}
	first := hi
	last := math.Max(4.2-z, 2*first)
	a := &Anytime{p: p, alpha: alpha}
	add := func(q, w float64) {
		a.logW = append(a.logW, math.Log(w))
		a.keep = append(a.keep, math.Log1p(-q)-math.Log1p(-q0))
		a.fail = append(a.fail, math.Log(q/q0))
	}
	total := 0.0
	distance := func(i int) float64 {
		return first * math.Pow(last/first, float64(i)/(anytimePoints-1))
	}
	for i := range anytimePoints {
		total += 1 / distance(i)
	}
	for i := range anytimePoints {
		d := distance(i)
		// Far alternatives may underflow; any positive rate below q0 is valid.
		q := math.Max(stats.NormalSurvival(z+d), 1e-300)
		add(q, (1-anytimeAtom)/(d*total))
	}
	add(math.Min(1e-6, q0/3), anytimeAtom)
	return a, nil
}

// LogE is the natural logarithm of the e-value after n samples with that many
// failures, 0 ≤ failures ≤ n.
func (a *Anytime) LogE(n, failures int64) float64 {
	s, f := float64(n-failures), float64(failures)
	top := math.Inf(-1)
	for i := range a.logW {
		top = math.Max(top, a.logW[i]+s*a.keep[i]+f*a.fail[i])
	}
	sum := 0.0
	for i := range a.logW {
		sum += math.Exp(a.logW[i] + s*a.keep[i] + f*a.fail[i] - top)
	}
	return top + math.Log(sum)
}

// Rejects tells whether the level is rejected at n samples with that many
// failures. Once rejected, at any sample count, it stays rejected. Impossible
// counts reject nothing.
func (a *Anytime) Rejects(n, failures int64) bool {
	if n < 1 || failures < 0 || failures > n {
		return false
	}
	return a.LogE(n, failures) >= -math.Log(a.alpha)+anytimeSlack
}

// Critical is the largest number of failures among n samples at which the level
// is rejected, −1 when there is none. It serves [PredictReject].
func (a *Anytime) Critical(n int64) int64 {
	// LogE falls with the number of failures at fixed n.
	lo, hi := int64(-1), n+1
	for hi-lo > 1 {
		if mid := lo + (hi-lo)/2; a.Rejects(n, mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}
