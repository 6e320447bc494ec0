package ortcpu

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// MaxKernel is how many elements the kernels of a group may have for groups to pay: beyond, they
// leave the cache before they are used again. Measured: 80 kernels of 32×32 pay, 128 of 28×28 do
// not.
const MaxKernel = 80 * 32 * 32

// findKernels lists the weights that a value [N, M, h, w] held in blocks can be, reshaped to [N·M,
// 1, h, w], for a convolution with a group for each of the N: those that the gradient by a
// convolution's weights reads. The operator reads N channels, and takes a part of a block or whole
// ones.
func (l *layout) findKernels(nodes []*onnxpb.NodeProto) {
	reshaped := make(map[string][]int64)
	for _, n := range nodes {
		switch n.GetOpType() {
		case "Reshape":
			if d, ok := l.dims(n.GetInput()[0]); ok && l.readers[n.GetOutput()[0]] == 1 {
				reshaped[n.GetOutput()[0]] = d
			}
		case "Conv":
			w, x := n.GetInput()[1], l.values[n.GetInput()[0]]
			from := reshaped[w]
			if from == nil || len(n.GetInput()) > 2 || len(x.Dims) != 4 || !x.fixed() || (from[0] > l.block && from[0]%l.block != 0) {
				continue
			}
			if _, ok := l.dims(n.GetOutput()[0]); !ok {
				continue
			}
			l.kernels[w] = onnx.AttrInt(n, "group", 1) == from[0] && x.Dims[1] == from[0] && from[1]*from[2]*from[3] <= MaxKernel &&
				slices.Equal(l.values[w].Dims, []int64{from[0] * from[1], 1, from[2], from[3]})
		}
	}
}

// kernel is a Reshape that findKernels has found: the blocks are the weights as the provider wants
// them.
func (l *layout) kernel(n *onnxpb.NodeProto) bool {
	w := n.GetOutput()[0]
	if !l.kernels[w] {
		return false
	}
	name := w + "/filter"
	l.reshape(l.toBlocks(n.GetInput()[0]), name, name+"/shape", l.values[w].Dims...)
	l.stored[name] = true
	return true
}

// groups is a convolution of single channels with a kernel of findKernels for each. The columns are
// padded before: the operator computes results that reach over the edge one by one, and here that
// would be most of them.
func (l *layout) groups(n *onnxpb.NodeProto) bool {
	x, w, out := n.GetInput()[0], n.GetInput()[1], n.GetOutput()[0]
	l.toPlain(x)
	pads := onnx.AttrInts(n, "pads")
	if len(pads) == 4 && (pads[1] > 0 || pads[3] > 0) {
		x = l.widened(x, out+"/padded", pads[1], pads[3])
		pads = []int64{pads[0], 0, pads[2], 0}
	}
	attrs := onnx.AttrsOf(n, "pads")
	if pads != nil {
		attrs = append(attrs, onnx.Ints("pads", pads...))
	}
	l.hold(out, l.emit(domain, "Conv", out+inBlocksTag, []string{x, l.filter(w, l.values[w].Dims, false)}, attrs...))
	return true
}

// widened puts columns of zeros before and behind x: side by side, which the provider does in 0.7
// of the time of its Pad.
func (l *layout) widened(x, out string, before, after int64) string {
	zeros := func(columns int64) []string {
		if columns == 0 {
			return nil
		}
		d := append(slices.Clone(l.values[x].Dims[:3]), columns)
		return []string{l.zeros(fmt.Sprintf("zeros/%v", d), d...)}
	}
	return l.emit("", "Concat", out, slices.Concat(zeros(before), []string{x}, zeros(after)), onnx.Int("axis", 3))
}
