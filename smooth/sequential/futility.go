package sequential

import (
	"math"

	"ucan/smooth/stats"
)

// PredictReject predicts the probability that a run with f failures among n
// samples, continued to the cap N, ends with at most limit failures. It costs no
// alpha and decides no claim; it only says when to give up.
//
// It is the normal approximation to the signed root of the likelihood ratio
// statistic of equal failure rates, (F + ½)/(n + 1) so far against
// (limit − F + ½)/(N − n + 1) allowed in what remains. It is 0 when the limit is
// already passed.
func PredictReject(n, f, cap, limit int64) float64 {
	m, rem := limit-f, cap-n
	if m < 0 {
		return 0
	}
	if m >= rem {
		return 1 // whatever comes
	}
	q1 := (float64(f) + 0.5) / float64(n+1)
	q2 := (float64(m) + 0.5) / float64(rem+1)
	pooled := float64(limit+1) / float64(cap+2)
	g := 2 * (float64(n+1)*klBernoulli(q1, pooled) + float64(rem+1)*klBernoulli(q2, pooled))
	root := math.Sqrt(math.Max(g, 0))
	if q2 < q1 {
		root = -root
	}
	return stats.NormalCDF(root)
}

// klBernoulli is KL(a‖b) = a ln(a/b) + (1−a) ln((1−a)/(1−b)), 0 < a, b < 1.
func klBernoulli(a, b float64) float64 {
	return a*math.Log(a/b) + (1-a)*(math.Log1p(-a)-math.Log1p(-b))
}

// futile tells whether a run at (n, f) should give up a level whose critical
// number at the cap is limit. Little evidence is met with patience: the
// threshold starts low and reaches Gamma after a fifth of the cap.
func (p Profile) futile(n, f, limit int64) bool {
	if limit < f {
		return true
	}
	patience := math.Pow(math.Min(1, float64(n)/(0.2*float64(p.Cap))), 0.7)
	return PredictReject(n, f, p.Cap, limit) < p.Gamma*patience
}
