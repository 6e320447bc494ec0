package ortcpu

import (
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// BlockSize is a number of channels that fills blocks of every size in use, 8 and 16.
const BlockSize = 16

// Tensor is what is known of a value.
type Tensor struct {
	Type onnx.DType
	// Dims are the dimensions; negative ones vary from run to run.
	Dims []int64
	// Constant is the value of a constant, nil for others.
	Constant *onnxpb.TensorProto
}

// fixed reports whether no dimension varies.
func (t Tensor) fixed() bool {
	_, err := onnx.Elements(t.Dims)
	return err == nil
}

// Graph is a graph to rewrite.
type Graph struct {
	// Model has inputs of fixed sizes.
	Model *onnx.Model
	// Values are the values of the main graph, by name.
	Values map[string]Tensor
	// Forward tells values of the forward graph from those of gradients.
	Forward func(value string) bool
}

// Rewrite returns the model with its convolutions in blocks of channels, and its nodes in the order
// that suits the provider. The layout must have blocks.
func Rewrite(g Graph, l Layout) (*onnx.Model, error) {
	m, err := inBlocks(g.Model, g.Values, l)
	if err != nil {
		return nil, err
	}
	return schedule(m, g.Forward)
}
