package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"ucan/models/declare"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// Affine is the declared preprocessing: (x·Scale − Mean)/Std, with the channels of x reversed
// before that for a model that takes BGR. Mean and Std are in the model's order of channels.
type Affine struct {
	BGR       bool
	Scale     float64
	Mean, Std []float64 // one value or one a channel; never empty
}

// Identity returns the map that changes nothing.
func Identity() Affine { return Affine{Scale: 1, Mean: []float64{0}, Std: []float64{1}} }

// IsIdentity reports whether the map changes nothing.
func (a Affine) IsIdentity() bool { return a.Scale == 1 && !a.BGR && !a.shifts() }

// shifts reports whether the map does more than scale.
func (a Affine) shifts() bool { return !Constant(a.Mean, 0) || !Constant(a.Std, 1) }

// Check refuses means, deviations and orders of channels that do not fit rows of the source's
// shape.
func (a Affine) Check(source []int) error {
	if a.BGR && (len(source) != 3 || source[0] != 3) {
		return declare.Errorf("channels bgr is for images of three channels, and the data shape is %s; leave --channels out", ShapeText(source))
	}
	for _, v := range [][]float64{a.Mean, a.Std} {
		if len(v) != 1 && (len(source) < 1 || len(v) != source[0]) {
			return declare.Errorf("mean or std has %d values and the data shape %s; give one value, or one a channel (%d)",
				len(v), ShapeText(source), source[0])
		}
	}
	return nil
}

// RowShape says how a row of the source becomes a row of a model's input: transposed from CHW to
// HWC where Transpose is set, then read in the shape Dims.
type RowShape struct {
	Transpose bool
	Dims      []int
}

// Constant reports whether all values are the same given one.
func Constant(v []float64, want float64) bool {
	return !slices.ContainsFunc(v, func(x float64) bool { return x != want })
}

// IntegerRange returns the values of an integer input type.
func IntegerRange(dt onnx.DType) (lo, hi float64, ok bool) {
	switch dt {
	case onnx.Uint8:
		return 0, 255, true
	case onnx.Int8:
		return -128, 127, true
	case onnx.Uint16:
		return 0, 65535, true
	case onnx.Int16:
		return -32768, 32767, true
	case onnx.Int32, onnx.Int64, onnx.Uint32, onnx.Uint64:
		// float32 holds these integers exactly; no image has larger ones.
		return -(1 << 24), 1 << 24, true
	}
	return 0, 0, false
}

// WithPreprocessing returns m with its input replaced by InputName, float rows of the
// source's shape, and the preprocessing, layout and element type of the model
// compiled in between. batch is the fixed batch, or −1.
func WithPreprocessing(m *onnx.Model, input onnx.ValueInfo, source []int, row RowShape, a Affine, batch int64) (*onnx.Model, error) {
	declared := info(InputName, onnx.Float, append([]int64{batch}, Int64s(source)...)...)
	plain, err := m.Edit(func(p *onnxpb.ModelProto) error {
		p.Graph.ValueInfo = nil // shapes declared inside may hold the old batch
		if err := a.Check(source); err != nil {
			return fmt.Errorf("compile the preprocessing: %w", err)
		}
		w := newWriter(p, m)
		w.Reserve(InputName)
		x := w.preprocess(InputName, input.Type, source, row, a)
		if x == InputName {
			return nil
		}
		// The last node takes over the name that the model reads.
		w.Nodes[len(w.Nodes)-1].Output[0] = input.Name
		p.Graph.Node = append(w.Nodes, p.Graph.Node...)
		p.Graph.Input = append(without(p.Graph.Input, input.Name), declared)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, ok := plain.Input(InputName); ok {
		return plain, nil
	}
	// Nothing stands in between: the model's own input gets the name and the shape.
	renamed, err := plain.Renamed(map[string]string{input.Name: InputName})
	if err != nil {
		return nil, err
	}
	return renamed.Edit(func(p *onnxpb.ModelProto) error {
		p.Graph.Input = append(without(p.Graph.Input, InputName), declared)
		return nil
	})
}

// WithSourceOutput returns m with one output, called name: a value of the model, of rows as
// [WithPreprocessing] makes them, back in the source's shape and as float.
func WithSourceOutput(m *onnx.Model, name, value string, source []int, row RowShape, batch int64) (*onnx.Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		w := newWriter(p, m)
		x := w.cast(value, onnx.Float)
		shape := source
		if row.Transpose {
			shape = []int{source[1], source[2], source[0]}
		}
		if !slices.Equal(row.Dims, shape) {
			x = w.reshape(x, append([]int64{-1}, Int64s(shape)...)...)
		}
		if row.Transpose {
			x = w.op("Transpose", []string{x}, onnx.Ints("perm", 0, 3, 1, 2))
		}
		w.opTo(name, "Identity", []string{x})
		p.Graph.Node = append(p.Graph.Node, w.Nodes...)
		p.Graph.ValueInfo = nil
		p.Graph.Output = []*onnxpb.ValueInfoProto{info(name, onnx.Float, append([]int64{batch}, Int64s(source)...)...)}
		return nil
	})
}

