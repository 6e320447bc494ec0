package sequential

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// StopReason says why a run wants no more samples.
type StopReason string

// The reasons to stop. A run that goes on has the empty reason.
const (
	// StopTop: every level is rejected.
	StopTop StopReason = "top"
	// StopCap: all samples of the plan are used.
	StopCap StopReason = "cap"
	// StopFutile: the next level is predicted out of reach.
	StopFutile StopReason = "futile"
)

// Rejection records that level Level was rejected at N samples with that many
// failures. The list of a certificate's rejections is all that [Verify] needs.
type Rejection struct {
	Level    int   `json:"level"`
	N        int64 `json:"n"`
	Failures int64 `json:"failures"`
}

// Decision is the state of a run after a look.
type Decision struct {
	// Rejected is the number of levels rejected so far: levels 0 … Rejected−1.
	Rejected int
	// Stop is empty while the run wants more samples.
	Stop StopReason
}

// Run is the state machine of one input: a pure function of what it is told,
// without clock or randomness. It is not safe for concurrent use; runs of
// different inputs may share one [Tables].
//
// A caller may abandon a run after any look, for any reason, and use what is
// rejected by then. Sample counts refer to the input's stream of estimation
// samples: the first n of them in stream order, however they were batched.
type Run struct {
	plan     Plan
	tables   *Tables
	looks    []int64
	next     int // index of the next look
	n        int64
	failures int64
	rejected []Rejection
	stop     StopReason
	current  *Table // of level len(rejected), nil until needed

	class int
	fixed bool
	votes map[int]int64 // mode Leading: the counts of the last look
}

// NewRun starts a run of the plan. The plan is copied.
func NewRun(plan Plan, tables *Tables) (*Run, error) {
	if tables == nil {
		return nil, errors.New("adaptive run: no store of tables")
	}
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	looks, err := plan.Profile.Looks()
	if err != nil {
		return nil, err
	}
	return &Run{plan: plan.clone(), tables: tables, looks: looks, class: -1}, nil
}

// Next returns the sample count of the next look; ok is false when the run has
// stopped.
func (r *Run) Next() (n int64, ok bool) {
	if r.stop != "" {
		return 0, false
	}
	return r.looks[r.next], true
}

// Observe tells a run of mode Selected or Labelled that the first n samples hold
// that many failures (samples not of the tested class, invalid ones included).
// n must be what Next returned. Errors leave the run as it was.
func (r *Run) Observe(n, failures int64) (Decision, error) {
	if r.plan.Mode == Leading {
		return Decision{}, errors.New("adaptive run: without selection samples the votes of all classes are needed: use ObserveVotes")
	}
	if err := r.expect(n); err != nil {
		return Decision{}, err
	}
	if failures < r.failures || failures-r.failures > n-r.n {
		return Decision{}, fmt.Errorf("adaptive run: %d failures among %d samples do not follow %d among %d", failures, n, r.failures, r.n)
	}
	return r.look(n, failures)
}

// ObserveVotes tells a run of mode Leading the votes per class among the first n
// samples. Invalid samples have no vote: they are n less the sum. n must be what
// Next returned. Errors leave the run as it was.
func (r *Run) ObserveVotes(n int64, votes map[int]int64) (Decision, error) {
	if r.plan.Mode != Leading {
		return Decision{}, fmt.Errorf("adaptive run: the class of mode %s is fixed: use Observe", r.plan.Mode)
	}
	if err := r.expect(n); err != nil {
		return Decision{}, err
	}
	var sum, before int64
	for c, v := range votes {
		if v < 0 || v > n {
			return Decision{}, fmt.Errorf("adaptive run: %d votes for class %d among %d samples", v, c, n)
		}
		sum += v
	}
	for c, v := range r.votes {
		if votes[c] < v {
			return Decision{}, fmt.Errorf("adaptive run: the votes for class %d fell from %d to %d", c, v, votes[c])
		}
		before += v
	}
	if sum > n || n-sum < r.n-before {
		return Decision{}, fmt.Errorf("adaptive run: %d votes among %d samples do not follow %d among %d", sum, n, before, r.n)
	}
	class := r.class
	if !r.fixed {
		class = leader(votes)
	}
	oldClass, oldFixed := r.class, r.fixed
	r.class = class
	d, err := r.look(n, n-votes[class])
	if err != nil {
		r.class, r.fixed = oldClass, oldFixed
		return d, err
	}
	r.votes = maps.Clone(votes)
	return d, nil
}

// leader is the class with most votes, −1 without votes. In a tie it is the lowest class; a tie
// rejects no level, so the choice changes nothing.
func leader(votes map[int]int64) int {
	best := -1
	for c, v := range votes {
		if v > 0 && (best < 0 || v > votes[best] || v == votes[best] && c < best) {
			best = c
		}
	}
	return best
}

func (r *Run) expect(n int64) error {
	if r.stop != "" {
		return fmt.Errorf("adaptive run: it has stopped (%s) and takes no more samples", r.stop)
	}
	if n != r.looks[r.next] {
		return fmt.Errorf("adaptive run: the next look is at %d samples, not %d", r.looks[r.next], n)
	}
	return nil
}

// look tests the levels in order at look r.next and decides whether to go on.
func (r *Run) look(n, failures int64) (Decision, error) {
	current, rejected := r.current, r.rejected
	for len(rejected) < len(r.plan.Levels) {
		if current == nil {
			t, err := r.plan.table(len(rejected), r.tables)
			if err != nil {
				return Decision{}, err
			}
			current = t
		}
		if failures > current.Critical(r.next) {
			break
		}
		rejected = append(rejected, Rejection{Level: len(rejected), N: n, Failures: failures})
		current = nil
	}
	r.current, r.rejected, r.n, r.failures = current, rejected, n, failures
	r.fixed = r.fixed || len(rejected) > 0
	switch {
	case len(rejected) == len(r.plan.Levels):
		r.stop = StopTop
	case r.next == len(r.looks)-1:
		r.stop = StopCap
	case r.plan.Profile.futile(n, failures, current.Critical(current.Len()-1)):
		r.stop = StopFutile
	}
	r.next++
	return Decision{Rejected: len(rejected), Stop: r.stop}, nil
}

// Result is what a run has established so far.
type Result struct {
	// Rejected lists the rejected levels in order, 0, 1, …
	Rejected []Rejection
	// N and Failures are the counts of the last look. They are informative: the
	// certificate rests on Rejected.
	N, Failures int64
	// Stop is empty when the run was abandoned before it stopped by itself.
	Stop StopReason
	// Class is, in mode Leading, the class that the levels were rejected for
	// (or the one leading, while none is); −1 in the other modes.
	Class int
}

// Result returns what is established; it may be called at any time.
func (r *Run) Result() Result {
	return Result{Rejected: slices.Clone(r.rejected), N: r.n, Failures: r.failures, Stop: r.stop, Class: r.class}
}
