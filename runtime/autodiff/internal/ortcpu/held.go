package ortcpu

import "ucan/runtime/onnx"

// Held forecasts which values of a sorted graph the provider will hold in blocks, as far as that
// can be told from outside, for weights that constant names. Formulas that suit blocks are chosen
// by it: a wrong forecast costs time, nothing else.
func Held(m *onnx.Model, values map[string]Tensor, constant map[string]bool) map[string]bool {
	held := make(map[string]bool)
	for _, n := range m.Nodes() {
		out := n.GetOutput()[0]
		if t := values[out]; t.Type != onnx.Float || len(t.Dims) != 4 || t.Dims[1] <= 0 || t.Dims[1]%BlockSize != 0 {
			continue
		}
		in := n.GetInput()
		switch n.GetOpType() {
		case "Conv":
			held[out] = constant[in[1]] && onnx.AttrInt(n, "group", 1) == 1
		case "MaxPool", "AveragePool", "BatchNormalization", "Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "Clip":
			held[out] = held[in[0]]
		case "Add", "Sum", "Mul", "Concat":
			held[out] = true
			for _, u := range in {
				held[out] = held[out] && held[u]
			}
		}
	}
	return held
}
