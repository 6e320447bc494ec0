package fit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"ucan/internal/fault"
	"ucan/models"
	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/npg/diagnose"
	"ucan/npg/net"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/smooth/family"
	"ucan/train"
	"ucan/train/data"
	"ucan/train/generator"
	"ucan/train/optim"
)

// GeneratorConfig configures the training of a generator of noise parameters. Begin with
// [DefaultGenerator].
type GeneratorConfig struct {
	Run
	Loop
	// Model is the classifier.
	Model *models.Model
	// Net is the generator; its Shape and Seed are filled in.
	Net net.Config
	// Joint trains the classifier along, its learning rate JointRate times the generator's.
	Joint     bool
	JointRate float64
	// Family, Lambda and Norm are the noise that the fields shape and the theorem that estimates
	// use.
	Family family.Isotropic
	Lambda float64
	Norm   family.Norm
	// Loss is what is minimised.
	Loss generator.Loss
	// DiagnosisInputs is how many inputs the diagnosis looks at.
	DiagnosisInputs int
}

// DefaultGenerator returns settings for a kind of generator that learn something useful on MNIST
// within minutes.
func DefaultGenerator(kind npg.Kind) GeneratorConfig {
	c := GeneratorConfig{
		Run: Run{Session: runtime.SessionOptions{IntraOp: 1}}, Loop: DefaultLoop(), Net: net.DefaultConfig(), JointRate: 1,
		Loss: generator.DefaultLoss(), DiagnosisInputs: 100,
	}
	c.Net.Kind = kind
	c.KeepBest, c.ValidationDraws = false, 64
	c.LearningRate = 1e-3
	switch kind {
	case npg.KindDataset:
		c.LearningRate = 1e-4
	case npg.KindPattern:
		c.LearningRate = 3e-2
	}
	return c
}

// A generator is usually trained for at least so many epochs and so many steps: enough for every
// kind to take shape.
const (
	leastEpochs = 5
	leastSteps  = 400
)

// generatorEpochs is the usual number of passes over so many inputs in batches of a size.
func generatorEpochs(inputs, batch int) int {
	if inputs < batch {
		return leastEpochs // what is wrong is said elsewhere
	}
	steps := inputs / batch
	return max(leastEpochs, (leastSteps+steps-1)/steps)
}

// validate reports every fault that shows without data or model.
func (c GeneratorConfig) validate() error {
	var faults []string
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	name := "none"
	if c.Family != nil {
		name = c.Family.Name()
	}
	check(c.Family != nil && c.Lambda > 0, "no noise, or none of a positive scale, is given")
	check(c.Batch >= 1 && c.Draws >= 1 && c.ValidationDraws >= 1, "steps of %d inputs with %d draws, and %d for validation; each must be 1 or more", c.Batch, c.Draws, c.ValidationDraws)
	check(c.DiagnosisInputs >= 1, "a diagnosis on %d inputs; give 1 or more", c.DiagnosisInputs)
	check(c.Warmup >= 0, "warm-up over %v epochs; give 0 or more", c.Warmup)
	check(!c.Joint || c.JointRate > 0, "the classifier's learning rate is %v times the generator's; give a positive factor", c.JointRate)
	check(c.Session.IntraOp >= 1, "%d threads; give 1 or more", c.Session.IntraOp)
	check(c.Net.Basis != net.DCT || name == "gaussian" || name == "none",
		"noise in the basis %s is Gaussian, not %v: only that is certified there", net.DCT, name)
	if len(faults) == 0 {
		return nil
	}
	return fault.Wrongf("train a generator: %s", strings.Join(faults, "; "))
}

// GeneratorResult is what a training left behind.
type GeneratorResult struct {
	// Seed is the one that was used.
	Seed uint64
	// Training is how the loop ended.
	Training train.Result
	// Bundle is what was written, Report the diagnosis.
	Bundle *bundle.Bundle
	Report diagnose.Report
}

// generatorTraining is one call of Generator.
type generatorTraining struct {
	GeneratorConfig
	rt        *runtime.Runtime
	seed      uint64
	set, held *data.Set // held is nil when nothing is held out
	augment   data.Augment
	net       *net.Net
	objective *generator.Objective
}

// Generator learns a generator for the classifier and writes its bundle.
func Generator(ctx context.Context, rt *runtime.Runtime, c GeneratorConfig) (_ GeneratorResult, err error) {
	defer func() { err = marked(err) }()
	if err = c.validate(); err != nil {
		return GeneratorResult{}, err
	}
	t := &generatorTraining{GeneratorConfig: c, rt: rt}
	from, err := t.begin()
	if err != nil {
		return GeneratorResult{}, err
	}
	t.keep(from)
	if t.set, t.held, err = t.Data.load(ctx, t.seed, t.Observer); err != nil {
		return GeneratorResult{}, err
	}
	if err = fits(t.Model, t.set); err != nil {
		return GeneratorResult{}, err
	}
	if t.Epochs == 0 {
		t.Epochs = generatorEpochs(t.set.Len(), t.Batch)
	}
	t.Net.Shape, t.Net.Seed = t.Model.InputShape(), t.seed
	if t.net, err = net.New(t.Net); err != nil {
		return GeneratorResult{}, fault.Wrongf("train a generator: %w", err)
	}
	if t.objective, err = t.newObjective(ctx); err != nil {
		return GeneratorResult{}, err
	}
	defer func() { err = errors.Join(err, t.objective.Close()) }()
	release, err := t.lock()
	if err != nil {
		return GeneratorResult{}, err
	}
	defer func() { err = errors.Join(err, release()) }()
	trained, err := t.train(ctx)
	if err != nil {
		return GeneratorResult{}, err
	}
	return t.write(ctx, trained)
}

