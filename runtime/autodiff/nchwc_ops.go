package autodiff

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// conv covers convolutions in one group and those of single channels.
func (l *layout) conv(n *onnxpb.NodeProto) bool {
	x, w := n.GetInput()[0], n.GetInput()[1]
	xd, wd := l.facts[x].dims, l.facts[w].dims
	_, ok := l.dims(n.GetOutput()[0])
	if !ok || len(xd) != 4 || len(wd) != 4 || !fixed(wd) {
		return false
	}
	group := onnx.AttrInt(n, "group", 1)
	single := wd[1] == 1 && wd[0] == group // so that x has as many channels
	var in, filter string
	switch {
	case group == 1 && xd[1]%l.block == 0:
		in, filter = l.toBlocks(x), l.filter(w, wd, true)
	case group == 1 && xd[1] < l.block:
		l.toPlain(x) // the operator reads few channels as they are
		in, filter = x, l.filter(w, wd, false)
	case single && group > 1:
		in, filter = l.toBlocks(x), l.filter(w, wd, false)
	default:
		return false
	}
	inputs := []string{in, filter}
	if len(n.GetInput()) > 2 && n.GetInput()[2] != "" {
		l.toPlain(n.GetInput()[2])
		inputs = append(inputs, n.GetInput()[2])
	}
	l.copyOf(n, nchwcDomain, inputs)
	return true
}

// filter brings weights [O,I,h,w] to blocks: [O/B, I/B, h, w, B of I, B of O],
// or [O/B, I, h, w, B of O] where the input's channels are not blocked.
func (l *layout) filter(w string, d []int64, both bool) string {
	l.toPlain(w)
	name := w + "/filter"
	if both {
		name += "s"
	}
	if l.known[name] != "" {
		return name
	}
	apart := []int64{d[0] / l.block, l.block, d[1], d[2], d[3]}
	perm := []int64{0, 2, 3, 4, 1}
	if both {
		apart = []int64{d[0] / l.block, l.block, d[1] / l.block, l.block, d[2], d[3]}
		perm = []int64{0, 2, 4, 5, 3, 1}
	}
	v := l.emit("", "Reshape", name+"/apart", []string{w, constant(l, name+"/apart.shape", []int64{int64(len(apart))}, apart...)})
	v = l.emit("", "Transpose", name+"/moved", []string{v}, intsAttr("perm", perm...))
	l.emit("", "Reshape", name, []string{v, constant(l, name+"/shape", []int64{4}, d...)})
	l.known[name] = name
	return name
}

// batchNorm is an affine map by channel: a convolution of single channels.
func (l *layout) batchNorm(n *onnxpb.NodeProto) bool {
	in, out := n.GetInput(), n.GetOutput()[0]
	d, ok := l.dims(out)
	if !ok || len(in) != 5 || !l.held(in[0]) || onnx.AttrInt(n, "training_mode", 0) != 0 {
		return false
	}
	eps := constant(l, out+"/epsilon", nil, onnx.AttrFloat(n, "epsilon", 1e-5))
	root := l.emit("", "Sqrt", out+"/root", []string{l.emit("", "Add", out+"/variance", []string{in[4], eps})})
	factor := l.emit("", "Div", out+"/factor", []string{in[1], root})
	shift := l.emit("", "Sub", out+"/shift", []string{in[2], l.emit("", "Mul", out+"/mean", []string{in[3], factor})})
	w := l.emit("", "Reshape", out+"/weights", []string{factor, constant(l, out+"/shape", []int64{4}, d[1], 1, 1, 1)})
	l.emit(nchwcDomain, "Conv", out+inBlocksTag, []string{l.blocks[in[0]], w, shift}, intAttr("group", d[1]), intsAttr("kernel_shape", 1, 1))
	l.hold(out, out+inBlocksTag)
	return true
}

// maker returns the convolution that makes v and nothing but the next node
// reads, if it can take on more work.
func (l *layout) maker(v string) *onnxpb.NodeProto {
	at, ok := l.made[l.blocks[v]]
	if !ok || l.readers[v] != 1 || l.plain[v] {
		return nil
	}
	n := l.nodes[at]
	if n.GetOpType() != "Conv" || onnx.AttrString(n, "activation", "") != "" {
		return nil
	}
	return n
}

// relu becomes part of the convolution before it where that has no other
// reader.
func (l *layout) relu(n *onnxpb.NodeProto) bool {
	x := n.GetInput()[0]
	if !l.held(x) {
		return false
	}
	c := l.maker(x)
	if c == nil {
		return l.unary(n)
	}
	c.Attribute = append(slices.Clone(c.Attribute), &onnxpb.AttributeProto{Name: proto.String("activation"), Type: onnxpb.AttributeProto_STRING.Enum(), S: []byte("Relu")})
	l.hold(n.GetOutput()[0], l.blocks[x])
	return true
}

