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
func Trainable(m *onnx.Model) []string {
	seen := make(map[string]bool)
	var out []string
	for _, n := range m.Nodes() {
		for _, i := range weightInputs(n) {
			if i >= len(n.GetInput()) {
				continue
			}
			name := n.Input[i]
			t := m.Initializer(name)
			if t == nil || seen[name] || !onnx.TensorType(t).IsFloat() {
				continue
			}
			seen[name] = true
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
