package autodiff

import (
	"context"
	"errors"
	"fmt"

	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// Engine executes small graphs while a gradient graph is being made: to learn the types and shapes
// of values and to fold constants. [OnRuntime] is the one that uses onnxruntime.
type Engine interface {
	// Infer returns the element type of every output of m that is a tensor; other outputs are left
	// out.
	Infer(ctx context.Context, m *onnx.Model) (map[string]onnx.DType, error)
	// Eval runs m once on the given inputs and returns its outputs by name.
	Eval(ctx context.Context, m *onnx.Model, inputs []*onnxpb.TensorProto) (map[string]*onnxpb.TensorProto, error)
}

// OnRuntime returns the [Engine] that runs graphs by rt on one thread of the CPU provider.
func OnRuntime(rt *runtime.Runtime) Engine { return &runtimeEngine{rt: rt} }

type runtimeEngine struct{ rt *runtime.Runtime }

var _ Engine = (*runtimeEngine)(nil)

// open loads m without spending time on optimising a graph that runs once.
func (e *runtimeEngine) open(ctx context.Context, m *onnx.Model, outputs []string) (*runtime.Session, error) {
	b, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	return e.rt.NewSession(ctx, b, runtime.SessionOptions{IntraOp: 1, Optimization: runtime.OptimizeNone, Outputs: outputs})
}

// Infer loads m and asks onnxruntime for the types it inferred.
func (e *runtimeEngine) Infer(ctx context.Context, m *onnx.Model) (_ map[string]onnx.DType, err error) {
	s, err := e.open(ctx, m, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	out := make(map[string]onnx.DType)
	for _, o := range s.Outputs() {
		if o.Tensor {
			out[o.Name] = o.DType
		}
	}
	return out, nil
}

// Eval runs m once. The caller of onnxruntime owns the memory of the outputs and so must know their
// shapes first: where they are not declared, a first run returns the shapes alone.
func (e *runtimeEngine) Eval(ctx context.Context, m *onnx.Model, inputs []*onnxpb.TensorProto) (_ map[string]*onnxpb.TensorProto, err error) {
	var open []string
	for _, o := range m.Outputs() {
		if !isFixed(o) {
			open = append(open, o.Name)
		}
	}
	shapes := make(map[string][]int64)
	if len(open) > 0 {
		sm, err := shapeModel(m, open)
		if err != nil {
			return nil, err
		}
		name := sm.Outputs()[0].Name
		packed, err := e.run(ctx, sm, inputs, map[string][]int64{name: {int64(len(open)) * maxRank}})
		if err != nil {
			return nil, err
		}
		if shapes, err = unpackShapes(packed[name], open); err != nil {
			return nil, err
		}
	}
	for _, o := range m.Outputs() {
		if _, ok := shapes[o.Name]; ok {
			continue
		}
		shapes[o.Name] = sizesOf(o)
	}
	return e.run(ctx, m, inputs, shapes)
}

// run executes m, the shapes of whose outputs are known.
func (e *runtimeEngine) run(ctx context.Context, m *onnx.Model, inputs []*onnxpb.TensorProto, shapes map[string][]int64) (_ map[string]*onnxpb.TensorProto, err error) {
	s, err := e.open(ctx, m, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	byName := make(map[string]*onnxpb.TensorProto, len(inputs))
	for _, t := range inputs {
		byName[t.GetName()] = t
	}
	var ins, outs []*runtime.Tensor
	defer func() {
		for _, t := range append(ins, outs...) {
			err = errors.Join(err, t.Close())
		}
	}()
	for _, in := range s.Inputs() {
		p := byName[in.Name]
		if p == nil {
			return nil, fmt.Errorf("autodiff: no value for input %q", in.Name)
		}
		k, err := typedOf(onnx.TensorType(p))
		if err != nil {
			return nil, err
		}
		t, err := k.toRuntime(e.rt, p)
		if err != nil {
			return nil, err
		}
		ins = append(ins, t)
	}
	for _, o := range s.Outputs() {
		dims, ok := shapes[o.Name]
		if !ok {
			return nil, fmt.Errorf("autodiff: output %q has no known shape", o.Name)
		}
		t, err := emptyTensor(e.rt, o.DType, dims)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", o.Name, err)
		}
		outs = append(outs, t)
	}
	if err := s.Run(ctx, ins, outs); err != nil {
		return nil, err
	}
	result := make(map[string]*onnxpb.TensorProto, len(outs))
	for i, o := range s.Outputs() {
		k, err := typedOf(o.DType) // as it was made above
		if err != nil {
			return nil, err
		}
		if result[o.Name], err = k.fromRuntime(o.Name, outs[i]); err != nil {
			return nil, err
		}
	}
	return result, nil
}
