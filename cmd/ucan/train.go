package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/dataset"
	"ucan/internal/progress"
	"ucan/runtime"
	"ucan/train"
	"ucan/train/data"
	"ucan/train/optim"
)

func newTrainCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train base classifiers under noise, and generators of noise parameters",
		Long: `Train makes what ucan certifies: base classifiers that withstand noise, and generators of noise parameters.
Training runs on onnxruntime, by gradient graphs made of ordinary ONNX operators.

` + exitCodesHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTrainBaseCommand(a), newTrainNPGCommand(a))
	return cmd
}

// baseTrainKeys are the settings that every kind of training has.
var baseTrainKeys = []string{
	"train.out", "train.resume", "seed", "train.epochs", "train.batch", "train.lr", "train.optimizer", "train.momentum",
	"train.weight_decay", "train.schedule", "train.warmup", "train.clip", "train.ema", "train.augment", "train.smoothing",
	"train.draws", "train.consistency", "train.consistency_entropy",
	"train.val", "train.val_skip", "train.val_max", "train.validation", "train.val_samples", "train.val_every", "train.patience", "train.keep",
	"train.checkpoint_every", "train.log_every", "train.weights",
}

// defaultEpochs are enough for small networks on small data.
const defaultEpochs = 20

// randomSeed is the seed of a run that was given none.
func randomSeed() uint64 { return rand.Uint64() }

// seedOrRandom is the seed given, or a new one.
func seedOrRandom(r *values) uint64 {
	seed, given := seedOf(r)
	if !given {
		seed = randomSeed()
	}
	return seed
}

// trainOptions are the settings that every kind of training has.
type trainOptions struct {
	out         string
	resume      bool
	seed        uint64
	seeded      bool // the user gave the seed
	epochs      int
	counted     bool // the user gave the number of epochs
	batch       int
	rate        float64 // 0: by the optimiser
	optimizer   string  // "": by the network
	momentum    float64
	decay       float64 // −1: by the optimiser
	schedule    string
	warmup      float64
	clip, ema   float64
	augment     []string
	smoothing   float64
	draws       int
	consistency float64
	entropy     float64
	weights     string

	val                 string
	valSkip, valMax     int
	holdOut, valSamples int
	valEvery, patience  int
	keepBest            bool
	checkpointEvery     int
	logEvery            int
}

