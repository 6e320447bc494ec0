package autodiff_test

import (
	"fmt"

	"ucan/runtime/onnx"
)

// opOf makes a build function of one operator on the inputs and constants.
func opOf(op string, attrs []onnx.Attr, consts ...[]int64) func(*onnx.Builder, onnx.DType, []onnx.Value) onnx.Value {
	return func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
		in := append(vals{}, x...)
		for _, c := range consts {
			in = append(in, b.Ints(c...))
		}
		return b.Op(op, in, attrs...)
	}
}

func shapeCases() []opCase {
	axis := func(a int64) []onnx.Attr { return []onnx.Attr{onnx.Int("axis", a)} }
	x := [][]int64{{2, 3, 4}}
	out := []opCase{
		{op: "Reshape", name: "merge", in: x, build: opOf("Reshape", nil, []int64{0, -1}), batch: true},
		{op: "Reshape", name: "split", in: [][]int64{{2, 12}}, build: opOf("Reshape", nil, []int64{-1, 3, 4}), batch: true},
		{op: "Flatten", name: "axis 1", in: x, build: opOf("Flatten", axis(1)), batch: true},
		{op: "Flatten", name: "axis 2", in: x, build: opOf("Flatten", axis(2)), batch: true},
		{op: "Flatten", name: "axis 0", in: x, build: opOf("Flatten", axis(0))},
		{op: "Squeeze", name: "axes", in: [][]int64{{2, 1, 3, 1}}, build: opOf("Squeeze", nil, []int64{1, -1}), batch: true},
		{op: "Squeeze", name: "all", in: [][]int64{{2, 1, 3, 1}}, build: opOf("Squeeze", nil)},
		{op: "Unsqueeze", name: "axes", in: [][]int64{{2, 3}}, build: opOf("Unsqueeze", nil, []int64{1, -1}), batch: true},
		{op: "Transpose", name: "reverse", in: x, build: opOf("Transpose", nil), batch: true},
		{op: "Transpose", name: "perm", in: x, build: opOf("Transpose", []onnx.Attr{onnx.Ints("perm", 1, 2, 0)}), batch: true},
		{op: "Concat", name: "axis 1", in: [][]int64{{2, 3}, {2, 1}, {2, 2}}, build: opOf("Concat", axis(1)), batch: true},
		{op: "Concat", name: "axis -1", in: [][]int64{{2, 3}, {2, 1}}, build: opOf("Concat", axis(-1)), batch: true},
		{op: "Concat", name: "axis 0", in: [][]int64{{2, 3}, {2, 3}}, build: opOf("Concat", axis(0)), batch: true},
		{op: "Concat", name: "one", in: [][]int64{{2, 3}}, build: opOf("Concat", axis(0))},
		{op: "Concat", name: "twice the same", in: [][]int64{{2, 3}}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Concat(1, x[0], x[0])
		}},
		{op: "Split", name: "sizes", in: [][]int64{{2, 6}}, batch: true, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			p := b.OpN("Split", 3, []onnx.Value{x[0], b.Ints(1, 2, 3)}, onnx.Int("axis", 1))
			return b.Concat(1, b.Mul(p[2], p[2]), p[0]) // the second is not used
		}},
		{op: "Split", name: "equal", in: [][]int64{{2, 6}}, batch: true, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			p := b.OpN("Split", 2, []onnx.Value{x[0]}, onnx.Int("axis", -1))
			return b.Mul(p[0], p[1])
		}},
		{op: "Split", name: "number of outputs", opset: 18, in: [][]int64{{2, 5}}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			p := b.OpN("Split", 2, []onnx.Value{x[0]}, onnx.Int("axis", 1), onnx.Int("num_outputs", 2))
			return b.Concat(1, p[1], p[0])
		}},
		{op: "Expand", name: "widen", in: [][]int64{{2, 1, 3}}, build: opOf("Expand", nil, []int64{4, 1, 5, 1})},
		{op: "Expand", name: "batch", in: [][]int64{{2, 1, 3}}, build: opOf("Expand", nil, []int64{1, 4, 3}), batch: true},
		{op: "Tile", name: "some", in: [][]int64{{2, 3}}, build: opOf("Tile", nil, []int64{1, 3}), batch: true},
		{op: "Tile", name: "all", in: [][]int64{{2, 3}}, build: opOf("Tile", nil, []int64{2, 2})},
		{op: "Tile", name: "none", in: [][]int64{{2, 3}}, build: opOf("Tile", nil, []int64{1, 1})},
		{op: "Identity", name: "plain", in: [][]int64{{2, 3}}, build: opOf("Identity", nil), batch: true},
		{op: "Dropout", name: "inference", in: [][]int64{{2, 3}}, build: opOf("Dropout", nil), batch: true},
		{op: "Dropout", name: "explicit", in: [][]int64{{2, 3}}, build: func(b *onnx.Builder, dt onnx.DType, x []onnx.Value) onnx.Value {
			return b.Op("Dropout", []onnx.Value{x[0], b.Scalar(dt, 0.5), onnx.Tensor(b, "train", nil, []bool{false})})
		}},
		{op: "Cast", name: "through float32", in: [][]int64{{2, 3}}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Cast(b.Cast(x[0], onnx.Float), onnx.Double)
		}, ref: func(in []value) []float64 { return append([]float64{}, in[0].data...) }},
		{op: "DepthToSpace", name: "DCR", in: [][]int64{{2, 8, 2, 3}}, batch: true, build: opOf("DepthToSpace", []onnx.Attr{onnx.Int("blocksize", 2)})},
		{op: "DepthToSpace", name: "CRD", in: [][]int64{{2, 8, 2, 3}}, batch: true,
			build: opOf("DepthToSpace", []onnx.Attr{onnx.Int("blocksize", 2), onnx.Str("mode", "CRD")})},
		{op: "SpaceToDepth", name: "plain", in: [][]int64{{2, 2, 4, 6}}, batch: true, build: opOf("SpaceToDepth", []onnx.Attr{onnx.Int("blocksize", 2)})},
	}
	return out
}

