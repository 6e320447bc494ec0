package autodiff_test

import (
	"fmt"

	"ucan/runtime/onnx"
)

func linearCases() []opCase {
	var out []opCase
	for _, s := range [][3][]int64{
		{{3, 4}, {4, 2}}, {{2, 3, 4}, {4, 2}}, {{2, 3, 4}, {2, 4, 2}}, {{2, 1, 3, 4}, {5, 4, 2}},
		{{3, 4}, {2, 4, 5}}, {{1, 3, 4}, {2, 4, 2}}, {{4}, {4, 2}}, {{3, 4}, {4}}, {{4}, {4}}, {{4}, {2, 4, 3}}, {{2, 3, 4}, {4}},
	} {
		c := opCase{op: "MatMul", name: fmt.Sprint(s[0], s[1]), in: [][]int64{s[0], s[1]},
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value { return b.MatMul(x[0], x[1]) }}
		out = append(out, c)
	}
	out = append(out, opCase{op: "MatMul", name: "constant weights", in: [][]int64{{2, 3, 4}, {4, 5}}, constIn: []int{1}, batch: true,
		build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value { return b.MatMul(x[0], x[1]) }})
	for _, ta := range []int64{0, 1} {
		for _, tb := range []int64{0, 1} {
			for _, bias := range [][]int64{nil, {4}, {2, 4}, {2, 1}, {}} {
				in := [][]int64{{2, 3}, {3, 4}}
				if ta == 1 {
					in[0] = []int64{3, 2}
				}
				if tb == 1 {
					in[1] = []int64{4, 3}
				}
				if bias != nil {
					in = append(in, bias)
				}
				out = append(out, opCase{op: "Gemm", name: fmt.Sprint("transposed ", ta, tb, " bias ", bias), in: in,
					build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
						return b.Op("Gemm", x, onnx.Int("transA", ta), onnx.Int("transB", tb), onnx.FloatAttr("alpha", 0.5), onnx.FloatAttr("beta", 2))
					}})
			}
		}
	}
	return out
}

// convShape is one geometry of a convolution.
type convShape struct {
	name  string
	x, w  []int64
	win   win
	group int64
	auto  string
	bias  bool
}