// trainOptions reads them; faults are collected by r.
func (a *app) trainOptions(r *values) trainOptions {
	number := func(key string, low int64) int { return int(r.int(key, low, math.MaxInt32)) }
	o := trainOptions{
		out: r.text("train.out"), resume: r.flag("train.resume"),
		epochs: number("train.epochs", 0), batch: number("train.batch", 1), draws: number("train.draws", 1),
		optimizer: r.text("train.optimizer"), momentum: r.float("train.momentum"), decay: -1,
		schedule: r.text("train.schedule"), warmup: r.float("train.warmup"), clip: r.float("train.clip"), ema: r.float("train.ema"),
		augment: r.list("train.augment"), smoothing: r.float("train.smoothing"),
		consistency: r.float("train.consistency"), entropy: r.float("train.consistency_entropy"), weights: r.text("train.weights"),
		val: r.text("train.val"), valSkip: number("train.val_skip", 0), valMax: number("train.val_max", 0),
		holdOut: number("train.validation", 0), valSamples: number("train.val_samples", 1),
		valEvery: number("train.val_every", 0), patience: number("train.patience", 0),
		checkpointEvery: number("train.checkpoint_every", 1), logEvery: number("train.log_every", 0),
	}
	o.seed, o.seeded = seedOf(r)
	if o.counted = o.epochs > 0; !o.counted {
		o.epochs = defaultEpochs
	}
	if o.out == "" {
		r.fault("train.out", "no bundle to write is given; name a folder")
	}
	if r.given("train.lr") {
		if o.rate = r.float("train.lr"); !(o.rate > 0) || math.IsInf(o.rate, 0) {
			r.fault("train.lr", "%s is not a positive number", r.text("train.lr"))
		}
	}
	if r.given("train.weight_decay") {
		if o.decay = r.float("train.weight_decay"); !(o.decay >= 0) || math.IsInf(o.decay, 0) {
			r.fault("train.weight_decay", "%s is not 0 or more", r.text("train.weight_decay"))
		}
	}
	switch keep := r.text("train.keep"); keep {
	case "best", "last":
		o.keepBest = keep == "best"
	default:
		r.fault("train.keep", "%q is neither best nor last", keep)
	}
	if o.optimizer != "" && !slices.Contains(optim.Names(), o.optimizer) {
		r.fault("train.optimizer", "%q is unknown; use %s", o.optimizer, strings.Join(optim.Names(), " or "))
	}
	if !slices.Contains(optim.Schedules(), o.schedule) {
		r.fault("train.schedule", "%q is unknown; use %s", o.schedule, strings.Join(optim.Schedules(), ", "))
	}
	if !slices.Contains([]string{"inputs", "constants", "measure"}, o.weights) {
		r.fault("train.weights", "%q is unknown; use inputs, constants or measure", o.weights)
	}
	if !(o.warmup >= 0) {
		r.fault("train.warmup", "%v epochs; give 0 or more", o.warmup)
	}
	if _, err := augmentOf(o.augment, false); err != nil {
		r.fault("train.augment", "%s", err)
	}
	if o.val != "" && o.holdOut > 0 {
		r.fault("train.validation", "both --val and --hold-out are given; give one")
	}
	return o
}

// cropPad is how many pixels crop adds on every side.
const cropPad = 4

// augmentOf reads the list of --augment; an empty one means crop and flip for colour images.
func augmentOf(names []string, colour bool) (data.Augment, error) {
	var a data.Augment
	if len(names) == 0 && colour {
		names = []string{"crop", "flip"}
	}
	for _, name := range names {
		switch strings.TrimSpace(name) {
		case "none":
			if len(names) > 1 {
				return a, errors.New("none stands alone")
			}
		case "crop":
			a.Pad = cropPad
		case "reflect":
			a.Pad, a.Reflect = cropPad, true
		case "flip":
			a.Flip = true
		default:
			return a, fmt.Errorf("%q is unknown; use none, crop, reflect or flip", name)
		}
	}
	return a, nil
}

// optimizerConfig is the optimiser asked for, named by name where the user left it open.
func (o trainOptions) optimizerConfig(name string) optim.Config {
	if o.optimizer != "" {
		name = o.optimizer
	}
	c := optim.DefaultConfig(name)
	if name == "sgd" {
		c.Momentum, c.Nesterov = o.momentum, o.momentum > 0
	}
	if o.decay >= 0 {
		c.WeightDecay = o.decay
	}
	return c
}

// scheduleConfig is the schedule asked for, for so many batches an epoch.
func (o trainOptions) scheduleConfig(rate float64, batches int) optim.Schedule {
	s := optim.DefaultSchedule(o.schedule, rate, int64(o.epochs)*int64(batches))
	s.Warmup = int64(math.Round(o.warmup * float64(batches)))
	return s
}

// loopConfig is the configuration of the loop without optimiser, schedule, fingerprint and choices.
func (a *app) loopConfig(o trainOptions) train.Config {
	c := train.DefaultConfig(o.out)
	c.Resume, c.Epochs, c.Clip, c.Average, c.Processor = o.resume, o.epochs, o.clip, o.ema, a.processor
	c.LogEvery, c.CheckpointEvery, c.ValidateEvery, c.Patience, c.KeepBest = o.logEvery, o.checkpointEvery, o.valEvery, o.patience, o.keepBest
	c.Warn = func(text string) { a.warn("%s", text) }
	return c
}

