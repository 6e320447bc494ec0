package rows

import (
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

func linearCases() []ruleCase {
	return []ruleCase{
		{op: "MatMul", what: "with weights", dims: []int64{3, 4}, build: func(g *graph) { g.f32("w", 4, 5).do("MatMul", "x w", "y") }},
		{op: "MatMul", what: "weights in front", dims: []int64{3, 4}, build: func(g *graph) { g.f32("w", 2, 3).do("MatMul", "w x", "y") }},
		{op: "MatMul", what: "of rows, as attention does", dims: []int64{3, 4}, build: func(g *graph) {
			g.do("Transpose", "x", "k", aInts("perm", 0, 2, 1)).do("MatMul", "x k", "s").do("Softmax", "s", "p").do("MatMul", "p x", "y")
		}},
		{op: "MatMul", what: "with a vector", dims: []int64{3, 4}, build: func(g *graph) { g.f32("w", 4).do("MatMul", "x w", "y") }},
		{op: "MatMul", what: "over the batch", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.do("Transpose", "x", "t").do("MatMul", "x t", "s").do("MatMul", "s x", "y")
		}},
		{op: "MatMul", what: "with weights for each row", dims: []int64{3, 4}, mixes: true, build: func(g *graph) { g.f32("w", 7, 4, 5).do("MatMul", "x w", "y") }},
		{op: "Gemm", what: "with weights", dims: []int64{4}, build: func(g *graph) {
			g.f32("w", 5, 4).f32("b", 5).do("Gemm", "x w b", "y", aInt("transB", 1), aFloat("alpha", .5))
		}},
		{op: "Gemm", what: "from the right, the batch on columns", dims: []int64{4}, build: func(g *graph) {
			g.f32("w", 5, 4).do("Gemm", "w x", "t", aInt("transB", 1)).do("Transpose", "t", "y")
		}},
		{op: "Gemm", what: "over the batch", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.do("Gemm", "x x", "s", aInt("transA", 1)).do("MatMul", "x s", "y")
		}},
		{op: "Gemm", what: "with a bias for each row", dims: []int64{4}, mixes: true, build: func(g *graph) { g.f32("w", 4, 5).f32("b", 7, 5).do("Gemm", "x w b", "y") }},
		{op: "Einsum", what: "of rows and weights", dims: []int64{3, 4}, build: func(g *graph) {
			g.f32("w", 4, 5).do("Einsum", "x w x", "y", aStr("equation", "bij, jk, bij -> bki"))
		}},
		{op: "Einsum", what: "over the batch", dims: []int64{4}, mixes: true, build: func(g *graph) { g.do("Einsum", "x x", "y", aStr("equation", "bi,ci->bc")) }},
		{op: "Einsum", what: "summed over the batch", dims: []int64{4}, mixes: true, build: func(g *graph) { g.do("Einsum", "x x", "y", aStr("equation", "bi,bj->ij")) }},
		{op: "Einsum", what: "of an extent that is not known and one of 1, which choose", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.i64("i", 0).i64("start", 5).i64("end", -9).i64("step", -1).i64("one", 1).f32("k", 2, 3).f32("w", 1).do("Slice", "k start end i step", "c").
				do("Einsum", "x c w", "l", aStr("equation", "bf,ij,i->bi")).do("Shape", "l", "sh").do("Gather", "sh one", "v").do("Equal", "v one", "cond").
				do("If", "cond", "y", aGraph("then_branch", body(nil, "a", node("Relu", "x", "a"))), aGraph("else_branch", body(nil, "b", node("ReduceMax", "x", "m"), node("Add", "x m", "b"))))
		}},
		{op: "Det", what: "of matrices", dims: []int64{3, 3}, build: func(g *graph) { g.do("Det", "x", "y") }},
		{op: "Det", what: "of the batch", dims: []int64{2}, mixes: true, build: func(g *graph) { g.do("Det", "x", "d").do("Add", "x d", "y") }},
	}
}