func convShapes() []convShape {
	one := win{1, 1, 1, 1, 1, 1, 0, 0, 0, 0}
	k := func(kh, kw int64) win { w := one; w.kh, w.kw = kh, kw; return w }
	pad := func(w win, t, l, b, r int64) win { w.top, w.left, w.bottom, w.right = t, l, b, r; return w }
	stride := func(w win, h, v int64) win { w.sh, w.sw = h, v; return w }
	dil := func(w win, h, v int64) win { w.dh, w.dw = h, v; return w }
	x := []int64{2, 2, 5, 6}
	return []convShape{
		{name: "1x1", x: x, w: []int64{3, 2, 1, 1}, win: k(1, 1), group: 1},
		{name: "1x1 stride 2", x: x, w: []int64{3, 2, 1, 1}, win: stride(k(1, 1), 2, 2), group: 1},
		{name: "3x3", x: x, w: []int64{3, 2, 3, 3}, win: k(3, 3), group: 1, bias: true},
		{name: "3x3 pad", x: x, w: []int64{3, 2, 3, 3}, win: pad(k(3, 3), 1, 1, 1, 1), group: 1, bias: true},
		{name: "3x2 uneven pad", x: x, w: []int64{3, 2, 3, 2}, win: pad(k(3, 2), 2, 0, 1, 1), group: 1},
		{name: "pad beyond the kernel", x: x, w: []int64{3, 2, 2, 2}, win: pad(k(2, 2), 3, 2, 2, 3), group: 1},
		{name: "stride", x: x, w: []int64{3, 2, 3, 3}, win: stride(pad(k(3, 3), 1, 1, 1, 1), 2, 2), group: 1, bias: true},
		{name: "uneven stride", x: x, w: []int64{3, 2, 3, 2}, win: stride(k(3, 2), 1, 3), group: 1},
		{name: "stride leaves a rest", x: []int64{2, 2, 6, 7}, w: []int64{3, 2, 2, 3}, win: stride(k(2, 3), 3, 3), group: 1},
		{name: "dilation", x: x, w: []int64{3, 2, 3, 2}, win: dil(pad(k(3, 2), 1, 1, 1, 1), 2, 3), group: 1},
		{name: "dilation and stride", x: []int64{2, 2, 8, 7}, w: []int64{2, 2, 3, 2}, win: stride(dil(pad(k(3, 2), 1, 0, 2, 1), 2, 2), 2, 3), group: 1},
		{name: "groups", x: []int64{2, 4, 4, 5}, w: []int64{6, 2, 3, 3}, win: pad(k(3, 3), 1, 1, 1, 1), group: 2, bias: true},
		{name: "groups stride", x: []int64{2, 4, 5, 5}, w: []int64{6, 2, 3, 3}, win: stride(pad(k(3, 3), 1, 1, 1, 1), 2, 2), group: 2},
		{name: "depthwise", x: []int64{2, 3, 4, 5}, w: []int64{3, 1, 3, 3}, win: pad(k(3, 3), 1, 1, 1, 1), group: 3},
		{name: "depthwise multiplier", x: []int64{2, 2, 4, 5}, w: []int64{4, 1, 2, 2}, win: k(2, 2), group: 2},
		{name: "patches", x: []int64{2, 2, 4, 6}, w: []int64{3, 2, 2, 3}, win: stride(k(2, 3), 2, 3), group: 1, bias: true},
		{name: "large kernel", x: []int64{1, 1, 9, 9}, w: []int64{2, 1, 9, 8}, win: pad(k(9, 8), 1, 1, 0, 0), group: 1},
		{name: "large kernel groups", x: []int64{2, 2, 9, 9}, w: []int64{2, 1, 9, 8}, win: k(9, 8), group: 2},
		{name: "small picture, many channels", x: []int64{3, 5, 2, 2}, w: []int64{32, 5, 3, 3}, win: pad(k(3, 3), 1, 1, 1, 1), group: 1, bias: true},
		{name: "small picture, many channels, 1x1", x: []int64{2, 6, 1, 2}, w: []int64{16, 6, 1, 1}, win: k(1, 1), group: 1},
		{name: "small picture, many channels, stride and dilation", x: []int64{2, 5, 5, 6}, w: []int64{17, 5, 3, 2}, win: stride(dil(pad(k(3, 2), 1, 0, 1, 1), 2, 2), 3, 3), group: 1},
		{name: "same upper", x: x, w: []int64{3, 2, 3, 2}, win: pad(k(3, 2), 1, 0, 1, 1), group: 1, auto: "SAME_UPPER"},
		{name: "same lower", x: x, w: []int64{3, 2, 3, 2}, win: pad(k(3, 2), 1, 1, 1, 0), group: 1, auto: "SAME_LOWER"},
		{name: "same upper stride", x: []int64{2, 2, 6, 5}, w: []int64{3, 2, 3, 3}, win: stride(pad(k(3, 3), 0, 1, 1, 1), 2, 2), group: 1, auto: "SAME_UPPER"},
		{name: "valid", x: x, w: []int64{3, 2, 3, 2}, win: k(3, 2), group: 1, auto: "VALID"},
	}
}

func (s convShape) attrs() []onnx.Attr {
	w := s.win
	out := []onnx.Attr{onnx.Ints("strides", w.sh, w.sw), onnx.Ints("dilations", w.dh, w.dw), onnx.Int("group", s.group)}
	if s.auto != "" {
		return append(out, onnx.Str("auto_pad", s.auto))
	}
	return append(out, onnx.Ints("pads", w.top, w.left, w.bottom, w.right))
}

