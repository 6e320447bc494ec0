package generator

import (
	"context"
	"errors"
	"fmt"

	"ucan/runtime"
	"ucan/runtime/onnx"
)

// session runs a graph of fixed shapes whose trained initialisers are inputs.
type session struct {
	engine  *runtime.Session
	in, out []*runtime.Tensor
	inputs  map[string]*runtime.Tensor
	outputs map[string]*runtime.Tensor
	weights []string
}

// openSession opens a graph; weights are read from an objective at every run.
func openSession(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, weights []Weight, threads int) (_ *session, err error) {
	s := &session{inputs: map[string]*runtime.Tensor{}, outputs: map[string]*runtime.Tensor{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	for _, w := range weights {
		s.weights = append(s.weights, w.Name)
	}
	if len(s.weights) > 0 {
		if m, err = m.Promote(s.weights...); err != nil {
			return nil, err
		}
	}
	b, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	if s.engine, err = rt.NewSession(ctx, b, runtime.SessionOptions{IntraOp: threads}); err != nil {
		return nil, err
	}
	for _, io := range s.engine.Inputs() {
		t, terr := zeros(rt, io)
		if terr != nil {
			return nil, terr
		}
		s.in, s.inputs[io.Name] = append(s.in, t), t
	}
	for _, io := range s.engine.Outputs() {
		t, terr := zeros(rt, io)
		if terr != nil {
			return nil, terr
		}
		s.out, s.outputs[io.Name] = append(s.out, t), t
	}
	return s, nil
}

// zeros is a tensor for an input or output of fixed shape.
func zeros(rt *runtime.Runtime, io runtime.IO) (*runtime.Tensor, error) {
	n := int64(1)
	for _, d := range io.Dims {
		if d < 0 {
			return nil, fmt.Errorf("the size of %v is open", io)
		}
		n *= d
	}
	return runtime.NewTensor(rt, io.Dims, make([]float32, n))
}

func (s *session) input(name string) []float32  { return runtime.Data[float32](s.inputs[name]) }
func (s *session) output(name string) []float32 { return runtime.Data[float32](s.outputs[name]) }

// run executes the graph with the objective's present weights.
func (s *session) run(ctx context.Context, o *Objective) error {
	for _, w := range s.weights {
		copy(s.input(w), o.executor.Weight(w))
	}
	return s.engine.Run(ctx, s.in, s.out)
}

func (s *session) close() error {
	if s == nil {
		return nil
	}
	var err error
	if s.engine != nil {
		err = s.engine.Close()
	}
	for _, t := range append(s.in, s.out...) {
		err = errors.Join(err, t.Close())
	}
	return err
}