func windowCases() []ruleCase {
	images := []int64{2, 6, 7}
	// asChannels makes the batch a channel or a place.
	asPlaces := func(op string, attrs ...*onnxpb.AttributeProto) func(g *graph) {
		return func(g *graph) {
			g.i64("a", 0).do("Unsqueeze", "x a", "u").do("Transpose", "u", "p", aInts("perm", 0, 2, 1, 3)).do(op, "p", "q", attrs...).
				do("Transpose", "q", "r", aInts("perm", 0, 2, 1, 3)).do("Squeeze", "r a", "y")
		}
	}
	kernel := aInts("kernel_shape", 3, 3)
	out := []ruleCase{
		{op: "Conv", what: "of images", dims: images, build: func(g *graph) {
			g.f32("w", 4, 2, 3, 3).f32("b", 4).do("Conv", "x w b", "y", aInts("pads", 1, 0, 1, 0), aInts("strides", 2, 1))
		}},
		{op: "Conv", what: "dilated, in groups", dims: images, build: func(g *graph) {
			g.f32("w", 4, 1, 2, 3).do("Conv", "x w", "y", aInts("dilations", 2, 1), aInt("group", 2))
		}},
		{op: "Conv", what: "padded to the same size", dims: images, build: func(g *graph) {
			g.f32("w", 4, 2, 3, 3).do("Conv", "x w", "y", aStr("auto_pad", "SAME_UPPER"), aInts("strides", 2, 2))
		}},
		{op: "Conv", what: "over the batch", dims: []int64{6, 7}, mixes: true, build: func(g *graph) {
			g.i64("a", 1).f32("w", 1, 1, 3, 3).do("Unsqueeze", "x a", "u").do("Transpose", "u", "p", aInts("perm", 1, 2, 0, 3)).do("Conv", "p w", "q", aInts("pads", 1, 1, 1, 1)).
				do("Transpose", "q", "r", aInts("perm", 2, 0, 1, 3)).do("Squeeze", "r a", "y")
		}},
		{op: "Conv", what: "with filters made of the batch", dims: []int64{2, 3, 3}, mixes: true, build: func(g *graph) { g.do("Conv", "x x", "y") }},
		{op: "ConvTranspose", what: "of images", dims: images, build: func(g *graph) {
			g.f32("w", 2, 3, 3, 2).do("ConvTranspose", "x w", "y", aInts("strides", 2, 1), aInts("pads", 1, 0, 0, 1), aInts("output_padding", 1, 0))
		}},
		{op: "ConvTranspose", what: "with filters made of the batch", dims: []int64{2, 3, 3}, mixes: true, build: func(g *graph) { g.do("ConvTranspose", "x x", "y") }},
		{op: "MaxPool", what: "of images", dims: images, build: func(g *graph) { g.do("MaxPool", "x", "y", kernel, aInts("strides", 2, 2), aInt("ceil_mode", 1)) }},
		{op: "MaxPool", what: "its indices", dims: images, mixes: true, build: func(g *graph) { g.do("MaxPool", "x", "p y", kernel) }},
		{op: "MaxPool", what: "over the batch", dims: []int64{6, 7}, mixes: true, build: asPlaces("MaxPool", kernel, aInts("pads", 1, 1, 1, 1))},
		{op: "AveragePool", what: "of images", dims: images, build: func(g *graph) { g.do("AveragePool", "x", "y", kernel, aInts("pads", 1, 1, 1, 1)) }},
		{op: "AveragePool", what: "over the batch", dims: []int64{6, 7}, mixes: true, build: asPlaces("AveragePool", kernel, aInts("pads", 1, 1, 1, 1))},
		{op: "LpPool", what: "of images", dims: images, build: func(g *graph) { g.do("LpPool", "x", "y", kernel) }},
		{op: "GridSample", what: "each image by its grid", dims: []int64{2, 4, 4}, build: func(g *graph) {
			g.do("Transpose", "x", "grid", aInts("perm", 0, 2, 3, 1)).do("GridSample", "x grid", "y")
		}},
		{op: "GridSample", what: "by one grid for all", dims: []int64{2, 4, 4}, mixes: true, build: func(g *graph) { g.f32("grid", 7, 3, 3, 2).do("GridSample", "x grid", "y") }},
		{op: "Resize", what: "twice as large", dims: images, build: func(g *graph) {
			g.values("s", []float32{1, 1, 2, 2}, 4).do("Resize", "x _ s", "y", aStr("mode", "linear"))
		}},
		{op: "Resize", what: "to sizes that hold the batch", dims: images, build: func(g *graph) {
			g.i64("i", 0, 1).i64("hw", 9, 4).do("Shape", "x", "s").do("Gather", "s i", "n").do("Concat", "n hw", "t", aInt("axis", 0)).
				do("Resize", "x _ _ t", "y", aStr("mode", "linear"), aStr("coordinate_transformation_mode", "align_corners"))
		}},
		{op: "Resize", what: "of the batch and back", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.values("s", []float32{2, 1}, 2).values("r", []float32{.5, 1}, 2).do("Resize", "x _ s", "b", aStr("mode", "linear")).do("Resize", "b _ r", "y", aStr("mode", "linear"))
		}},
		{op: "Resize", what: "with coordinates of its own", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.values("s", []float32{1, 1}, 2).values("roi", []float32{.2, 0, 1, 1}, 4).do("Resize", "x roi s", "y", aStr("mode", "linear"), aStr("coordinate_transformation_mode", "tf_crop_and_resize"))
		}},
		{op: "Resize", what: "interpolated over all of two axes", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.values("s", []float32{1, 2}, 2).do("Resize", "x _ s", "y", aStr("mode", "linear"))
		}},
		{op: "Resize", what: "a constant of an aspect that is kept, whose extents choose", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.f32("c", 1, 1, 2, 2).i64("t", 1, 1, 4, 8).i64("i", 3).i64("eight", 8).do("Resize", "c _ _ t", "r", aStr("keep_aspect_ratio_policy", "not_larger")).
				do("Shape", "r", "q").do("Gather", "q i", "w").do("Equal", "w eight", "cond").
				do("If", "cond", "y", aGraph("then_branch", body(nil, "a", node("Relu", "x", "a"))), aGraph("else_branch", body(nil, "b", node("ReduceMax", "x", "m"), node("Add", "x m", "b"))))
		}},
		{op: "Upsample", what: "twice as large", opset: 9, dims: images, build: func(g *graph) {
			g.values("s", []float32{1, 1, 2, 3}, 4).do("Upsample", "x s", "y")
		}},
	}
	for _, op := range []string{"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"} {
		out = append(out,
			ruleCase{op: op, what: "of images", dims: images, build: func(g *graph) { g.do(op, "x", "y") }},
			ruleCase{op: op, what: "over the batch", dims: []int64{1, 7}, mixes: true, build: func(g *graph) {
				g.do("Transpose", "x", "p", aInts("perm", 1, 2, 0)).do(op, "p", "q").do("Transpose", "q", "r", aInts("perm", 2, 0, 1)).do("Add", "x r", "y")
			}})
	}
	return out
}

