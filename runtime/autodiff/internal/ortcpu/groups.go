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

// findKernels lists the weights that a value [N, M, h, w] held in blocks can
// be, reshaped to [N·M, 1, h, w], for a convolution with a group for each of
// the N: those of convWeightGroups. The operator reads N channels, and takes a
// part of a block or whole ones.
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
			if from == nil || len(n.GetInput()) > 2 || len(xd) != 4 || !fixed(xd) || (from[0] > l.block && from[0]%l.block != 0) {
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
// each. The columns are padded before: the operator computes results that reach
// over the edge one by one, and here that would be most of them.
func (l *layout) groups(n *onnxpb.NodeProto) bool {
	x, w, out := n.GetInput()[0], n.GetInput()[1], n.GetOutput()[0]
	l.toPlain(x)
	pads := onnx.AttrInts(n, "pads")
	if len(pads) == 4 && (pads[1] > 0 || pads[3] > 0) {
		x = l.widened(x, out+"/padded", pads[1], pads[3])
		pads = []int64{pads[0], 0, pads[2], 0}
	}
	attrs := slices.DeleteFunc(slices.Clone(n.GetAttribute()), func(a *onnxpb.AttributeProto) bool { return a.GetName() == "pads" })
	if pads != nil {
		attrs = append(attrs, intsAttr("pads", pads...))
	}
	l.emit(nchwcDomain, "Conv", out+inBlocksTag, []string{x, l.filter(w, l.facts[w].dims, false)}, attrs...)
	l.hold(out, out+inBlocksTag)
	return true
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
