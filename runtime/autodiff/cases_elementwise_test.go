package autodiff_test

import (
	"math"

	"ucan/runtime/onnx"
)

type vals = []onnx.Value

// allCases lists every finite-difference case.
func allCases() []opCase {
	var out []opCase
	for _, f := range []func() []opCase{elementwiseCases, activationCases, linearCases, convCases, normCases, reduceCases, poolCases, shapeCases, moveCases, resizeCases} {
		out = append(out, f()...)
	}
	return out
}

// unary is a case of an operator with one input.
func unary(op, name string, domain func(int, float64) float64, ref func(float64) float64, attrs ...onnx.Attr) opCase {
	c := opCase{
		op: op, name: name, in: [][]int64{{2, 3}}, domain: domain, batch: true,
		build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value { return b.Op(op, x, attrs...) },
	}
	if ref != nil {
		c.ref = func(in []value) []float64 {
			out := make([]float64, len(in[0].data))
			for i, v := range in[0].data {
				out[i] = ref(v)
			}
			return out
		}
	}
	return c
}

func elementwiseCases() []opCase {
	out := []opCase{
		unary("Neg", "plain", nil, nil),
		unary("Abs", "plain", away(0), nil),
		unary("Sqrt", "plain", positive, nil),
		unary("Reciprocal", "plain", positive, nil),
		unary("Exp", "plain", nil, nil),
		unary("Log", "plain", positive, nil),
		unary("Sin", "plain", nil, nil),
		unary("Cos", "plain", nil, math.Cos),
		unary("Sin", "float32", nil, math.Sin),
		unary("Erf", "plain", nil, math.Erf),
	}
	shapes := map[string][][]int64{
		"same": {{2, 3}, {2, 3}}, "row": {{2, 3}, {3}}, "column": {{2, 3}, {2, 1}}, "scalar": {{2, 3}, {}},
		"left": {{3}, {2, 3}}, "both": {{2, 1, 3}, {4, 1}}, "wider": {{1, 3}, {2, 2, 3}},
	}
	for _, op := range []string{"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Mean"} {
		for _, name := range []string{"same", "row", "column", "scalar", "left", "both", "wider"} {
			c := opCase{op: op, name: name, in: shapes[name], batch: name == "same",
				build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value { return b.Op(op, x) }}
			switch op {
			case "Div", "Pow":
				c.domain = positive
			case "Mean":
				c.ref = meanRef
			}
			out = append(out, c)
		}
	}
	// The same value twice: its gradients add up.
	out = append(out, opCase{op: "Mul", name: "square", in: [][]int64{{4}}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
		return b.Mul(x[0], x[0])
	}})
	for _, p := range []float64{2, 3, -1.5, 0.5} {
		out = append(out, opCase{op: "Pow", name: "constant exponent", in: [][]int64{{2, 3}}, domain: positive, batch: true,
			build: func(b *onnx.Builder, dt onnx.DType, x []onnx.Value) onnx.Value { return b.Pow(x[0], b.Scalar(dt, p)) }})
	}
	out = append(out,
		opCase{op: "Pow", name: "negative base", in: [][]int64{{2, 3}}, build: func(b *onnx.Builder, dt onnx.DType, x []onnx.Value) onnx.Value {
			return b.Pow(x[0], b.Scalar(dt, 3))
		}},
		opCase{op: "Pow", name: "integer exponent", in: [][]int64{{2, 3}}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Pow(x[0], b.Int64(4))
		}},
		opCase{op: "Sum", name: "three", in: [][]int64{{2, 3}, {3}, {1, 3}}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Op("Sum", x)
		}},
		opCase{op: "Max", name: "three", in: [][]int64{{2, 3}, {3}, {2, 1}}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Op("Max", x)
		}},
		opCase{op: "Max", name: "one", in: [][]int64{{2, 3}}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Op("Max", x)
		}},
		opCase{op: "Where", name: "broadcast", in: [][]int64{{2, 3}, {3}}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			cond := onnx.Tensor(b, "cond", []int64{2, 1}, []bool{true, false})
			return b.Where(cond, x[0], x[1])
		}},
		opCase{op: "Where", name: "by value", in: [][]int64{{2, 3}, {2, 3}}, batch: true, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
			return b.Where(b.Greater(x[0], x[1]), x[0], b.Mul(x[1], x[1]))
		}},
		opCase{op: "Clip", name: "both", in: [][]int64{{2, 5}}, domain: away(-0.5, 0.7), batch: true, build: func(b *onnx.Builder, dt onnx.DType, x []onnx.Value) onnx.Value {
			return b.Clip(x[0], b.Scalar(dt, -0.5), b.Scalar(dt, 0.7))
		}},
		opCase{op: "Clip", name: "low", in: [][]int64{{2, 5}}, domain: away(-0.5), build: func(b *onnx.Builder, dt onnx.DType, x []onnx.Value) onnx.Value {
			return b.Clip(x[0], b.Scalar(dt, -0.5), onnx.Value{})
		}},
		opCase{op: "Clip", name: "high", in: [][]int64{{2, 5}}, domain: away(0.5), build: func(b *onnx.Builder, dt onnx.DType, x []onnx.Value) onnx.Value {
			return b.Clip(x[0], onnx.Value{}, b.Scalar(dt, 0.5))
		}},
		opCase{op: "Clip", name: "by its ends", in: [][]int64{{2, 5}, {}, {}}, domain: func(i int, v float64) float64 {
			switch i {
			case 1:
				return -0.5
			case 2:
				return 0.7
			}
			return away(-0.5, 0.7)(0, v)
		}, build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value { return b.Clip(x[0], x[1], x[2]) }},
	)
	return out
}

