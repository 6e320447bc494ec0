package fit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"sync/atomic"

	"ucan/internal/fault"
	"ucan/models"
	"ucan/models/arch"
	nets "ucan/models/arch/denoise"
	"ucan/models/denoise"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/train"
	"ucan/train/data"
	"ucan/train/denoiser"
	"ucan/train/generator"
	"ucan/train/spectrum"
)

// DenoiserTraining configures the training of a denoiser. Begin with [DefaultDenoiserTraining].
type DenoiserTraining struct {
	// Loop has its number of epochs from Stages.
	Loop
	// Width and Depth are those of the architecture, 0 for the usual ones.
	Width, Depth int
	// Identity starts from y itself in place of the best linear denoiser.
	Identity bool
	// Stages follow one another; none stands for the usual ones.
	Stages []denoiser.Stage
	// Surrogates are the classifiers that gradients flow through in place of the model; none for
	// the model itself.
	Surrogates []*models.Model
	// Lowest, where not 0, is the smallest factor by which the noise is scaled at random, below 1:
	// the denoiser then serves every scale from there to that of the noise.
	Lowest float64
	// LabelMap is the label map as one text, for the record; "" for none.
	LabelMap string
}

// DefaultDenoiserTraining returns the usual settings.
func DefaultDenoiserTraining() DenoiserTraining {
	t := DenoiserTraining{Loop: DefaultLoop()}
	t.Average = 0.998
	// About the norm of the gradients of mse. Those through a classifier are hundreds of times
	// larger: without a bound the first of them, over the second moments that mse left, undo what
	// was learned.
	t.Clip = 0.1
	return t
}

// Usual epochs of a stage of mse, and of one through a classifier.
const (
	usualSquares   = 4
	usualEntropies = 16
)

// denoiserTraining is one call that trains a denoiser.
type denoiserTraining struct {
	DenoiserConfig
	rt        *runtime.Runtime
	origin    origin
	seed      uint64
	set, held *data.Set
	moments   *spectrum.Moments
	typical   *smooth.SealedNoise // what filter and scales are made for
	net       *arch.Network
	network   map[string]any
	signal    []float64
	augment   data.Augment
	loop      train.Config
	settings  map[string]any
	labeler   smooth.Classifier
	decisions bool // validations ask for the classifier's decisions in place of labels
}

