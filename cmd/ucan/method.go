package main

import (
	"math"
	"slices"

	"ucan/internal/certify"
	"ucan/smooth"
	"ucan/smooth/sequential"
)

func (a *app) statisticsOptions(r *values, leastN int64) statisticsOptions {
	o := statisticsOptions{Statistics: certify.Statistics{
		N0: r.int("statistics.n0", 0, 1<<40), Alpha: r.float("statistics.alpha"),
		Joint: r.flag("statistics.joint"), LabelAware: r.flag("statistics.label_aware"), Grid: r.floats("statistics.grid"),
	}}
	if !(o.Alpha > 0 && o.Alpha < 1) {
		r.fault("statistics.alpha", "%s is out of range; give a probability between 0 and 1, such as 0.001", r.text("statistics.alpha"))
	}
	var err error
	if o.Bound, err = smooth.ParseBound(r.text("statistics.bound")); err != nil {
		r.fault("statistics.bound", "%q is unknown; give one or two", r.text("statistics.bound"))
	}
	o.readProfile(r, leastN)
	o.checkTogether(r, leastN)
	return o
}

// readProfile reads the adaptive profile and the number of samples, which is a cap under a profile.
func (o *statisticsOptions) readProfile(r *values, leastN int64) {
	name := r.text("statistics.adaptive")
	if name == "off" || name == "false" { // YAML reads a bare off as a boolean
		o.N = r.int("statistics.n", leastN, 1<<40)
		return
	}
	if name == string(smooth.MethodTwoStage) {
		o.readTwoStage(r)
		return
	}
	profile, err := sequential.ParseProfile(name)
	if err != nil {
		r.fault("statistics.adaptive", "%q is no profile; give off, strict, default, fast or two-stage", name)
		return
	}
	o.N = profile.Cap
	if r.changed("statistics.n") {
		o.N = r.int("statistics.n", 100, 1<<40)
		profile = profile.WithCap(o.N)
	}
	o.Profile = &profile
}

// readTwoStage reads the terms of a run whose pilot, the n0 samples that choose the class, decides the number of others.
func (o *statisticsOptions) readTwoStage(r *values) {
	usual := sequential.DefaultTwoStage()
	o.N = usual.Cap
	if r.changed("statistics.n") {
		o.N = r.int("statistics.n", 100, 1<<40)
	}
	if !r.changed("statistics.n0") {
		o.N0 = usual.Pilot
	}
	if o.Kappa = r.float("statistics.kappa"); !(o.Kappa > 0) || math.IsInf(o.Kappa, 1) {
		r.fault("statistics.kappa", "%s is out of range; give a positive number, such as %g", r.text("statistics.kappa"), usual.Kappa)
	}
}

// checkTogether finds options that contradict each other.
func (o *statisticsOptions) checkTogether(r *values, leastN int64) {
	if o.LabelAware && o.Profile == nil {
		r.fault("statistics.label_aware", "a label-aware run is adaptive; give --adaptive default as well")
	}
	if o.LabelAware {
		if o.N0 != 0 && r.changed("statistics.n0") {
			r.fault("statistics.n0", "a label-aware run selects no class; leave --n0 out")
		}
		o.N0 = 0
	}
	if o.Profile == nil && o.N0 == 0 && leastN > 0 {
		r.fault("statistics.n0", "at fixed n some samples must choose the class; give at least 1")
	}
	if r.differs("statistics.kappa") && o.Kappa == 0 {
		r.fault("statistics.kappa", "the number of samples is not decided by a pilot; give --adaptive two-stage as well")
	}
	if (o.Profile != nil || o.Kappa > 0) && o.Bound != smooth.OneBound {
		r.fault("statistics.bound", "adaptive runs bound p_A alone; leave --bound out")
	}
	if o.Grid == nil {
		return
	}
	if o.Profile == nil {
		r.fault("statistics.grid", "radii are a grid in adaptive runs only; give --adaptive default as well, or --radii for the summary")
	}
	slices.Sort(o.Grid)
	o.Grid = slices.Compact(o.Grid)
	if o.Grid[0] < 0 {
		r.fault("statistics.grid", "%v is negative; give radii of 0 and more", o.Grid[0])
	} else if o.Grid[0] > 0 {
		o.Grid = append([]float64{0}, o.Grid...) // levels are tested in order from radius 0
	}
}

// selected is the number of inputs of the selection over all its shards, out of a source of so many.
// Alpha is shared among them.
func (o dataOptions) selected(inputs int) (int64, error) {
	whole := o.selection
	whole.Shard, whole.Shards = 0, 1
	indices, err := whole.Indices(inputs)
	if err != nil {
		return 0, usage(err)
	}
	if len(indices) > math.MaxInt32 {
		return 0, usagef("share alpha: %d inputs are too many; certify them in parts", len(indices))
	}
	return int64(len(indices)), nil
}
