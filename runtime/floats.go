package runtime

import (
	"context"
	"errors"
	"slices"
)

// FloatSession is a session with its inputs and outputs: float32 tensors of fixed shapes, in memory
// that it owns. It is not safe for concurrent use.
type FloatSession struct {
	// In and Out are the values of the inputs and outputs, in the order of the session's.
	In, Out [][]float32

	session *Session
	in, out []*Tensor
}

// NewFloatSession opens a session. dims gives the shape of each input and output.
func (rt *Runtime) NewFloatSession(ctx context.Context, model []byte, opts SessionOptions, dims func(io IO, output bool) ([]int64, error)) (_ *FloatSession, err error) {
	f := &FloatSession{}
	if f.session, err = rt.NewSession(ctx, model, opts); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	add := func(io IO, output bool, tensors *[]*Tensor, values *[][]float32) error {
		shape, err := dims(io, output)
		if err != nil {
			return err
		}
		t, err := Empty[float32](rt, shape...)
		if err != nil {
			return err
		}
		*tensors, *values = append(*tensors, t), append(*values, Data[float32](t))
		return nil
	}
	for _, io := range f.session.inputs {
		if err := add(io, false, &f.in, &f.In); err != nil {
			return nil, err
		}
	}
	for _, io := range f.session.outputs {
		if err := add(io, true, &f.out, &f.Out); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Run computes Out from In.
func (f *FloatSession) Run(ctx context.Context) error { return f.session.Run(ctx, f.in, f.out) }

// Input returns the values of an input by name.
func (f *FloatSession) Input(name string) []float32 {
	return f.In[slices.IndexFunc(f.session.inputs, func(io IO) bool { return io.Name == name })]
}

// Output returns the values of an output by name.
func (f *FloatSession) Output(name string) []float32 {
	return f.Out[slices.IndexFunc(f.session.outputs, func(io IO) bool { return io.Name == name })]
}

// Close releases session and tensors. Further calls, and calls on nil, do nothing.
func (f *FloatSession) Close() error {
	if f == nil {
		return nil
	}
	err := f.session.Close()
	for _, t := range append(f.in, f.out...) {
		err = errors.Join(err, t.Close())
	}
	return err
}
