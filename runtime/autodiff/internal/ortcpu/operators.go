package ortcpu

import (
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// unary covers operators that map the elements of their first input.
func (l *layout) unary(n *onnxpb.NodeProto) bool {
	x := n.GetInput()[0]
	if !l.held(x) {
		return false
	}
	for _, u := range n.GetInput()[1:] {
		l.toPlain(u)
	}
	l.copyOf(n, "", append([]string{l.blocks[x]}, n.GetInput()[1:]...))
	return true
}

// elementwise covers operators on values of equal dimensions and numbers, of which one at least is
// held in blocks.
func (l *layout) elementwise(n *onnxpb.NodeProto) bool {
	d, ok := l.dims(n.GetOutput()[0])
	if !ok || !slices.ContainsFunc(n.GetInput(), l.held) {
		return false
	}
	for _, u := range n.GetInput() {
		if e, err := onnx.Elements(l.values[u].Dims); !slices.Equal(l.values[u].Dims, d) && (err != nil || e != 1) {
			return false
		}
	}
	inputs := slices.Clone(n.GetInput())
	for i, u := range inputs {
		if slices.Equal(l.values[u].Dims, d) {
			inputs[i] = l.toBlocks(u)
		}
	}
	l.copyOf(n, "", inputs)
	return true
}

// pool covers pooling without dilations: the layout has the operators.
func (l *layout) pool(n *onnxpb.NodeProto) bool {
	if x := n.GetInput()[0]; l.held(x) && ones(onnx.AttrInts(n, "dilations")) {
		l.copyOf(n, domain, []string{l.blocks[x]})
		return true
	}
	return false
}

// ones reports whether every number is 1.
func ones(s []int64) bool { return !slices.ContainsFunc(s, func(v int64) bool { return v != 1 }) }

// enlarge covers Resize that repeats rows and columns.
func (l *layout) enlarge(n *onnxpb.NodeProto) bool {
	in := n.GetInput()
	if _, ok := l.dims(n.GetOutput()[0]); !ok || len(in) != 3 || onnx.AttrString(n, "mode", "nearest") != "nearest" ||
		onnx.AttrString(n, "coordinate_transformation_mode", "half_pixel") != "asymmetric" ||
		onnx.AttrString(n, "nearest_mode", "round_prefer_floor") != "floor" {
		return false
	}
	scales, err := onnx.Float32s(l.values[in[2]].Constant)
	if err != nil || len(scales) != 4 || scales[0] != 1 || scales[1] != 1 {
		return false
	}
	whole := make([]int64, 4)
	for i, s := range scales {
		if whole[i] = int64(s); s < 1 || float32(whole[i]) != s {
			return false
		}
	}
	out := n.GetOutput()[0]
	l.hold(out, l.emit(domain, "Upsample", out+inBlocksTag, []string{l.toBlocks(in[0])}, onnx.Ints("scales", whole...)))
	return true
}

// reduce covers means and sums over space, whose results are the same in both layouts, and the mean
// over the batch.
func (l *layout) reduce(n *onnxpb.NodeProto) bool {
	x, out := n.GetInput()[0], n.GetOutput()[0]
	if !l.held(x) {
		return false
	}
	if n.GetOpType() == "GlobalAveragePool" {
		l.emit(domain, "GlobalAveragePool", out, []string{l.blocks[x]})
		l.plain[out] = true
		return true
	}
	axes := onnx.AttrInts(n, "axes")
	if len(n.GetInput()) > 1 && l.values[n.GetInput()[1]].Constant != nil {
		axes, _ = onnx.Int64s(l.values[n.GetInput()[1]].Constant)
	}
	switch {
	case slices.Equal(axes, []int64{0}) && onnx.AttrInt(n, "keepdims", 1) == 1:
		l.copyOf(n, "", append([]string{l.blocks[x]}, n.GetInput()[1:]...))
		return true
	case slices.Equal(axes, []int64{0, 2, 3}):
		d := l.values[x].Dims
		mean := l.emit(domain, "GlobalAveragePool", out+"/space", []string{l.blocks[x]})
		inputs := append([]string{mean}, n.GetInput()[1:]...)
		if n.GetOpType() == "ReduceMean" {
			l.emit("", "ReduceMean", out, inputs, onnx.AttrsOf(n)...)
		} else {
			s := l.emit("", "ReduceSum", out+"/batch", inputs, onnx.AttrsOf(n)...)
			l.emit("", "Mul", out, []string{s, constant(l, out+"/positions", nil, float32(d[2]*d[3]))})
		}
		l.plain[out] = true
		return true
	}
	return false
}
