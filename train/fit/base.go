package fit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"ucan/internal/fault"
	"ucan/models"
	"ucan/models/arch"
	"ucan/models/declare"
	"ucan/npg"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/train"
	"ucan/train/base"
	"ucan/train/data"
	"ucan/train/optim"
	"ucan/train/validate"
)

// BaseConfig configures the training of a base classifier. Begin with [DefaultLoop].
type BaseConfig struct {
	Run
	Loop
	// Arch names a built-in architecture (package arch) that begins with new weights; Mean and Std
	// normalise its input, both empty for the moments of the data.
	Arch      string
	Mean, Std []float64
	// Init is a classifier to fine-tune instead. BatchNorm trains it with batch normalisations
	// behind its convolutions, folded away at the end.
	Init      *models.Model
	BatchNorm bool
	// Noise is what is trained under.
	Noise Noise
	// Smoothing, Consistency and Entropy are those of base.Config.
	Smoothing, Consistency, Entropy float64
	// AttackRadius and AttackSteps are those of base.Attack; 0 trains on the images where they are.
	AttackRadius float64
	AttackSteps  int
	// LabelMap is the label map as one text, for the record; "" for none. Environment is recorded
	// and not compared.
	LabelMap    string
	Environment map[string]any
}

// Noise is the noise that a base classifier is trained under.
type Noise struct {
	Family family.Family
	Lambda float64
	// Generator makes (μ, Σ); nil for isotropic noise.
	Generator npg.Generator
	// Seal makes the noise of a held-out input.
	Seal validate.Noise
	// NPG is the specification of the generator and Fields says whether fields were given instead,
	// for the record.
	NPG    string
	Fields bool
}

// baseTraining is one call of Base.
type baseTraining struct {
	BaseConfig
	rt        *runtime.Runtime
	origin    origin
	seed      uint64
	set, held *data.Set
	net       *base.Net
	augment   data.Augment
	loop      train.Config
	record    base.Record
}

// usualEpochs are enough for small networks on small data.
const usualEpochs = 20

// Base trains a base classifier and writes its bundle. On a finished bundle that is resumed it does
// nothing.
func Base(ctx context.Context, rt *runtime.Runtime, c BaseConfig) (_ base.Outcome, err error) {
	defer func() { err = marked(err) }()
	t := &baseTraining{BaseConfig: c, rt: rt}
	if t.origin, err = t.begin(); err != nil {
		return base.Outcome{}, err
	}
	t.seed = *t.Seed
	if t.set, t.held, err = t.Data.load(ctx, t.seed, t.Observer); err != nil {
		return base.Outcome{}, err
	}
	description, err := t.network(ctx)
	if err != nil {
		return base.Outcome{}, err
	}
	if err = t.configure(description); err != nil {
		return base.Outcome{}, err
	}
	if stored := t.origin.record; stored != nil {
		if err = t.compare(*stored); err != nil {
			return base.Outcome{}, err
		}
		if stored.Finished(t.Dir) {
			t.Observer.note("%s is finished; nothing to do", t.Dir)
			return *stored.Result, nil
		}
	}
	release, err := t.lock()
	if err != nil {
		return base.Outcome{}, err
	}
	defer func() { err = errors.Join(err, release()) }()
	return t.run(ctx)
}

// network makes or reads what is trained, and describes it for the record.
func (t *baseTraining) network(ctx context.Context) (map[string]any, error) {
	if t.Init != nil {
		return t.initial(ctx)
	}
	mean, std := t.Mean, t.Std
	if len(mean) == 0 {
		mean, std = t.set.Moments()
	}
	info := t.set.Info()
	c := arch.Config{Name: t.Arch, Input: info.Shape, Classes: t.set.Classes(), Mean: mean, Std: std, Seed: t.seed}
	n, err := arch.New(c)
	if err != nil {
		return nil, fault.Wrongf("train %s on %s: %w", t.Arch, info.Name, err)
	}
	t.net = base.FromArch(n)
	return map[string]any{"arch": t.Arch, "classes": c.Classes, "mean": mean, "std": std}, nil
}

