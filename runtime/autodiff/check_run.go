package autodiff

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ucan/runtime"
	"ucan/runtime/onnx"
)

// evaluation is a session with a tensor for each input and output.
type evaluation struct {
	sess      *runtime.Session
	ins, outs []*runtime.Tensor
	in, out   map[string]*runtime.Tensor
	inNames   []string
}

// evaluate opens m, whose inputs are of fixed sizes, for the named outputs.
func evaluate(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, outputs []string, fs facts) (_ *evaluation, err error) {
	b, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	e := &evaluation{in: make(map[string]*runtime.Tensor), out: make(map[string]*runtime.Tensor)}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	if e.sess, err = rt.NewSession(ctx, b, runtime.SessionOptions{IntraOp: 1, Outputs: outputs}); err != nil {
		return nil, err
	}
	for _, d := range e.sess.Inputs() {
		t, terr := emptyTensor(rt, d.DType, d.Dims)
		if terr != nil {
			return nil, fmt.Errorf("input %q: %w", d.Name, terr)
		}
		e.ins, e.inNames = append(e.ins, t), append(e.inNames, d.Name)
		e.in[d.Name] = t
	}
	for _, d := range e.sess.Outputs() {
		t, terr := emptyTensor(rt, d.DType, fs[d.Name].dims)
		if terr != nil {
			return nil, fmt.Errorf("output %q: %w", d.Name, terr)
		}
		e.outs = append(e.outs, t)
		e.out[d.Name] = t
	}
	return e, nil
}

// evaluateOnly opens what of m the named outputs need.
func evaluateOnly(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, outputs []string, fs facts) (*evaluation, error) {
	b := onnx.Extend(m)
	b.ClearOutputs()
	for _, o := range outputs {
		b.OutputUntyped(o, b.Value(o))
	}
	m, err := b.Build()
	if err != nil {
		return nil, err
	}
	if m, err = m.WithoutDead(); err != nil {
		return nil, err
	}
	return evaluate(ctx, rt, m, outputs, fs)
}

func (e *evaluation) run(ctx context.Context) error { return e.sess.Run(ctx, e.ins, e.outs) }

// floats returns a copy of a real input or output, nil for others.
func (e *evaluation) floats(name string) []float64 {
	t := e.in[name]
	if t == nil {
		t = e.out[name]
	}
	if d := dataOf[float64](t); d != nil {
		return slices.Clone(d)
	}
	s := dataOf[float32](t)
	if s == nil {
		return nil
	}
	out := make([]float64, len(s))
	for i, v := range s {
		out[i] = float64(v)
	}
	return out
}

// set writes a real input.
func (e *evaluation) set(name string, v []float64) {
	t := e.in[name]
	copy(dataOf[float64](t), v)
	if s := dataOf[float32](t); s != nil {
		for i := range s {
			s[i] = float32(v[i])
		}
	}
}

// copyInputs takes over the inputs of another evaluation of the same model.
func (e *evaluation) copyInputs(from *evaluation) error {
	for _, name := range e.inNames {
		t := from.in[name]
		if t == nil {
			return fmt.Errorf("autodiff: the gradient graph has no input %q", name)
		}
		if v := from.floats(name); v != nil {
			e.set(name, v)
			continue
		}
		k, err := typedOf(t.DType())
		if err != nil {
			return err
		}
		k.copy(e.in[name], t)
	}
	return nil
}

func (e *evaluation) close() error {
	if e == nil {
		return nil
	}
	var err error
	for _, t := range append(slices.Clone(e.ins), e.outs...) {
		err = errors.Join(err, t.Close())
	}
	if e.sess != nil {
		err = errors.Join(err, e.sess.Close())
	}
	return err
}
