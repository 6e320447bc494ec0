package optim

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Tensor is memory that a checkpoint stores and restores, under a name.
type Tensor struct {
	// Name tells the tensor from the others of a checkpoint.
	Name string
	// Values are shared: writing to them restores what they belong to.
	Values []float32
}

// Optimizer moves parameters against their gradients.
type Optimizer interface {
	// Update changes the values of all parameters by their present gradients.
	Update(u Update)
	// State returns what the optimiser remembers from step to step beside the step's number. With
	// the values in it restored, it goes on exactly.
	State() []Tensor
}

// Update configures one step.
type Update struct {
	// Step is the number of this step, from 1.
	Step int64
	// Rate is the learning rate, ≥ 0; every parameter's own Rate multiplies it.
	Rate float64
	// Scale multiplies the gradients first: 1, or less where they are clipped.
	Scale float64
}

// Config configures an optimiser. [DefaultConfig] holds the usual numbers.
type Config struct {
	// Name is "sgd" or "adamw".
	Name string
	// Momentum of SGD, in [0, 1).
	Momentum float64
	// Nesterov takes SGD's step from where the momentum leads; it needs a momentum.
	Nesterov bool
	// Beta1 and Beta2 are the decay rates of Adam's first and second moment, in [0, 1).
	Beta1, Beta2 float64
	// Epsilon is added to the root of Adam's second moment, > 0.
	Epsilon float64
	// WeightDecay is ≥ 0. SGD adds it times the weights to the gradients, as is usual; Adam's is
	// decoupled: the weights shrink by rate·WeightDecay before the step (Loshchilov, Hutter,
	// "Decoupled weight decay regularization", 2019).
	WeightDecay float64
}

// DefaultConfig is SGD with Nesterov momentum 0.9 and weight decay 5e-4 for "sgd", and Adam with
// decay rates 0.9 and 0.999 and weight decay 0.01 for "adamw"; for other names only the name is
// set, which Validate refuses.
func DefaultConfig(name string) Config {
	c := Config{Name: name, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
	switch name {
	case "sgd":
		c.Momentum, c.Nesterov, c.WeightDecay = 0.9, true, 5e-4
	case "adamw":
		c.WeightDecay = 0.01
	}
	return c
}

// Names lists the optimisers.
func Names() []string { return []string{"sgd", "adamw"} }

// ErrConfig marks settings of an optimiser or schedule that are out of range.
var ErrConfig = errors.New("invalid training setting")

// Validate reports every fault; errors match [ErrConfig].
func (c Config) Validate() error {
	var faults []string
	unit := func(name string, v float64) {
		if !(v >= 0 && v < 1) {
			faults = append(faults, fmt.Sprintf("%s is %v; it must lie in [0, 1)", name, v))
		}
	}
	switch c.Name {
	case "sgd":
		unit("momentum", c.Momentum)
		if c.Nesterov && c.Momentum == 0 {
			faults = append(faults, "Nesterov's step needs a momentum above 0")
		}
	case "adamw":
		unit("beta1", c.Beta1)
		unit("beta2", c.Beta2)
		if !(c.Epsilon > 0) || math.IsInf(c.Epsilon, 1) {
			faults = append(faults, fmt.Sprintf("epsilon is %v; it must be positive", c.Epsilon))
		}
	default:
		faults = append(faults, fmt.Sprintf("optimizer %q is unknown; use %s", c.Name, strings.Join(Names(), " or ")))
	}
	if !(c.WeightDecay >= 0) || math.IsInf(c.WeightDecay, 1) {
		faults = append(faults, fmt.Sprintf("weight decay is %v; it must be 0 or more", c.WeightDecay))
	}
	return join(faults)
}

func join(faults []string) error {
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrConfig, strings.Join(faults, "; "))
}

// New makes an optimiser of the parameters, which it moves from then on.
func New(c Config, ps []Parameter) (Optimizer, error) {
	if err := errors.Join(c.Validate(), checkParameters(ps)); err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	ps = slices.Clone(ps)
	if c.Name == "sgd" {
		return newSGD(c, ps), nil
	}
	return newAdamW(c, ps), nil
}

// memory makes zeroed memory of the parameters' sizes in one piece, and a slice of it for each.
func memory(ps []Parameter) [][]float32 {
	all := make([]float32, count(ps))
	out := make([][]float32, len(ps))
	for i, p := range ps {
		out[i], all = all[:len(p.Values):len(p.Values)], all[len(p.Values):]
	}
	return out
}

// tensors names memory after the parameters it belongs to.
func tensors(prefix string, ps []Parameter, mem [][]float32) []Tensor {
	out := make([]Tensor, len(ps))
	for i, p := range ps {
		out[i] = Tensor{Name: prefix + p.Name, Values: mem[i]}
	}
	return out
}
