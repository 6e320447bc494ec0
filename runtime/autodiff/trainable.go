package autodiff

import (
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// Trainable returns the names of the real-valued initialisers that a training run usually changes,
// in the order in which the graph reads them: weights and biases of convolutions and matrix
// products, scales and shifts of normalisations, slopes of PRelu, tables of Gather, and what Add
// adds. Statistics of BatchNormalization and the constants of Sub, Mul and Div, which most often
// hold the normalisation of the input, are left out.
//
// Weights that are transposed or reshaped on the way are found too. Constants that nodes make have
// to become initialisers first ([WithWeights]).
func Trainable(m *onnx.Model) []string {
	var out []string
	for _, name := range newSources(m).weights() {
		if t := m.Initializer(name); t != nil && onnx.TensorType(t).IsFloat() {
			out = append(out, name)
		}
	}
	return out
}

// weightInputs lists the inputs of a node that hold weights, if any do.
func weightInputs(n *onnxpb.NodeProto) []int {
	switch n.GetOpType() {
	case "Conv", "ConvTranspose", "LayerNormalization", "BatchNormalization", "InstanceNormalization", "GroupNormalization":
		return []int{1, 2}
	case "Gemm":
		return []int{0, 1, 2}
	case "MatMul", "Add":
		return []int{0, 1}
	case "PRelu":
		return []int{1}
	case "Gather":
		return []int{0}
	}
	return nil
}
