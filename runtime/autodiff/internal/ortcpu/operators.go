package autodiff

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// conv covers convolutions in one group and those of single channels.
func (l *layout) conv(n *onnxpb.NodeProto) bool {
	x, w := n.GetInput()[0], n.GetInput()[1]
	xd, wd := l.facts[x].dims, l.facts[w].dims
	group := onnx.AttrInt(n, "group", 1)
	if len(xd) != 4 || len(wd) != 4 || !fixed(wd) || !fixed(xd) {
		return false
	}
	if wd[0]%l.block != 0 {
		return group == 1 && l.fewFilters(n)
	}
	if _, ok := l.dims(n.GetOutput()[0]); !ok {
		return false
	}
	if l.kernels[w] {
		return l.groups(n)
	}
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
	return l.activation(n) || l.unary(n)
}

// leakyRelu is relu with a slope.
func (l *layout) leakyRelu(n *onnxpb.NodeProto) bool {
	return l.activation(n, onnx.AttrFloat(n, "alpha", 0.01)) || l.unary(n)
}

// hardSigmoid is relu with two parameters.
func (l *layout) hardSigmoid(n *onnxpb.NodeProto) bool {
	return l.activation(n, onnx.AttrFloat(n, "alpha", 0.2), onnx.AttrFloat(n, "beta", 0.5)) || l.unary(n)
}

// clip is relu with two limits, where both are constants.
func (l *layout) clip(n *onnxpb.NodeProto) bool {
	var limits []float32
	for _, in := range n.GetInput()[1:] {
		v, err := onnx.Float32s(l.facts[in].value)
		if in == "" || err != nil || len(v) != 1 {
			return l.unary(n)
		}
		limits = append(limits, v[0])
	}
	return len(limits) == 2 && l.activation(n, limits...) || l.unary(n)
}

// activation makes n, with these parameters, part of the convolution before
// it, if it can be.
func (l *layout) activation(n *onnxpb.NodeProto, params ...float32) bool {
	c := l.maker(n.GetInput()[0])
	if c == nil {
		return false
	}
	c.Attribute = append(slices.Clone(c.Attribute), &onnxpb.AttributeProto{
		Name: proto.String("activation"), Type: onnxpb.AttributeProto_STRING.Enum(), S: []byte(n.GetOpType()),
	})
	if len(params) > 0 {
		c.Attribute = append(c.Attribute, &onnxpb.AttributeProto{
			Name: proto.String("activation_params"), Type: onnxpb.AttributeProto_FLOATS.Enum(), Floats: params,
		})
	}
	l.hold(n.GetOutput()[0], l.blocks[n.GetInput()[0]])
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
		c.Input = append(c.Input, l.ownCopy(other))
		l.hold(out, l.blocks[v])
		return true
	}
	return false
}

// ownCopy returns the name of v in blocks for a convolution that adds to it in
// place. What others read later the convolution would copy, in one thread; of
// what a Relu has made, another Relu makes the copy in all.
func (l *layout) ownCopy(v string) string {
	in := l.blocks[v]
	if made := l.nodes[l.made[in]]; l.left[v] > 0 && onnx.AttrString(made, "activation", made.GetOpType()) == "Relu" {
		return l.emit("", "Relu", fmt.Sprintf("%s/copy%d", in, len(l.nodes)), []string{in})
	}
	return in
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
	if _, ok := l.dims(n.GetOutput()[0]); !ok || len(in) != 3 || onnx.AttrString(n, "mode", "nearest") != "nearest" ||
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
	l.emit(nchwcDomain, "Upsample", out+inBlocksTag, []string{l.toBlocks(in[0])}, intsAttr("scales", whole...))
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

// findInterleaved lists the concatenations along the channels whose one reader
// is a DepthToSpace that interleave can do without them.
func (l *layout) findInterleaved(nodes []*onnxpb.NodeProto) {
	concats := make(map[string][]string)
	for _, n := range nodes {
		switch n.GetOpType() {
		case "Concat":
			if out := n.GetOutput()[0]; onnx.AttrInt(n, "axis", 0) == 1 && l.readers[out] == 1 {
				concats[out] = n.GetInput()
			}
		case "DepthToSpace":
			s := onnx.AttrInt(n, "blocksize", 0)
			parts := concats[n.GetInput()[0]]
			if onnx.AttrString(n, "mode", "DCR") != "DCR" || int64(len(parts)) != s*s {
				continue
			}
			first, ok := l.dims(parts[0])
			for _, p := range parts {
				ok = ok && slices.Equal(l.facts[p].dims, first)
			}
			if ok {
				l.parts[n.GetInput()[0]] = parts
			}
		}
	}
}

// interleave puts parts [N, C, h, w] between each other: those of one row side
// by side, a block of channels at a time, then whole rows.
func (l *layout) interleave(n *onnxpb.NodeProto) bool {
	parts, out := l.parts[n.GetInput()[0]], n.GetOutput()[0]
	if parts == nil {
		return false
	}
	s := onnx.AttrInt(n, "blocksize", 0)
	d := l.facts[parts[0]].dims
	places := d[0] * d[1] / l.block * d[2]
	each := constant(l, out+"/each", []int64{2}, places*d[3], l.block)
	row := constant(l, out+"/row", []int64{2}, places, d[3]*s*l.block)
	var rows []string
	for a := range s {
		var columns []string
		for e := range s {
			name := fmt.Sprintf("%s/part%d.%d", out, a, e)
			columns = append(columns, l.emit("", "Reshape", name, []string{l.toBlocks(parts[a*s+e]), each}))
		}
		joined := l.emit("", "Concat", fmt.Sprintf("%s/columns%d", out, a), columns, intAttr("axis", 1))
		rows = append(rows, l.emit("", "Reshape", fmt.Sprintf("%s/row%d", out, a), []string{joined, row}))
	}
	joined := l.emit("", "Concat", out+"/rows", rows, intAttr("axis", 1))
	shape := constant(l, out+"/shape", []int64{4}, d[0], d[1], d[2]*s, d[3]*s)
	l.hold(out, l.emit("", "Reshape", out+inBlocksTag, []string{joined, shape}))
	return true
}
