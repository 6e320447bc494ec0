package certify

import (
	"context"
	"fmt"

	"ucan/smooth"
	"ucan/smooth/sequential"
	"ucan/smooth/stats"
)

// Statistics configures how many samples are drawn and what is derived from them.
type Statistics struct {
	// N0 samples choose the class, N estimate its probability; N is the cap under a profile and in
	// two stages.
	N0, N int64
	// Kappa scales the number of samples of two-stage runs, whose N0 pilot samples decide it; 0 for
	// all others.
	Kappa float64
	// Alpha is the probability, 0 to 1, that a certificate is wrong.
	Alpha float64
	Bound smooth.Bound
	// Joint asks for an alpha that holds for all certificates together; Together is the number of
	// inputs it was divided among, 0 when it was not.
	Joint    bool
	Together int64
	// LabelAware tests the label instead of selecting a class; it needs a profile.
	LabelAware bool
	// Profile is the adaptive profile, nil at fixed n.
	Profile *sequential.Profile
	// Grid are the radii that an adaptive run tests, rising from 0; nil for the family's own.
	Grid []float64
}

// Stops reports whether an input may take fewer samples than N.
func (o Statistics) Stops() bool { return o.Profile != nil || o.Kappa > 0 }

// Share divides alpha among the inputs of the whole selection when all certificates are to hold
// together.
func (o Statistics) Share(inputs int64) (Statistics, error) {
	if !o.Joint || inputs <= 1 {
		return o, nil
	}
	var err error
	o.Together = inputs
	o.Alpha, err = stats.PerCertificate(o.Alpha, inputs)
	return o, err
}

// Method binds the statistics to a smoothed classifier, and says the largest radius that it can
// certify with noise.
func (o Statistics) Method(smoother *smooth.Smoother, noise *smooth.SealedNoise) (Method, float64, error) {
	if o.Kappa > 0 {
		return o.twoStage(smoother, noise)
	}
	if o.Profile == nil {
		fixed := smooth.FixedN{N0: o.N0, N: o.N, Alpha: o.Alpha, Bound: o.Bound}
		reach, err := noise.MaxRadius(o.N, o.Alpha)
		return func(ctx context.Context, x []float32, id [32]byte, noise *smooth.SealedNoise, _ int) (smooth.Certification, error) {
			return smoother.Certify(ctx, x, id, noise, fixed)
		}, reach, err
	}
	tables := sequential.NewTables()
	plan, err := o.Plan(noise, tables)
	if err != nil {
		return nil, 0, err
	}
	reach, err := plan.MaxRadius()
	return func(ctx context.Context, x []float32, id [32]byte, noise *smooth.SealedNoise, label int) (smooth.Certification, error) {
		if plan.Noise() != noise {
			var planErr error
			if plan, planErr = o.plan(noise, noise.ReachableGrid, tables); planErr != nil {
				return smooth.Certification{}, planErr
			}
		}
		return smoother.CertifyAdaptive(ctx, x, id, plan, label)
	}, reach, err
}

// twoStage is Method for two stages. A pilot without a failure gets the most samples.
func (o Statistics) twoStage(smoother *smooth.Smoother, noise *smooth.SealedNoise) (Method, float64, error) {
	terms := smooth.TwoStageN{TwoStage: sequential.TwoStage{Pilot: o.N0, Kappa: o.Kappa, Cap: o.N}, Alpha: o.Alpha}
	most, err := terms.Size(0)
	if err != nil {
		return nil, 0, err
	}
	reach, err := noise.MaxRadius(most, o.Alpha)
	return func(ctx context.Context, x []float32, id [32]byte, noise *smooth.SealedNoise, _ int) (smooth.Certification, error) {
		return smoother.CertifyTwoStage(ctx, x, id, noise, terms)
	}, reach, err
}

// Plan makes the adaptive plan for noise; the statistics must have a profile.
func (o Statistics) Plan(noise *smooth.SealedNoise, tables *sequential.Tables) (*smooth.AdaptivePlan, error) {
	return o.plan(noise, noise.NewGrid, tables)
}

// plan is Plan with what makes a grid of the given radii.
func (o Statistics) plan(noise *smooth.SealedNoise, gridOf func([]float64) (smooth.Grid, error), tables *sequential.Tables) (*smooth.AdaptivePlan, error) {
	grid, err := noise.DefaultGrid()
	if o.Grid != nil {
		grid, err = gridOf(o.Grid)
	}
	if err != nil {
		return nil, fmt.Errorf("make the grid of radii: %w", err)
	}
	return noise.NewAdaptive(smooth.AdaptiveN{
		N0: o.N0, Alpha: o.Alpha, Profile: *o.Profile, Grid: grid, LabelAware: o.LabelAware,
	}, tables)
}

// MethodName is the method as certificates name it.
func (o Statistics) MethodName() smooth.Method {
	switch {
	case o.Kappa > 0:
		return smooth.MethodTwoStage
	case o.Profile != nil:
		return smooth.MethodAdaptive
	}
	return smooth.MethodFixed
}

// Describe is the statistics as runs record and compare them.
func (o Statistics) Describe() map[string]any {
	d := map[string]any{"n0": o.N0, "n": o.N, "alpha": o.Alpha, "bound": o.Bound.String(), "together": o.Together}
	if o.Profile != nil {
		d["adaptive"], d["grid"], d["label_aware"] = o.Profile.Name, o.Grid, o.LabelAware
	}
	if o.Kappa > 0 {
		d["adaptive"], d["kappa"] = string(smooth.MethodTwoStage), o.Kappa
	}
	return d
}

// String says how much is sampled, for the line before a run.
func (o Statistics) String() string {
	if o.Profile != nil {
		return fmt.Sprintf("at most n = %d (adaptive, %s) and alpha = %g", o.N, o.Profile.Name, o.Alpha)
	}
	if o.Kappa > 0 {
		return fmt.Sprintf("at most n = %d (two-stage, kappa %g) and alpha = %g", o.N, o.Kappa, o.Alpha)
	}
	return fmt.Sprintf("n = %d and alpha = %g", o.N, o.Alpha)
}
