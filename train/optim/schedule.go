package optim

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Schedule configures how the learning rate moves over a run. Every kind starts after Warmup steps
// in which the rate rises linearly to what the kind begins with.
type Schedule struct {
	// Kind is one of [Schedules].
	Kind string
	// Peak is the learning rate that the run is named after, > 0.
	Peak float64
	// Steps is the number of steps of the run, ≥ 1, warm-up included.
	Steps int64
	// Warmup is the number of steps of linear rise, in [0, Steps); step t of it has
	// Peak·(t+1)/Warmup. One-cycle rises on its own and takes none.
	Warmup int64
	// Milestones are the steps, ascending, at which "step" multiplies the rate by Gamma.
	Milestones []int64
	// Gamma is the factor of "step", in (0, 1].
	Gamma float64
	// Final is where "cosine" ends, as a share of Peak in [0, 1].
	Final float64
	// Rise is the fraction of steps in which "onecycle" rises, in (0, 1); from Peak/Start, and down
	// to Peak/(Start·End).
	Rise, Start, End float64
}

// DefaultSchedule returns a schedule of the kind for a run of so many steps: "step" divides by 10
// at a half and at three quarters of the run, "cosine" falls to 0, "onecycle" rises from a 25th
// over 30 % of the run and falls to a 10,000th of where it began (Smith, Topin, 2019; PyTorch's
// numbers).
func DefaultSchedule(kind string, peak float64, steps int64) Schedule {
	return Schedule{
		Kind: kind, Peak: peak, Steps: steps, Gamma: 0.1, Milestones: []int64{steps / 2, steps * 3 / 4},
		Rise: 0.3, Start: 25, End: 1e4,
	}
}

// Schedules lists the kinds of schedule.
func Schedules() []string { return []string{"constant", "step", "cosine", "onecycle"} }

// Validate reports every fault; errors match [ErrConfig].
func (s Schedule) Validate() error {
	var faults []string
	add := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	add(!slices.Contains(Schedules(), s.Kind), "schedule %q is unknown; use %s", s.Kind, strings.Join(Schedules(), ", "))
	add(!(s.Peak > 0) || math.IsInf(s.Peak, 1), "the learning rate is %v; it must be positive", s.Peak)
	add(s.Steps < 1, "a schedule of %d steps; there must be at least one", s.Steps)
	add(s.Warmup < 0 || s.Warmup > 0 && s.Warmup >= s.Steps, "a warm-up of %d steps in a run of %d; it must be shorter", s.Warmup, s.Steps)
	switch s.Kind {
	case "step":
		add(!slices.IsSorted(s.Milestones), "the milestones %v do not rise", s.Milestones)
		add(!(s.Gamma > 0 && s.Gamma <= 1), "gamma is %v; it must lie in (0, 1]", s.Gamma)
	case "cosine":
		add(!(s.Final >= 0 && s.Final <= 1), "the final share is %v; it must lie in [0, 1]", s.Final)
	case "onecycle":
		add(s.Warmup > 0, "one-cycle rises on its own; leave the warm-up at 0")
		add(!(s.Rise > 0 && s.Rise < 1), "the rising share is %v; it must lie in (0, 1)", s.Rise)
		add(!(s.Start >= 1) || !(s.End >= 1), "the divisors of one-cycle are %v and %v; they must be 1 or more", s.Start, s.End)
	}
	return join(faults)
}

// Rate returns the learning rate of step t, 0 ≤ t < Steps.
func (s Schedule) Rate(t int64) float64 {
	if t < s.Warmup {
		return s.Peak * float64(t+1) / float64(s.Warmup)
	}
	switch s.Kind {
	case "step":
		rate := s.Peak
		for _, m := range s.Milestones {
			if t >= m {
				rate *= s.Gamma
			}
		}
		return rate
	case "cosine":
		// Loshchilov, Hutter, "SGDR", 2017, equation 5, without restarts.
		return cosine(s.Peak, s.Peak*s.Final, float64(t-s.Warmup)/float64(s.Steps-s.Warmup))
	case "onecycle":
		return s.oneCycle(float64(t))
	}
	return s.Peak
}

// oneCycle is PyTorch's OneCycleLR with cosine annealing in both phases.
func (s Schedule) oneCycle(t float64) float64 {
	start := s.Peak / s.Start
	top, end := max(s.Rise*float64(s.Steps)-1, 0), float64(s.Steps)-1
	switch {
	case t < top:
		return cosine(start, s.Peak, t/top)
	case end <= top:
		return s.Peak
	}
	return cosine(s.Peak, start/s.End, (t-top)/(end-top))
}

// cosine runs from a to b as x runs from 0 to 1.
func cosine(a, b, x float64) float64 { return b + (a-b)*(1+math.Cos(math.Pi*x))/2 }
