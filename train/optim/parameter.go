// Package optim holds the optimisers of the trainer: stochastic gradient descent with momentum and
// Adam with decoupled weight decay, clipping by global norm, learning-rate schedules and the
// exponential moving average of weights.
//
// Weights and gradients are float32, as the runtime reads and writes them; what an optimiser
// remembers is float32 too. Every update is a fixed sequence of float32 operations, element by
// element, so the same gradients give the same weights on every run; sums over elements (norms) are
// taken in float64, in order.
package optim

import (
	"errors"
	"fmt"
	"math"
)

// Parameter is one tensor that is trained. Values and Grad are shared memory: the objective writes
// Grad and reads Values, an optimiser reads Grad and writes Values.
type Parameter struct {
	// Name tells the parameter from the others of a run, in records and checkpoints.
	Name string
	// Values are the weights, row-major. An optimiser changes them in place.
	Values []float32
	// Grad is the gradient of the loss by Values, element for element. It is the same memory in
	// every step.
	Grad []float32
	// Decay says whether weight decay shrinks the values: usual for the weights of convolutions and
	// matrix products, not for biases, scales and shifts of normalisations.
	Decay bool
	// Rate multiplies the learning rate of this parameter, > 0; 1 is usual.
	Rate float64
}

// errParameter marks a parameter that cannot be trained.
var errParameter = errors.New("optim: invalid parameter")

// checkParameters reports every fault of a set of parameters, in one line: no parameter at all, a
// missing or doubled name, values and gradients of different lengths, a rate that is not positive
// and finite. Errors match errParameter.
func checkParameters(ps []Parameter) error {
	var errs []error
	if len(ps) == 0 {
		errs = append(errs, errors.New("there is none"))
	}
	seen := make(map[string]bool)
	for _, p := range ps {
		switch {
		case p.Name == "":
			errs = append(errs, errors.New("one has no name"))
		case seen[p.Name]:
			errs = append(errs, fmt.Errorf("two are called %q", p.Name))
		}
		seen[p.Name] = true
		if len(p.Values) == 0 || len(p.Values) != len(p.Grad) {
			errs = append(errs, fmt.Errorf("%q has %d values and %d gradients", p.Name, len(p.Values), len(p.Grad)))
		}
		if !(p.Rate > 0) || math.IsInf(p.Rate, 1) {
			errs = append(errs, fmt.Errorf("%q has rate %v; give a positive number, usually 1", p.Name, p.Rate))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	text := ""
	for i, e := range errs {
		if i > 0 {
			text += "; "
		}
		text += e.Error()
	}
	return fmt.Errorf("%w: %s", errParameter, text)
}