// initial takes the classifier to fine-tune.
func (t *baseTraining) initial(ctx context.Context) (map[string]any, error) {
	m := t.Init
	if err := fits(m, t.set); err != nil {
		return nil, err
	}
	var err error
	if t.net, err = base.FromModel(ctx, autodiff.OnRuntime(t.rt), m); err != nil {
		return nil, err
	}
	if err = t.refuseProbabilities(ctx); err != nil {
		return nil, err
	}
	description := map[string]any{"init": m.SHA256(), "classes": m.Classes()}
	if prep := m.Preprocessing(); !prep.Inferred {
		description["preprocessing"] = prep // it becomes part of the graph
	}
	if t.BatchNorm {
		description["batch_norm"] = true
		err = t.renormalise(ctx)
	}
	return description, err
}

// refuseProbabilities refuses scores that are probabilities without an ending that logits can be
// taken from: a cross-entropy of them as logits would train towards something else.
func (t *baseTraining) refuseProbabilities(ctx context.Context) error {
	if t.net.Ending().Operator != "" {
		return nil
	}
	some := t.set.Spread(min(16, t.set.Len()))
	x := make([]float32, some.Dim())
	for i := range some.Len() {
		some.Read(i, x)
		scores, err := t.Init.Scores(ctx, x)
		if err != nil {
			return err
		}
		sum := 0.0
		for _, p := range scores {
			if !(p >= 0 && p <= 1) {
				return nil
			}
			sum += float64(p)
		}
		if !t.net.Single() && math.Abs(sum-1) > 1e-3 {
			return nil
		}
	}
	return fault.Refusedf("fine-tune %s: its scores look like probabilities, and neither a Softmax nor a Sigmoid that makes them was found, so there are no logits to train; take a model that returns logits", t.Init.Name())
}

// fits refuses data with more classes than a model has.
func fits(m *models.Model, set *data.Set) error {
	if n := set.Classes(); n > m.Classes() {
		return fault.Refusedf("train with %s on %s: the model has %d classes and the data %d; give a label map, or another model", m.Name(), set.Info().Name, m.Classes(), n)
	}
	return nil
}

// renormalise puts batch normalisations into the classifier, by the moments of images of the
// training set, as many as make a million values, 256 at most.
func (t *baseTraining) renormalise(ctx context.Context) error {
	some := t.set.Spread(min(256, max(8, 1<<20/t.set.Dim())))
	images := make([]float32, some.Len()*some.Dim())
	for i := range some.Len() {
		some.Read(i, images[i*some.Dim():(i+1)*some.Dim()])
	}
	err := t.net.Renormalise(ctx, autodiff.OnRuntime(t.rt), images, some.Len())
	if errors.Is(err, arch.ErrNoRenormalisation) {
		return fault.Refusedf("fine-tune %s with --batch-norm: %w; train without", t.Init.Name(), err)
	}
	return err
}

// feedConfig configures the batches.
func (t *baseTraining) feedConfig() (data.Config, error) {
	sampler, ok := t.Noise.Family.(family.Sampler)
	if !ok {
		return data.Config{}, fault.Wrongf("train under %s: the family cannot be sampled", t.Noise.Family.Name())
	}
	c := data.Config{
		Batch: t.Batch, Draws: t.Draws, Seed: t.seed, Augment: t.augment,
		Family: sampler, Lambda: t.Noise.Lambda, Shaper: data.Fixed(smooth.Fields{}),
	}
	if t.Noise.Generator != nil {
		c.Shaper = data.FromGenerator(t.Noise.Generator)
	}
	return c, fault.Mark(fault.Wrong, c.Validate(t.set))
}

// run trains, and writes model and record.
func (t *baseTraining) run(ctx context.Context) (_ base.Outcome, err error) {
	if err = t.record.Write(t.Dir); err != nil {
		return base.Outcome{}, err
	}
	config, err := t.objectiveConfig(ctx)
	if err != nil {
		return base.Outcome{}, err
	}
	objective, err := base.New(ctx, t.rt, t.net, config)
	if err != nil {
		return base.Outcome{}, err
	}
	defer func() { err = errors.Join(err, objective.Close()) }()
	t.loop.Choices = map[string]string{choiceMode: string(objective.Mode()), choiceSeed: strconv.FormatUint(t.seed, 10)}
	result, err := t.train(ctx, objective)
	if err != nil {
		return base.Outcome{}, err
	}
	hash, err := objective.WriteModel(t.Dir)
	if err != nil {
		return base.Outcome{}, err
	}
	if err = base.WriteDeclaration(t.Dir, t.declaration()); err != nil {
		return base.Outcome{}, err
	}
	t.record.Result = base.NewOutcome(result, hash)
	return *t.record.Result, t.record.Write(t.Dir)
}

