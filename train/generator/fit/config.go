package fit

import (
	"errors"
	"fmt"

	"ucan/npg/net"
	"ucan/smooth/family"
	"ucan/train"
	"ucan/train/data"
	"ucan/train/generator"
	"ucan/train/optim"
)

// Config says what is learned and how. Begin with [DefaultConfig].
type Config struct {
	// Loop says how the run goes: its Dir is the bundle's folder, in which there must be no run unless it resumes. Its
	// optimiser, schedule, fingerprint and choices are filled in.
	Loop train.Config
	// Net is the generator; its Shape and Seed are filled in.
	Net net.Config
	// Joint trains the classifier along, its learning rate JointRate times the generator's.
	Joint     bool
	JointRate float64
	// Family, Lambda and Norm are the noise that the fields shape and the theorem that estimates use.
	Family family.Isotropic
	Lambda float64
	Norm   family.Norm
	// Batch is the number of inputs of a step, Draws that of noisy copies of each.
	Batch, Draws int
	// Loss is what is minimised.
	Loss generator.Loss
	// Optimizer moves the weights; LearningRate is the schedule's peak, Warmup the epochs in which it rises.
	Optimizer    optim.Config
	Schedule     string
	LearningRate float64
	Warmup       float64
	// Augment varies the images.
	Augment data.Augment
	// ValidationDraws is the number of noisy copies of each held-out input.
	ValidationDraws int
	// DiagnosisInputs is how many inputs the diagnosis looks at.
	DiagnosisInputs int
	// Mode is how changing weights reach the runtime: "inputs", "constants" or "measure".
	Mode string
	// Threads is that of the sessions.
	Threads int
	// Seed decides weights, order and noise; a resumed run keeps its own.
	Seed uint64
	// Record is added to the training record of the bundle: what only the caller knows.
	Record map[string]any
}

// DefaultConfig returns settings for a kind of generator that learn something useful on MNIST within minutes.
func DefaultConfig(kind net.Kind) Config {
	c := Config{
		Net: net.DefaultConfig(), JointRate: 1,
		Loop: train.DefaultConfig(""), Batch: 128, Draws: 1, Loss: generator.DefaultLoss(),
		Optimizer: optim.DefaultConfig("adamw"), Schedule: "cosine", LearningRate: 1e-3, Mode: "inputs",
		ValidationDraws: 64, DiagnosisInputs: 100, Threads: 1,
	}
	c.Net.Kind = kind
	c.Loop.Epochs, c.Loop.KeepBest = 5, false
	c.Optimizer.WeightDecay = 0
	switch kind {
	case net.Dataset:
		c.LearningRate = 1e-4
	case net.Pattern:
		c.LearningRate = 3e-2
	}
	return c
}

// usualSteps is how many steps a run takes at least unless it is told how many: enough for every kind to take shape.
const usualSteps = 400

// Epochs is the usual number of passes over so many inputs in batches of a size: those of [DefaultConfig], or more where
// the data are few.
func Epochs(kind net.Kind, inputs, batch int) int {
	least := DefaultConfig(kind).Loop.Epochs
	if batch < 1 || inputs < batch {
		return least // what is wrong is said elsewhere
	}
	steps := inputs / batch
	return max(least, (usualSteps+steps-1)/steps)
}

// Validate reports every fault that shows without data or model.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Loop.Dir != "", "no folder for the bundle is given")
	check(c.Family != nil && c.Lambda > 0, "no noise, or none of a positive scale, is given")
	check(c.Batch >= 1 && c.Draws >= 1 && c.ValidationDraws >= 1, "steps of %d inputs with %d draws, and %d for validation; each must be 1 or more", c.Batch, c.Draws, c.ValidationDraws)
	check(c.DiagnosisInputs >= 1, "a diagnosis on %d inputs; give 1 or more", c.DiagnosisInputs)
	check(c.Warmup >= 0, "warm-up over %v epochs; give 0 or more", c.Warmup)
	check(!c.Joint || c.JointRate > 0, "the classifier's learning rate is %v times the generator's; give a positive factor", c.JointRate)
	check(c.Threads >= 1, "%d threads; give 1 or more", c.Threads)
	check(c.Net.Basis != net.DCT || c.Family == nil || c.Family.Name() == "gaussian",
		"noise in the basis %s is Gaussian, not %v: only that is certified there", net.DCT, nameOf(c.Family))
	if len(errs) == 0 {
		return nil
	}
	text := errs[0].Error()
	for _, e := range errs[1:] {
		text += "; " + e.Error()
	}
	return fmt.Errorf("%w: %w", ErrConfig, errors.New(text))
}

// ErrConfig marks settings that are wrong in themselves.
var ErrConfig = errors.New("train a generator")

func nameOf(f family.Family) string {
	if f == nil {
		return "none"
	}
	return f.Name()
}
