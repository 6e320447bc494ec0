package autodiff

import (
	"context"

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