// train runs the training loop.
func (t *baseTraining) train(ctx context.Context, objective *base.Objective) (_ train.Result, err error) {
	c, err := t.feedConfig()
	if err != nil {
		return train.Result{}, err
	}
	feed, err := data.NewFeed(t.set, c)
	if err != nil {
		return train.Result{}, err
	}
	defer func() { err = errors.Join(err, feed.Close()) }()
	var validator train.Validator
	if t.held != nil {
		validator = &base.Validator{
			Runtime: t.rt, Objective: objective, Images: t.held, Shape: t.set.Info().Shape, Noise: t.Noise.Seal,
			Batch: t.Batch, Options: validate.Options{Samples: t.ValidationDraws, Seed: t.seed},
		}
	}
	t.Observer.note("training on %d images of %s, seed %d", t.set.Len(), t.set.Info().Name, t.seed)
	return train.Run(ctx, t.loop, objective, validator, feed)
}

// objectiveConfig configures the loss. How weights reach the runtime is chosen once and kept by the
// checkpoints.
func (t *baseTraining) objectiveConfig(ctx context.Context) (base.Config, error) {
	c := base.Config{
		Rows: t.Batch, Draws: t.Draws, Smoothing: t.Smoothing, Consistency: t.Consistency, Entropy: t.Entropy,
		Momentum: 0.1, Mode: autodiff.WeightMode(t.Mode), Session: t.Session,
	}
	if t.origin.choices != nil {
		c.Mode = autodiff.WeightMode(t.origin.choices[choiceMode])
	}
	var err error
	if t.AttackRadius > 0 {
		c.Attack, err = t.attack(ctx)
	}
	return c, err
}

// attack moves images within the shape of the region that the noise certifies. The radius grows in
// the first fifth of the training.
func (t *baseTraining) attack(ctx context.Context) (base.Attack, error) {
	a := base.Attack{Radius: t.AttackRadius, Steps: t.AttackSteps, Warmup: int64(t.loop.Epochs*(t.set.Len()/t.Batch)) / 5}
	if t.Noise.Generator == nil && !t.Noise.Fields {
		return a, nil
	}
	if g := t.Noise.Generator; g != nil && g.Guarantee() != smooth.Deployed {
		return a, fault.Wrongf("train with --objective smoothadv: the noise depends on the input; it takes noise that is the same for all")
	}
	x := make([]float32, t.set.Dim())
	t.set.Read(0, x)
	sealed, err := t.Noise.Seal(ctx, x)
	if err != nil {
		return a, fmt.Errorf("find the scales of the noise: %w", err)
	}
	if b := sealed.Noise().Basis(); b != nil {
		a.Basis = b
	}
	a.Scale = sealed.Noise().Sigma()
	return a, nil
}

// declaration is the model.yaml of the bundle: everything else is inside the graph.
func (t *baseTraining) declaration() models.Declaration {
	input, logits := t.net.Names()
	d := models.Declaration{
		Input:  models.InputDeclaration{Name: input, Layout: declare.NCHW},
		Output: models.OutputDeclaration{Name: logits, Kind: "logits", Decision: "argmax"},
		Labels: t.set.Info().Labels,
	}
	if t.net.Single() {
		d.Output.Decision = t.Init.Decision().String()
		if t.net.Ending().Operator == "Sigmoid" {
			d.Output.Kind = "probabilities"
		}
	}
	if len(t.set.Info().Shape) != 3 {
		d.Input.Layout = declare.Flat
	}
	if t.Init != nil && len(t.Init.Labels()) > 0 {
		d.Labels = t.Init.Labels()
	}
	return d
}

// optimizer returns the configuration of the optimiser, and the learning rate.
func (t *baseTraining) optimizer() (optim.Config, float64) {
	name := "adamw"
	if t.net.Normalises() {
		name = "sgd"
	}
	c := t.Optimizer.config(name, nil)
	rate := t.LearningRate
	if rate == 0 {
		if rate = 1e-3; c.Name == "sgd" {
			rate = 0.1
		}
		if t.Init != nil {
			rate /= 10
		}
	}
	return c, rate
}