// loadSet reads a selection of a source into memory.
func (a *app) loadSet(ctx context.Context, source *dataset.Source, indices []int, classes int) (*data.Set, error) {
	options := progress.DefaultOptions(a.progressWriter(), int64(len(indices)), "inputs read")
	bar := progress.New(a.progressWriter(), options)
	defer bar.Close()
	set, err := data.Load(ctx, source, indices, classes, func() { bar.Add(1) })
	if err != nil {
		return nil, err
	}
	if n := set.Skipped(); n > 0 {
		a.warn("%d inputs of %s are unusable and left out", n, set.Info().Name)
	}
	return set, nil
}

// openSets reads the training data and what is held out for validation; held is nil without any.
func (a *app) openSets(ctx context.Context, do dataOptions, o trainOptions, classes int) (set, held *data.Set, err error) {
	source, err := a.openSource(ctx, do.spec, do.options)
	if err != nil {
		return nil, nil, dataError(err)
	}
	indices, err := do.selection.Indices(source.Len())
	if err != nil {
		return nil, nil, usage(err)
	}
	if set, err = a.loadSet(ctx, source, indices, classes); err != nil {
		return nil, nil, err
	}
	switch {
	case o.val != "":
		held, err = a.openHeld(ctx, do, o, classes)
	case o.holdOut > 0:
		if set, held, err = set.Split(o.holdOut, o.seed); err != nil {
			return nil, nil, usage(err)
		}
	}
	if held != nil && o.valMax > 0 {
		held = held.Spread(o.valMax)
	}
	return set, held, err
}

// openHeld reads the data of --val.
func (a *app) openHeld(ctx context.Context, do dataOptions, o trainOptions, classes int) (*data.Set, error) {
	source, err := a.openSource(ctx, o.val, do.options)
	if err != nil {
		return nil, dataError(err)
	}
	selection := dataset.DefaultSelection()
	selection.Skip = o.valSkip
	if o.valMax > 0 {
		// At even distances, since a source may be sorted by class.
		selection.Max, selection.Stride = o.valMax, max(1, (source.Len()-o.valSkip)/o.valMax)
	}
	indices, err := selection.Indices(source.Len())
	if err != nil {
		return nil, usage(err)
	}
	return a.loadSet(ctx, source, indices, classes)
}

// dataError marks a wrong specification as a fault of usage.
func dataError(err error) error {
	if errors.Is(err, dataset.ErrSpec) {
		return usage(err)
	}
	return err
}

// trainSession are the options of sessions that train: all threads in one.
func trainSession(so sessionOptions) runtime.SessionOptions {
	s := so.options()
	s.IntraOp = so.threads
	if s.IntraOp == 0 {
		s.IntraOp = runtime.CPUCount()
	}
	return s
}

// trainingProgress shows a bar of images and a line an epoch. total counts steps of batch images.
func (a *app) trainingProgress(batch int) (report func(train.Progress), done func()) {
	var bar *progress.Bar
	report = func(p train.Progress) {
		if bar == nil {
			options := progress.DefaultOptions(a.progressWriter(), p.Steps*int64(batch), "images")
			options.Done = (p.Step - 1) * int64(batch)
			bar = progress.New(a.progressWriter(), options)
		}
		if !p.EpochDone {
			bar.Add(int64(batch))
			return
		}
		line := fmt.Sprintf("epoch %d/%d: loss %.4f, accuracy under noise %.4f, learning rate %.3g", p.Epoch, p.Epochs, p.Loss, p.Noisy, p.Rate)
		if v := p.Validation; v != nil {
			line += fmt.Sprintf("; held out: %.4f clean, %.4f noisy, average radius %.4f", v.Clean, v.Noisy, v.Score)
			if p.Best {
				line += " (best)"
			}
		}
		bar.Message("%s", line)
	}
	return report, func() {
		if bar != nil {
			bar.Close()
		}
	}
}