// meanRef is the mean of two tensors, broadcast.
func meanRef(in []value) []float64 {
	dims := broadcastDims(in[0].dims, in[1].dims)
	out := make([]float64, elements(dims))
	for i := range out {
		out[i] = (broadcastAt(in[0], dims, i) + broadcastAt(in[1], dims, i)) / 2
	}
	return out
}

func activationCases() []opCase {
	softplus := func(x float64) float64 { return math.Log1p(math.Exp(-math.Abs(x))) + math.Max(x, 0) }
	gelu := func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }
	geluTanh := func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}
	elu := func(a float64) func(float64) float64 {
		return func(x float64) float64 {
			if x > 0 {
				return x
			}
			return a * math.Expm1(x)
		}
	}
	hardSigmoid := func(a, c float64) func(float64) float64 {
		return func(x float64) float64 { return math.Min(math.Max(a*x+c, 0), 1) }
	}
	hardSwish := func(x float64) float64 { return x * math.Min(math.Max(x/6+0.5, 0), 1) }
	leaky := func(a float64) func(float64) float64 {
		return func(x float64) float64 {
			if x < 0 {
				return a * x
			}
			return x
		}
	}
	wide := func(f func(int, float64) float64) func(int, float64) float64 {
		return func(i int, v float64) float64 { return f(i, 3*v) }
	}
	alpha := func(v float32) onnx.Attr { return onnx.FloatAttr("alpha", v) }
	geluCase := unary("Gelu", "exact", nil, gelu)
	geluCase.opset = 20
	geluTanhCase := unary("Gelu", "tanh", nil, geluTanh, onnx.Str("approximate", "tanh"))
	geluTanhCase.opset = 20
	msGelu := unary("com.microsoft.Gelu", "exact", nil, gelu)
	msGelu.build = func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
		return b.Custom("com.microsoft", "Gelu", 1, x)[0]
	}
	selu := func(a, g float64) func(float64) float64 {
		return func(x float64) float64 {
			if x > 0 {
				return g * x
			}
			return g * a * math.Expm1(x)
		}
	}
	out := []opCase{
		unary("Relu", "plain", away(0), nil),
		unary("LeakyRelu", "default", away(0), leaky(float64(float32(0.01)))),
		unary("LeakyRelu", "alpha", away(0), leaky(0.25), alpha(0.25)),
		unary("LeakyRelu", "negative alpha", away(0), leaky(-0.5), alpha(-0.5)),
		unary("ThresholdedRelu", "default", away(1), func(x float64) float64 {
			if x > 1 {
				return x
			}
			return 0
		}),
		unary("Elu", "default", away(0), elu(1)),
		unary("Elu", "alpha", away(0), elu(0.5), alpha(0.5)),
		unary("Selu", "default", away(0), selu(float64(float32(1.67326319217681884765625)), float64(float32(1.05070102214813232421875)))),
		unary("Selu", "own", away(0), selu(1.5, 2), alpha(1.5), onnx.FloatAttr("gamma", 2)),
		unary("Celu", "default", away(0), elu(1)),
		unary("Celu", "alpha", away(0), func(x float64) float64 {
			if x > 0 {
				return x
			}
			return 2 * math.Expm1(x/2)
		}, alpha(2)),
		geluCase, geluTanhCase, msGelu,
		unary("HardSwish", "plain", wide(away(-3, 3)), hardSwish),
		unary("HardSigmoid", "default", wide(away(-2.5, 2.5)), hardSigmoid(float64(float32(0.2)), 0.5)),
		unary("HardSigmoid", "own", away(-1, 1), hardSigmoid(0.5, 0.5), alpha(0.5), onnx.FloatAttr("beta", 0.5)),
		unary("Sigmoid", "plain", nil, nil),
		unary("Tanh", "plain", nil, nil),
		unary("Softplus", "plain", nil, softplus),
		unary("Softsign", "plain", away(0), func(x float64) float64 { return x / (1 + math.Abs(x)) }),
	}
	for i := range out {
		if out[i].op == "Softplus" {
			out[i].domain = func(_ int, v float64) float64 { return 2 * v }
		}
	}
	prelu := func(slope []int64) opCase {
		return opCase{op: "PRelu", name: "slope", in: [][]int64{{2, 3, 2}, slope}, domain: away(0),
			build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value { return b.Op("PRelu", x) }}
	}
	out = append(out, prelu([]int64{1}), prelu([]int64{3, 1}), prelu([]int64{2, 3, 2}))
	for _, op := range []string{"Softmax", "LogSoftmax"} {
		for _, axis := range []int64{-1, 0, 1} {
			out = append(out, opCase{op: op, name: "axis", in: [][]int64{{2, 3, 4}}, batch: axis != 0,
				build: func(b *onnx.Builder, _ onnx.DType, x []onnx.Value) onnx.Value {
					return b.Op(op, x, onnx.Int("axis", axis))
				}})
		}
	}
	return out
}
