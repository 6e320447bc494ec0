package certify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"ucan/internal/dataset"
	"ucan/internal/fault"
	"ucan/models"
	"ucan/models/declare"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
)

// Choice configures a service whose certified selector picks one of several fixed noises for each
// request (guarantee selector; smooth.Compose).
type Choice struct {
	// Model is the selector's file, a classifier of the data with a class for each set; Sigma is
	// the standard deviation of the Gaussian noise that it is smoothed with, on the data's scale.
	Model string
	Sigma float64
	// N is the number of the selector's estimation samples, the cap where it may stop early.
	N int64
	// Sets are what it picks among, in the order of its classes.
	Sets []Set
}

// Set is one of the noises that a selector picks among.
type Set struct {
	// Noise must be the same for all inputs.
	Noise Noise
	// Model is the file of a base classifier of its own, "" for that of the setup.
	Model string
}

// Chooser is an opened Choice.
type Chooser struct {
	selector arm
	own      *smooth.SealedNoise // the selector's
	sets     []arm
	records  []certificate.Set
	setups   []*Setup // opened beside that of the run, for the caller to check and record
	sigma    float64
	n        int64
}

// arm is a smoothed classifier: the selector, or one of its sets.
type arm struct {
	setup    *Setup
	method   Method
	smoother *smooth.Smoother
	noise    *NoiseSource
	model    certificate.Model
}

// Guarantee is what the certificates hold for.
func (c *Certifier) Guarantee() smooth.Guarantee {
	if c.Chooser != nil {
		return smooth.BySelector
	}
	return c.Noise.Guarantee()
}

// Drawn is the number of samples drawn so far, over all smoothed classifiers of the run.
func (c *Certifier) Drawn() int64 {
	if c.Chooser == nil {
		return c.Smoother.Drawn()
	}
	drawn := c.Chooser.selector.smoother.Drawn()
	counted := []*smooth.Smoother{}
	for _, s := range c.Chooser.sets {
		if !slices.Contains(counted, s.smoother) {
			counted = append(counted, s.smoother)
			drawn += s.smoother.Drawn()
		}
	}
	return drawn
}

// OpenChoice opens a selector and its sets beside the setup; close the chooser after use.
func (s *Setup) OpenChoice(ctx context.Context, o Choice, seed uint64) (_ *Chooser, err error) {
	c := &Chooser{sigma: o.Sigma, n: o.N}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if len(o.Sets) == 0 {
		return nil, fault.Wrongf("open the selector: no noise to pick among; give a set for each of its classes")
	}
	gaussian, err := family.New("gaussian", nil)
	if err != nil {
		return nil, err
	}
	if c.selector, err = c.open(ctx, s, o.Model, Noise{Family: gaussian, Norm: family.L2, Sigma: o.Sigma, Arithmetic: o.Sets[0].Noise.Arithmetic}, seed); err != nil {
		return nil, fmt.Errorf("open the selector: %w", err)
	}
	c.selector.setup.anyLabel = true // its classes are sets
	if c.own, err = c.selector.noise.Seal(ctx, nil); err != nil {
		return nil, fault.Mark(fault.Wrong, err)
	}
	if have := c.selector.model.Classes; have != len(o.Sets) {
		return nil, fault.Wrongf("open the selector %s: it has %d classes for %d sets of noise; give a set for each class, in their order", c.selector.model.Name, have, len(o.Sets))
	}
	for i, set := range o.Sets {
		a, err := c.open(ctx, s, set.Model, set.Noise, seed)
		if err != nil {
			return nil, fmt.Errorf("open set %d: %w", i, err)
		}
		c.sets = append(c.sets, a)
		if g := a.noise.Guarantee(); g != smooth.Deployed {
			return nil, fault.Refusedf("open set %d: its noise is made for each input (guarantee %s), and a selector picks among noises that were fixed before", i, g)
		}
		if have, want := a.model.Classes, s.Model.Classes(); have != want {
			return nil, fault.Refusedf("open set %d: its model has %d classes, and the run's %d", i, have, want)
		}
		sealed, err := a.noise.Seal(ctx, nil)
		if err != nil {
			return nil, fault.Wrongf("open set %d: %w", i, err)
		}
		digest, err := certificate.DigestOf(sealed)
		if err != nil {
			return nil, err
		}
		c.records = append(c.records, certificate.Set{Model: a.model.SHA256, Noise: digest})
	}
	return c, nil
}

