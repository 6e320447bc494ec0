package sequential

import "fmt"

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
		k := t.lookOf(c.N)
		if k < 0 {
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

// lookOf is the index of the look at n samples, −1 when there is none.
func (t *Table) lookOf(n int64) int {
	lo, hi := 0, len(t.looks)
	for lo < hi {
		if m := (lo + hi) / 2; t.looks[m] < n {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(t.looks) && t.looks[lo] == n {
		return lo
	}
	return -1
}
