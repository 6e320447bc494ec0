package fit

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ucan/internal/fault"
	"ucan/models/denoise"
	"ucan/npg/bundle"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/files"
	"ucan/train"
	"ucan/train/base"
	"ucan/train/checkpoint"
	"ucan/train/data"
	"ucan/train/optim"
)

// Run configures what all trainings have in common.
type Run struct {
	// Dir is the bundle's folder. Resume continues the training in it, and begins one where there
	// is none; without it there must be none.
	Dir    string
	Resume bool
	// Seed decides weights, order and noise. Nil takes that of the training that is resumed, or a
	// new one.
	Seed *uint64
	// Data are the inputs.
	Data Data
	// Session configures sessions; IntraOp is the number of threads of a training, ≥ 1, which may
	// change last bits.
	Session runtime.SessionOptions
	// Processor is the kind of processor that trains (processor.Processor), "" for unknown.
	Processor string
	// Observer is told how the training goes.
	Observer Observer
}

// Observer is told how a training goes. All of its functions may be nil.
type Observer struct {
	// Reading is told how many inputs are about to be read; read is called after each, and done at
	// the end.
	Reading func(inputs int) (read, done func())
	// Step is told of every step and epoch, Field of the number of inputs whose field is done.
	Step  func(train.Progress)
	Field func(done, total int)
	// Note is told what is under way, Warn what may change how the result is read.
	Note, Warn func(text string)
}

func (o Observer) note(format string, args ...any) {
	if o.Note != nil {
		o.Note(fmt.Sprintf(format, args...))
	}
}

func (o Observer) warn(format string, args ...any) {
	if o.Warn != nil {
		o.Warn(fmt.Sprintf(format, args...))
	}
}

// CheckFolder refuses a folder that holds a training unless it is to be resumed. The functions of
// this package check it too; call it before work that takes long.
func (r Run) CheckFolder() error {
	if r.Dir == "" {
		return fault.Wrongf("no folder for the bundle is given")
	}
	if r.Resume {
		return nil
	}
	for _, name := range []string{bundle.ManifestName, base.RecordFile, base.ModelFile, denoise.RecordFile, denoise.ModelFile, train.LogName, train.CheckpointDir} {
		switch _, err := os.Lstat(filepath.Join(r.Dir, name)); {
		case err == nil:
			return fault.Wrongf("train into %q: the folder holds a bundle already; pass --resume to continue it, or name another folder", r.Dir)
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("look into the bundle: %w", err)
		}
	}
	return nil
}

// lock takes the bundle's folder, which it makes, until release is called.
func (r Run) lock() (release func() error, err error) {
	return checkpoint.Lock(filepath.Join(r.Dir, train.CheckpointDir))
}

// origin is what the bundle's folder says of the training that is resumed; the zero value without
// one.
type origin struct {
	record  *base.Record      // of a base classifier
	choices map[string]string // of the newest checkpoint
	seed    string
}

// Choices of a training that its checkpoints store.
const (
	choiceSeed    = "seed"
	choiceMode    = "weights"
	choiceThreads = "threads"
)

// seedFile keeps the seed of fields that are optimised input by input, beside them.
const seedFile = "seed"

// stored reads what a resumed training must keep.
func (r Run) stored() (o origin, err error) {
	if !r.Resume {
		return o, nil
	}
	o.choices, _ = train.Stored(r.Dir)
	o.seed = o.choices[choiceSeed]
	if text, seedErr := files.Read(filepath.Join(r.Dir, train.CheckpointDir, seedFile), files.MaxRecord); seedErr == nil {
		o.seed = strings.TrimSpace(string(text))
	}
	record, err := base.ReadRecord(r.Dir)
	switch {
	case err == nil:
		o.record = &record
		o.seed, _ = record.Configuration["seed"].(string)
	case errors.Is(err, base.ErrRecord):
		r.Observer.warn("%v; continuing from its checkpoints", err)
	case !errors.Is(err, fs.ErrNotExist):
		return o, err
	}
	return o, nil
}