// fusedAdd makes a sum part of the convolution that makes one of its terms,
// where that has no other reader and the other term is there before it.
func (l *layout) fusedAdd(n *onnxpb.NodeProto) bool {
	out := n.GetOutput()[0]
	d, ok := l.dims(out)
	if !ok {
		return false
	}
	for i, v := range n.GetInput() {
		other := n.GetInput()[1-i]
		if !l.held(v) || !l.held(other) || !slices.Equal(l.facts[v].dims, d) || !slices.Equal(l.facts[other].dims, d) {
			continue
		}
		c := l.maker(v)
		if c == nil || len(c.GetInput()) > 3 || l.made[l.blocks[other]] >= l.made[l.blocks[v]] {
			continue
		}
		for len(c.Input) < 3 {
			c.Input = append(c.Input, "")
		}
		c.Input = append(c.Input, l.blocks[other])
		l.hold(out, l.blocks[v])
		return true
	}
	return false
}

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

// elementwise covers operators on values of equal dimensions and numbers, of
// which one at least is held in blocks.
func (l *layout) elementwise(n *onnxpb.NodeProto) bool {
	d, ok := l.dims(n.GetOutput()[0])
	if !ok || !slices.ContainsFunc(n.GetInput(), l.held) {
		return false
	}
	for _, u := range n.GetInput() {
		if e, err := onnx.Elements(l.facts[u].dims); !slices.Equal(l.facts[u].dims, d) && (err != nil || e != 1) {
			return false
		}
	}
	inputs := slices.Clone(n.GetInput())
	for i, u := range inputs {
		if slices.Equal(l.facts[u].dims, d) {
			inputs[i] = l.toBlocks(u)
		}
	}
	l.copyOf(n, "", inputs)
	return true
}

func (l *layout) pool(n *onnxpb.NodeProto) bool {
	if x := n.GetInput()[0]; l.held(x) && all(onnx.AttrInts(n, "dilations"), 1) {
		l.copyOf(n, nchwcDomain, []string{l.blocks[x]})
		return true
	}
	return false
}

// enlarge covers Resize that repeats rows and columns.
func (l *layout) enlarge(n *onnxpb.NodeProto) bool {
	in := n.GetInput()
	if !l.held(in[0]) || len(in) != 3 || onnx.AttrString(n, "mode", "nearest") != "nearest" ||
		onnx.AttrString(n, "coordinate_transformation_mode", "half_pixel") != "asymmetric" ||
		onnx.AttrString(n, "nearest_mode", "round_prefer_floor") != "floor" {
		return false
	}
	scales, err := onnx.Float32s(l.facts[in[2]].value)
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
	l.emit(nchwcDomain, "Upsample", out+inBlocksTag, []string{l.blocks[in[0]]}, intsAttr("scales", whole...))
	l.hold(out, out+inBlocksTag)
	return true
}

// reduce covers means and sums over space, whose results are the same in both
// layouts, and the mean over the batch.
func (l *layout) reduce(n *onnxpb.NodeProto) bool {
	x, out := n.GetInput()[0], n.GetOutput()[0]
	if !l.held(x) {
		return false
	}
	if n.GetOpType() == "GlobalAveragePool" {
		l.emit(nchwcDomain, "GlobalAveragePool", out, []string{l.blocks[x]})
		l.plain[out] = true
		return true
	}
	axes := onnx.AttrInts(n, "axes")
	if len(n.GetInput()) > 1 && l.facts[n.GetInput()[1]].value != nil {
		axes, _ = onnx.Int64s(l.facts[n.GetInput()[1]].value)
	}
	switch {
	case slices.Equal(axes, []int64{0}) && onnx.AttrInt(n, "keepdims", 1) == 1:
		l.copyOf(n, "", append([]string{l.blocks[x]}, n.GetInput()[1:]...))
		return true
	case slices.Equal(axes, []int64{0, 2, 3}):
		d := l.facts[x].dims
		mean := l.emit(nchwcDomain, "GlobalAveragePool", out+"/space", []string{l.blocks[x]})
		inputs := append([]string{mean}, n.GetInput()[1:]...)
		if n.GetOpType() == "ReduceMean" {
			l.emit("", "ReduceMean", out, inputs, n.GetAttribute()...)
		} else {
			s := l.emit("", "ReduceSum", out+"/batch", inputs, n.GetAttribute()...)
			l.emit("", "Mul", out, []string{s, constant(l, out+"/positions", nil, float32(d[2]*d[3]))})
		}
		l.plain[out] = true
		return true
	}
	return false
}

// channelsLast is ReorderOutput's other form. What fills one block is in that
// order already.
func (l *layout) channelsLast(n *onnxpb.NodeProto) bool {
	x, out := n.GetInput()[0], n.GetOutput()[0]
	if !l.held(x) || !slices.Equal(onnx.AttrInts(n, "perm"), []int64{0, 2, 3, 1}) {
		return false
	}
	if d := l.facts[x].dims; d[1] == l.block {
		l.emit("", "Reshape", out, []string{l.blocks[x], constant(l, out+"/shape", []int64{4}, d[0], d[2], d[3], d[1])})
	} else {
		l.emit(nchwcDomain, "ReorderOutput", out, []string{l.blocks[x]}, intAttr("channels", d[1]), intAttr("channels_last", 1))
	}
	l.plain[out] = true
	return true
}
