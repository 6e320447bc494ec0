package autodiff

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// maxKernel is how many elements the kernels of a group may have for groups to
// pay: beyond, they leave the cache before they are used again. Measured:
// 80 kernels of 32×32 pay, 128 of 28×28 do not.
const maxKernel = 80 * 32 * 32

// maxGroups is how many groups a convolution may have for groups to pay, each of which is a node of its own.
const maxGroups = 512

// findKernels lists the weights that a value [N, M, h, w] held in blocks can
// be, reshaped to [N·M, 1, h, w], for a convolution with a group for each of
// the N: those of convWeightGroups.
func (l *layout) findKernels(nodes []*onnxpb.NodeProto) {
	reshaped := make(map[string][]int64)
	for _, n := range nodes {
		switch n.GetOpType() {
		case "Reshape":
			if d, ok := l.dims(n.GetInput()[0]); ok && l.readers[n.GetOutput()[0]] == 1 {
				reshaped[n.GetOutput()[0]] = d
			}
		case "Conv":
			w := n.GetInput()[1]
			from, to, xd := reshaped[w], l.facts[w].dims, l.facts[n.GetInput()[0]].dims
			if from == nil || len(n.GetInput()) > 2 || len(xd) != 4 || !fixed(xd) || from[0] > maxGroups {
				continue
			}
			if _, ok := l.dims(n.GetOutput()[0]); !ok {
				continue
			}
			l.kernels[w] = onnx.AttrInt(n, "group", 1) == from[0] && xd[1] == from[0] && from[1]*from[2]*from[3] <= maxKernel &&
				slices.Equal(to, []int64{from[0] * from[1], 1, from[2], from[3]})
		}
	}
}

// kernel is a Reshape that findKernels has found: the blocks are the weights
// as the provider wants them.
func (l *layout) kernel(n *onnxpb.NodeProto) bool {
	w := n.GetOutput()[0]
	if !l.kernels[w] {
		return false
	}
	name := w + "/filter"
	shape := constant(l, name+"/shape", []int64{4}, l.facts[w].dims...)
	l.emit("", "Reshape", name, []string{l.toBlocks(n.GetInput()[0]), shape})
	l.known[name] = name
	return true
}

// groups is a convolution of single channels with a kernel of findKernels for
// each: a convolution in blocks for every group, whose results lie side by side.
// As one node with groups it would be none that onnxruntime accepts since 1.29:
// it reads channels that fill no block in one group alone. The columns are
// padded before: the operator computes results that reach over the edge one by
// one, and here that would be most of them.
func (l *layout) groups(n *onnxpb.NodeProto) bool {
	x, w, out := n.GetInput()[0], n.GetInput()[1], n.GetOutput()[0]
	l.toPlain(x)
	pads := onnx.AttrInts(n, "pads")
	if len(pads) == 4 && (pads[1] > 0 || pads[3] > 0) {
		x = l.widened(x, out+"/padded", pads[1], pads[3])
		pads = []int64{pads[0], 0, pads[2], 0}
	}
	attrs := slices.DeleteFunc(slices.Clone(n.GetAttribute()), func(a *onnxpb.AttributeProto) bool {
		return a.GetName() == "pads" || a.GetName() == "group"
	})
	if pads != nil {
		attrs = append(attrs, intsAttr("pads", pads...))
	}
	groups := onnx.AttrInt(n, "group", 1)
	wd := l.facts[w].dims
	xs := l.split(x, out+"/channel", 1, 1, groups)
	filters := l.split(l.filter(w, wd, false), out+"/kernel", 0, wd[0]/groups, groups)
	parts := make([]string, groups)
	for i := range parts {
		parts[i] = l.emit(nchwcDomain, "Conv", fmt.Sprintf("%s/group%d", out, i), []string{xs[i], filters[i]}, attrs...)
	}
	in := parts[0]
	if groups > 1 {
		in = l.emit("", "Concat", out+inBlocksTag, parts, intAttr("axis", 1))
	}
	l.hold(out, in)
	return true
}

// split cuts v into parts of the same size along an axis.
func (l *layout) split(v, out string, axis, size, parts int64) []string {
	if parts == 1 {
		return []string{v}
	}
	names, sizes := make([]string, parts), make([]int64, parts)
	for i := range names {
		names[i], sizes[i] = fmt.Sprint(out, i), size
	}
	domain, op, cut := "", "Split", constant(l, fmt.Sprintf("split/%d_of_%d", parts, size), []int64{parts}, sizes...)
	l.nodes = append(l.nodes, &onnxpb.NodeProto{
		Domain: &domain, OpType: &op, Name: &out, Input: []string{v, cut}, Output: names, Attribute: []*onnxpb.AttributeProto{intAttr("axis", axis)},
	})
	return names
}

// widened puts columns of zeros before and behind x: side by side, which the
// provider does in 0.7 of the time of its Pad.
func (l *layout) widened(x, out string, before, after int64) string {
	zeros := func(columns int64) []string {
		if columns == 0 {
			return nil
		}
		d := append(slices.Clone(l.facts[x].dims[:3]), columns)
		count, _ := onnx.Elements(d)
		return []string{constant(l, fmt.Sprintf("zeros/%v", d), d, make([]float32, count)...)}
	}
	return l.emit("", "Concat", out, slices.Concat(zeros(before), []string{x}, zeros(after)), intAttr("axis", 3))
}

// regroup is a Reshape of what is held in blocks that leaves rows and columns
// as they are and moves whole blocks between batch and channels: nothing moves
// in memory.
func (l *layout) regroup(n *onnxpb.NodeProto) bool {
	x, out := n.GetInput()[0], n.GetOutput()[0]
	from, ok := l.dims(x)
	to, fits := l.dims(out)
	if !ok || !fits || !l.held(x) || !slices.Equal(from[2:], to[2:]) || from[0]*from[1] != to[0]*to[1] {
		return false
	}
	l.emit("", "Reshape", out+inBlocksTag, []string{l.blocks[x], constant(l, out+"/shape", []int64{4}, to...)})
	l.hold(out, out+inBlocksTag)
	return true
}

// concat puts values held in blocks side by side along the channels.
func (l *layout) concat(n *onnxpb.NodeProto) bool {
	out := n.GetOutput()[0]
	if _, ok := l.dims(out); !ok || onnx.AttrInt(n, "axis", 0) != 1 {
		return false
	}
	var inputs []string
	for _, u := range n.GetInput() {
		if _, ok := l.dims(u); !ok || !l.held(u) {
			return false
		}
		inputs = append(inputs, l.blocks[u])
	}
	l.copyOf(n, "", inputs)
	return true
}
