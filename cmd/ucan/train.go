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
	"ucan/train/fit"
	"ucan/train/optim"
)

func newTrainCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train base classifiers under noise, and generators of noise parameters",
		Long: `Train makes what ucan certifies: base classifiers that withstand noise, and generators of noise parameters.
Training runs on onnxruntime, by gradient graphs made of ordinary ONNX operators.`,
		Args: noSuchCommand,
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

// readLoop reads the settings of a training by steps into l; faults are collected by r.
func readLoop(r *values, l *fit.Loop) {
	number := func(key string, low int64) int { return int(r.int(key, low, math.MaxInt32)) }
	l.Epochs, l.Batch, l.Draws = number("train.epochs", 0), number("train.batch", 1), number("train.draws", 1)
	l.Optimizer.Name, l.Optimizer.Momentum = r.text("train.optimizer"), r.float("train.momentum")
	l.Schedule, l.Warmup, l.Clip, l.Average = r.text("train.schedule"), r.float("train.warmup"), r.float("train.clip"), r.float("train.ema")
	l.Mode, l.ValidationDraws = r.text("train.weights"), number("train.val_samples", 1)
	l.ValidateEvery, l.Patience = number("train.val_every", 0), number("train.patience", 0)
	l.CheckpointEvery, l.LogEvery = number("train.checkpoint_every", 1), number("train.log_every", 0)
	if r.given("train.lr") {
		if l.LearningRate = r.float("train.lr"); !(l.LearningRate > 0) || math.IsInf(l.LearningRate, 0) {
			r.fault("train.lr", "%s is not a positive number", r.text("train.lr"))
		}
	}
	if r.given("train.weight_decay") {
		decay := r.float("train.weight_decay")
		if l.Optimizer.Decay = &decay; !(decay >= 0) || math.IsInf(decay, 0) {
			r.fault("train.weight_decay", "%s is not 0 or more", r.text("train.weight_decay"))
		}
	}
	switch keep := r.text("train.keep"); keep {
	case "best", "last":
		l.KeepBest = keep == "best"
	default:
		r.fault("train.keep", "%q is neither best nor last", keep)
	}
	if name := l.Optimizer.Name; name != "" && !slices.Contains(optim.Names(), name) {
		r.fault("train.optimizer", "%q is unknown; use %s", name, strings.Join(optim.Names(), " or "))
	}
	if !slices.Contains(optim.Schedules(), l.Schedule) {
		r.fault("train.schedule", "%q is unknown; use %s", l.Schedule, strings.Join(optim.Schedules(), ", "))
	}
	if !slices.Contains([]string{"inputs", "constants", "measure"}, l.Mode) {
		r.fault("train.weights", "%q is unknown; use inputs, constants or measure", l.Mode)
	}
	if !(l.Warmup >= 0) {
		r.fault("train.warmup", "%v epochs; give 0 or more", l.Warmup)
	}
	if names := r.list("train.augment"); len(names) > 0 {
		augment, err := data.ParseAugment(names)
		if err != nil {
			r.fault("train.augment", "%s", err)
		}
		l.Augment = &augment
	}
}

// readRun reads what all trainings have in common into run, but for the data, which [app.openTraining] opens.
func (a *app) readRun(r *values, so sessionOptions, run *fit.Run) {
	run.Dir, run.Resume = r.text("train.out"), r.flag("train.resume")
	if run.Dir == "" {
		r.fault("train.out", "no bundle to write is given; name a folder")
	}
	if seed, given := seedOf(r); given {
		run.Seed = &seed
	}
	run.Data.HoldOut = int(r.int("train.validation", 0, math.MaxInt32))
	run.Data.ValidationSkip = int(r.int("train.val_skip", 0, math.MaxInt32))
	run.Data.ValidationMax = int(r.int("train.val_max", 0, math.MaxInt32))
	if r.text("train.val") != "" && run.Data.HoldOut > 0 {
		r.fault("train.validation", "both --val and --hold-out are given; give one")
	}
	run.Session, run.Processor = trainSession(so), a.processor
	run.Observer.Warn = func(text string) { a.warn("%s", text) }
	run.Observer.Note = func(text string) { a.note("%s", text) }
	run.Observer.Reading = func(inputs int) (read, done func()) {
		bar := progress.New(a.progressWriter(), progress.DefaultOptions(a.progressWriter(), int64(inputs), "inputs read"))
		return func() { bar.Add(1) }, bar.Close
	}
}

// openTraining opens the runtime and the data of a training.
func (a *app) openTraining(ctx context.Context, so sessionOptions, do dataOptions, run *fit.Run) (*runtime.Runtime, error) {
	if err := run.CheckFolder(); err != nil {
		return nil, err
	}
	rt, err := runtime.Open(ctx, so.runtime)
	if err != nil {
		return nil, err
	}
	a.onClose(rt.Close)
	run.Data.Selection = do.selection
	if run.Data.Source, err = a.openSource(ctx, do.spec, do.options); err == nil {
		if val := a.values().text("train.val"); val != "" {
			run.Data.Validation, err = a.openSource(ctx, val, do.options)
		}
	}
	if errors.Is(err, dataset.ErrSpec) {
		return nil, usage(err)
	}
	return rt, err
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
