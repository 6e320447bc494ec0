package diagnose

import (
	"math"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// OutputBound returns the largest absolute value that an output of a graph can take because of the
// operators it ends in (Tanh, Sigmoid or Clip, behind Abs, Neg, Identity, reshaping and products
// with constants), and +Inf where they set none. It is the cap of a generator that declares no
// other; name "" takes the first output.
func OutputBound(m *onnx.Model, name string) float64 {
	if name == "" {
		outputs := m.Outputs()
		if len(outputs) == 0 {
			return math.Inf(1)
		}
		name = outputs[0].Name
	}
	makers := map[string]*onnxpb.NodeProto{}
	for _, n := range m.Nodes() {
		for _, o := range n.GetOutput() {
			makers[o] = n
		}
	}
	b := bounder{model: m, makers: makers}
	return b.bound(name, 64)
}

type bounder struct {
	model  *onnx.Model
	makers map[string]*onnxpb.NodeProto
}

// bound follows a value back; depth ends graphs that are not acyclic.
func (b bounder) bound(name string, depth int) float64 {
	n := b.makers[name]
	if n == nil || depth == 0 || onnx.NormalDomain(n.GetDomain()) != "" {
		return math.Inf(1)
	}
	in := n.GetInput()
	switch n.GetOpType() {
	case "Tanh", "Sigmoid", "HardSigmoid", "Softmax", "Sin", "Cos", "Softsign", "Erf":
		return 1
	case "Clip":
		low, okLow := b.constant(in, 1)
		high, okHigh := b.constant(in, 2)
		if !okLow || !okHigh {
			return b.bound(in[0], depth-1)
		}
		return min(math.Max(math.Abs(low), math.Abs(high)), b.bound(in[0], depth-1))
	case "Abs", "Neg", "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Relu", "Expand":
		return b.bound(in[0], depth-1)
	case "Mul":
		for i := range in {
			if c, ok := b.constant(in, i); ok && len(in) == 2 {
				return math.Abs(c) * b.bound(in[1-i], depth-1)
			}
		}
	case "Div":
		if c, ok := b.constant(in, 1); ok && c != 0 {
			return b.bound(in[0], depth-1) / math.Abs(c)
		}
	}
	return math.Inf(1)
}

// constant returns the largest absolute element of an input that is a constant, and whether it is
// one; for Clip, whose ends are single numbers, that number.
func (b bounder) constant(in []string, i int) (float64, bool) {
	if i >= len(in) || in[i] == "" {
		return 0, false
	}
	t := b.model.Initializer(in[i])
	if n := b.makers[in[i]]; t == nil && n != nil && n.GetOpType() == "Constant" {
		var err error
		if t, err = onnx.ConstantValue(n); err != nil {
			return 0, false
		}
	}
	if t == nil {
		return 0, false
	}
	values, err := onnx.Float32s(t)
	if err != nil || len(values) == 0 {
		return 0, false
	}
	most := float64(values[0])
	for _, v := range values[1:] {
		if math.Abs(float64(v)) > math.Abs(most) {
			most = float64(v)
		}
	}
	return most, true
}