func convCases() []opCase {
	var out []opCase
	for _, s := range convShapes() {
		in := [][]int64{s.x, s.w}
		if s.bias {
			in = append(in, []int64{s.w[0]})
		}
		c := opCase{op: "Conv", name: s.name, in: in,
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value { return b.Op("Conv", x, s.attrs()...) },
			ref:   func(in []value) []float64 { return convRef(in, s.win, s.group) }}
		out = append(out, c)
		// The same with constant weights, and with a batch that varies.
		c.name += " constant weights"
		c.constIn = []int{1, 2}[:len(in)-1]
		c.batch = true
		out = append(out, c)
	}
	// One spatial dimension.
	out = append(out, opCase{op: "Conv", name: "one dimension", in: [][]int64{{2, 2, 7}, {3, 2, 3}, {3}},
		build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Op("Conv", x, onnx.Ints("pads", 1, 1), onnx.Ints("strides", 2))
		},
		ref: func(in []value) []float64 {
			x, w := in[0], in[1]
			x.dims = []int64{2, 2, 1, 7}
			w.dims = []int64{3, 2, 1, 3}
			return convRef([]value{x, w, in[2]}, win{1, 3, 1, 2, 1, 1, 0, 1, 0, 1}, 1)
		}})
	return append(out, convTransposeCases()...)
}

func convTransposeCases() []opCase {
	type shape struct {
		name   string
		x, w   []int64
		win    win
		oh, ow int64
		group  int64
		bias   bool
		attrs  []onnx.Attr
	}
	shapes := []shape{
		{"plain", []int64{2, 2, 3, 4}, []int64{2, 3, 3, 2}, win{3, 2, 1, 1, 1, 1, 0, 0, 0, 0}, 5, 5, 1, true, nil},
		{"stride", []int64{2, 2, 3, 3}, []int64{2, 3, 2, 2}, win{2, 2, 2, 2, 1, 1, 0, 0, 0, 0}, 6, 6, 1, true, []onnx.Attr{onnx.Ints("strides", 2, 2)}},
		{"stride pad output padding", []int64{2, 2, 3, 3}, []int64{2, 3, 3, 3}, win{3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, 6, 5, 1, false,
			[]onnx.Attr{onnx.Ints("strides", 2, 2), onnx.Ints("pads", 1, 1, 1, 1), onnx.Ints("output_padding", 1, 0)}},
		{"groups", []int64{2, 4, 3, 3}, []int64{4, 2, 3, 3}, win{3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 3, 3, 2, true,
			[]onnx.Attr{onnx.Int("group", 2), onnx.Ints("pads", 1, 1, 1, 1)}},
		{"dilation", []int64{1, 2, 3, 3}, []int64{2, 2, 2, 2}, win{2, 2, 1, 1, 2, 2, 0, 0, 0, 0}, 5, 5, 1, false, []onnx.Attr{onnx.Ints("dilations", 2, 2)}},
		{"output shape", []int64{1, 2, 3, 3}, []int64{2, 2, 3, 3}, win{3, 3, 2, 2, 1, 1, 1, 1, 0, 0}, 6, 6, 1, false,
			[]onnx.Attr{onnx.Ints("strides", 2, 2), onnx.Ints("output_shape", 6, 6)}},
		{"same upper", []int64{1, 2, 3, 3}, []int64{2, 2, 3, 3}, win{3, 3, 2, 2, 1, 1, 0, 0, 1, 1}, 6, 6, 1, false,
			[]onnx.Attr{onnx.Ints("strides", 2, 2), onnx.Str("auto_pad", "SAME_UPPER")}},
	}
	var out []opCase
	for _, s := range shapes {
		in := [][]int64{s.x, s.w}
		if s.bias {
			in = append(in, []int64{s.w[1] * s.group})
		}
		out = append(out, opCase{op: "ConvTranspose", name: s.name, in: in,
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
				return b.Op("ConvTranspose", x, s.attrs...)
			},
			ref: func(in []value) []float64 { return convTransposeRef(in, s.win, s.group, s.oh, s.ow) }})
	}
	return out
}
