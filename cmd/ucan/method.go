package main

import (
	"context"
	"fmt"
	"math"
	"slices"

	"ucan/internal/pipeline"
	"ucan/smooth"
	"ucan/smooth/sequential"
	"ucan/smooth/stats"
)

// statisticsOptions say how many samples are drawn and what is concluded from them.
type statisticsOptions struct {
	n0, n      int64
	alpha      float64
	bound      smooth.Bound
	joint      bool
	together   int64 // the number of inputs that alpha was divided among, 0 when it was not
	labelAware bool
	profile    *sequential.Profile // nil at fixed n
	grid       []float64           // nil for the family's default
}

func (a *app) statisticsOptions(r *values, leastN int64) statisticsOptions {
	o := statisticsOptions{
		n0: r.int("statistics.n0", 0, 1<<40), alpha: r.float("statistics.alpha"),
		joint: r.flag("statistics.joint"), labelAware: r.flag("statistics.label_aware"), grid: r.floats("statistics.grid"),
	}
	if !(o.alpha > 0 && o.alpha < 1) {
		r.fault("statistics.alpha", "%s is out of range; give a probability between 0 and 1, such as 0.001", r.text("statistics.alpha"))
	}
	var err error
	if o.bound, err = smooth.ParseBound(r.text("statistics.bound")); err != nil {
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
		o.n = r.int("statistics.n", leastN, 1<<40)
		return
	}
	profile, err := sequential.ParseProfile(name)
	if err != nil {
		r.fault("statistics.adaptive", "%q is no profile; give off, strict, default or fast", name)
		return
	}
	o.n = profile.Cap
	if r.changed("statistics.n") {
		o.n = r.int("statistics.n", 100, 1<<40)
		profile = profile.WithCap(o.n)
	}
	o.profile = &profile
}

// checkTogether finds options that contradict each other.
func (o *statisticsOptions) checkTogether(r *values, leastN int64) {
	if o.labelAware && o.profile == nil {
		r.fault("statistics.label_aware", "a label-aware run is adaptive; give --adaptive default as well")
	}
	if o.labelAware {
		if o.n0 != 0 && r.changed("statistics.n0") {
			r.fault("statistics.n0", "a label-aware run selects no class; leave --n0 out")
		}
		o.n0 = 0
	}
	if o.profile == nil && o.n0 == 0 && leastN > 0 {
		r.fault("statistics.n0", "at fixed n some samples must choose the class; give at least 1")
	}
	if o.profile != nil && o.bound != smooth.OneBound {
		r.fault("statistics.bound", "adaptive runs bound p_A alone; leave --bound out")
	}
	if o.grid == nil {
		return
	}
	if o.profile == nil {
		r.fault("statistics.grid", "radii are a grid in adaptive runs only; give --adaptive default as well, or --radii for the summary")
	}
	slices.Sort(o.grid)
	o.grid = slices.Compact(o.grid)
	if o.grid[0] < 0 {
		r.fault("statistics.grid", "%v is negative; give radii of 0 and more", o.grid[0])
	} else if o.grid[0] > 0 {
		o.grid = append([]float64{0}, o.grid...) // levels are tested in order from radius 0
	}
}

// share divides alpha among the inputs of the whole selection when all certificates are to hold together.
func (o statisticsOptions) share(inputs int64) (statisticsOptions, error) {
	if !o.joint || inputs <= 1 {
		return o, nil
	}
	var err error
	o.together = inputs
	o.alpha, err = stats.PerCertificate(o.alpha, inputs)
	return o, err
}

// method binds the statistics to a smoothed classifier, and says the largest radius that it can certify with noise.
func (o statisticsOptions) method(smoother *smooth.Smoother, noise *smooth.SealedNoise) (pipeline.Method, float64, error) {
	if o.profile == nil {
		fixed := smooth.FixedN{N0: o.n0, N: o.n, Alpha: o.alpha, Bound: o.bound}
		reach, err := noise.MaxRadius(o.n, o.alpha)
		return func(ctx context.Context, x []float32, id [32]byte, noise *smooth.SealedNoise, _ int) (smooth.Certification, error) {
			return smoother.Certify(ctx, x, id, noise, fixed)
		}, reach, err
	}
	tables := sequential.NewTables()
	plan, err := o.plan(noise, tables)
	if err != nil {
		return nil, 0, err
	}
	reach, err := plan.MaxRadius()
	return func(ctx context.Context, x []float32, id [32]byte, noise *smooth.SealedNoise, label int) (smooth.Certification, error) {
		if plan.Noise() != noise {
			var planErr error
			if plan, planErr = o.plan(noise, tables); planErr != nil {
				return smooth.Certification{}, planErr
			}
		}
		return smoother.CertifyAdaptive(ctx, x, id, plan, label)
	}, reach, err
}

func (o statisticsOptions) plan(noise *smooth.SealedNoise, tables *sequential.Tables) (*smooth.AdaptivePlan, error) {
	grid, err := noise.DefaultGrid()
	if o.grid != nil {
		grid, err = noise.NewGrid(o.grid)
	}
	if err != nil {
		return nil, fmt.Errorf("make the grid of radii: %w", err)
	}
	return noise.NewAdaptive(smooth.AdaptiveN{
		N0: o.n0, Alpha: o.alpha, Profile: *o.profile, Grid: grid, LabelAware: o.labelAware,
	}, tables)
}

// describe is the statistics as runs record and compare them.
func (o statisticsOptions) describe() map[string]any {
	d := map[string]any{"n0": o.n0, "n": o.n, "alpha": o.alpha, "bound": o.bound.String(), "together": o.together}
	if o.profile != nil {
		d["adaptive"], d["grid"], d["label_aware"] = o.profile.Name, o.grid, o.labelAware
	}
	return d
}

// String says how much is sampled, for the line before a run.
func (o statisticsOptions) String() string {
	if o.profile != nil {
		return fmt.Sprintf("at most n = %d (adaptive, %s) and alpha = %g", o.n, o.profile.Name, o.alpha)
	}
	return fmt.Sprintf("n = %d and alpha = %g", o.n, o.alpha)
}

// selected is the number of inputs of the selection over all its shards, which is what alpha is shared among.
func (w *workbench) selected(o dataOptions) (int64, error) {
	whole := o.selection
	whole.Shard, whole.Shards = 0, 1
	indices, err := whole.Indices(w.source.Len())
	if err != nil {
		return 0, usage(err)
	}
	if len(indices) > math.MaxInt32 {
		return 0, usagef("share alpha: %d inputs are too many; certify them in parts", len(indices))
	}
	return int64(len(indices)), nil
}
