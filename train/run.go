package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"ucan/runtime/processor"
	"ucan/train/checkpoint"
	"ucan/train/optim"
)

// CheckpointDir is the folder of checkpoints in a run's folder.
const CheckpointDir = "checkpoint"

// counters are where a run stands: the header of its checkpoints.
type counters struct {
	Fingerprint string            `json:"fingerprint"`
	Choices     map[string]string `json:"choices"`
	// Processors are the kinds of processor that took steps; checkpoints of earlier versions have
	// none.
	Processors []string `json:"processors,omitempty"`
	// Step is the number of steps taken, Tally the sums over those of the present epoch.
	Step  int64 `json:"step"`
	Tally tally `json:"tally"`
	// Loss and Noisy are those of the last whole epoch.
	Loss  float64 `json:"loss"`
	Noisy float64 `json:"noisy"`
	// Best is the best validation, at the end of BestEpoch; Stale counts validations since.
	Best      *Validation `json:"best"`
	BestEpoch int         `json:"best_epoch"`
	Stale     int         `json:"stale"`
	Stopped   bool        `json:"stopped"`
	// LogBytes is the length of the log when the checkpoint was made.
	LogBytes int64   `json:"log_bytes"`
	Seconds  float64 `json:"seconds"`
}

// Stored returns the choices that the newest whole checkpoint of a run in dir was made with; ok is
// false when there is none. Make the objective of a resumed run with them.
func Stored(dir string) (choices map[string]string, ok bool) {
	c, _ := checkpoint.Load(filepath.Join(dir, CheckpointDir)) // Run reports a damaged one
	var at counters
	if c == nil || c.Run(&at) != nil {
		return nil, false
	}
	return at.Choices, true
}

// loop is a run under way.
type loop struct {
	config    Config
	objective Objective
	validator Validator
	feed      Feed

	parameters []optim.Parameter
	optimizer  optim.Optimizer
	norm       *optim.Norm
	average    *optim.Average // nil for none
	live       []optim.Tensor // parameters and state
	best       []optim.Tensor // of the best validation; empty memory until there is one
	log        *logFile

	at        counters
	ending    bool // an epoch's last step is taken, and the epoch not yet closed
	savedStep int64
	savedAt   time.Time
	begun     time.Time // of this process
	before    float64   // seconds of earlier ones
}

// Run trains until the last epoch, early stopping, or the end of ctx, in which case it leaves a
// checkpoint and returns ctx's error. Afterwards the objective holds the weights to keep: those of
// the best validation, the moving averages, or the last ones. Run on a finished run restores them
// and takes no step, so what follows a run can be repeated.
//
// validator may be nil. Runs with the same fingerprint, however often interrupted and resumed, end
// with the same values bit for bit, as long as objective and feed keep their promises.
func Run(ctx context.Context, c Config, objective Objective, validator Validator, feed Feed) (_ Result, err error) {
	if err = c.Validate(feed.Batches()); err != nil {
		return Result{}, err
	}
	l := &loop{config: c, objective: objective, validator: validator, feed: feed}
	if err = l.prepare(); err != nil {
		return Result{}, err
	}
	if err = l.restore(); err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, l.log.file.Close()) }()
	if err = l.train(ctx); err != nil {
		return Result{}, err
	}
	return l.finish(), nil
}

// prepare makes everything that has the size of the weights.
func (l *loop) prepare() error {
	c := l.config
	l.parameters = l.objective.Parameters()
	var err error
	if l.optimizer, err = optim.New(c.Optimizer, l.parameters); err != nil {
		return err
	}
	l.norm = optim.NewNorm(l.parameters)
	for _, p := range l.parameters {
		l.live = append(l.live, optim.Tensor{Name: p.Name, Values: p.Values})
	}
	for _, s := range l.objective.State() {
		l.live = append(l.live, optim.Tensor{Name: "state/" + s.Name, Values: s.Values})
	}
	if c.Average > 0 {
		if l.average, err = optim.NewAverage(c.Average, l.live); err != nil {
			return err
		}
	}
	if l.keepsBest() {
		for _, t := range l.live {
			l.best = append(l.best, optim.Tensor{Name: "best/" + t.Name, Values: make([]float32, len(t.Values))})
		}
	}
	return nil
}