func normCases() []ruleCase {
	images := []int64{4, 3, 3}
	perChannel := func(op, params string, attrs ...*onnxpb.AttributeProto) func(g *graph) {
		return func(g *graph) {
			g.f32("a", 4).f32("b", 4).f32("m", 4).values("v", []float32{1, 2, 3, 4}, 4).do(op, "x "+params, "y", attrs...)
		}
	}
	// turned makes the batch the first of the two axes behind the channels, and back.
	turned := func(op, params string, attrs ...*onnxpb.AttributeProto) func(g *graph) {
		return func(g *graph) {
			g.f32("a", 4).f32("b", 4).i64("ax", 0).do("Transpose", "x", "p", aInts("perm", 1, 0, 2)).do("Unsqueeze", "p ax", "u").do(op, "u "+params, "q", attrs...).
				do("Squeeze", "q ax", "s").do("Transpose", "s", "y", aInts("perm", 1, 0, 2))
		}
	}
	recurrent := func(op string, gates int64) []ruleCase {
		weights := func(g *graph) *graph { return g.f32("w", 1, gates*3, 4).f32("r", 1, gates*3, 3).f32("b", 1, 2*gates*3) }
		hidden := aInt("hidden_size", 3)
		return []ruleCase{
			{op: op, what: "along the sequence", dims: []int64{5, 4}, build: func(g *graph) {
				weights(g).i64("ax", 1).do("Transpose", "x", "p", aInts("perm", 1, 0, 2)).do(op, "p w r b", "all last", hidden).
					do("Squeeze", "all ax", "q").do("Transpose", "q", "y", aInts("perm", 1, 0, 2))
			}},
			{op: op, what: "from a state of each row", dims: []int64{5, 4}, build: func(g *graph) {
				weights(g).i64("ax", 0).i64("a", 0).i64("b3", 3).i64("two", 2).i64("one", 1).do("Transpose", "x", "p", aInts("perm", 1, 0, 2)).
					do("Slice", "p a one", "f").do("Slice", "f a b3 two", "h").do(op, "p w r b _ h", "_ last", hidden).do("Squeeze", "last ax", "y")
			}},
			{op: op, what: "along the batch", dims: []int64{5, 4}, mixes: true, build: func(g *graph) {
				weights(g).i64("ax", 1).do(op, "x w r b", "all", hidden).do("Squeeze", "all ax", "y")
			}},
		}
	}
	out := []ruleCase{
		{op: "BatchNormalization", what: "with frozen statistics", dims: images, build: perChannel("BatchNormalization", "a b m v")},
		{op: "BatchNormalization", what: "in training mode", dims: images, mixes: true, build: perChannel("BatchNormalization", "a b m v", aInt("training_mode", 1))},
		{op: "BatchNormalization", what: "with statistics made of the batch", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.f32("a", 4).f32("b", 4).i64("ax", 0).do("ReduceMean", "x ax", "m", aInt("keepdims", 0)).do("ReduceSumSquare", "x ax", "v", aInt("keepdims", 0)).
				do("BatchNormalization", "x a b m v", "y")
		}},
		{op: "InstanceNormalization", what: "of images", dims: images, build: perChannel("InstanceNormalization", "a b")},
		{op: "InstanceNormalization", what: "over the batch", dims: []int64{4, 3}, mixes: true, build: turned("InstanceNormalization", "a b")},
		{op: "GroupNormalization", what: "of images", opset: 21, dims: images, build: perChannel("GroupNormalization", "a b", aInt("num_groups", 2))},
		{op: "GroupNormalization", what: "over the batch", opset: 21, dims: []int64{4, 3}, mixes: true, build: turned("GroupNormalization", "a b", aInt("num_groups", 2))},
		{op: "LayerNormalization", what: "of features", dims: []int64{3, 4}, build: perChannel("LayerNormalization", "a b")},
		{op: "LayerNormalization", what: "from the batch on", dims: []int64{4}, mixes: true, build: perChannel("LayerNormalization", "a b", aInt("axis", 0))},
		{op: "LayerNormalization", what: "with a scale for each row", dims: []int64{4}, mixes: true, build: func(g *graph) { g.f32("s", 7, 4).do("LayerNormalization", "x s", "y") }},
		{op: "RMSNormalization", what: "of features", opset: 23, dims: []int64{3, 4}, build: perChannel("RMSNormalization", "a")},
		{op: "Attention", what: "of each row", opset: 23, dims: []int64{2, 3, 4}, build: func(g *graph) { g.do("Attention", "x x x", "y") }},
		{op: "Attention", what: "over the batch", opset: 23, dims: []int64{3, 4}, mixes: true, build: func(g *graph) {
			g.i64("a", 0).do("Unsqueeze", "x a", "u").do("Transpose", "u", "p", aInts("perm", 0, 2, 1, 3)).do("Attention", "p p p", "q").
				do("Transpose", "q", "r", aInts("perm", 0, 2, 1, 3)).do("Squeeze", "r a", "y")
		}},
	}
	out = append(out, recurrent("LSTM", 4)...)
	out = append(out, recurrent("GRU", 3)...)
	return append(out, recurrent("RNN", 1)...)
}

