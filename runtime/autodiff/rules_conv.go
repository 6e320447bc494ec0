package autodiff

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// y = w ⋆ x + b: ∂x = w ⋆ᵀ g (convInput), ∂w = g ⋆ x (convWeight), ∂b = Σ g over batch and space.
func convRule(c *Context) ([]onnx.Value, error) {
	v, err := convOf(c, c.InDims(0), c.OutDims(0), windowOf)
	if err != nil {
		return nil, err
	}
	out := make([]onnx.Value, c.Inputs())
	if c.Needs(0) {
		if out[0], err = convInput(c, v, c.Grad(0), 1); err != nil {
			return nil, err
		}
	}
	if c.Needs(1) && !c.stacks(v) {
		if out[1], err = convWeight(c, v, c.In(0), c.Grad(0)); err != nil {
			return nil, err
		}
	}
	if c.Needs(2) {
		out[2] = sumChannels(c, c.Grad(0), len(v.yd))
	}
	return out, nil
}

// convOf describes a node as a convolution from xd to yd.
func convOf(c *Context, xd, yd []int64, window func(n *onnxpb.NodeProto, kernel, in, out []int64) (window, error)) (conv, error) {
	wd := c.InDims(1)
	if len(wd) < 3 || !fixed(wd) {
		return conv{}, fmt.Errorf("weights of dimensions %v are not supported", wd)
	}
	v := conv{group: onnx.AttrInt(c.Node, "group", 1), wd: wd, xd: xd, yd: yd}
	var err error
	v.window, err = window(c.Node, wd[2:], xd[2:], yd[2:])
	return v, err
}

// sumChannels adds up g [N, O, …] over all but the channels.
func sumChannels(c *Context, g onnx.Value, rank int) onnx.Value {
	return c.Builder.Sum(g, false, append([]int64{0}, upTo(2, rank)...)...)
}

// y = wᵀ ⋆ x + b: ∂x = w ⋆ g, ∂w is that of the convolution with x and g exchanged, ∂b = Σ g over
// batch and space.
func convTransposeRule(c *Context) ([]onnx.Value, error) {
	v, err := convOf(c, c.OutDims(0), c.InDims(0), transposedWindow) // from y's space to x's
	if err != nil {
		return nil, err
	}
	b := c.Builder
	out := make([]onnx.Value, c.Inputs())
	if c.Needs(0) {
		out[0] = b.Op("Conv", []onnx.Value{c.Grad(0), c.In(1)}, v.attrs(v.group)...)
	}
	if c.Needs(1) {
		if out[1], err = convWeight(c, v, c.Grad(0), c.In(0)); err != nil {
			return nil, err
		}
	}
	if c.Needs(2) {
		out[2] = sumChannels(c, c.Grad(0), len(v.xd))
	}
	return out, nil
}

// convInput returns ∂x of y = w ⋆ x. With stride 1 that is a convolution of g with the weights
// flipped in space and transposed in channels, which costs what the forward does; otherwise a
// ConvTranspose, which costs two on the CPU provider, or there a convolution for each phase of the
// stride (convInputPhases). The weights are input wi of the node.
func convInput(c *Context, v conv, g onnx.Value, wi int) (onnx.Value, error) {
	b := c.Builder
	if all(v.stride, 1) {
		t := window{kernel: v.kernel, stride: v.stride, dilation: v.dilation}
		ok := true
		for a := range v.kernel {
			e := v.extent(a) - 1
			t.begin = append(t.begin, e-v.begin[a])
			t.end = append(t.end, e-v.end[a])
			ok = ok && t.begin[a] >= 0 && t.end[a] >= 0
		}
		if ok {
			w, err := flipped(c, v, wi)
			if err != nil {
				return onnx.Value{}, err
			}
			if c.separates(v, wi) {
				return convInputSeparate(c, v, t, g, w), nil
			}
			dx := b.Op("Conv", []onnx.Value{g, w}, t.attrs(v.group)...)
			if c.pictures(v.xd) && v.group == 1 && c.shared.fixed[c.Node.Input[wi]] {
				return c.blocks(dx), nil
			}
			return dx, nil
		}
	}
	if c.phasesPay(v, wi) {
		return convInputPhases(c, v, g, wi), nil
	}
	extra := make([]int64, len(v.kernel))
	for a := range v.kernel {
		in, out := v.xd[2+a], v.yd[2+a]
		if in < 0 || out < 0 {
			return onnx.Value{}, fmt.Errorf("its stride is not 1 and its spatial sizes vary from run to run")
		}
		extra[a] = in - ((out-1)*v.stride[a] + v.extent(a) - v.begin[a] - v.end[a])
	}
	attrs := append(v.attrs(v.group), onnx.Ints("output_padding", extra...))
	return b.Op("ConvTranspose", []onnx.Value{g, c.In(wi)}, attrs...), nil
}

// flipped returns the weights [O, C/G, k…] as [C, O/G, k…], reversed along every kernel axis:
// computed here when they are constant, otherwise in the graph.
func flipped(c *Context, v conv, wi int) (onnx.Value, error) {
	o, cg, rank := v.wd[0], v.wd[1], len(v.kernel)
	og := o / v.group
	if t := c.Const(wi); t != nil && onnx.TensorType(t) == onnx.Float {
		w, err := onnx.TensorData[float32](t)
		if err != nil {
			return onnx.Value{}, err
		}
		dims := append([]int64{v.group * cg, og}, v.kernel...)
		return onnx.Tensor(c.Builder, "flipped", dims, flipFloats(w, v)), nil
	}
	b := c.Builder
	if v.group == 1 {
		return turned(b, c.In(wi), v), nil
	}
	w := reversed(b, c.In(wi), v)
	w = b.Reshape(w, append([]int64{v.group, og, cg}, v.kernel...)...)
	w = b.Transpose(w, append([]int64{0, 2, 1}, upTo(3, 3+rank)...)...)
	return b.Reshape(w, append([]int64{v.group * cg, og}, v.kernel...)...), nil
}

// reversed returns weights reversed along every kernel axis.
func reversed(b *onnx.Builder, w onnx.Value, v conv) onnx.Value {
	rank := len(v.kernel)
	if v.count() == 1 {
		return w
	}
	back := slices.Repeat([]int64{-1}, rank)
	return b.Slice(w, back, slices.Repeat([]int64{-1 << 62}, rank), upTo(2, 2+rank), back)
}

// turned returns weights of one group reversed, their channels exchanged.
func turned(b *onnx.Builder, w onnx.Value, v conv) onnx.Value {
	return b.Transpose(reversed(b, w, v), append([]int64{1, 0}, upTo(2, 2+len(v.kernel))...)...)
}

func flipFloats(w []float32, v conv) []float32 {
	o, cg, k := v.wd[0], v.wd[1], v.count()
	og := o / v.group
	out := make([]float32, len(w))
	for g := range v.group {
		for i := range og {
			for j := range cg {
				src := w[((g*og+i)*cg+j)*k:][:k]
				dst := out[((g*cg+j)*og+i)*k:][:k]
				for t := range src {
					dst[int(k)-1-t] = src[t] // reversing all axes reverses the order
				}
			}
		}
	}
	return out
}