func (l *loop) keepsBest() bool { return l.config.KeepBest && l.validator != nil }

// tensors are all that a checkpoint holds.
func (l *loop) tensors() []optim.Tensor {
	out := append([]optim.Tensor{}, l.live...)
	out = append(out, l.optimizer.State()...)
	if l.average != nil {
		out = append(out, l.average.State()...)
	}
	return append(out, l.best...)
}

// restore brings the run to its newest checkpoint, or to its beginning, where it makes the first.
func (l *loop) restore() error {
	var found *checkpoint.Checkpoint
	if l.config.Resume {
		var damaged error
		found, damaged = checkpoint.Load(filepath.Join(l.config.Dir, CheckpointDir))
		if damaged != nil {
			l.warn("%v; continuing from what is whole", damaged)
		}
	}
	if found != nil {
		if err := l.take(found); err != nil {
			return err
		}
	} else {
		l.at = counters{Fingerprint: l.config.Fingerprint, Choices: l.config.Choices}
	}
	l.noteProcessor()
	l.before, l.begun = l.at.Seconds, l.config.Now()
	var short bool
	var err error
	if l.log, short, err = openLog(l.config.Dir, l.at.LogBytes); err != nil {
		return err
	}
	if short {
		l.warn("the training log has lost lines of before; the run itself has not")
	}
	l.savedStep, l.savedAt = l.at.Step, l.begun
	if found == nil {
		return l.save()
	}
	return nil
}

// take restores a checkpoint.
func (l *loop) take(c *checkpoint.Checkpoint) error {
	var at counters
	if err := c.Run(&at); err != nil {
		return err
	}
	if at.Fingerprint != l.config.Fingerprint {
		return fmt.Errorf("resume the run in %q: %w; use the same ones, or another folder", filepath.Base(l.config.Dir), ErrMismatch)
	}
	if err := c.Restore(l.tensors()); err != nil {
		return fmt.Errorf("resume the run in %q: %w", filepath.Base(l.config.Dir), err)
	}
	l.at = at
	return nil
}

// noteProcessor adds the present kind of processor to those of the run, unless no step is left to
// take.
func (l *loop) noteProcessor() {
	here := l.config.Processor
	if here == "" || l.at.Stopped || l.at.Step == l.config.Schedule.Steps {
		return
	}
	for _, kind := range l.at.Processors {
		if processor.Changed(kind, here) {
			l.warn("the run was begun on %s and continues on %s, whose kernels sum in another order: its result will differ in bytes from a run on either alone", kind, here)
			break
		}
	}
	if !slices.Contains(l.at.Processors, here) {
		l.at.Processors = append(l.at.Processors, here)
	}
}

func (l *loop) warn(format string, args ...any) {
	if l.config.Warn != nil {
		l.config.Warn(fmt.Sprintf(format, args...))
	}
}

// save makes a checkpoint of the present state. What it says of the log is on disk before.
func (l *loop) save() error {
	if err := l.log.file.Sync(); err != nil {
		return fmt.Errorf("write the training log: %w", err)
	}
	now := l.config.Now()
	l.at.LogBytes, l.at.Seconds = l.log.size, l.seconds(now)
	if err := checkpoint.Save(filepath.Join(l.config.Dir, CheckpointDir), l.at, l.tensors()); err != nil {
		return err
	}
	l.savedStep, l.savedAt = l.at.Step, now
	return nil
}

func (l *loop) seconds(now time.Time) float64 { return l.before + now.Sub(l.begun).Seconds() }

