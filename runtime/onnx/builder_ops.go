package onnx

import "fmt"

// The operators of the default domain, typed. All broadcast as ONNX does.

// Add returns x + y.
func (b *Builder) Add(x, y Value) Value { return b.Op("Add", []Value{x, y}) }

// Sub returns x − y.
func (b *Builder) Sub(x, y Value) Value { return b.Op("Sub", []Value{x, y}) }

// Mul returns x · y, element by element.
func (b *Builder) Mul(x, y Value) Value { return b.Op("Mul", []Value{x, y}) }

// Div returns x / y, element by element.
func (b *Builder) Div(x, y Value) Value { return b.Op("Div", []Value{x, y}) }

// Pow returns x to the power y.
func (b *Builder) Pow(x, y Value) Value { return b.Op("Pow", []Value{x, y}) }

// Neg returns −x.
func (b *Builder) Neg(x Value) Value { return b.Op("Neg", []Value{x}) }

// Abs returns |x|.
func (b *Builder) Abs(x Value) Value { return b.Op("Abs", []Value{x}) }

// Sign returns −1, 0 or 1.
func (b *Builder) Sign(x Value) Value { return b.Op("Sign", []Value{x}) }

// Sqrt returns √x.
func (b *Builder) Sqrt(x Value) Value { return b.Op("Sqrt", []Value{x}) }

// Exp returns eˣ.
func (b *Builder) Exp(x Value) Value { return b.Op("Exp", []Value{x}) }

// Log returns the natural logarithm.
func (b *Builder) Log(x Value) Value { return b.Op("Log", []Value{x}) }

// Erf returns the error function.
func (b *Builder) Erf(x Value) Value { return b.Op("Erf", []Value{x}) }

// Relu returns max(x, 0).
func (b *Builder) Relu(x Value) Value { return b.Op("Relu", []Value{x}) }

// LeakyRelu returns x where it is positive and alpha·x elsewhere.
func (b *Builder) LeakyRelu(x Value, alpha float32) Value {
	return b.Op("LeakyRelu", []Value{x}, FloatAttr("alpha", alpha))
}

// Sigmoid returns 1/(1+e⁻ˣ).
func (b *Builder) Sigmoid(x Value) Value { return b.Op("Sigmoid", []Value{x}) }

// Tanh returns the hyperbolic tangent.
func (b *Builder) Tanh(x Value) Value { return b.Op("Tanh", []Value{x}) }

// Softplus returns log(1+eˣ).
func (b *Builder) Softplus(x Value) Value { return b.Op("Softplus", []Value{x}) }

// Gelu returns x·Φ(x), Φ the standard normal distribution: the exact form. It is the operator of
// opset 20, below that its definition in terms of Erf. dt is the element type of x.
func (b *Builder) Gelu(x Value, dt DType) Value {
	if b.Opset() >= 20 {
		return b.Op("Gelu", []Value{x})
	}
	e := b.Erf(b.Mul(x, b.Scalar(dt, 0.7071067811865476)))
	return b.Mul(b.Mul(x, b.Scalar(dt, 0.5)), b.Add(e, b.Scalar(dt, 1)))
}

// Identity returns x under another name.
func (b *Builder) Identity(x Value) Value { return b.Op("Identity", []Value{x}) }

// Cast converts x to another element type.
func (b *Builder) Cast(x Value, to DType) Value {
	return b.Op("Cast", []Value{x}, Int("to", int64(to)))
}

// Equal returns, as booleans, where x and y are equal.
func (b *Builder) Equal(x, y Value) Value { return b.Op("Equal", []Value{x, y}) }

// Greater returns, as booleans, where x > y.
func (b *Builder) Greater(x, y Value) Value { return b.Op("Greater", []Value{x, y}) }

// Less returns, as booleans, where x < y.
func (b *Builder) Less(x, y Value) Value { return b.Op("Less", []Value{x, y}) }

