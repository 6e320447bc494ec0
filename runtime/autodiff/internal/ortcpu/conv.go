package ortcpu

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// conv covers convolutions in one group and those of single channels.
func (l *layout) conv(n *onnxpb.NodeProto) bool {
	x, w := n.GetInput()[0], n.GetInput()[1]
	xd, wd := l.values[x].Dims, l.values[w].Dims
	group := onnx.AttrInt(n, "group", 1)
	if len(xd) != 4 || len(wd) != 4 || !l.values[w].fixed() || !l.values[x].fixed() {
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
	if bias := onnx.InputOf(n, 2); bias != "" {
		l.toPlain(bias)
		inputs = append(inputs, bias)
	}
	l.copyOf(n, domain, inputs)
	return true
}

// batchNorm is an affine map by channel, (x − mean)·f + shift with f = scale/√(variance + ε): a
// convolution of single channels.
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
	w := l.reshape(factor, out+"/weights", out+"/shape", d[1], 1, 1, 1)
	l.hold(out, l.emit(domain, "Conv", out+inBlocksTag, []string{l.blocks[in[0]], w, shift}, onnx.Int("group", d[1]), onnx.Ints("kernel_shape", 1, 1)))
	return true
}

// extensible returns the convolution that makes v and that nothing but the next node reads, if it
// can take on more work.
func (l *layout) extensible(v string) *onnxpb.NodeProto {
	at, ok := l.maker[l.blocks[v]]
	if !ok || l.readers[v] != 1 || l.plain[v] {
		return nil
	}
	n := l.Nodes[at]
	if n.GetOpType() != "Conv" || onnx.AttrString(n, "activation", "") != "" {
		return nil
	}
	return n
}

// activation makes n, with these parameters, part of the convolution before it, if it can be.
func (l *layout) activation(n *onnxpb.NodeProto, params ...float32) bool {
	c := l.extensible(n.GetInput()[0])
	if c == nil {
		return false
	}
	onnx.SetAttr(c, onnx.Str("activation", n.GetOpType()))
	if len(params) > 0 {
		onnx.SetAttr(c, onnx.Floats("activation_params", params...))
	}
	l.hold(n.GetOutput()[0], l.blocks[n.GetInput()[0]])
	return true
}

// clip is an activation where both limits are constants.
func (l *layout) clip(n *onnxpb.NodeProto) bool {
	var limits []float32
	for _, in := range n.GetInput()[1:] {
		v, err := onnx.Float32s(l.values[in].Constant)
		if in == "" || err != nil || len(v) != 1 {
			return l.unary(n)
		}
		limits = append(limits, v[0])
	}
	return len(limits) == 2 && l.activation(n, limits...) || l.unary(n)
}

// fusedAdd makes a sum part of the convolution that makes one of its terms, where that has no other
// reader and the other term is there before it.
func (l *layout) fusedAdd(n *onnxpb.NodeProto) bool {
	out := n.GetOutput()[0]
	d, ok := l.dims(out)
	if !ok {
		return false
	}
	for i, v := range n.GetInput() {
		other := n.GetInput()[1-i]
		if !l.held(v) || !l.held(other) || !slices.Equal(l.values[v].Dims, d) || !slices.Equal(l.values[other].Dims, d) {
			continue
		}
		c := l.extensible(v)
		if c == nil || len(c.GetInput()) > 3 || l.maker[l.blocks[other]] >= l.maker[l.blocks[v]] {
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

// ownCopy returns the name of v in blocks for a convolution that adds to it in place. What others
// read later, the convolution would copy in one thread. A Relu copies in all threads, and leaves
// what another Relu has made as it is.
func (l *layout) ownCopy(v string) string {
	in := l.blocks[v]
	if made := l.Nodes[l.maker[in]]; l.left[v] > 0 && onnx.AttrString(made, "activation", made.GetOpType()) == "Relu" {
		return l.emit("", "Relu", fmt.Sprintf("%s/copy%d", in, len(l.Nodes)), []string{in})
	}
	return in
}
