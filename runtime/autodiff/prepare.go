package autodiff

import (
	"context"
	"errors"
	"fmt"

	"ucan/runtime/onnx"
)

// checkWindows refuses kernels, strides and dilations that are not positive: onnxruntime divides by
// them.
func checkWindows(m *onnx.Model) error {
	for _, n := range m.Nodes() {
		for _, name := range []string{"kernel_shape", "strides", "dilations"} {
			for _, v := range onnx.AttrInts(n, name) {
				if v < 1 {
					return fmt.Errorf("autodiff: %s: %s holds %d; it must be positive", onnx.Describe(n), name, v)
				}
			}
		}
	}
	return nil
}

// defaultOutput returns the first output that may hold real numbers, or else the first.
func defaultOutput(m *onnx.Model) string {
	for _, o := range m.Outputs() {
		if o.Kind != "tensor" || o.Type == onnx.Undefined || o.Type.IsFloat() {
			return o.Name
		}
	}
	return m.Outputs()[0].Name
}

// prepare brings the model to a known opset, sorts it, fixes sizes and promotes the wanted
// initialisers.
func prepare(m *onnx.Model, promoted []string, opts Options) (*onnx.Model, error) {
	if len(m.Outputs()) == 0 {
		return nil, errors.New("autodiff: the model has no output")
	}
	m, err := m.Inlined()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotDifferentiable, err)
	}
	if err = checkWindows(m); err != nil {
		return nil, err
	}
	if m, err = m.WithOpset(max(m.Opset(""), minOpset)); err != nil {
		return nil, err
	}
	if m, err = m.WithoutInitializerInputs(); err != nil {
		return nil, err
	}
	if m, err = m.Sorted(); err != nil {
		return nil, err
	}
	for _, v := range append(m.Inputs(), m.Outputs()...) {
		for axis, d := range v.Shape {
			if n := opts.Sizes[d.Symbol]; d.Symbol != "" && n > 0 {
				if m, err = m.WithDim(v.Name, axis, onnx.Fixed(n)); err != nil {
					return nil, err
				}
			}
		}
	}
	return m.Promote(promoted...)
}

// targets lists the values that losses read, as far as that is known before the losses are built.
func (o Options) targets(output string) []string {
	var out []string
	for _, l := range o.Losses {
		if e, ok := l.(Existing); ok {
			out = append(out, e.Value)
		} else {
			out = append(out, output)
		}
	}
	return out
}

// addLosses builds the losses on top of the model and returns the names of their values, and sizes
// for probing the inputs that they added.
func addLosses(ctx context.Context, eng Engine, m *onnx.Model, output string, opts Options) (_ *onnx.Model, losses []lossValue, sizes map[string][2]int64, err error) {
	b := onnx.Extend(m)
	var h Head
	for _, l := range opts.Losses {
		if _, ok := l.(Existing); !ok && h.Logits.IsZero() {
			names := []string{output}
			for _, in := range m.Inputs() {
				names = append(names, in.Name)
			}
			fs, perr := probeValues(ctx, eng, m, names, nil)
			if perr != nil {
				return nil, nil, nil, perr
			}
			f, ok := fs[output]
			if !ok || !f.dtype.IsFloat() {
				return nil, nil, nil, fmt.Errorf("%w: its output %q does not hold real numbers; name another", ErrNotDifferentiable, output)
			}
			h, sizes = headOf(b, m, output, f, fs)
		}
		h.added = make(map[string]string)
		v, berr := l.Build(b, h)
		if berr != nil {
			return nil, nil, nil, berr
		}
		if err = b.Err(); err != nil {
			return nil, nil, nil, fmt.Errorf("autodiff: loss %q: %w", l.Name(), err)
		}
		name := l.Name()
		if _, isOutput := m.Output(v.Name()); isOutput {
			name = v.Name()
		} else {
			name = b.FreeName(name)
			b.OutputUntyped(name, v)
		}
		losses = append(losses, lossValue{name: l.Name(), output: name, inputs: h.added})
	}
	out, err := b.Build()
	if err != nil {
		return nil, nil, nil, err
	}
	out, err = out.Sorted()
	return out, losses, sizes, err
}
