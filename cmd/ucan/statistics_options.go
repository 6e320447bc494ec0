package main

import (
	"math"
	"slices"

	"ucan/internal/certify"
	"ucan/smooth"
	"ucan/smooth/sequential"
)

// mostSamples bounds the samples of one input.
const mostSamples = 1 << 40

// statisticsOptions say how many samples are drawn and what is concluded from them.
type statisticsOptions struct {
	certify.Statistics

	adaptive, bound string
	kappa           float64
}

func (s *statisticsOptions) declare(o *options) {
	s.declareSamples(o, 100000, 0, 1)
	o.text(&s.adaptive, "statistics.adaptive", "adaptive", adaptiveOff, "stop sampling early: off, strict, default or fast; two-stage lets n0 samples decide how many; --n is then the cap").offers(adaptiveNames)
	o.float(&s.kappa, "statistics.kappa", "kappa", 5000, "scale of the number of samples of --adaptive two-stage")
	o.floats(&s.Grid, "statistics.grid", "grid", "radii that an adaptive run tests (default: the family's, at p = Φ(0), Φ(0.5), … Φ(3.5))")
	o.on(&s.LabelAware, "statistics.label_aware", "label-aware", "test the label instead of selecting a class: the same curve for fewer samples")
	o.text(&s.bound, "statistics.bound", "bound", "one", "one: p_B ≤ 1 − p_A; two: bound every other class as well, at alpha in all").oneOf("one", "two")
	o.on(&s.Joint, "statistics.joint", "joint", "let alpha hold for all certificates of the selection together")
}

// declareSamples declares the numbers of samples, n by default, and alpha; n0 and n have the least
// values given.
func (s *statisticsOptions) declareSamples(o *options, n, leastN0, leastN int64) {
	o.in(statisticsSection)
	o.number(&s.N0, "statistics.n0", "n0", 100, leastN0, mostSamples, "samples that choose the class")
	o.number(&s.N, "statistics.n", "n", n, leastN, mostSamples, "samples that estimate its probability").as("n")
	declareAlpha(o, &s.Alpha)
}

func declareAlpha(o *options, into *float64) {
	o.float(into, "statistics.alpha", "alpha", 0.001, "probability that a certificate is wrong")
}

const adaptiveOff = "off"

func adaptiveNames() []string {
	return []string{adaptiveOff, "strict", "default", "fast", string(smooth.MethodTwoStage)}
}

func checkAlpha(f *faults, alpha *float64) {
	if !(*alpha > 0 && *alpha < 1) {
		f.add(alpha, "%v is out of range: give a probability between 0 and 1, such as 0.001", *alpha)
	}
}

func (s *statisticsOptions) check(f *faults) {
	checkAlpha(f, &s.Alpha)
	s.Bound, _ = smooth.ParseBound(s.bound) // another value was refused
	s.checkProfile(f)
	s.checkCombination(f)
}

// checkProfile reads the adaptive profile and the number of samples, which is a cap under a
// profile.
func (s *statisticsOptions) checkProfile(f *faults) {
	switch s.adaptive {
	case adaptiveOff, "false": // YAML reads a bare off as a boolean
		return
	case string(smooth.MethodTwoStage):
		s.checkTwoStage(f)
		return
	}
	profile, err := sequential.ParseProfile(s.adaptive)
	if err != nil {
		f.add(&s.adaptive, "%w", unknown("profile", s.adaptive, adaptiveNames()))
		return
	}
	if f.changed(&s.N) {
		s.checkCap(f)
		profile = profile.WithCap(s.N)
	}
	s.N = profile.Cap
	s.Profile = &profile
}

// checkTwoStage reads the terms of a run whose pilot, the n0 samples that choose the class, decides
// the number of others.
func (s *statisticsOptions) checkTwoStage(f *faults) {
	usual := sequential.DefaultTwoStage()
	if f.changed(&s.N) {
		s.checkCap(f)
	} else {
		s.N = usual.Cap
	}
	if !f.changed(&s.N0) {
		s.N0 = usual.Pilot
	}
	if s.Kappa = s.kappa; !(s.Kappa > 0) || math.IsInf(s.Kappa, 1) {
		f.add(&s.kappa, "%v is out of range: give a positive number, such as %g", s.kappa, usual.Kappa)
	}
}

// checkCap checks the largest number of samples of an adaptive run.
func (s *statisticsOptions) checkCap(f *faults) {
	if s.N < 100 {
		f.add(&s.N, "%d is out of range: give %s", s.N, between(100, mostSamples))
	}
}

// checkCombination finds options that contradict each other.
func (s *statisticsOptions) checkCombination(f *faults) {
	if s.LabelAware && s.Profile == nil {
		f.add(&s.LabelAware, "a label-aware run is adaptive; give --adaptive default as well")
	}
	if s.LabelAware {
		if s.N0 != 0 && f.changed(&s.N0) {
			f.add(&s.N0, "a label-aware run selects no class; leave --n0 out")
		}
		s.N0 = 0
	}
	if s.Profile == nil && s.N0 == 0 {
		f.add(&s.N0, "at fixed n some samples must choose the class; give at least 1")
	}
	if f.differs(&s.kappa) && s.Kappa == 0 {
		f.add(&s.kappa, "the number of samples is not decided by a pilot; give --adaptive two-stage as well")
	}
	if (s.Profile != nil || s.Kappa > 0) && s.Bound != smooth.OneBound {
		f.add(&s.bound, "adaptive runs bound p_A alone; leave --bound out")
	}
	s.checkGrid(f)
}

// checkGrid orders the radii that an adaptive run tests.
func (s *statisticsOptions) checkGrid(f *faults) {
	if s.Grid == nil {
		return
	}
	if s.Profile == nil {
		f.add(&s.Grid, "radii are a grid in adaptive runs only; give --adaptive default as well, or --radii for the summary")
	}
	slices.Sort(s.Grid)
	s.Grid = slices.Compact(s.Grid)
	if s.Grid[0] < 0 {
		f.add(&s.Grid, "%v is negative; give radii of 0 and more", s.Grid[0])
	} else if s.Grid[0] > 0 {
		s.Grid = append([]float64{0}, s.Grid...) // levels are tested in order from radius 0
	}
}
