package fit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"ucan/models"
	"ucan/npg/bundle"
	"ucan/npg/diagnose"
	"ucan/npg/net"
	"ucan/runtime"
	"ucan/train"
	"ucan/train/checkpoint"
	"ucan/train/data"
	"ucan/train/generator"
	"ucan/train/optim"
)

// Result is what a run left behind.
type Result struct {
	// Seed is the one that was used.
	Seed uint64
	// Training is how the loop ended.
	Training train.Result
	// Bundle is what was written, Report the diagnosis.
	Bundle *bundle.Bundle
	Report diagnose.Report
}

// run is one call of Run.
type run struct {
	config    Config
	rt        *runtime.Runtime
	model     *models.Model
	set, held *data.Set // held is nil when nothing is held out
	net       *net.Net
	mode      string
	objective *generator.Objective
}

// Run learns a generator for the classifier on the inputs of the set and writes it to the loop's folder; held are inputs
// for validation, nil for none. Errors match [ErrConfig] for settings, optim.ErrConfig and data.ErrData for theirs, and autodiff.ErrNotDifferentiable for a
// classifier without gradients.
func Run(ctx context.Context, rt *runtime.Runtime, model *models.Model, set, held *data.Set, c Config) (_ Result, err error) {
	if err = c.Validate(); err != nil {
		return Result{}, err
	}
	if err = vacant(c); err != nil {
		return Result{}, err
	}
	r := &run{config: c, rt: rt, model: model, set: set, held: held, mode: c.Mode}
	r.settle()
	r.config.Net.Shape, r.config.Net.Seed = model.InputShape(), r.config.Seed
	if r.net, err = net.New(r.config.Net); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if r.objective, err = r.newObjective(ctx); err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, r.objective.Close()) }()
	// Held until the bundle is written, not only while steps are taken.
	release, err := checkpoint.Lock(filepath.Join(c.Loop.Dir, train.CheckpointDir))
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, release()) }()
	r.config.Loop.Locked = true
	trained, err := r.train(ctx)
	if err != nil {
		return Result{}, err
	}
	return r.conclude(ctx, trained)
}

// vacant refuses a folder with a run in it unless it is to be resumed.
func vacant(c Config) error {
	if c.Loop.Resume {
		return nil
	}
	for _, name := range []string{bundle.ManifestName, train.LogName, train.CheckpointDir} {
		if _, err := os.Lstat(filepath.Join(c.Loop.Dir, name)); err == nil {
			return fmt.Errorf("%w: the folder %q holds a run already; pass --resume to go on with it, or name another", ErrConfig, c.Loop.Dir)
		}
	}
	return nil
}

// Choices of a run that its first checkpoint stores.
const (
	choiceSeed    = "seed"
	choiceMode    = "weights"
	choiceThreads = "threads"
)

// StoredSeed returns the seed of the run in a bundle's folder; ok is false when there is none.
func StoredSeed(dir string) (seed uint64, ok bool) {
	choices, ok := train.Stored(dir)
	if !ok {
		return 0, false
	}
	seed, err := strconv.ParseUint(choices[choiceSeed], 10, 64)
	return seed, err == nil
}

// settle takes over what a run that is resumed has chosen.
func (r *run) settle() {
	if !r.config.Loop.Resume {
		return
	}
	stored, ok := train.Stored(r.config.Loop.Dir)
	if !ok {
		return
	}
	if seed, err := strconv.ParseUint(stored[choiceSeed], 10, 64); err == nil {
		r.config.Seed = seed
	}
	if threads, err := strconv.Atoi(stored[choiceThreads]); err == nil && threads > 0 {
		r.config.Threads = threads
	}
	if stored[choiceMode] != "" {
		r.mode = stored[choiceMode]
	}
}

func (r *run) newObjective(ctx context.Context) (*generator.Objective, error) {
	c := r.config
	base, err := generator.BaseOf(r.model, c.Joint, c.JointRate)
	if err != nil {
		return nil, err
	}
	var weights []generator.Weight
	for _, w := range r.net.Weights() {
		weights = append(weights, generator.Weight{Name: w.Name, Decay: w.Decay, Rate: 1})
	}
	return generator.New(ctx, r.rt, generator.Config{
		Generator: r.net.Training(), Weights: weights, Base: base, MuScale: c.Net.MuScale, Shape: c.Net.Shape, Basis: c.Net.Basis,
		Rows: c.Batch, Draws: c.Draws, Loss: c.Loss, Threads: c.Threads, Mode: r.mode,
	})
}

// train runs the loop.
func (r *run) train(ctx context.Context) (_ train.Result, err error) {
	c := r.config
	feed, err := data.NewFeed(r.set, data.Config{
		Batch: c.Batch, Draws: c.Draws, Seed: c.Seed, Augment: c.Augment, Family: c.Family, Lambda: c.Lambda,
	})
	if err != nil {
		return train.Result{}, err
	}
	defer func() { err = errors.Join(err, feed.Close()) }()
	var validator train.Validator
	if r.held != nil {
		v, verr := generator.NewValidator(ctx, r.rt, r.objective, generator.Judge{
			Images: r.held, Family: c.Family, Lambda: c.Lambda, Norm: c.Norm, Draws: c.ValidationDraws,
			Radii: radii(c), Seed: c.Seed,
		})
		if verr != nil {
			return train.Result{}, verr
		}
		defer func() { err = errors.Join(err, v.Close()) }()
		validator = v
	}
	loop := c.Loop
	loop.Fingerprint = r.fingerprint()
	loop.Optimizer = c.Optimizer
	loop.Schedule = optim.DefaultSchedule(c.Schedule, c.LearningRate, int64(loop.Epochs)*int64(feed.Batches()))
	loop.Schedule.Warmup = int64(math.Round(c.Warmup * float64(feed.Batches())))
	loop.Choices = map[string]string{
		choiceSeed: strconv.FormatUint(c.Seed, 10), choiceMode: r.objective.Mode(), choiceThreads: strconv.Itoa(c.Threads),
	}
	return train.Run(ctx, loop, r.objective, validator, feed)
}

// radii are where the validation's curve is taken: eight of them, up to twice the start's radius at p = 0.99.
func radii(c Config) []float64 {
	top, err := c.Family.Radius(c.Norm, c.Net.Dim(), 0.99)
	if err != nil || !(top > 0) || math.IsInf(top, 0) {
		return nil
	}
	top *= 2 * c.Lambda * c.Net.Start
	out := make([]float64, 8)
	for i := range out {
		out[i] = math.Round(top*float64(i)/7*1e4) / 1e4
	}
	return out
}

// fingerprint digests everything that decides the bytes of the run, but for its choices.
func (r *run) fingerprint() string {
	c := r.config
	held := []any{}
	if r.held != nil {
		held = append(held, r.held.Info().Fingerprint, indices(r.held))
	}
	text, err := json.Marshal([]any{
		r.record(), r.model.SHA256(), r.model.Preprocessing(), r.set.Info().Fingerprint, indices(r.set), held, c.Optimizer, c.Augment,
		c.ValidationDraws, c.Loop.ValidateEvery, c.Loop.Patience, c.Loop.KeepBest, c.Loop.Clip, c.Loop.Average, c.Warmup,
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