func quantCases() []ruleCase {
	byte1 := func(name string, v uint8) func(g *graph) {
		return func(g *graph) { g.tensor(onnx.NewTensor(name, nil, []uint8{v})) }
	}
	quantised := func(g *graph) *graph {
		byte1("z", 100)(g)
		return g.values("s", []float32{.05}).do("QuantizeLinear", "x s z", "q")
	}
	weights := func(g *graph, dims ...int64) *graph {
		n, _ := onnx.Elements(dims)
		w := make([]uint8, n)
		for i := range w {
			w[i] = uint8(90 + 7*i%20)
		}
		return g.tensor(onnx.NewTensor("w", dims, w))
	}
	return []ruleCase{
		{op: "QuantizeLinear", what: "with one scale", dims: []int64{3, 4}, build: func(g *graph) { quantised(g).do("DequantizeLinear", "q s z", "y") }},
		{op: "QuantizeLinear", what: "with a scale for each place in the batch", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.values("s", []float32{.1, .2, .3}, 3).do("QuantizeLinear", "x s", "q", aInt("axis", 0)).do("DequantizeLinear", "q s", "y", aInt("axis", 0))
		}},
		{op: "DequantizeLinear", what: "with a scale for each channel", dims: []int64{3, 4}, build: func(g *graph) {
			g.values("s", []float32{.1, .2, .3}, 3).do("QuantizeLinear", "x s", "q", aInt("axis", 1)).do("DequantizeLinear", "q s", "y", aInt("axis", 1))
		}},
		{op: "DynamicQuantizeLinear", what: "one scale for the batch", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.do("DynamicQuantizeLinear", "x", "q s z").do("DequantizeLinear", "q s z", "y")
		}},
		{op: "DynamicQuantizeLinear", what: "of constants", dims: []int64{4}, build: func(g *graph) {
			g.f32("c", 4).do("DynamicQuantizeLinear", "c", "q s z").do("DequantizeLinear", "q s z", "d").do("Mul", "d zero", "e").values("zero", []float32{0}).
				do("ReduceSum", "e", "f", aInt("keepdims", 0)).do("Cast", "f", "fc", aInt("to", 1)).do("Size", "fc", "n").do("Cast", "n", "nf", aInt("to", 1)).do("Mul", "x nf", "y")
		}},
		{op: "QLinearConv", what: "of images", dims: []int64{2, 4, 4}, build: func(g *graph) {
			weights(quantised(g), 3, 2, 3, 3).do("QLinearConv", "q s z w s z s z", "o").do("DequantizeLinear", "o s z", "y")
		}},
		{op: "QLinearMatMul", what: "with weights", dims: []int64{4}, build: func(g *graph) {
			weights(quantised(g), 4, 3).do("QLinearMatMul", "q s z w s z s z", "o").do("DequantizeLinear", "o s z", "y")
		}},
		{op: "QLinearMatMul", what: "with a scale for each row", dims: []int64{4}, mixes: true, build: func(g *graph) {
			weights(quantised(g), 4, 3).values("sr", []float32{.1, .2}, 2).tensor(onnx.NewTensor("zr", []int64{2}, []uint8{1, 2})).
				do("QLinearMatMul", "q sr zr w s z s z", "o").do("DequantizeLinear", "o s z", "y")
		}},
		{op: "ConvInteger", what: "of images", dims: []int64{2, 4, 4}, build: func(g *graph) { weights(quantised(g), 3, 2, 3, 3).do("ConvInteger", "q w z z", "y") }},
		{op: "MatMulInteger", what: "with weights", dims: []int64{4}, build: func(g *graph) { weights(quantised(g), 4, 3).do("MatMulInteger", "q w z z", "y") }},
		{op: "MatMulInteger", what: "with a zero point for each row", dims: []int64{4}, mixes: true, build: func(g *graph) {
			weights(quantised(g), 4, 3).tensor(onnx.NewTensor("zr", []int64{2}, []uint8{1, 2})).do("MatMulInteger", "q w zr z", "y")
		}},
	}
}

