package sequential

import (
	"errors"
	"fmt"
	"slices"
)

// AnytimePlan fixes a run that has no schedule and no cap.
type AnytimePlan struct {
	// Levels are the probabilities p_j in ascending order, each in [1/2, 1),
	// rounded up.
	Levels []float64
	// Alpha is the error probability of the certificate, in (0, 1).
	Alpha float64
	// Horizon tunes the tests for runs of about that many samples, ≥ 1. It is
	// fixed before the first sample, but nothing forbids to go beyond.
	Horizon int64
}

// tests makes the test of each level.
func (p AnytimePlan) tests() ([]*Anytime, error) {
	if len(p.Levels) == 0 {
		return nil, errors.New("anytime plan: no levels: give a grid of radii")
	}
	out := make([]*Anytime, len(p.Levels))
	for j, q := range p.Levels {
		if j > 0 && !(q > p.Levels[j-1]) {
			return nil, fmt.Errorf("anytime plan: level %d: probability %v does not exceed the one before, %v", j, q, p.Levels[j-1])
		}
		a, err := NewAnytime(q, p.Alpha, p.Horizon)
		if err != nil {
			return nil, fmt.Errorf("anytime plan: level %d: %w", j, err)
		}
		out[j] = a
	}
	return out, nil
}

// AnytimeRun tests the levels of an [AnytimePlan] in order on one input, at any
// sample counts. Its whole state is the plan and the list of rejections: a run
// written down today is taken up again by [AnytimePlan.Resume] at any later
// time, with the same guarantee. It is not safe for concurrent use.
type AnytimeRun struct {
	tests       []*Anytime
	n, failures int64
	rejected    []Rejection
}

// Start begins a run.
func (p AnytimePlan) Start() (*AnytimeRun, error) {
	t, err := p.tests()
	if err != nil {
		return nil, err
	}
	return &AnytimeRun{tests: t}, nil
}

// Resume takes up a run that had rejected the levels of claims and had seen that
// many failures among its first n samples. The claims are checked as
// [VerifyAnytime] does.
func (p AnytimePlan) Resume(claims []Rejection, n, failures int64) (*AnytimeRun, error) {
	r, err := p.Start()
	if err != nil {
		return nil, err
	}
	for _, c := range claims {
		if err := r.claim(c); err != nil {
			return nil, fmt.Errorf("resume anytime run: %w", err)
		}
	}
	if err := r.follow(n, failures); err != nil {
		return nil, fmt.Errorf("resume anytime run: %w", err)
	}
	r.n, r.failures = n, failures
	return r, nil
}

// Observe tells the run the failures among its first n samples, n not falling,
// and returns the number of levels rejected so far.
func (r *AnytimeRun) Observe(n, failures int64) (rejected int, err error) {
	if err := r.follow(n, failures); err != nil {
		return len(r.rejected), fmt.Errorf("anytime run: %w", err)
	}
	r.n, r.failures = n, failures
	for j := len(r.rejected); j < len(r.tests) && r.tests[j].Rejects(n, failures); j++ {
		r.rejected = append(r.rejected, Rejection{Level: j, N: n, Failures: failures})
	}
	return len(r.rejected), nil
}

// Rejected lists the rejected levels in order.
func (r *AnytimeRun) Rejected() []Rejection { return slices.Clone(r.rejected) }

// Predict is the predicted probability that the next level will be rejected if
// the run goes on to cap samples, for deciding whether to go on; 0 when every
// level is rejected or the cap is reached.
func (r *AnytimeRun) Predict(cap int64) float64 {
	if len(r.rejected) == len(r.tests) || cap <= r.n {
		return 0
	}
	return PredictReject(r.n, r.failures, cap, r.tests[len(r.rejected)].Critical(cap))
}

// follow checks that the counts can follow those seen so far.
func (r *AnytimeRun) follow(n, failures int64) error {
	if n < r.n || failures < r.failures || failures-r.failures > n-r.n {
		return fmt.Errorf("%d failures among %d samples do not follow %d among %d", failures, n, r.failures, r.n)
	}
	return nil
}

// claim checks one rejection and records it.
func (r *AnytimeRun) claim(c Rejection) error {
	j := len(r.rejected)
	switch {
	case j >= len(r.tests):
		return fmt.Errorf("%d rejected levels, the grid has %d", j+1, len(r.tests))
	case c.Level != j:
		return fmt.Errorf("level %d in place of %d; levels count only in order", c.Level, j)
	}
	if err := r.follow(c.N, c.Failures); err != nil {
		return fmt.Errorf("level %d: %w", j, err)
	}
	if !r.tests[j].Rejects(c.N, c.Failures) {
		return fmt.Errorf("level %d: %d failures among %d samples exceed %d, the most that reject it", j, c.Failures, c.N, r.tests[j].Critical(c.N))
	}
	r.n, r.failures = c.N, c.Failures
	r.rejected = append(r.rejected, c)
	return nil
}

// VerifyAnytime checks the claims of a certificate made by an anytime run and
// returns the probability of its last level, 0 for no claims.
func VerifyAnytime(plan AnytimePlan, claims []Rejection) (pLower float64, err error) {
	r, err := plan.Start()
	if err != nil {
		return 0, err
	}
	for _, c := range claims {
		if err := r.claim(c); err != nil {
			return 0, fmt.Errorf("verify anytime claims: %w", err)
		}
		pLower = plan.Levels[c.Level]
	}
	return pLower, nil
}