// keep takes over what the training that is resumed has chosen.
func (t *generatorTraining) keep(from origin) {
	t.seed = *t.Seed
	if threads, err := strconv.Atoi(from.choices[choiceThreads]); err == nil && threads > 0 {
		t.Session.IntraOp = threads
	}
	if mode := from.choices[choiceMode]; mode != "" {
		t.Mode = mode
	}
	if t.Augment != nil {
		t.augment = *t.Augment
	}
}

func (t *generatorTraining) newObjective(ctx context.Context) (*generator.Objective, error) {
	base, err := generator.BaseOf(t.Model)
	if t.Joint {
		base, err = generator.JointBaseOf(ctx, autodiff.OnRuntime(t.rt), t.Model, t.JointRate)
	}
	if err != nil {
		return nil, err
	}
	var weights []generator.Weight
	for _, w := range t.net.Weights() {
		weights = append(weights, generator.Weight{Name: w.Name, Decay: w.Decay, Rate: 1})
	}
	return generator.New(ctx, t.rt, generator.Config{
		Generator: t.net.Training(), Weights: weights, Base: base, MuScale: t.Net.MuScale, Shape: t.Net.Shape, Basis: t.Net.Basis,
		Rows: t.Batch, Draws: t.Draws, Loss: t.Loss, Threads: t.Session.IntraOp, Mode: t.Mode,
	})
}

// train runs the loop.
func (t *generatorTraining) train(ctx context.Context) (_ train.Result, err error) {
	c := data.Config{Batch: t.Batch, Draws: t.Draws, Seed: t.seed, Augment: t.augment, Family: t.Family, Lambda: t.Lambda}
	if err = c.Validate(t.set); err != nil {
		return train.Result{}, fault.Mark(fault.Wrong, err)
	}
	feed, err := data.NewFeed(t.set, c)
	if err != nil {
		return train.Result{}, err
	}
	defer func() { err = errors.Join(err, feed.Close()) }()
	var validator train.Validator
	if t.held != nil {
		v, verr := generator.NewValidator(ctx, t.rt, t.objective, generator.ValidatorConfig{
			Images: t.held, Family: t.Family, Lambda: t.Lambda, Norm: t.Norm, Draws: t.ValidationDraws,
			Radii: t.radii(), Seed: t.seed,
		})
		if verr != nil {
			return train.Result{}, verr
		}
		defer func() { err = errors.Join(err, v.Close()) }()
		validator = v
	}
	loop := t.trainConfig(t.Run, t.optimizer(), t.LearningRate, feed.Batches())
	loop.Fingerprint = t.fingerprint()
	loop.Choices = map[string]string{
		choiceSeed: strconv.FormatUint(t.seed, 10), choiceMode: t.objective.Mode(), choiceThreads: strconv.Itoa(t.Session.IntraOp),
	}
	return train.Run(ctx, loop, t.objective, validator, feed)
}

// optimizer is Adam without weight decay unless the user says otherwise.
func (t *generatorTraining) optimizer() optim.Config {
	none := 0.0
	return t.Optimizer.config("adamw", &none)
}

// radii are where the validation's curve is taken: eight of them, up to twice the start's radius at
// p = 0.99.
func (t *generatorTraining) radii() []float64 {
	top, err := t.Family.Radius(t.Norm, t.Net.Dim(), 0.99)
	if err != nil || !(top > 0) || math.IsInf(top, 0) {
		return nil
	}
	top *= 2 * t.Lambda * t.Net.Start
	out := make([]float64, 8)
	for i := range out {
		out[i] = math.Round(top*float64(i)/7*1e4) / 1e4
	}
	return out
}

// fingerprint digests everything that decides the bytes of the training, but for its choices.
func (t *generatorTraining) fingerprint() string {
	held := []any{}
	if t.held != nil {
		held = append(held, t.held.Info().Fingerprint, indices(t.held))
	}
	text, err := json.Marshal([]any{
		t.record(), t.Model.SHA256(), t.Model.Preprocessing(), t.set.Info().Fingerprint, indices(t.set), held, t.optimizer(), t.augment,
		t.ValidationDraws, t.ValidateEvery, t.Patience, t.KeepBest, t.Clip, t.Average, t.Warmup,
	})
	if err != nil { // unreachable: all of it is plain data
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func indices(s *data.Set) []int {
	out := make([]int, s.Len())
	for i := range out {
		out[i] = s.Index(i)
	}
	return out
}