func controlCases() []ruleCase {
	scalarInfo := func(name string, dt onnx.DType) *onnxpb.ValueInfoProto { return info(name, dt) }
	branch := func(op, in, out string) *onnxpb.GraphProto { return body(nil, out, node(op, in, out)) }
	loop := func(bodyNodes ...*onnxpb.NodeProto) *onnxpb.GraphProto {
		in := append([]*onnxpb.ValueInfoProto{scalarInfo("i", onnx.Int64), scalarInfo("go", onnx.Bool)}, untyped("s")...)
		return body(in, "stay s2", append([]*onnxpb.NodeProto{node("Identity", "go", "stay")}, bodyNodes...)...)
	}
	yes := func(g *graph) *graph { return g.tensor(onnx.NewTensor("yes", nil, []bool{true})) }
	return []ruleCase{
		{op: "If", what: "a constant chooses", dims: []int64{4}, build: func(g *graph) {
			yes(g).do("If", "yes", "y", aGraph("then_branch", branch("Relu", "x", "a")), aGraph("else_branch", branch("ReduceSum", "x", "b")))
		}},
		{op: "If", what: "a constant that is not followed", dims: []int64{4}, build: func(g *graph) {
			g.f32("c", 3, 400).do("ReduceMax", "c", "m", aInt("keepdims", 0)).values("z", []float32{0}).do("Greater", "m z", "cond").
				do("If", "cond", "y", aGraph("then_branch", branch("Relu", "x", "a")), aGraph("else_branch", branch("Neg", "x", "b")))
		}},
		{op: "If", what: "the sum of the batch chooses", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.values("z", []float32{0}).do("ReduceSum", "x", "s", aInt("keepdims", 0)).do("Greater", "s z", "cond").
				do("If", "cond", "y", aGraph("then_branch", branch("Relu", "x", "a")), aGraph("else_branch", branch("Neg", "x", "b")))
		}},
		{op: "If", what: "the size of the batch chooses", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.scalar("i", 0).scalar("k", 300).do("Shape", "x", "s").do("Gather", "s i", "n").do("Greater", "n k", "cond").
				do("If", "cond", "y", aGraph("then_branch", branch("Relu", "x", "a")), aGraph("else_branch", branch("Neg", "x", "b")))
		}},
		{op: "If", what: "one branch mixes", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.f32("c", 3, 400).do("ReduceMax", "c", "m", aInt("keepdims", 0)).values("z", []float32{0}).do("Greater", "m z", "cond").
				do("If", "cond", "y", aGraph("then_branch", branch("Relu", "x", "a")), aGraph("else_branch", body(nil, "b", node("ReduceMax", "x", "m2"), node("Add", "x m2", "b"))))
		}},
		{op: "Loop", what: "a state of rows, a known number of times", dims: []int64{4}, build: func(g *graph) {
			yes(g).scalar("n", 3).do("Loop", "n yes x", "y", aGraph("body", loop(node("Sin", "s", "t"), node("Add", "s t", "s2"))))
		}},
		{op: "Loop", what: "often", dims: []int64{4}, build: func(g *graph) {
			yes(g).scalar("n", 300).do("Loop", "n yes x", "y", aGraph("body", loop(node("Sin", "s", "s2"))))
		}},
		{op: "Loop", what: "as often as there are rows", dims: []int64{4}, mixes: true, build: func(g *graph) {
			yes(g).scalar("i", 0).do("Shape", "x", "sh").do("Gather", "sh i", "n").do("Loop", "n yes x", "y", aGraph("body", loop(node("Sin", "s", "s2"))))
		}},
		{op: "Loop", what: "the batch reduced inside", dims: []int64{4}, mixes: true, build: func(g *graph) {
			yes(g).scalar("n", 2).do("Loop", "n yes x", "y", aGraph("body", loop(node("ReduceMax", "s", "t"), node("Add", "s t", "s2"))))
		}},
		{op: "Loop", what: "until the batch says so", dims: []int64{4}, mixes: true, build: func(g *graph) {
			in := append([]*onnxpb.ValueInfoProto{scalarInfo("i", onnx.Int64), scalarInfo("go", onnx.Bool)}, untyped("s")...)
			b := body(in, "stay s2", node("Sin", "s", "s2"), node("ReduceMax", "s2", "m", aInt("keepdims", 0)), node("Greater", "m lim", "stay"))
			yes(g).scalar("n", 20).values("lim", []float32{.5}).do("Loop", "n yes x", "y", aGraph("body", b))
		}},
		{op: "Loop", what: "the batch rolled turn by turn", dims: []int64{4}, mixes: true, build: func(g *graph) {
			yes(g).scalar("n", 2).i64("z", 0).i64("one", 1).i64("end", 1<<62).do("Loop", "n yes x", "y", aGraph("body",
				loop(node("Slice", "s z one", "a"), node("Slice", "s one end", "b"), node("Concat", "b a", "s2", aInt("axis", 0)))))
		}},
		{op: "Loop", what: "no turn, whose extents choose", dims: []int64{4}, mixes: true, build: func(g *graph) {
			in := []*onnxpb.ValueInfoProto{scalarInfo("i", onnx.Int64), scalarInfo("go", onnx.Bool)}
			yes(g).scalar("n", 0).i64("at", 1).i64("four", 4).f32("c", 4).
				do("Loop", "n yes", "l", aGraph("body", body(in, "stay o", node("Identity", "go", "stay"), node("Identity", "c", "o")))).
				do("Shape", "l", "sh").do("Gather", "sh at", "w").do("Equal", "w four", "cond").
				do("If", "cond", "y", aGraph("then_branch", branch("Relu", "x", "a")), aGraph("else_branch", branch("ReduceSum", "x", "b")))
		}},
		{op: "Scan", what: "along features", dims: []int64{5, 3}, build: func(g *graph) {
			b := body(untyped("h v"), "h2 o", node("Add", "h v", "h2"), node("Tanh", "h2", "o"))
			g.i64("a", 0).i64("one", 1).i64("ax", 1).do("Slice", "x a one ax", "f").do("Squeeze", "f ax", "h0").
				do("Scan", "h0 x", "hn y", aGraph("body", b), aInt("num_scan_inputs", 1), aInts("scan_input_axes", 1), aInts("scan_output_axes", 1))
		}},
		{op: "Scan", what: "along the batch", dims: []int64{3}, mixes: true, build: func(g *graph) {
			b := body(untyped("h v"), "h2 o", node("Add", "h v", "h2"), node("Tanh", "h2", "o"))
			g.f32("h0", 3).do("Scan", "h0 x", "hn y", aGraph("body", b), aInt("num_scan_inputs", 1))
		}},
	}
}