// fixSeed sets the seed: that of the training that is resumed, the one given, or a new one.
func (r *Run) fixSeed(o origin) error {
	if o.seed == "" {
		if r.Seed == nil {
			seed := rand.Uint64()
			r.Seed = &seed
		}
		return nil
	}
	stored, err := strconv.ParseUint(o.seed, 10, 64)
	if err != nil {
		return fmt.Errorf("resume %q: its seed %q is damaged; train into another folder", r.Dir, o.seed)
	}
	if r.Seed != nil && *r.Seed != stored {
		return fault.Wrongf("resume %q: it was begun with the seed %d, not %d; leave --seed out, or name another folder", r.Dir, stored, *r.Seed)
	}
	r.Seed = &stored
	return nil
}

// begin checks the folder, reads what a resumed training must keep, and fixes the seed.
func (r *Run) begin() (origin, error) {
	if err := r.CheckFolder(); err != nil {
		return origin{}, err
	}
	o, err := r.stored()
	if err == nil {
		err = r.fixSeed(o)
	}
	return o, err
}

// Loop configures a training by steps.
type Loop struct {
	// Loop has 0 epochs for the usual number.
	train.Loop
	// Batch is the number of inputs of a step, Draws that of noisy copies of each.
	Batch, Draws int
	// Optimizer moves the weights; LearningRate is the schedule's peak, 0 for the usual one, and
	// Warmup the epochs in which it rises.
	Optimizer    Optimizer
	Schedule     string
	LearningRate float64
	Warmup       float64
	// Augment varies the images; nil for what is usual.
	Augment *data.Augment
	// Mode is how changing weights reach the runtime: "inputs", "constants" or "measure".
	Mode string
	// ValidationDraws is the number of noisy copies of each held-out input.
	ValidationDraws int
}

// DefaultLoop returns the usual settings.
func DefaultLoop() Loop {
	return Loop{
		Loop: train.DefaultConfig("").Loop, Batch: 128, Draws: 1, Optimizer: Optimizer{Momentum: optim.DefaultConfig("sgd").Momentum},
		Schedule: "cosine", Mode: string(autodiff.WeightsAsInputs), ValidationDraws: 16,
	}
}

// Optimizer chooses an optimiser.
type Optimizer struct {
	// Name is one of optim.Names, "" for the usual one.
	Name string
	// Momentum is that of SGD, taken after Nesterov unless it is 0.
	Momentum float64
	// Decay is the weight decay; nil for the usual one.
	Decay *float64
}

// config is the optimiser's configuration; usual is its name, and decay its weight decay, where the
// user left them open. A nil decay stands for the optimiser's own.
func (o Optimizer) config(usual string, decay *float64) optim.Config {
	if o.Name != "" {
		usual = o.Name
	}
	c := optim.DefaultConfig(usual)
	if usual == "sgd" {
		c.Momentum, c.Nesterov = o.Momentum, o.Momentum > 0
	}
	if o.Decay != nil {
		decay = o.Decay
	}
	if decay != nil {
		c.WeightDecay = *decay
	}
	return c
}

// trainConfig is the configuration of the training loop for epochs of so many batches.
func (l Loop) trainConfig(r Run, optimizer optim.Config, rate float64, batches int) train.Config {
	c := train.DefaultConfig(r.Dir)
	c.Loop, c.Resume, c.Processor = l.Loop, r.Resume, r.Processor
	c.Report, c.Warn = r.Observer.Step, r.Observer.Warn
	c.Optimizer = optimizer
	c.Schedule = optim.DefaultSchedule(l.Schedule, rate, int64(l.Epochs)*int64(batches))
	c.Schedule.Warmup = int64(math.Round(l.Warmup * float64(batches)))
	return c
}

// marked gives the errors of training their kinds.
func marked(err error) error {
	switch {
	case errors.Is(err, optim.ErrConfig), errors.Is(err, train.ErrMismatch):
		return fault.Mark(fault.Wrong, err)
	case errors.Is(err, autodiff.ErrNotDifferentiable):
		return fault.Mark(fault.Refused, err)
	}
	return err
}
