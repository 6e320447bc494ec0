package autodiff_test

import (
	"fmt"

	"ucan/runtime/onnx"
)

func normCases() []opCase {
	eps := onnx.FloatAttr("epsilon", 0.01)
	// Scales, shifts, means free; variances positive.
	bnDomain := func(i int, v float64) float64 {
		if i == 4 {
			return positive(0, v)
		}
		return v
	}
	var out []opCase
	for _, x := range [][]int64{{2, 3, 2, 2}, {2, 3}, {2, 3, 4}} {
		c := opCase{op: "BatchNormalization", name: fmt.Sprint("rank ", len(x)), in: [][]int64{x, {3}, {3}, {3}, {3}}, domain: bnDomain,
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
				return b.Op("BatchNormalization", x, eps)
			}}
		out = append(out, c)
		c.name += " constants"
		c.constIn = []int{1, 2, 3, 4}
		c.batch = true
		out = append(out, c)
	}
	ln := func(axis int64, in [][]int64) opCase {
		return opCase{op: "LayerNormalization", name: fmt.Sprint("axis ", axis, " ", len(in)), in: in, batch: false,
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
				return b.Op("LayerNormalization", x, onnx.Int("axis", axis), eps)
			}}
	}
	out = append(out,
		ln(-1, [][]int64{{2, 3, 4}, {4}, {4}}),
		ln(-1, [][]int64{{2, 3, 4}, {4}}),
		ln(1, [][]int64{{2, 3, 4}, {3, 4}, {3, 4}}),
		ln(1, [][]int64{{2, 3, 4}, {1, 4}, {3, 1}}),
	)
	// In float32 the rule takes the statistics from the operator.
	l32 := ln(-1, [][]int64{{2, 3, 4}, {4}, {4}})
	l32.name = "float32"
	l32.ref = func(in []value) []float64 {
		x := in[0]
		x.dims = []int64{6, 4, 1}
		return groupNormRef([]value{x, in[1], in[2]}, 1, 0.01)
	}
	out = append(out, l32)
	l32.name, l32.constIn, l32.batch = "float32 constants", []int{1, 2}, true
	out = append(out, l32)

	inst := opCase{op: "InstanceNormalization", name: "plain", in: [][]int64{{2, 3, 4, 2}, {3}, {3}},
		build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Op("InstanceNormalization", x, eps)
		},
		ref: func(in []value) []float64 { return groupNormRef(in, 3, 0.01) }}
	out = append(out, inst)
	inst.name, inst.constIn, inst.batch = "constants", []int{1, 2}, true
	out = append(out, inst)

	for _, per := range []int64{4, 2} {
		g := opCase{op: "GroupNormalization", name: fmt.Sprint("scales ", per), in: [][]int64{{2, 4, 3}, {per}, {per}}, opset: 21,
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
				return b.Op("GroupNormalization", x, eps, onnx.Int("num_groups", 2))
			},
			ref: func(in []value) []float64 { return groupNormRef(in, 2, 0.01) }}
		if per == 2 {
			g.opset = 18 // scales per group, before opset 21
		}
		out = append(out, g)
	}
	for _, size := range []int64{1, 3, 5} {
		out = append(out, opCase{op: "LRN", name: fmt.Sprint("size ", size), in: [][]int64{{2, 4, 2, 1}}, batch: true,
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
				return b.Op("LRN", x, onnx.Int("size", size), onnx.FloatAttr("alpha", 0.5), onnx.FloatAttr("beta", 0.625), onnx.FloatAttr("bias", 1.5))
			},
			ref: func(in []value) []float64 { return lrnRef(in[0], size, 0.5, 0.625, 1.5) }})
	}
	return out
}

func reduceCases() []opCase {
	var out []opCase
	for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"} {
		for _, opset := range []int64{17, 18} {
			for _, keep := range []bool{true, false} {
				for _, axes := range [][]int64{nil, {1}, {0, 2}, {-1}} {
					c := opCase{op: op, name: fmt.Sprint("opset ", opset, " axes ", axes, keep), opset: opset, in: [][]int64{{2, 3, 2}},
						build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
							return b.Reduce(op, x[0], keep, axes...)
						}}
					c.batch = len(axes) == 1
					switch op {
					case "ReduceLogSum":
						c.domain = positive
					case "ReduceL1":
						c.domain = away(0)
					}
					out = append(out, c)
				}
			}
		}
		if op == "ReduceSum" {
			out = append(out, opCase{op: op, name: "no axes, no operation", in: [][]int64{{2, 3}},
				build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
					return b.Op(op, []onnx.Value{x[0], onnx.Tensor(b, "none", []int64{0}, []int64{})}, onnx.Int("noop_with_empty_axes", 1))
				}})
		}
	}
	out = append(out, opCase{op: "ReduceMean", name: "over a varying batch", in: [][]int64{{3, 2}}, batch: true,
		build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value { return b.Mean(x[0], false, 0) }})
	return out
}