func tabularCases() []ruleCase {
	ml := func(op string) string { return "ai.onnx.ml:" + op }
	tree := func(prefix string) []*onnxpb.AttributeProto {
		return []*onnxpb.AttributeProto{
			aInts("nodes_treeids", 0, 0, 0), aInts("nodes_nodeids", 0, 1, 2), aInts("nodes_featureids", 1, 0, 0),
			aStrs("nodes_modes", "BRANCH_LEQ", "LEAF", "LEAF"), aFloats("nodes_values", .5, 0, 0),
			aInts("nodes_truenodeids", 1, 0, 0), aInts("nodes_falsenodeids", 2, 0, 0),
			aInts(prefix+"_treeids", 0, 0), aInts(prefix+"_nodeids", 1, 2), aInts(prefix+"_ids", 0, 1), aFloats(prefix+"_weights", .25, .75),
		}
	}
	mixed := func(op string, attrs ...*onnxpb.AttributeProto) ruleCase {
		return ruleCase{op: "ai.onnx.ml." + op, what: "the batch as one row", dims: []int64{1}, mixes: true, build: func(g *graph) {
			g.do("Transpose", "x", "t").do(ml(op), "t", "p", attrs...).do("Add", "x p", "y")
		}}
	}
	labels := aInts("classlabels_ints", 0, 1, 2)
	svm := []*onnxpb.AttributeProto{
		aFloats("coefficients", 1, -1), aFloats("support_vectors", 0, 1, 2, 1, 0, 2), aFloats("rho", .1), aStr("kernel_type", "LINEAR"), aFloats("kernel_params", 0, 0, 0),
	}
	return []ruleCase{
		{op: "ai.onnx.ml.TreeEnsembleClassifier", what: "of a table", dims: []int64{3}, build: func(g *graph) {
			g.do(ml("TreeEnsembleClassifier"), "x", "l y", append(tree("class"), aInts("classlabels_int64s", 0, 1))...)
		}},
		{op: "ai.onnx.ml.TreeEnsembleRegressor", what: "of a table", dims: []int64{3}, build: func(g *graph) {
			g.do(ml("TreeEnsembleRegressor"), "x", "y", append(tree("target"), aInt("n_targets", 2))...)
		}},
		mixed("TreeEnsembleRegressor", append(tree("target"), aInt("n_targets", 2))...),
		{op: "ai.onnx.ml.TreeEnsemble", what: "of a table", dims: []int64{3}, unrun: "it belongs to a newer operator set than these tests declare",
			build: func(g *graph) { g.do(ml("TreeEnsemble"), "x", "y") }},
		{op: "ai.onnx.ml.LinearClassifier", what: "of a table", dims: []int64{2}, build: func(g *graph) {
			g.do(ml("LinearClassifier"), "x", "l y", labels, aFloats("coefficients", 1, 2, 3, -1, 0, 1), aFloats("intercepts", 0, 1, 2), aStr("post_transform", "SOFTMAX"))
		}},
		{op: "ai.onnx.ml.LinearRegressor", what: "of a table", dims: []int64{2}, build: func(g *graph) {
			g.do(ml("LinearRegressor"), "x", "y", aFloats("coefficients", 1, 2), aFloats("intercepts", 1))
		}},
		{op: "ai.onnx.ml.SVMRegressor", what: "of a table", dims: []int64{3}, build: func(g *graph) {
			g.do(ml("SVMRegressor"), "x", "y", append(svm, aInt("n_supports", 2))...)
		}},
		{op: "ai.onnx.ml.SVMClassifier", what: "of a table", dims: []int64{3}, build: func(g *graph) {
			g.do(ml("SVMClassifier"), "x", "l y", append(svm, aInts("vectors_per_class", 1, 1), aInts("classlabels_ints", 0, 1))...)
		}},
		{op: "ai.onnx.ml.Scaler", what: "of a table", dims: []int64{3}, build: func(g *graph) {
			g.do(ml("Scaler"), "x", "y", aFloats("offset", 1, 2, 3), aFloats("scale", 2, 2, 1))
		}},
		mixed("Scaler", aFloats("offset", 1), aFloats("scale", 2)),
		{op: "ai.onnx.ml.Normalizer", what: "of a table", dims: []int64{3}, build: func(g *graph) { g.do(ml("Normalizer"), "x", "y", aStr("norm", "L2")) }},
		mixed("Normalizer", aStr("norm", "L1")),
		{op: "ai.onnx.ml.Imputer", what: "of a table", dims: []int64{3}, build: func(g *graph) {
			g.do(ml("Imputer"), "x", "y", aFloats("imputed_value_floats", 1, 2, 3), aFloat("replaced_value_float", 0))
		}},
		{op: "ai.onnx.ml.Binarizer", what: "of a table", dims: []int64{3}, build: func(g *graph) { g.do(ml("Binarizer"), "x", "y", aFloat("threshold", .5)) }},
		{op: "ai.onnx.ml.LabelEncoder", what: "of labels", dims: []int64{3}, build: func(g *graph) {
			g.do("ArgMax", "x", "i", aInt("axis", 1)).do(ml("LabelEncoder"), "i", "y", aInts("keys_int64s", 0, 1, 2), aFloats("values_floats", 3, 1, 2))
		}},
		{op: "ai.onnx.ml.ArrayFeatureExtractor", what: "of a table", dims: []int64{3}, build: func(g *graph) { g.i64("i", 2, 0).do(ml("ArrayFeatureExtractor"), "x i", "y") }},
		{op: "ai.onnx.ml.ArrayFeatureExtractor", what: "of the batch", dims: []int64{1}, mixes: true, build: func(g *graph) {
			g.i64("i", 0).do("Transpose", "x", "t").do(ml("ArrayFeatureExtractor"), "t i", "p").do("Add", "x p", "y")
		}},
		// Nearest neighbours look up the classes of the training inputs that a row is near to.
		{op: "ai.onnx.ml.ArrayFeatureExtractor", what: "of a constant vector by indices of rows", dims: []int64{5}, build: func(g *graph) {
			g.i64("k", 2).values("table", []float32{3, 1, 4, 1, 5}, 5).i64("shape", -1, 2).do("TopK", "x k", "v i").do("Flatten", "i", "f").
				do(ml("ArrayFeatureExtractor"), "table f", "t").do("Reshape", "t shape", "y")
		}},
		{op: "ai.onnx.ml.ArrayFeatureExtractor", what: "of two constant lines by indices of rows", dims: []int64{5}, build: func(g *graph) {
			g.values("table", []float32{3, 1, 4, 1, 5, 9, 2, 6, 5, 3}, 2, 5).do("ArgMax", "x", "i", aInt("axis", 1), aInt("keepdims", 0)).
				do(ml("ArrayFeatureExtractor"), "table i", "t").do("Transpose", "t", "y")
		}},
		{op: "ai.onnx.ml.ArrayFeatureExtractor", what: "of a constant vector by indices out of order", dims: []int64{5}, mixes: true, build: func(g *graph) {
			g.i64("k", 3).values("table", []float32{3, 1, 4, 1, 5}, 5).i64("shape", -1, 3).do("TopK", "x k", "v i").do("Transpose", "i", "f").
				do(ml("ArrayFeatureExtractor"), "table f", "t").do("Reshape", "t shape", "y")
		}},
		{op: "ai.onnx.ml.FeatureVectorizer", what: "of tables", dims: []int64{3}, build: func(g *graph) {
			g.do("Neg", "x", "n").do(ml("FeatureVectorizer"), "x n", "y", aInts("inputdimensions", 3, 3))
		}},
		{op: "ai.onnx.ml.OneHotEncoder", what: "of labels", dims: []int64{3}, build: func(g *graph) {
			g.do("ArgMax", "x", "i", aInt("axis", 1)).do(ml("OneHotEncoder"), "i", "y", aInts("cats_int64s", 0, 1, 2))
		}},
	}
}