// Where returns x where cond holds and y elsewhere.
func (b *Builder) Where(cond, x, y Value) Value { return b.Op("Where", []Value{cond, x, y}) }

// Clip returns x limited to [lo, hi]; either may be zero (no limit).
func (b *Builder) Clip(x, lo, hi Value) Value { return b.Op("Clip", []Value{x, lo, hi}) }

// MatMul returns the matrix product, over the last two dimensions.
func (b *Builder) MatMul(x, y Value) Value { return b.Op("MatMul", []Value{x, y}) }

// Gemm returns x·w + bias for matrices, with w transposed on request; bias may be zero.
func (b *Builder) Gemm(x, w, bias Value, transposeW bool) Value {
	var attrs []Attr
	if transposeW {
		attrs = append(attrs, Int("transB", 1))
	}
	return b.Op("Gemm", []Value{x, w, bias}, attrs...)
}

// Window describes how the kernel of a convolution or pooling moves over the spatial dimensions.
// Empty fields mean strides and dilations of 1 and no padding.
type Window struct {
	Kernel    []int64 // size; a convolution takes it from its weights
	Strides   []int64
	Dilations []int64
	Pads      []int64 // begin of every dimension, then end of every one
	Group     int64   // of a convolution; 0 means 1
}

func (w Window) attrs(conv bool) []Attr {
	var out []Attr
	if !conv || len(w.Kernel) > 0 {
		out = append(out, Ints("kernel_shape", w.Kernel...))
	}
	if len(w.Strides) > 0 {
		out = append(out, Ints("strides", w.Strides...))
	}
	if len(w.Dilations) > 0 {
		out = append(out, Ints("dilations", w.Dilations...))
	}
	if len(w.Pads) > 0 {
		out = append(out, Ints("pads", w.Pads...))
	}
	if conv && w.Group > 1 {
		out = append(out, Int("group", w.Group))
	}
	return out
}

// Conv returns the convolution of x [N,C,…] with weights w [O,C/group,…] plus bias [O], which may
// be zero.
func (b *Builder) Conv(x, w, bias Value, win Window) Value {
	return b.Op("Conv", []Value{x, w, bias}, win.attrs(true)...)
}

// MaxPool returns the maximum of every window of x [N,C,…].
func (b *Builder) MaxPool(x Value, win Window) Value {
	return b.Op("MaxPool", []Value{x}, win.attrs(false)...)
}

// AveragePool returns the mean of every window of x [N,C,…], padding not counted.
func (b *Builder) AveragePool(x Value, win Window) Value {
	return b.Op("AveragePool", []Value{x}, win.attrs(false)...)
}

// GlobalAveragePool returns the means [N,C,1,…] over the spatial dimensions.
func (b *Builder) GlobalAveragePool(x Value) Value { return b.Op("GlobalAveragePool", []Value{x}) }

// BatchNorm normalises x [N,C,…] with given statistics [C]: (x − mean)/√(variance + epsilon)·scale
// + bias.
func (b *Builder) BatchNorm(x, scale, bias, mean, variance Value, epsilon float32) Value {
	return b.Op("BatchNormalization", []Value{x, scale, bias, mean, variance}, FloatAttr("epsilon", epsilon))
}

// LayerNorm normalises x over the dimensions from axis on, then scales and shifts it; bias may be
// zero. It needs opset 17.
func (b *Builder) LayerNorm(x, scale, bias Value, axis int64, epsilon float32) Value {
	if b.Opset() < 17 {
		return b.Fail(fmt.Errorf("onnx: LayerNormalization needs opset 17, the graph has %d", b.Opset()))
	}
	return b.Op("LayerNormalization", []Value{x, scale, bias}, Int("axis", axis), FloatAttr("epsilon", epsilon))
}

// Softmax returns exp(x)/Σexp(x) along axis.
func (b *Builder) Softmax(x Value, axis int64) Value {
	return b.Op("Softmax", []Value{x}, Int("axis", axis))
}

