package autodiff

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ucan/runtime/onnx"
)

// Options configure what to differentiate, and by what.
type Options struct {
	// Wrt names the inputs and initialisers whose gradients are wanted. Empty means every
	// real-valued input of the model.
	Wrt []string
	// Losses are the scalars to differentiate, at least one, with different names.
	Losses []Loss
	// Output names the output of the model that the losses read; "" takes the first that may hold
	// real numbers.
	Output string
	// Promote turns the wanted initialisers into inputs, in the order of Wrt, so that one session
	// can run with changing weights. Otherwise they stay constants, of which gradients are returned
	// all the same: convolutions run faster then, but new weights need a new session.
	Promote bool
	// Sizes fixes symbolic dimensions of the model, by symbol: the result is made for those sizes
	// only, which lets more be computed in advance.
	Sizes map[string]int64
	// CPU makes the graph for onnxruntime's CPU provider: some operators are chosen that are fast
	// there and not elsewhere. It stays ordinary ONNX unless all sizes are fixed: then it names the
	// provider's operators for its blocked layout, for this machine's size of a block.
	CPU bool
	// Rules adds rules, or replaces those of this package, under names such as "Conv" or
	// "com.microsoft.FusedMatMul". A nil rule passes no gradient.
	Rules map[string]Rule
}

// Gradient is a model that returns losses and their gradients besides the outputs it had.
type Gradient struct {
	// Model has the outputs of the original model, then the losses, then the gradients.
	Model *onnx.Model
	// Losses are the names of the outputs that hold the losses.
	Losses []string
	// Wrt are the names of the values differentiated by, and Promoted those among them that have
	// become inputs.
	Wrt, Promoted []string
	// ForwardNodes counts the nodes of the forward graph after folding, Nodes those of the whole.
	ForwardNodes, Nodes int

	// Renamed says what this package calls otherwise than documented, since the model has a value
	// of that name: inputs of losses, losses and gradients, by the documented name.
	Renamed map[string]string

	losses  map[string]lossValue
	outputs map[[2]string]string
}

// Loss returns the name of the output that holds a loss: that of the loss, or another where the
// model has a value of that name.
func (g *Gradient) Loss(loss string) string { return g.losses[loss].output }

// Input returns the name of the input that a loss has added under the given name, or under another
// where the model has a value of that name. It is "" where the loss has added none.
func (g *Gradient) Input(loss, name string) string { return g.losses[loss].inputs[name] }

// Output returns the name of the output that holds the gradient of a loss with respect to a value:
// "NAME.grad", or "LOSS.NAME.grad" where there are several losses, with a number behind it where
// the model has a value of that name. It is "" for names that were not asked for.
func (g *Gradient) Output(loss, wrt string) string { return g.outputs[[2]string{loss, wrt}] }

// Validate reports all faults that show without running anything.
func (o Options) Validate(m *onnx.Model) error {
	_, err := o.validate(m)
	return err
}

// validate reports all faults that show without running anything, and returns the wanted names.
func (o Options) validate(m *onnx.Model) (wrt []string, err error) {
	var errs []error
	if len(o.Losses) == 0 {
		errs = append(errs, errors.New("autodiff: no loss is given"))
	}
	names := make(map[string]bool)
	for _, l := range o.Losses {
		if names[l.Name()] {
			errs = append(errs, fmt.Errorf("autodiff: two losses are called %q", l.Name()))
		}
		names[l.Name()] = true
	}
	if o.Output != "" {
		if _, ok := m.Output(o.Output); !ok {
			errs = append(errs, fmt.Errorf("autodiff: the model has no output %q; it has %s", o.Output, infoNames(m.Outputs())))
		}
	}
	wrt = slices.Clone(o.Wrt)
	if len(wrt) == 0 {
		for _, in := range m.Inputs() {
			if in.Type.IsFloat() {
				wrt = append(wrt, in.Name)
			}
		}
		if len(wrt) == 0 {
			errs = append(errs, fmt.Errorf("%w: it has no input of real numbers; its inputs are %s", ErrNotDifferentiable, infoTypes(m.Inputs())))
		}
	}
	seen := make(map[string]bool)
	for _, name := range wrt {
		if seen[name] {
			errs = append(errs, fmt.Errorf("autodiff: %q is wanted twice", name))
		}
		seen[name] = true
		dt := onnx.Undefined
		if in, ok := m.Input(name); ok {
			dt = in.Type
		} else if t := m.Initializer(name); t != nil {
			dt = onnx.TensorType(t)
		} else {
			errs = append(errs, fmt.Errorf("autodiff: the model has no input or initialiser %q; its inputs are %s", name, infoNames(m.Inputs())))
			continue
		}
		if !dt.IsFloat() {
			errs = append(errs, fmt.Errorf("%w: %q is of type %v, and gradients are for real numbers", ErrNotDifferentiable, name, dt))
		}
	}
	for _, s := range slices.Sorted(maps.Keys(o.Sizes)) {
		if o.Sizes[s] < 1 {
			errs = append(errs, fmt.Errorf("autodiff: size %d of dimension %q is not positive", o.Sizes[s], s))
		}
	}
	return wrt, errors.Join(errs...)
}

func infoTypes(vs []onnx.ValueInfo) string {
	names := make([]string, len(vs))
	for i, v := range vs {
		names[i] = v.String()
	}
	return strings.Join(names, ", ")
}

func infoNames(vs []onnx.ValueInfo) string {
	names := make([]string, len(vs))
	for i, v := range vs {
		names[i] = v.Name
	}
	return strings.Join(names, ", ")
}
