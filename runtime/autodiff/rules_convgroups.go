package autodiff

import (
	"fmt"
	"slices"

	"ucan/runtime/autodiff/internal/ortcpu"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// groups reports whether convWeightGroups applies: to images, of sizes that are fixed.
func (v conv) groups() bool {
	return v.group == 1 && len(v.kernel) == 2 && fixed(v.xd) && fixed(v.yd)
}

// groupedPays says whether groups pay: on the CPU provider, for images whose channels can be held
// in blocks.
func (c *Context) groupedPays(v conv) bool {
	return v.groups() && c.pictures(v.xd) && v.count() > 1 && !v.productPays()
}

// kernelPays says whether groups pay for images of few channels too: where the provider takes g as
// a kernel as it is.
func (c *Context) kernelPays(v conv) bool {
	return v.groups() && c.shared.groups && c.pictures(v.yd) && v.count() > 1 &&
		v.wd[0]*v.space() <= ortcpu.MaxKernel && (v.xd[0] <= 8 || v.xd[0]%blockSize == 0)
}

// convWeightGroups is ∂w as one convolution with a group for every sample of the batch. Within a
// sample
//
//	∂w[o,i,r,s] = Σₕ Σₚ g[o,h,p]·x̄[i, h+r, p+s]
//
// is the convolution of x, channels last (what the provider makes of blocks at the price of a
// copy), with g as its kernel. The columns of x and its channels i are one axis, along which the
// kernel is dilated by the number of channels: the result's columns are then (s, i), and what the
// provider gathers in its cache for each element of g are runs of all s and i. Nothing else is
// copied.
//
// A stride becomes a dilation of the kernel, and a dilation along rows the stride; for one along
// columns what lies between is left out of the result.
func convWeightGroups(c pass, v conv, x onnx.Value, gs ...onnx.Value) []onnx.Value {
	b := c.b
	n, o, ch := v.xd[0], v.wd[0], v.wd[1]
	if ch%blockSize == 0 {
		x = c.inBlocks(x, ch)
	}
	xs := b.Transpose(x, 0, 2, 3, 1) // [N, H, W, C]
	size, end := make([]int64, 2), make([]int64, 2)
	for a := range end {
		size[a], end[a] = v.xd[2+a], v.after(a)
		if end[a] < 0 { // no kernel reaches there, and padding cannot be negative
			size[a] += end[a]
			end[a] = 0
			xs = b.Slice(xs, []int64{0}, []int64{size[a]}, []int64{int64(1 + a)}, nil)
		}
	}
	win := window{
		kernel: v.yd[2:], stride: []int64{v.dilation[0], 1}, dilation: []int64{v.stride[0], v.stride[1] * ch},
		begin: []int64{v.begin[0], v.begin[1] * ch}, end: []int64{end[0], end[1] * ch},
	}
	g := gs[0]
	if len(gs) > 1 {
		g = b.Concat(1, gs...)
	}
	total := o * int64(len(gs))
	g = b.Reshape(g, n*total, 1, v.yd[2], v.yd[3])
	p := b.Op("Conv", []onnx.Value{b.Reshape(xs, 1, n, size[0], size[1]*ch), g}, win.attrs(n)...)
	rows, columns := v.kernel[0], v.extent(1)
	dw := b.Sum(b.Reshape(p, n, total, rows, columns*ch), true, 0)
	dw = b.Reshape(dw, total, rows, columns, ch)
	if v.dilation[1] > 1 {
		dw = b.Slice(dw, []int64{0}, []int64{columns}, []int64{2}, []int64{v.dilation[1]})
	}
	dw = b.Transpose(dw, 0, 3, 1, 2)
	if len(gs) == 1 {
		return []onnx.Value{dw}
	}
	out := make([]onnx.Value, len(gs))
	for i := range out {
		out[i] = b.Slice(dw, []int64{int64(i) * o}, []int64{int64(i+1) * o}, []int64{0}, nil)
	}
	return out
}

// exchanges reports whether convWeightExchanged applies: at stride 1, where the padding of the
// exchanged convolution is not negative.
func (v conv) exchanges() bool {
	for a := range v.kernel {
		if v.stride[a] != 1 || v.begin[a] >= v.extent(a) {
			return false
		}
	}
	return true
}

// convWeightExchanged is convWeightGroups of the convolution of g with x as its kernel, which has
// the same ∂w, its channels exchanged and reversed in space.
func convWeightExchanged(c *Context, v conv, x, g onnx.Value) onnx.Value {
	e := conv{group: 1, wd: []int64{v.wd[1], v.wd[0], v.wd[2], v.wd[3]}, xd: v.yd, yd: v.xd}
	e.window = window{kernel: v.kernel, stride: v.stride, dilation: v.dilation}
	for a := range v.kernel {
		e.begin = append(e.begin, v.extent(a)-1-v.begin[a])
		e.end = append(e.end, v.extent(a)-1-v.end[a])
	}
	return turned(c.Builder, convWeightGroups(c.pass, e, g, x)[0], v)
}

// weightStack collects the gradients of convolutions of one input that differ in nothing but their
// weights, as those of a dense block do: their ∂w is one convolution with the gradients stacked,
// and what it gathers of the input it gathers once.
type weightStack struct {
	conv    conv
	x       onnx.Value
	members map[string]bool // the weights of those convolutions
	left    int             // of them, those that have not been seen
	weights []string        // of those that have
	grads   []onnx.Value
}

// stackKey is equal for convolutions that differ in their weights alone.
func stackKey(n *onnxpb.NodeProto, wd []int64) string {
	key := fmt.Sprintf("%q %v", n.GetInput()[0], wd)
	for _, name := range []string{"strides", "dilations", "pads"} {
		key += fmt.Sprint(" ", onnx.AttrInts(n, name))
	}
	return key + onnx.AttrString(n, "auto_pad", "")
}

// findStacks lists the convolutions whose ∂w are better computed together: of one group, by weights
// (ofWeights, and initialisers) that are wanted and that nothing else reads.
func (d *differ) findStacks(m *onnx.Model, sh *shared, reach, ofWeights map[string]bool) {
	if !sh.layout {
		return
	}
	for _, n := range m.Nodes() {
		if onnx.OperatorName(n) != "Conv" || onnx.AttrInt(n, "group", 1) != 1 {
			continue
		}
		if w := n.Input[1]; !reach[w] || sh.readers[w] != 1 || (!ofWeights[w] && !slices.Contains(d.wrt, w)) {
			continue
		}
		key := stackKey(n, d.facts[n.Input[1]].dims)
		if sh.stacks[key] == nil {
			sh.stacks[key] = &weightStack{members: make(map[string]bool)}
			sh.stackOrder = append(sh.stackOrder, sh.stacks[key])
		}
		sh.stacks[key].members[n.Input[1]] = true
		sh.stacks[key].left++
	}
	for key, s := range sh.stacks {
		if s.left < 2 {
			delete(sh.stacks, key)
		}
	}
}

// weightsFirst moves the nodes that read nothing but initialisers, and what such nodes make, to the
// front, so that in reverse they come after all others. It returns how many they are, and what they
// make.
func weightsFirst(m *onnx.Model, fixed map[string]bool) (nodes []*onnxpb.NodeProto, count int, made map[string]bool) {
	made = make(map[string]bool)
	var rest []*onnxpb.NodeProto
	for _, n := range m.Nodes() {
		if slices.ContainsFunc(onnx.Uses(n), func(u string) bool { return !fixed[u] && !made[u] }) {
			rest = append(rest, n)
			continue
		}
		nodes = append(nodes, n)
		for _, o := range n.GetOutput() {
			made[o] = true
		}
	}
	return append(nodes, rest...), len(nodes), made
}

// stacks puts ∂w of the node off until the gradients of all convolutions like it have been seen,
// and reports whether it did.
func (c *Context) stacks(v conv) bool {
	if !c.groupedPays(v) {
		return false
	}
	s := c.shared.stacks[stackKey(c.Node, v.wd)]
	if s == nil || !s.members[c.Node.Input[1]] {
		return false
	}
	s.conv, s.x = v, c.In(0)
	s.weights = append(s.weights, c.Node.Input[1])
	s.grads = append(s.grads, c.Grad(0))
	s.left--
	return true
}

// unstack returns the gradients of the stacks that wait for nothing more, or of all.
func (c pass) unstack(all bool) map[string]onnx.Value {
	out := make(map[string]onnx.Value)
	for _, s := range c.shared.stackOrder {
		if len(s.grads) == 0 || (s.left > 0 && !all) {
			continue
		}
		for i, dw := range convWeightGroups(c, s.conv, s.x, s.grads...) {
			out[s.weights[i]] = dw
		}
		s.grads = nil
	}
	return out
}