func moveCases() []opCase {
	slice := func(name string, x, starts, ends, axes, steps []int64, batch bool) opCase {
		return opCase{op: "Slice", name: name, in: [][]int64{x}, batch: batch, build: opOf("Slice", nil, starts, ends, axes, steps)}
	}
	big := int64(1) << 40
	x := []int64{2, 5, 7}
	out := []opCase{
		slice("inner", x, []int64{1, 2}, []int64{4, 6}, []int64{1, 2}, []int64{1, 1}, true),
		slice("negative bounds", x, []int64{-4, -3}, []int64{-1, big}, []int64{1, -1}, []int64{1, 1}, true),
		slice("steps", x, []int64{1, 0}, []int64{5, 7}, []int64{1, 2}, []int64{2, 3}, true),
		slice("step leaves a rest", x, []int64{0}, []int64{6}, []int64{2}, []int64{4}, true),
		slice("reverse", x, []int64{-1}, []int64{-big}, []int64{2}, []int64{-1}, true),
		slice("reverse with step", x, []int64{5, 4}, []int64{0, -big}, []int64{2, 1}, []int64{-2, -3}, true),
		slice("whole batch", x, []int64{0, 1}, []int64{big, 3}, []int64{0, 1}, []int64{1, 1}, true),
		{op: "Slice", name: "no axes", in: [][]int64{{3, 4}}, build: opOf("Slice", nil, []int64{1, 0}, []int64{3, 2})},
	}
	pad := func(mode string, dims, pads []int64, batch bool) opCase {
		return opCase{op: "Pad", name: fmt.Sprint(mode, pads), in: [][]int64{dims}, batch: batch, opset: 19,
			build: opOf("Pad", []onnx.Attr{onnx.Str("mode", mode)}, pads)}
	}
	out = append(out,
		pad("constant", []int64{2, 3, 4}, []int64{0, 1, 2, 0, 3, 0}, true),
		pad("constant", []int64{2, 3, 4}, []int64{0, -1, 2, 0, 1, -2}, true),
		pad("reflect", []int64{2, 3, 4}, []int64{0, 1, 2, 0, 2, 3}, true),
		pad("edge", []int64{2, 3, 4}, []int64{0, 1, 2, 0, 5, 3}, true),
		pad("wrap", []int64{2, 3, 4}, []int64{0, 1, 2, 0, 2, 3}, true),
		pad("reflect", []int64{3, 2, 4, 2}, []int64{1, 1, 0, 0, 2, 1, 0, 0}, false),
		opCase{op: "Pad", name: "value", in: [][]int64{{2, 3}}, build: func(b *onnx.Builder, dt onnx.DType, x []onnx.Value) onnx.Value {
			return b.Op("Pad", []onnx.Value{x[0], b.Ints(0, 1, 1, 1), b.Scalar(dt, 3)})
		}},
		opCase{op: "Pad", name: "axes", opset: 18, in: [][]int64{{2, 3, 4}}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Op("Pad", []onnx.Value{x[0], b.Ints(1, 2, 0, 3), {}, b.Ints(-1, 1)})
		}},
	)
	gather := func(name string, dims []int64, idims, idx []int64, axis int64, batch bool) opCase {
		return opCase{op: "Gather", name: name, in: [][]int64{dims}, batch: batch,
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
				return b.Gather(x[0], onnx.Tensor(b, "indices", idims, idx), axis)
			}}
	}
	out = append(out,
		gather("one index", []int64{2, 3, 4}, nil, []int64{1}, 1, true),
		gather("one negative index", []int64{2, 3, 4}, nil, []int64{-1}, 2, true),
		gather("vector", []int64{2, 3, 4}, []int64{4}, []int64{2, 0, 2, -1}, 1, true),
		gather("matrix", []int64{2, 3, 4}, []int64{2, 2}, []int64{2, 0, 2, 1}, 1, true),
		gather("last axis", []int64{2, 3, 4}, []int64{2, 3}, []int64{0, 1, 2, 3, 3, -4}, -1, true),
		gather("first axis", []int64{5, 2}, []int64{3}, []int64{4, 0, 4}, 0, false),
		gather("first axis only", []int64{5}, []int64{3}, []int64{4, 0, 4}, 0, false),
		gather("long axis", []int64{1500, 2}, []int64{3}, []int64{1400, -1, 1400}, 0, false),
		opCase{op: "Gather", name: "int32 indices", in: [][]int64{{3, 2}}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Gather(x[0], onnx.Tensor(b, "indices", []int64{2}, []int32{2, -3}), 0)
		}},
	)
	return out
}