func poolCases() []opCase {
	type pool struct {
		name   string
		x      []int64
		win    win
		oh, ow int64
		attrs  []onnx.Attr
	}
	x := []int64{2, 2, 5, 6}
	pools := []pool{
		{"2x2", x, win{2, 2, 2, 2, 1, 1, 0, 0, 0, 0}, 2, 3, []onnx.Attr{onnx.Ints("strides", 2, 2)}},
		{"overlap", x, win{3, 2, 1, 1, 1, 1, 0, 0, 0, 0}, 3, 5, nil},
		{"pad", x, win{3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, 3, 3, []onnx.Attr{onnx.Ints("strides", 2, 2), onnx.Ints("pads", 1, 1, 1, 1)}},
		{"ceil", x, win{2, 4, 2, 4, 1, 1, 0, 0, 0, 0}, 3, 2, []onnx.Attr{onnx.Ints("strides", 2, 4), onnx.Int("ceil_mode", 1)}},
		{"same upper", x, win{2, 3, 2, 2, 1, 1, 0, 0, 1, 1}, 3, 3, []onnx.Attr{onnx.Ints("strides", 2, 2), onnx.Str("auto_pad", "SAME_UPPER")}},
		{"same lower", x, win{2, 3, 2, 2, 1, 1, 1, 1, 0, 0}, 3, 3, []onnx.Attr{onnx.Ints("strides", 2, 2), onnx.Str("auto_pad", "SAME_LOWER")}},
		{"gaps", x, win{1, 2, 2, 3, 1, 1, 0, 0, 0, 0}, 3, 2, []onnx.Attr{onnx.Ints("strides", 2, 3)}},
	}
	var out []opCase
	for _, p := range pools {
		attrs := append([]onnx.Attr{onnx.Ints("kernel_shape", p.win.kh, p.win.kw)}, p.attrs...)
		mp := opCase{op: "MaxPool", name: p.name, in: [][]int64{p.x}, batch: true,
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value { return b.Op("MaxPool", x, attrs...) }}
		out = append(out, mp)
		mp.name += " float32"
		mp.ref = func(in []value) []float64 { return maxPoolRef(in[0], p.win, p.oh, p.ow) }
		out = append(out, mp)
		for _, include := range []int64{0, 1} {
			all := append(append([]onnx.Attr{}, attrs...), onnx.Int("count_include_pad", include))
			opset := int64(17)
			if p.name == "ceil" {
				opset = 19 // before, onnxruntime counts what lies beyond the padding
			}
			out = append(out, opCase{op: "AveragePool", name: fmt.Sprint(p.name, " include ", include), in: [][]int64{p.x}, batch: true, opset: opset,
				build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value { return b.Op("AveragePool", x, all...) },
				ref:   func(in []value) []float64 { return averagePoolRef(in[0], p.win, p.oh, p.ow, include == 1) }})
		}
	}
	out = append(out,
		opCase{op: "MaxPool", name: "dilation", in: [][]int64{x}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Op("MaxPool", x, onnx.Ints("kernel_shape", 2, 2), onnx.Ints("dilations", 2, 3))
		}},
		opCase{op: "MaxPool", name: "one dimension", in: [][]int64{{2, 2, 7}}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Op("MaxPool", x, onnx.Ints("kernel_shape", 3), onnx.Ints("strides", 2))
		}},
		opCase{op: "AveragePool", name: "dilation", in: [][]int64{x}, opset: 19, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Op("AveragePool", x, onnx.Ints("kernel_shape", 2, 2), onnx.Ints("dilations", 2, 3))
		}, ref: func(in []value) []float64 {
			return averagePoolRef(in[0], win{2, 2, 1, 1, 2, 3, 0, 0, 0, 0}, 3, 3, false)
		}},
		opCase{op: "GlobalAveragePool", name: "plain", in: [][]int64{{2, 3, 2, 3}}, batch: true,
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value { return b.GlobalAveragePool(x[0]) },
			ref: func(in []value) []float64 {
				return averagePoolRef(in[0], win{2, 3, 1, 1, 1, 1, 0, 0, 0, 0}, 1, 1, false)
			}},
		opCase{op: "GlobalMaxPool", name: "plain", in: [][]int64{{2, 3, 2, 3}}, batch: true,
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value { return b.Op("GlobalMaxPool", x) },
			ref:   func(in []value) []float64 { return maxPoolRef(in[0], win{2, 3, 1, 1, 1, 1, 0, 0, 0, 0}, 1, 1) }},
	)
	return out
}