// train takes the steps that are left.
func (l *loop) train(ctx context.Context) error {
	for l.at.Step < l.config.Schedule.Steps && !l.at.Stopped {
		err := ctx.Err()
		if err == nil {
			err = l.step(ctx)
		}
		if err == nil {
			err = l.saveWhenDue()
		}
		if err == nil {
			continue
		}
		if ctx.Err() == nil {
			return err
		}
		// Interrupted. A step that ended too early has changed nothing; an epoch whose end was not
		// reached is not saved.
		if err = context.Cause(ctx); !l.ending {
			err = errors.Join(err, l.save())
		}
		return err
	}
	return nil
}

// saveWhenDue makes a checkpoint every so many steps, and at the end of long epochs and of the run.
func (l *loop) saveWhenDue() error {
	const longAgo = 10 * time.Second
	epochDone := l.at.Step%int64(l.feed.Batches()) == 0
	done := l.at.Stopped || l.at.Step == l.config.Schedule.Steps
	if l.at.Step-l.savedStep >= int64(l.config.CheckpointEvery) || done || epochDone && l.config.Now().Sub(l.savedAt) >= longAgo {
		return l.save()
	}
	return nil
}

// step takes one step and, after the last of an epoch, ends the epoch. When the step itself fails,
// weights and state are as they were.
func (l *loop) step(ctx context.Context) error {
	batches := int64(l.feed.Batches())
	batch, err := l.feed.Batch(ctx, int(l.at.Step/batches), int(l.at.Step%batches))
	if err != nil {
		return err
	}
	metrics, err := l.objective.Step(ctx, batch)
	if err != nil {
		return fmt.Errorf("training step %d: %w", l.at.Step+1, err)
	}
	norm := l.norm.Of()
	if math.IsNaN(metrics.Loss) || math.IsInf(metrics.Loss, 0) || math.IsNaN(norm) || math.IsInf(norm, 0) {
		return fmt.Errorf("training step %d: %w: the loss is %v, the gradients' norm %v; lower the learning rate, warm up, or clip gradients", l.at.Step+1, ErrDiverged, metrics.Loss, norm)
	}
	rate := l.config.Schedule.Rate(l.at.Step)
	l.at.Step++
	l.optimizer.Update(optim.Update{Step: l.at.Step, Rate: rate, Scale: optim.ClipScale(norm, l.config.Clip)})
	if l.average != nil {
		l.average.Update(l.at.Step)
	}
	l.at.Tally.add(metrics, norm)
	if k := int64(l.config.LogEvery); k > 0 && l.at.Step%k == 0 {
		if err = l.logStep(metrics, rate, norm); err != nil {
			return err
		}
	}
	l.report(Progress{Epoch: l.epoch(), Loss: metrics.Loss, Noisy: metrics.Noisy, Rate: rate})
	if l.at.Step%batches != 0 {
		return nil
	}
	l.ending = true
	if err = l.endEpoch(ctx, metrics.Extra, rate); err == nil {
		l.ending = false
	}
	return err
}

// epoch is the number, from 1, of the epoch that the last step belongs to.
func (l *loop) epoch() int { return int((l.at.Step-1)/int64(l.feed.Batches())) + 1 }

// report fills in what every report has.
func (l *loop) report(p Progress) {
	if l.config.Report == nil {
		return
	}
	p.Epochs, p.Step, p.Steps = l.config.Epochs, l.at.Step, l.config.Schedule.Steps
	p.Seconds = l.seconds(l.config.Now())
	l.config.Report(p)
}

func (l *loop) logStep(m Metrics, rate, norm float64) error {
	fields := []field{{"kind", "step"}, {"epoch", l.epoch()}, {"step", l.at.Step}}
	fields = append(fields, m.fields()...)
	fields = append(fields, field{"rate", rate}, field{"gradient_norm", norm}, field{"seconds", l.rounded()})
	return l.log.write(fields)
}

// rounded is the time so far in milliseconds' precision.
func (l *loop) rounded() float64 { return math.Round(l.seconds(l.config.Now())*1e3) / 1e3 }