func resizeCases() []opCase {
	var out []opCase
	resize := func(name string, scales []float32, dims []int64, attrs ...onnx.Attr) {
		out = append(out, opCase{op: "Resize", name: name, in: [][]int64{dims}, batch: true,
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
				return b.Op("Resize", []onnx.Value{x[0], {}, onnx.Tensor(b, "scales", []int64{int64(len(scales))}, scales)}, attrs...)
			}, ref: func(in []value) []float64 { return resizeRef(in[0], scales, nil, attrs) }})
	}
	x := []int64{2, 2, 3, 4}
	for _, mode := range []string{"nearest", "linear", "cubic"} {
		for _, ct := range []string{"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"} {
			resize(mode+" "+ct, []float32{1, 1, 2, 1.5}, x, onnx.Str("mode", mode), onnx.Str("coordinate_transformation_mode", ct))
		}
		resize(mode+" down", []float32{1, 1, 0.5, 0.7}, []int64{2, 2, 4, 5}, onnx.Str("mode", mode))
	}
	for _, nm := range []string{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"} {
		resize("nearest "+nm, []float32{1, 1, 2, 1.6}, x, onnx.Str("mode", "nearest"), onnx.Str("nearest_mode", nm))
	}
	for _, mode := range []string{"nearest", "linear"} {
		out = append(out, opCase{op: "Resize", name: mode + " sizes", in: [][]int64{{2, 2, 3, 4}},
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
				return b.Op("Resize", []onnx.Value{x[0], {}, {}, b.Ints(2, 2, 5, 6)}, onnx.Str("mode", mode))
			}, ref: func(in []value) []float64 {
				return resizeRef(in[0], nil, []int64{2, 2, 5, 6}, []onnx.Attr{onnx.Str("mode", mode)})
			}})
	}
	return out
}
