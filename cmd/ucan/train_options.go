package main

import (
	"math"

	"ucan/runtime/autodiff"
	"ucan/train/data"
	"ucan/train/fit"
	"ucan/train/optim"
)

// trainOptions are those that every kind of training has.
type trainOptions struct {
	run        fit.Run
	loop       fit.Loop
	data       dataOptions
	session    sessionOptions
	seed       seedOptions
	validation string // data to validate on

	smoothing, consistency, entropy float64

	keep    string
	augment []string
	rate    *float64 // nil for the usual one
}

const keepBest = "best"

func (t *trainOptions) declare(o *options) {
	t.declareData(o)
	t.seed.declare(o)
	o.in(trainingSection)
	t.declareSteps(o)
	t.declareRate(o)
	o.text(&t.keep, "train.keep", "keep", keepBest, "weights to keep: best (of the validations) or last").oneOf(keepBest, "last")
	modes := []string{string(autodiff.WeightsAsInputs), string(autodiff.WeightsAsConstants), "measure"}
	o.text(&t.loop.Mode, "train.weights", "weights", modes[0], "how changing weights reach the runtime: inputs, constants (a new session every step) or measure").oneOf(modes...)
	o.in(outputSection)
	o.text(&t.run.Dir, "train.out", "out", "", "bundle to write: a folder with the model, its record, log and checkpoints").as("o").output()
	o.on(&t.run.Resume, "train.resume", "resume", "go on with the training in the bundle; begins it where there is none")
}

// declareData declares what is trained and validated on.
func (t *trainOptions) declareData(o *options) {
	t.data.declare(o)
	o.drop(&t.data.maxFailures, &t.data.force)
	d := &t.run.Data
	o.text(&t.validation, "train.val", "val", "", "data to validate on").offers(sourceNames).orFiles()
	o.count(&d.ValidationSkip, "train.val_skip", "val-skip", 0, 0, math.MaxInt32, "drop the first K inputs of --val")
	o.count(&d.ValidationMax, "train.val_max", "val-max", 250, 0, math.MaxInt32, "validate on at most N images, at even distances (0: all)")
	o.count(&d.HoldOut, "train.validation", "hold-out", 0, 0, math.MaxInt32, "without --val, hold out N images of the training data, drawn by the seed, for validation")
	o.words(&t.augment, "train.augment", "augment", nil, "none, or a list of crop (pad by 4 zeros, cut at random), reflect (the same with mirrored borders) and flip (default: crop,flip for colour images, none for others)")
}

// declareSteps declares how many steps there are and what happens between them.
func (t *trainOptions) declareSteps(o *options) {
	l := &t.loop
	o.count(&l.Epochs, "train.epochs", "epochs", 0, 0, math.MaxInt32, "passes over the data (0: 20 for a base classifier)")
	o.count(&l.Batch, "train.batch", "batch", 128, 1, math.MaxInt32, "images a step").as("b")
	o.count(&l.Draws, "train.draws", "draws", 1, 1, math.MaxInt32, "noise draws for each image of a step")
	o.count(&l.ValidationDraws, "train.val_samples", "val-samples", 16, 1, math.MaxInt32, "noise draws an image of the validation's estimate")
	o.count(&l.ValidateEvery, "train.val_every", "val-every", 1, 0, math.MaxInt32, "validate every so many epochs (0: only at the end)")
	o.count(&l.Patience, "train.patience", "patience", 0, 0, math.MaxInt32, "stop after so many validations without a better one (0: never)")
	o.count(&l.CheckpointEvery, "train.checkpoint_every", "checkpoint-every", 200, 1, math.MaxInt32, "steps between checkpoints")
	o.count(&l.LogEvery, "train.log_every", "log-every", 0, 0, math.MaxInt32, "write a line of the log every so many steps, beside those of epochs")
}

// declareRate declares what is minimised and how weights move.
func (t *trainOptions) declareRate(o *options) {
	l := &t.loop
	o.maybeFloat(&t.rate, "train.lr", "lr", "learning rate at its peak (default: 0.1 for sgd, 0.001 for adamw; a tenth of that with --init)")
	o.text(&l.Optimizer.Name, "train.optimizer", "optimizer", "", "sgd or adamw (default: sgd for base classifiers with batch normalisation, otherwise adamw)").oneOf(optim.Names()...)
	o.float(&l.Optimizer.Momentum, "train.momentum", "momentum", 0.9, "momentum of sgd, taken after Nesterov")
	o.maybeFloat(&l.Optimizer.Decay, "train.weight_decay", "weight-decay", "weight decay (default: 0.0005 for sgd, 0.01 for adamw)")
	o.text(&l.Schedule, "train.schedule", "schedule", "cosine", "how the learning rate moves: constant, step (a tenth at 1/2 and 3/4), cosine or onecycle").oneOf(optim.Schedules()...)
	o.float(&l.Warmup, "train.warmup", "warmup", 0, "epochs of linear rise to the learning rate")
	o.float(&l.Clip, "train.clip", "clip", 0, "largest norm of all gradients together (0: any)")
	o.float(&l.Average, "train.ema", "ema", 0, "decay of the moving average of weights, such as 0.999; the average is then what is kept (0: none)")
	o.float(&t.smoothing, "train.smoothing", "label-smoothing", 0, "share of the label's probability spread over all classes")
	o.float(&t.consistency, "train.consistency", "consistency", 0, "weight of the consistency term (needs --draws 2 or more)")
	o.float(&t.entropy, "train.consistency_entropy", "consistency-entropy", 0.5, "weight of the mean prediction's entropy beside that term")
}

func (t *trainOptions) check(f *faults) {
	t.data.check(f)
	t.session.check(f)
	t.seed.check(f)
	if t.seed.given {
		t.run.Seed = &t.seed.value
	}
	if t.run.Dir == "" {
		f.add(&t.run.Dir, "no bundle to write is given; name a folder")
	}
	if t.validation != "" && t.run.Data.HoldOut > 0 {
		f.add(&t.run.Data.HoldOut, "both --val and --hold-out are given; give one")
	}
	l := &t.loop
	l.KeepBest = t.keep == keepBest
	if t.rate != nil {
		if l.LearningRate = *t.rate; !(l.LearningRate > 0) || math.IsInf(l.LearningRate, 0) {
			f.add(&t.rate, "%v is out of range: give a positive, finite number", l.LearningRate)
		}
	}
	if decay := l.Optimizer.Decay; decay != nil && (!(*decay >= 0) || math.IsInf(*decay, 0)) {
		f.add(&l.Optimizer.Decay, "%v is out of range: give 0 or more", *decay)
	}
	if !(l.Warmup >= 0) {
		f.add(&l.Warmup, "%v is out of range: give 0 or more epochs", l.Warmup)
	}
	if len(t.augment) > 0 {
		augment, err := data.ParseAugment(t.augment)
		if err != nil {
			f.add(&t.augment, "%w", err)
		}
		l.Augment = &augment
	}
}