func trainDenoiser(ctx context.Context, rt *runtime.Runtime, c DenoiserConfig) (_ *denoise.Record, err error) {
	t := &denoiserTraining{DenoiserConfig: c, rt: rt}
	if err = t.check(); err != nil {
		return nil, err
	}
	if t.origin, err = t.begin(); err != nil {
		return nil, err
	}
	t.seed = *t.Seed
	if err = t.load(ctx); err != nil {
		return nil, err
	}
	if t.moments, err = spectrum.Measure(ctx, t.Data.Source, indices(t.set), func() {}); err != nil {
		return nil, err
	}
	if err = t.typicalNoise(ctx); err != nil {
		return nil, err
	}
	if err = t.makeNet(); err != nil {
		return nil, err
	}
	if err = t.configure(); err != nil {
		return nil, err
	}
	stored, err := denoise.Read(t.Dir)
	if err == nil {
		return t.finished(stored)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return t.run(ctx)
}

// check refuses what shows without data, and fills in the usual stages.
func (t *denoiserTraining) check() error {
	d := &t.Training
	if t.Data.Source == nil {
		return fault.Wrongf("train a denoiser %s: there is no data to train on; name some, or take %s, which needs none", t.Arch, Wiener)
	}
	if len(d.Stages) == 0 {
		d.Stages = []denoiser.Stage{{Objective: denoiser.MSE, Epochs: usualSquares}}
		if t.Model != nil {
			d.Stages = append(d.Stages, denoiser.Stage{Objective: denoiser.Stability, Epochs: usualEntropies})
		}
	}
	d.Epochs = 0
	for i := range d.Stages {
		s := &d.Stages[i]
		if s.Epochs == 0 {
			if s.Epochs = usualEntropies; s.Objective == denoiser.MSE {
				s.Epochs = usualSquares
			}
		}
		d.Epochs += s.Epochs
		if s.Objective != denoiser.MSE && t.Model == nil {
			return fault.Wrongf("train a denoiser: %s needs the classifier that it is for; name a model", s.Objective)
		}
	}
	return t.checkNoise()
}

// through reports whether a stage has the objective.
func (t *denoiserTraining) through(objective string) bool {
	for _, s := range t.Training.Stages {
		if s.Objective == objective {
			return true
		}
	}
	return false
}

// load reads the data. Labels are needed for classification only; without them the classifier's
// decisions on the clean inputs are what validations ask for.
func (t *denoiserTraining) load(ctx context.Context) (err error) {
	if t.through(denoiser.Classification) {
		if t.set, t.held, err = t.Data.load(ctx, t.seed, t.Observer); err != nil {
			return err
		}
		return fits(t.Model, t.set)
	}
	var missing atomic.Int64
	t.Data.unlabelled = &missing
	if t.set, t.held, err = t.Data.load(ctx, t.seed, t.Observer); err != nil {
		return err
	}
	t.decisions = missing.Load() > 0 || t.Model != nil && t.set.Classes() > t.Model.Classes()
	return nil
}

// makeNet makes the network, with the constants that normalise its inputs and output.
func (t *denoiserTraining) makeNet() error {
	c := nets.Config{Name: t.Arch, Shape: t.Shape, Width: t.Training.Width, Depth: t.Training.Depth, Seed: t.seed}
	front := t.typical
	if t.Training.Lowest > 0 {
		n := t.Noise.Noise()
		n.Lambda *= math.Sqrt(t.Training.Lowest)
		var err error
		if front, err = n.Seal(t.Noise.Dim()); err != nil {
			return fmt.Errorf("train a denoiser: %w", err)
		}
		c.Estimate = len(t.Shape) == 3
	}
	if !t.Training.Identity {
		filter, err := filterOf(t.moments, front)
		if err != nil {
			return err
		}
		c.Front = filter.Add
	}
	c.Mean, c.Signal, c.Spread = t.normalisation()
	t.signal = c.Signal
	if field := t.Noise.Noise().Sigma(); t.Generator == nil && field != nil && t.Noise.Noise().Basis() == nil && t.Training.Lowest == 0 && t.Arch != "mlp" {
		c.Map = field
	}
	var err error
	if t.net, err = nets.New(c); err != nil {
		return fault.Wrongf("train a denoiser on %s: %w", t.set.Info().Name, err)
	}
	width, depth := nets.Usual(t.Arch)
	if c.Width == 0 {
		c.Width = width
	}
	if c.Depth == 0 {
		c.Depth = depth
	}
	t.network = map[string]any{"arch": t.Arch, "width": c.Width, "depth": c.Depth, "start": Wiener, "noise_map": c.Map != nil, "noise_estimate": c.Estimate}
	if t.Training.Identity {
		t.network["start"] = "identity"
	}
	return nil
}

// normalisation is the mean of the data, its standard deviation and that of noisy data, by channel.
func (t *denoiserTraining) normalisation() (mean, signal, spread []float64) {
	channels := t.Shape[0]
	plane := len(t.moments.Mean) / channels
	power := t.moments.Power(spectrum.Basis{Name: spectrum.Values})
	noise := t.typical.Noise()
	sigma, ok := t.typical.Sigma()
	if !ok {
		sigma = noise.Lambda
	}
	field := noise.Sigma()
	for c := range channels {
		var first, second, spoilt float64
		for i := c * plane; i < (c+1)*plane; i++ {
			m := t.moments.Mean[i]
			first += m / float64(plane)
			second += (power[i] + m*m) / float64(plane)
			s := sigma
			if field != nil {
				s *= float64(field[i])
			}
			spoilt += s * s / float64(plane)
		}
		variance := second - first*first
		if !(variance > 1e-12) {
			variance = 1 // a channel that never changes
		}
		mean = append(mean, first)
		signal = append(signal, math.Sqrt(variance))
		spread = append(spread, math.Sqrt(variance+spoilt))
	}
	return mean, signal, spread
}

// configure fixes schedule, optimiser and what decides the bytes.
func (t *denoiserTraining) configure() error {
	d, info := &t.Training, t.set.Info()
	switch {
	case d.Augment != nil:
		t.augment = *d.Augment
	case info.Image && len(info.Shape) == 3 && info.Shape[0] == 3:
		t.augment = data.ColourAugment()
	}
	if err := t.feedConfig().Validate(t.set); err != nil {
		return fault.Mark(fault.Wrong, err)
	}
	batches := t.set.Len() / d.Batch
	small := 1e-4
	optimizer := d.Optimizer.config("adamw", &small)
	rate := d.LearningRate
	if rate == 0 {
		if rate = 1e-3; optimizer.Name == "sgd" {
			rate = 0.05
		}
	}
	t.loop = d.trainConfig(t.Run, optimizer, rate, batches)
	if err := t.loop.Validate(batches); err != nil {
		return fault.Mark(fault.Wrong, err)
	}
	var err error
	if t.settings, err = plainMap(t.configuration()); err != nil {
		return err
	}
	text, err := json.Marshal(t.settings)
	if err != nil {
		return fmt.Errorf("record the settings: %w", err)
	}
	sum := sha256.Sum256(text)
	t.loop.Fingerprint = hex.EncodeToString(sum[:])
	return nil
}

// configuration is what decides the denoiser's bytes.
func (t *denoiserTraining) configuration() map[string]any {
	d, info := t.Training, t.set.Info()
	var stages []any
	for _, s := range d.Stages {
		stages = append(stages, map[string]any{"objective": s.Objective, "epochs": s.Epochs})
	}
	c := map[string]any{
		"network": t.network, "seed": strconv.FormatUint(t.seed, 10), "threads": t.Session.IntraOp, "stages": stages,
		"data": map[string]any{
			"source": info.Name, "fingerprint": info.Fingerprint, "inputs": t.set.Len(), "selection": t.Data.Selection, "shape": t.Shape,
			"labels": d.LabelMap,
		},
		"noise": denoise.NoiseOf(t.Noise, t.NPG), "lowest": d.Lowest,
		"loop": map[string]any{
			"batch": d.Batch, "draws": d.Draws, "clip": d.Clip, "ema": d.Average, "keep_best": d.KeepBest,
			"patience": d.Patience, "val_every": d.ValidateEvery, "val_samples": d.ValidationDraws,
		},
		"optimizer": t.loop.Optimizer, "schedule": t.loop.Schedule, "augment": t.augment,
	}
	if t.Model != nil {
		c["classifier"] = map[string]any{"name": t.Model.Name(), "sha256": t.Model.SHA256(), "preprocessing": t.Model.Preprocessing()}
	}
	var others []any
	for _, m := range d.Surrogates {
		others = append(others, map[string]any{"name": m.Name(), "sha256": m.SHA256(), "preprocessing": m.Preprocessing()})
	}
	if others != nil {
		c["surrogates"] = others
	}
	if t.held != nil {
		held := t.held.Info()
		c["validation"] = map[string]any{"source": held.Name, "fingerprint": held.Fingerprint, "inputs": t.held.Len(), "first": t.held.Index(0)}
	}
	return c
}

// feedConfig configures the batches.
func (t *denoiserTraining) feedConfig() data.Config {
	n := t.Noise.Noise()
	sampler, _ := n.Family.(family.Sampler) // sealed noise has one
	return data.Config{
		Batch: t.Training.Batch, Draws: t.Training.Draws, Seed: t.seed, Augment: t.augment,
		Family: sampler, Lambda: n.Lambda, Shaper: t.shaper(),
	}
}

// classifiers are those that gradients flow through.
func (t *denoiserTraining) classifiers() ([]generator.Base, error) {
	if !t.through(denoiser.Stability) && !t.through(denoiser.Classification) {
		return nil, nil
	}
	all := t.Training.Surrogates
	if len(all) == 0 {
		all = []*models.Model{t.Model}
	}
	var out []generator.Base
	for _, m := range all {
		if n := m.FixedBatch(); n > 0 && n != t.Training.Batch*t.Training.Draws {
			return nil, fault.Wrongf("train a denoiser through %s: it takes batches of %d only; train with --batch %d", m.Name(), n, max(1, n/t.Training.Draws))
		}
		base, err := generator.BaseOf(m)
		if err != nil {
			return nil, fault.Refusedf("train a denoiser through %s: it gives labels and no scores, so there is no gradient; name other models of the same classes with --surrogate", m.Name())
		}
		out = append(out, base)
	}
	return out, nil
}

// mode is how weights reach the runtime: what a resumed training must keep.
func (t *denoiserTraining) mode() autodiff.WeightMode {
	if t.origin.choices != nil {
		return autodiff.WeightMode(t.origin.choices[choiceMode])
	}
	return autodiff.WeightMode(t.Training.Mode)
}
