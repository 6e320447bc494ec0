package sequential

import (
	"fmt"
	"slices"
)

// Verify checks the claims of a certificate: that the levels listed are 0, 1, …
// without a gap, that each was rejected at a look of the plan's schedule with no
// more failures than the critical number, and that the counts can follow one
// another. It returns the probability of the last level, which the certificate
// may quote as its lower bound, and 0 for an empty list.
//
// The error of a failed check names the level and both numbers.
func Verify(plan Plan, tables *Tables, claims []Rejection) (pLower float64, err error) {
	if err := plan.Validate(); err != nil {
		return 0, err
	}
	if len(claims) > len(plan.Levels) {
		return 0, fmt.Errorf("verify adaptive claims: %d rejected levels, the grid has %d", len(claims), len(plan.Levels))
	}
	var n, failures int64
	for j, c := range claims {
		fail := func(format string, args ...any) (float64, error) {
			return 0, fmt.Errorf("verify adaptive claims: level %d: "+format, append([]any{j}, args...)...)
		}
		if c.Level != j {
			return fail("found level %d in its place; levels count only in order", c.Level)
		}
		t, err := plan.table(j, tables)
		if err != nil {
			return fail("%w", err)
		}
		k, ok := slices.BinarySearch(t.looks, c.N)
		if !ok {
			return fail("%d samples is not a look of the schedule", c.N)
		}
		if c.N < n || c.Failures < failures || c.Failures-failures > c.N-n {
			return fail("%d failures among %d samples cannot follow %d among %d", c.Failures, c.N, failures, n)
		}
		if c.Failures > t.Critical(k) {
			return fail("%d failures among %d samples exceed the critical number %d", c.Failures, c.N, t.Critical(k))
		}
		n, failures, pLower = c.N, c.Failures, plan.Levels[j]
	}
	return pLower, nil
}

// VerifyEnd checks the counts at which a run with these claims ended: n samples with
// that many failures of the tested class. They must be a look of the schedule, the
// claims must have led to them, all levels rejected must have ended the run at once,
// and the next level must not be one that these counts reject as well. It assumes
// claims that [Verify] accepts. Whether a run gave up rightly it does not say: a
// caller may abandon a run after any look.
func VerifyEnd(plan Plan, tables *Tables, claims []Rejection, n, failures int64) error {
	if err := plan.Validate(); err != nil {
		return err
	}
	looks, err := plan.Profile.Looks()
	if err != nil {
		return err
	}
	at, ok := slices.BinarySearch(looks, n)
	if !ok {
		return fmt.Errorf("verify adaptive counts: %d samples is not a look of the schedule, which ends at %d", n, plan.Profile.Cap)
	}
	if len(claims) > 0 {
		last := claims[len(claims)-1]
		if last.N > n || last.Failures > failures || failures-last.Failures > n-last.N {
			return fmt.Errorf("verify adaptive counts: level %d rejected with %d failures of %d does not fit %d failures of %d in the end", last.Level, last.Failures, last.N, failures, n)
		}
		if len(claims) == len(plan.Levels) && n > last.N {
			return fmt.Errorf("verify adaptive counts: %d samples, and the last level was rejected at %d, which ends a run", n, last.N)
		}
	}
	if len(claims) >= len(plan.Levels) {
		return nil
	}
	t, err := plan.table(len(claims), tables)
	if err != nil {
		return fmt.Errorf("verify adaptive counts: level %d: %w", len(claims), err)
	}
	if failures <= t.Critical(at) {
		return fmt.Errorf("verify adaptive counts: %d failures among %d samples reject level %d, which is not listed", failures, n, len(claims))
	}
	return nil
}
