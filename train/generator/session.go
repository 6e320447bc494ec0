package generator

import (
	"context"
	"fmt"
	"slices"

	"ucan/runtime"
	"ucan/runtime/onnx"
)

// session runs a graph of fixed shapes whose trained initialisers are inputs.
type session struct {
	*runtime.FloatSession
	weights []string
}

// openSession opens a graph; weights are read from an objective at every run.
func openSession(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, weights []Weight, threads int) (_ *session, err error) {
	s := &session{}
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
	s.FloatSession, err = rt.NewFloatSession(ctx, b, runtime.SessionOptions{IntraOp: threads}, func(io runtime.IO, _ bool) ([]int64, error) {
		if slices.ContainsFunc(io.Dims, func(d int64) bool { return d < 0 }) {
			return nil, fmt.Errorf("the size of %v is open", io)
		}
		return io.Dims, nil
	})
	return s, err
}

// run executes the graph with the objective's present weights.
func (s *session) run(ctx context.Context, o *Objective) error {
	for _, w := range s.weights {
		copy(s.Input(w), o.executor.Weight(w))
	}
	return s.Run(ctx)
}