// open opens a smoothed classifier for the data of the setup. Models that are open already are
// shared; "" stands for the setup's own.
func (c *Chooser) open(ctx context.Context, s *Setup, file string, o Noise, seed uint64) (a arm, err error) {
	a.setup = s
	if file != "" {
		if a.setup, err = c.beside(ctx, s, declare.ModelPath(file)); err != nil {
			return arm{}, err
		}
	}
	if a.noise, err = a.setup.noiseFor(ctx, s, o); err != nil {
		return arm{}, err
	}
	for _, other := range append(slices.Clone(c.sets), c.selector) {
		if other.setup == a.setup {
			a.smoother = other.smoother
		}
	}
	if a.smoother == nil {
		if a.smoother, err = a.setup.Smoother(seed); err != nil {
			return a, err
		}
	}
	a.model, err = a.setup.ModelRecord()
	return a, err
}

// noiseFor opens noise for the inputs of the run's setup.
func (s *Setup) noiseFor(ctx context.Context, run *Setup, o Noise) (*NoiseSource, error) {
	return OpenNoise(ctx, o, NoiseTarget{Shape: run.Info.Shape, Source: run.Source, Runtime: run.Runtime, Session: run.Session})
}

// beside opens another model for the setup's data, or returns it where it is open already.
func (c *Chooser) beside(ctx context.Context, s *Setup, file string) (*Setup, error) {
	for _, open := range c.setups {
		if open.file == file {
			return open, nil
		}
	}
	made, err := s.Beside(ctx, file)
	if err == nil {
		c.setups = append(c.setups, made)
	}
	return made, err
}

// Beside opens another model for the setup's data; close it after use. Its declaration is that of
// the model.yaml beside it, and it runs as the setup's own model does, so that a resumed run has
// nothing more to remember.
func (s *Setup) Beside(ctx context.Context, file string) (_ *Setup, err error) {
	made := &Setup{
		Runtime: s.Runtime, Session: s.Session, Source: s.Source, Info: s.Info, Indices: s.Indices, Setting: s.Setting, file: file,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, made.Close())
		}
	}()
	if made.Model, err = models.Open(ctx, s.Runtime, file, models.Options{Session: s.Session, CacheDir: s.cacheDir, SourceShape: s.Info.Shape}); err != nil {
		return nil, &ModelError{err}
	}
	if fixed := made.Model.FixedBatch(); fixed != 0 {
		made.Setting.Batch = fixed
	}
	made.Classifiers, err = made.Model.Classifiers(ctx, made.Setting.Workers, made.Setting.Batch, made.Setting.IntraOp)
	return made, err
}

// Others are the setups that were opened beside the run's: the selector's first.
func (c *Chooser) Others() []*Setup { return c.setups }

// Noises are the noises of the sets.
func (c *Chooser) Noises() []*NoiseSource {
	out := make([]*NoiseSource, len(c.sets))
	for i, s := range c.sets {
		out[i] = s.noise
	}
	return out
}

// Close releases all models and noises.
func (c *Chooser) Close() error {
	var all []error
	for _, s := range append(slices.Clone(c.sets), c.selector) {
		if s.noise != nil {
			all = append(all, s.noise.Close())
		}
	}
	for _, s := range slices.Backward(c.setups) {
		all = append(all, s.Close())
	}
	c.setups, c.sets, c.selector = nil, nil, arm{}
	return errors.Join(all...)
}

