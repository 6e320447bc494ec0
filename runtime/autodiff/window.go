package autodiff

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// window is how a kernel moves over the spatial dimensions, with padding made explicit.
type window struct {
	kernel, stride, dilation []int64
	begin, end               []int64 // padding
}

// extent is the size that the kernel covers along spatial axis a.
func (w window) extent(a int) int64 { return (w.kernel[a]-1)*w.dilation[a] + 1 }

// attrInts returns an attribute of n numbers, all def when it is missing.
func attrInts(n *onnxpb.NodeProto, name string, count int, def int64) ([]int64, error) {
	v := onnx.AttrInts(n, name)
	if len(v) == 0 {
		return slices.Repeat([]int64{def}, count), nil
	}
	if len(v) != count {
		return nil, fmt.Errorf("attribute %q has %d numbers, not %d", name, len(v), count)
	}
	return v, nil
}

// windowOf reads the attributes of a convolution or pooling whose kernel has the given size. Where
// padding is automatic it follows from the spatial sizes in and out of the node.
func windowOf(n *onnxpb.NodeProto, kernel, in, out []int64) (window, error) {
	w := window{kernel: kernel}
	rank := len(kernel)
	var err error
	if w.stride, err = attrInts(n, "strides", rank, 1); err != nil {
		return w, err
	}
	if w.dilation, err = attrInts(n, "dilations", rank, 1); err != nil {
		return w, err
	}
	pads, err := attrInts(n, "pads", 2*rank, 0)
	if err != nil {
		return w, err
	}
	w.begin, w.end = slices.Clone(pads[:rank]), slices.Clone(pads[rank:])
	for a := range kernel {
		if kernel[a] < 1 || w.stride[a] < 1 || w.dilation[a] < 1 {
			return w, fmt.Errorf("kernel %v, strides %v or dilations %v are not positive", kernel, w.stride, w.dilation)
		}
	}
	mode := onnx.AttrString(n, "auto_pad", "NOTSET")
	for a := range kernel {
		switch mode {
		case "VALID":
			w.begin[a], w.end[a] = 0, 0
		case "SAME_UPPER", "SAME_LOWER":
			if in[a] < 0 || out[a] < 0 {
				return w, fmt.Errorf("its padding is automatic and its spatial sizes vary from run to run")
			}
			total := max((out[a]-1)*w.stride[a]+w.extent(a)-in[a], 0)
			small, large := total/2, total-total/2
			if mode == "SAME_UPPER" {
				w.begin[a], w.end[a] = small, large
			} else {
				w.begin[a], w.end[a] = large, small
			}
		}
	}
	return w, nil
}

// transposedWindow is windowOf for ConvTranspose, taken for the convolution from its output to its
// input. The padding may follow from a wanted output size.
func transposedWindow(n *onnxpb.NodeProto, kernel, in, out []int64) (window, error) {
	w, err := windowOf(n, kernel, in, out)
	if err != nil {
		return w, err
	}
	mode := onnx.AttrString(n, "auto_pad", "NOTSET")
	if onnx.FindAttr(n, "output_shape") == nil && mode != "SAME_UPPER" && mode != "SAME_LOWER" {
		return w, nil
	}
	if !fixed(in) || !fixed(out) {
		return w, fmt.Errorf("its padding is automatic and its spatial sizes vary from run to run")
	}
	extra, err := attrInts(n, "output_padding", len(kernel), 0)
	if err != nil {
		return w, err
	}
	for a := range kernel {
		total := max((out[a]-1)*w.stride[a]+extra[a]+w.extent(a)-in[a], 0)
		if mode == "SAME_UPPER" {
			w.begin[a] = total / 2
		} else {
			w.begin[a] = total - total/2
		}
		w.end[a] = total - w.begin[a]
	}
	return w, nil
}

// offsets lists every position of the kernel.
func (w window) offsets() [][]int64 {
	out := [][]int64{{}}
	for _, k := range w.kernel {
		var next [][]int64
		for _, o := range out {
			for i := range k {
				next = append(next, append(slices.Clone(o), i))
			}
		}
		out = next
	}
	return out
}

// count returns the number of kernel positions.
func (w window) count() int64 { return product(w.kernel) }

// attrs writes the window as attributes of a Conv or ConvTranspose.
func (w window) attrs(group int64) []onnx.Attr {
	out := []onnx.Attr{
		onnx.Ints("kernel_shape", w.kernel...),
		onnx.Ints("strides", w.stride...),
		onnx.Ints("dilations", w.dilation...),
		onnx.Ints("pads", append(slices.Clone(w.begin), w.end...)...),
	}
	if group != 1 {
		out = append(out, onnx.Int("group", group))
	}
	return out
}

// all reports whether every number is v.
func all(s []int64, v int64) bool {
	return !slices.ContainsFunc(s, func(x int64) bool { return x != v })
}

// product multiplies numbers.
func product(s []int64) int64 {
	n := int64(1)
	for _, v := range s {
		n *= v
	}
	return n
}

// upTo lists the numbers from first to end − 1: axes, most often.
func upTo(first, end int) []int64 {
	out := make([]int64, 0, max(end-first, 0))
	for i := first; i < end; i++ {
		out = append(out, int64(i))
	}
	return out
}