// LogSoftmax returns x − log Σexp(x) along axis.
func (b *Builder) LogSoftmax(x Value, axis int64) Value {
	return b.Op("LogSoftmax", []Value{x}, Int("axis", axis))
}

// Reduce adds one of the reductions: "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin",
// "ReduceL2", "ReduceLogSumExp", … over the given axes, all when there are none. keep leaves the
// reduced dimensions as 1.
func (b *Builder) Reduce(op string, x Value, keep bool, axes ...int64) Value {
	attrs := []Attr{Int("keepdims", 0)}
	if keep {
		attrs[0] = Int("keepdims", 1)
	}
	in := []Value{x}
	if len(axes) > 0 {
		if op == "ReduceSum" || b.Opset() >= 18 {
			in = append(in, b.Ints(axes...))
		} else {
			attrs = append(attrs, Ints("axes", axes...))
		}
	}
	return b.Op(op, in, attrs...)
}

// Sum is [Builder.Reduce] with ReduceSum.
func (b *Builder) Sum(x Value, keep bool, axes ...int64) Value {
	return b.Reduce("ReduceSum", x, keep, axes...)
}

// Mean is [Builder.Reduce] with ReduceMean.
func (b *Builder) Mean(x Value, keep bool, axes ...int64) Value {
	return b.Reduce("ReduceMean", x, keep, axes...)
}

// Reshape gives x the dimensions dims; one may be -1 (what remains), and 0 copies the dimension at
// its place.
func (b *Builder) Reshape(x Value, dims ...int64) Value { return b.ReshapeTo(x, b.Ints(dims...)) }

// ReshapeTo gives x the dimensions held by the one-dimensional value shape.
func (b *Builder) ReshapeTo(x, shape Value) Value { return b.Op("Reshape", []Value{x, shape}) }

// Flatten turns x into a matrix, split before axis.
func (b *Builder) Flatten(x Value, axis int64) Value {
	return b.Op("Flatten", []Value{x}, Int("axis", axis))
}

// Squeeze removes the given dimensions of size 1.
func (b *Builder) Squeeze(x Value, axes ...int64) Value {
	return b.Op("Squeeze", []Value{x, b.Ints(axes...)})
}

// Unsqueeze inserts dimensions of size 1 at the given places of the result.
func (b *Builder) Unsqueeze(x Value, axes ...int64) Value {
	return b.Op("Unsqueeze", []Value{x, b.Ints(axes...)})
}

// Transpose permutes the dimensions of x.
func (b *Builder) Transpose(x Value, perm ...int64) Value {
	return b.Op("Transpose", []Value{x}, Ints("perm", perm...))
}

// Concat joins values along axis.
func (b *Builder) Concat(axis int64, vs ...Value) Value { return b.Op("Concat", vs, Int("axis", axis)) }

// Slice takes [starts, ends) of the given axes with the given steps; nil steps mean 1.
func (b *Builder) Slice(x Value, starts, ends, axes, steps []int64) Value {
	in := []Value{x, b.Ints(starts...), b.Ints(ends...), b.Ints(axes...)}
	if steps != nil {
		in = append(in, b.Ints(steps...))
	}
	return b.Op("Slice", in)
}

// Pad adds zeros around x: pads holds the begin of every dimension, then the end of every one.
func (b *Builder) Pad(x Value, pads ...int64) Value {
	return b.Op("Pad", []Value{x, b.Ints(pads...)})
}

// Gather takes the given indices of x along axis.
func (b *Builder) Gather(x, indices Value, axis int64) Value {
	return b.Op("Gather", []Value{x, indices}, Int("axis", axis))
}

// Expand broadcasts x to the dimensions held by shape.
func (b *Builder) Expand(x, shape Value) Value { return b.Op("Expand", []Value{x, shape}) }

// Shape returns the dimensions of x.
func (b *Builder) Shape(x Value) Value { return b.Op("Shape", []Value{x}) }
