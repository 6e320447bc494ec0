package train

import (
	"errors"
	"fmt"
	"time"

	"ucan/train/optim"
)

// Loop configures how long a run goes on and how it keeps track.
type Loop struct {
	// Epochs is the number of passes over the data, ≥ 1.
	Epochs int
	// Clip is the largest norm of all gradients together, 0 for any.
	Clip float64
	// Average is the decay of the moving average of weights, in (0, 1), which is then what is
	// validated and kept; 0 for none.
	Average float64
	// LogEvery writes a line to the log every so many steps beside those of epochs; 0 for none.
	LogEvery int
	// CheckpointEvery is the number of steps between checkpoints, ≥ 1. There is one at the end of
	// an epoch as well when the last is older than ten seconds.
	CheckpointEvery int
	// ValidateEvery validates every so many epochs, and after the last; 0 only then.
	ValidateEvery int
	// Patience stops the run after so many validations in a row without a better score; 0 for
	// never.
	Patience int
	// KeepBest ends with the weights of the best validation in place of the last ones.
	KeepBest bool
}

// Config configures a run. [DefaultConfig] holds usual numbers.
type Config struct {
	Loop
	// Dir is the folder of the run: train.jsonl and checkpoint/ are written there. The caller holds
	// the lock of its folder of checkpoints (checkpoint.Lock).
	Dir string
	// Resume continues from the newest whole checkpoint in Dir, from the beginning where there is
	// none. Without it the run begins anew over whatever lies there.
	Resume bool
	// Fingerprint names everything that decides the run's bytes: a digest of settings and data. A
	// checkpoint with another one is not resumed ([ErrMismatch]).
	Fingerprint string
	// Choices are what was chosen by measurement and can change bits, such as how weights reach the
	// runtime; the first checkpoint, before the first step, stores them, and [Stored] gives them to
	// a resumed run.
	Choices map[string]string
	// Processor is the kind of processor that takes the steps (processor.Processor), "" for
	// unknown. Checkpoints store all kinds; a run that is resumed on another one continues, and
	// Warn is told that its bytes are no longer promised.
	Processor string

	// Optimizer and Schedule configure how weights move; Schedule.Steps must be Epochs times the
	// feed's batches.
	Optimizer optim.Config
	Schedule  optim.Schedule

	// Report, where not nil, is told of every step and epoch.
	Report func(Progress)
	// Warn, where not nil, is told what a user should know, such as a damaged checkpoint that was
	// passed over.
	Warn func(text string)
	// Now is the clock.
	Now func() time.Time
}

// DefaultConfig returns a configuration for a run in dir that checkpoints every 200 steps,
// validates after every epoch and keeps the best weights; epochs, schedule and optimiser are the
// caller's to fill in.
func DefaultConfig(dir string) Config {
	return Config{Loop: Loop{CheckpointEvery: 200, ValidateEvery: 1, KeepBest: true}, Dir: dir, Now: time.Now}
}

// Errors that callers tell apart.
var (
	// ErrMismatch says that a checkpoint belongs to a run with other settings.
	ErrMismatch = errors.New("it was made with other settings")
	// ErrDiverged says that the loss or a gradient is no longer a number.
	ErrDiverged = errors.New("training diverged")
)

// Validate reports what is wrong with c for a feed of so many batches an epoch.
func (c Config) Validate(batches int) error {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", optim.ErrConfig, fmt.Sprintf(format, args...))
	}
	switch {
	case c.Dir == "":
		return fault("no folder for the run is given")
	case c.Epochs < 1:
		return fault("%d epochs; give 1 or more", c.Epochs)
	case c.Schedule.Steps != int64(c.Epochs)*int64(batches):
		return fault("the schedule is for %d steps and the run has %d epochs of %d", c.Schedule.Steps, c.Epochs, batches)
	case !(c.Clip >= 0):
		return fault("gradients clipped at norm %v; give 0 for no clipping, or more", c.Clip)
	case !(c.Average >= 0 && c.Average < 1):
		return fault("the decay of the weights' average is %v; give 0 for none, or less than 1", c.Average)
	case c.CheckpointEvery < 1:
		return fault("a checkpoint every %d steps; give 1 or more", c.CheckpointEvery)
	case c.LogEvery < 0 || c.ValidateEvery < 0 || c.Patience < 0:
		return fault("a number of steps, epochs or validations is negative")
	case c.Now == nil:
		return fault("there is no clock; start from DefaultConfig")
	}
	return errors.Join(c.Optimizer.Validate(), c.Schedule.Validate())
}

// Progress is what Report is told.
type Progress struct {
	// Epoch counts from 1; Step is the number of steps taken, of Steps in all.
	Epoch, Epochs int
	Step, Steps   int64
	// Loss and Noisy are those of the step, or of the epoch where EpochDone is set.
	Loss, Noisy float64
	// Rate is the learning rate of the step.
	Rate float64
	// EpochDone says that an epoch ended; Validation is then its outcome, where it was validated,
	// Best whether it is the best so far.
	EpochDone  bool
	Validation *Validation
	Best       bool
	// Seconds is the time spent training, over all processes of the run.
	Seconds float64
}

// Result is how a run ended.
type Result struct {
	// Steps and Epochs were taken; fewer than asked for when Stopped early.
	Steps   int64
	Epochs  int
	Stopped bool
	// Loss and Noisy are those of the last epoch.
	Loss, Noisy float64
	// Best is the validation of the weights that were kept, at the end of BestEpoch (from 1); nil
	// without one.
	Best      *Validation
	BestEpoch int
	// Processors are the kinds of processor that took steps, in the order in which they began to;
	// empty where unknown.
	Processors []string
	// Seconds is the time spent, over all processes of the run.
	Seconds float64
}