// preprocess adds everything between the source's rows and a model's input.
func (w *writer) preprocess(x string, to onnx.DType, source []int, row RowShape, a Affine) string {
	_, _, integer := IntegerRange(to)
	if a.BGR {
		x = w.op("Gather", []string{x, w.ints("bgr", 2, 1, 0)}, onnx.Int("axis", 1))
	}
	x = w.normalise(x, source, a, integer)
	now := source
	if row.Transpose {
		x = w.op("Transpose", []string{x}, onnx.Ints("perm", 0, 2, 3, 1))
		now = []int{source[1], source[2], source[0]}
	}
	if !slices.Equal(now, row.Dims) {
		x = w.reshape(x, append([]int64{-1}, Int64s(row.Dims)...)...)
	}
	return w.convert(x, to)
}

// normalise adds (x·scale − mean)/std: on axis 1 of an image, on all values otherwise.
// exact asks for the operations one by one, as rounding to integers needs.
func (w *writer) normalise(x string, source []int, a Affine, exact bool) string {
	if len(source) == 3 && !exact && a.shifts() {
		return w.normaliseOnce(x, source[0], a)
	}
	if a.Scale != 1 {
		x = w.op("Mul", []string{x, w.scalar("scale", a.Scale)})
	}
	for _, step := range []struct {
		operator string
		values   []float64
		neutral  float64
	}{{"Sub", a.Mean, 0}, {"Div", a.Std, 1}} {
		if !Constant(step.values, step.neutral) {
			x = w.op(step.operator, []string{x, w.floats(step.operator+"_constant", channelDims(len(step.values), source), onnx.Float, step.values...)})
		}
	}
	return x
}

// normaliseOnce is normalise in one pass over an image, as the affine map of a
// BatchNormalization: less than half the time of Sub and Div, and the same but for
// the last bit. The variance and the epsilon add up to 1; an epsilon of 0 is below
// what some libraries take.
func (w *writer) normaliseOnce(x string, channels int, a Affine) string {
	const epsilon = 1e-5
	at := func(v []float64, c int) float64 { return v[min(c, len(v)-1)] }
	params := make([][]float64, 4) // scale, bias, mean, variance
	for c := range channels {
		gain := a.Scale / at(a.Std, c)
		for i, v := range []float64{gain, -at(a.Mean, c) / at(a.Std, c), 0, 1 - epsilon} {
			params[i] = append(params[i], v)
		}
	}
	inputs := []string{x}
	for i, base := range []string{"gain", "shift", "zero", "unit"} {
		inputs = append(inputs, w.floats(base, []int64{int64(channels)}, onnx.Float, params[i]...))
	}
	return w.op("BatchNormalization", inputs, onnx.FloatAttr("epsilon", epsilon))
}

// channelDims returns the shape in which n values meet a batch of rows of the
// source's shape: one value, or one a channel.
func channelDims(n int, source []int) []int64 {
	if n == 1 {
		return nil
	}
	dims := []int64{1, int64(n)}
	for range source[1:] {
		dims = append(dims, 1)
	}
	return dims
}

// convert casts float values to the model's element type; integers are rounded and
// clipped first, so that the classifier is a function of every real input.
func (w *writer) convert(x string, to onnx.DType) string {
	lo, hi, integer := IntegerRange(to)
	switch {
	case !integer && to == onnx.Float:
		return x
	case !integer:
		return w.cast(x, to)
	case w.opset >= 11:
		x = w.op("Round", []string{x})
		return w.cast(w.op("Clip", []string{x, w.scalar("low", lo), w.scalar("high", hi)}), to)
	}
	// Before opset 11 there is no Round; halves go up instead of to even.
	x = w.op("Floor", []string{w.op("Add", []string{x, w.scalar("half", 0.5)})})
	x = w.op("Clip", []string{x}, onnx.FloatAttr("min", float32(lo)), onnx.FloatAttr("max", float32(hi)))
	return w.cast(x, to)
}

// Int64s converts dimensions.
func Int64s(dims []int) []int64 {
	out := make([]int64, len(dims))
	for i, d := range dims {
		out[i] = int64(d)
	}
	return out
}

// Open is a dimension that a file leaves open.
const Open = -1

// ShapeText prints a shape like [3,32,32], open dimensions as "?".
func ShapeText(dims []int) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = "?"
		if d != Open {
			parts[i] = fmt.Sprint(d)
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}