// plan binds the statistics, whose alpha both stages share equally, and says the largest radius
// that they can certify in the reported norm.
func (c *Chooser) plan(ctx context.Context, o Statistics) (reach float64, err error) {
	o.Alpha /= 2
	first := o
	first.N, first.LabelAware, first.Grid, first.Bound = c.n, false, nil, smooth.OneBound
	if o.Profile != nil {
		capped := o.Profile.WithCap(c.n)
		first.Profile = &capped
	}
	var within float64
	if c.selector.method, within, err = first.Method(c.selector.smoother, c.own); err != nil {
		return 0, fmt.Errorf("plan the selector: %w", err)
	}
	for i := range c.sets {
		s := &c.sets[i]
		sealed, err := s.noise.Seal(ctx, nil)
		if err != nil {
			return 0, err
		}
		var most float64
		if s.method, most, err = o.Method(s.smoother, sealed); err != nil {
			return 0, fmt.Errorf("plan set %d: %w", i, err)
		}
		reach = max(reach, most)
	}
	return min(reach, c.inNorm(within)), nil
}

// inNorm bounds the radius that the selector's ball of the given ℓ2 radius allows in the norm of
// the sets.
func (c *Chooser) inNorm(l2 float64) float64 {
	if c.sets[0].noise.Norm != family.LInf {
		return l2 // an ℓ1 ball lies in the ℓ2 ball of its radius
	}
	return l2 / math.Sqrt(float64(c.own.Dim()))
}

// certify certifies one input in two stages.
func (c *Chooser) certify(ctx context.Context, item dataset.Item) (smooth.Certification, *certificate.Selection, *arm, error) {
	fail := func(err error) (smooth.Certification, *certificate.Selection, *arm, error) {
		return smooth.Certification{}, nil, nil, err
	}
	first, err := c.selector.method(ctx, item.X, smooth.SelectorID(item.SHA256), c.own, -1)
	if err != nil {
		return fail(fmt.Errorf("certify the selector: %w", err))
	}
	set := 0
	if first.HasClass {
		set = first.Class
	}
	chosen := &c.sets[set]
	noise, err := chosen.noise.Seal(ctx, nil)
	if err != nil {
		return fail(err)
	}
	second := noise.Unsampled(chosen.model.Classes, first.Alpha)
	if !first.Abstained {
		if second, err = chosen.method(ctx, item.X, item.SHA256, noise, item.Label); err != nil {
			return fail(err)
		}
	}
	result, err := smooth.Compose(first, second)
	if err != nil {
		return fail(err)
	}
	return result, c.selection(set), chosen, nil
}

// selection is what certificates say of the selector and the set that it chose.
func (c *Chooser) selection(set int) *certificate.Selection {
	return &certificate.Selection{Model: c.selector.model, Noise: c.own, Sets: c.records, Set: set}
}

// Predict answers as the service does, or abstains, at half of alpha a stage (smooth.Compose).
func (c *Chooser) Predict(ctx context.Context, item dataset.Item, o smooth.PredictN) (smooth.Prediction, error) {
	o.Alpha /= 2
	first, err := c.selector.smoother.Predict(ctx, item.X, smooth.SelectorID(item.SHA256), c.own, o)
	if err != nil || first.Abstained {
		first.HasClass, first.Counts = false, smooth.Counts{N: first.Counts.N}
		return first, err
	}
	chosen := c.sets[first.Class]
	noise, err := chosen.noise.Seal(ctx, nil)
	if err != nil {
		return smooth.Prediction{}, err
	}
	answer, err := chosen.smoother.Predict(ctx, item.X, item.SHA256, noise, o)
	answer.Alpha = smooth.SumUp(o.Alpha, o.Alpha)
	return answer, err
}

// Trial is a model of a chooser with noise that it runs under, for [Setup.CheckRows].
type Trial struct {
	Setup *Setup
	Seal  Seal
}

// Trials returns each model once.
func (c *Chooser) Trials() []Trial {
	var out []Trial
	for _, a := range append([]arm{c.selector}, c.sets...) {
		if !slices.ContainsFunc(out, func(t Trial) bool { return t.Setup == a.setup }) {
			out = append(out, Trial{a.setup, a.noise.SealItem})
		}
	}
	return out
}