func contribCases() []ruleCase {
	ms := func(op string) string { return "com.microsoft:" + op }
	quantised := func(g *graph) *graph {
		return g.values("s", []float32{.05}).tensor(onnx.NewTensor("z", nil, []uint8{100})).do("QuantizeLinear", "x s z", "q")
	}
	heads := aInt("num_heads", 2)
	return []ruleCase{
		{op: "com.microsoft.FusedMatMul", what: "with weights", dims: []int64{3, 4}, build: func(g *graph) {
			g.f32("w", 5, 4).do(ms("FusedMatMul"), "x w", "y", aInt("transB", 1), aFloat("alpha", 2))
		}},
		{op: "com.microsoft.FusedMatMul", what: "over the batch", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.do(ms("FusedMatMul"), "x x", "s", aInt("transA", 1)).do("MatMul", "x s", "y")
		}},
		{op: "com.microsoft.FusedMatMul", what: "with the batch transposed", dims: []int64{3, 4}, mixes: true, build: func(g *graph) {
			g.f32("w", 3, 4, 5).do(ms("FusedMatMul"), "x w", "y", aInt("transBatchA", 1))
		}},
		{op: "com.microsoft.FusedGemm", what: "with weights", dims: []int64{4}, build: func(g *graph) {
			g.f32("w", 4, 5).f32("b", 5).do(ms("FusedGemm"), "x w b", "y", aStr("activation", "Relu"))
		}},
		{op: "com.microsoft.FusedConv", what: "of images", dims: []int64{2, 5, 5}, build: func(g *graph) {
			g.f32("w", 3, 2, 3, 3).f32("b", 3).do(ms("FusedConv"), "x w b", "y", aStr("activation", "Relu"))
		}},
		{op: "com.microsoft.BiasGelu", what: "of features", dims: []int64{4}, build: func(g *graph) { g.f32("b", 4).do(ms("BiasGelu"), "x b", "y") }},
		{op: "com.microsoft.SkipLayerNormalization", what: "of sequences", dims: []int64{3, 4}, build: func(g *graph) {
			g.f32("a", 4).f32("b", 4).do("Neg", "x", "n").do("Sin", "n", "k").do(ms("SkipLayerNormalization"), "x k a b", "y")
		}},
		{op: "com.microsoft.SkipSimplifiedLayerNormalization", what: "of sequences", dims: []int64{3, 4}, build: func(g *graph) {
			g.f32("a", 4).do("Sin", "x", "k").do(ms("SkipSimplifiedLayerNormalization"), "x k a", "y")
		}},
		{op: "SimplifiedLayerNormalization", what: "of features", dims: []int64{3, 4}, build: func(g *graph) { g.f32("a", 4).do("SimplifiedLayerNormalization", "x a", "y") }},
		{op: "com.microsoft.Attention", what: "of sequences", dims: []int64{3, 4}, build: func(g *graph) {
			g.f32("w", 4, 12).f32("b", 12).do(ms("Attention"), "x w b", "y", heads)
		}},
		{op: "com.microsoft.Attention", what: "over the batch", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.i64("a", 0).f32("w", 4, 12).f32("b", 12).do("Unsqueeze", "x a", "u").do(ms("Attention"), "u w b", "o", heads).do("Squeeze", "o a", "y")
		}},
		{op: "com.microsoft.MultiHeadAttention", what: "of sequences", dims: []int64{3, 4}, build: func(g *graph) {
			g.do("Sin", "x", "k").do(ms("MultiHeadAttention"), "x k x", "y", heads)
		}},
		{op: "com.microsoft.EmbedLayerNormalization", what: "of ids", dims: []int64{3}, build: func(g *graph) {
			g.f32("we", 5, 4).f32("pe", 3, 4).f32("ga", 4).f32("be", 4).do("Sigmoid", "x", "p").do("Round", "p", "r").do("Cast", "r", "ids", aInt("to", int64(onnx.Int32))).
				do(ms("EmbedLayerNormalization"), "ids _ we pe _ ga be", "y m")
		}},
		{op: "com.microsoft.QLinearAdd", what: "of rows", dims: []int64{4}, build: func(g *graph) {
			quantised(g).do(ms("QLinearAdd"), "q s z q s z s z", "o").do("DequantizeLinear", "o s z", "y")
		}},
		{op: "com.microsoft.QLinearMul", what: "of rows", dims: []int64{4}, build: func(g *graph) {
			quantised(g).do(ms("QLinearMul"), "q s z q s z s z", "o").do("DequantizeLinear", "o s z", "y")
		}},
		{op: "com.microsoft.QLinearSigmoid", what: "of rows", dims: []int64{4}, build: func(g *graph) {
			quantised(g).do(ms("QLinearSigmoid"), "q s z s z", "o").do("DequantizeLinear", "o s z", "y")
		}},
		{op: "com.microsoft.QLinearLeakyRelu", what: "of rows", dims: []int64{4}, build: func(g *graph) {
			quantised(g).do(ms("QLinearLeakyRelu"), "q s z s z", "o").do("DequantizeLinear", "o s z", "y")
		}},
		{op: "com.microsoft.QLinearGlobalAveragePool", what: "of images", dims: []int64{2, 3, 3}, build: func(g *graph) {
			quantised(g).do(ms("QLinearGlobalAveragePool"), "q s z s z", "o").do("DequantizeLinear", "o s z", "y")
		}},
		{op: "com.microsoft.DynamicQuantizeMatMul", what: "one scale for the batch", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.tensor(onnx.NewTensor("w", []int64{4, 3}, make([]uint8, 12))).values("s", []float32{1}).do(ms("DynamicQuantizeMatMul"), "x w s", "y")
		}},
		{op: "com.microsoft.DynamicQuantizeLSTM", what: "one scale for the batch", dims: []int64{5, 4}, mixes: true, build: func(g *graph) {
			g.do(ms("DynamicQuantizeLSTM"), "x x x", "y")
		}},
	}
}
