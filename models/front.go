package models

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// affine is the declared preprocessing: (x·scale − mean)/std.
type affine struct {
	scale     float64
	mean, std []float64 // one value or one a channel; never empty
}

func (a affine) identity() bool {
	return a.scale == 1 && constant(a.mean, 0) && constant(a.std, 1)
}

func constant(v []float64, want float64) bool {
	return !slices.ContainsFunc(v, func(x float64) bool { return x != want })
}

// integerRange returns the values of an integer input type.
func integerRange(dt onnx.DType) (lo, hi float64, ok bool) {
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

// withFront returns m with its input replaced by inputName, float rows of the
// source's shape, and the preprocessing, layout and element type of the model
// compiled in between. batch is the fixed batch, or −1.
func withFront(m *onnx.Model, input onnx.ValueInfo, source []int, f fit, a affine, batch int64) (*onnx.Model, error) {
	dims := append([]int64{batch}, int64s(source)...)
	plain, err := m.Edit(func(p *onnxpb.ModelProto) error {
		p.Graph.ValueInfo = nil // shapes declared inside may hold the old batch
		w := newWeaver(p, m)
		w.Reserve(inputName)
		x, err := w.front(inputName, input.Type, source, f, a)
		if err != nil {
			return fmt.Errorf("compile the preprocessing: %w", err)
		}
		if x == inputName {
			return nil
		}
		// The last node takes over the name that the model reads.
		w.Nodes[len(w.Nodes)-1].Output[0] = input.Name
		p.Graph.Node = append(w.Nodes, p.Graph.Node...)
		p.Graph.Input = append(without(p.Graph.Input, input.Name), tensorInfo(inputName, onnx.Float, dims...))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, ok := plain.Input(inputName); ok {
		return plain, nil
	}
	// Nothing stands in between: the model's own input gets the name and the shape.
	renamed, err := plain.Renamed(map[string]string{input.Name: inputName})
	if err != nil {
		return nil, err
	}
	return renamed.Edit(func(p *onnxpb.ModelProto) error {
		p.Graph.Input = append(without(p.Graph.Input, inputName), tensorInfo(inputName, onnx.Float, dims...))
		return nil
	})
}

// front adds everything between the source's rows and a model's input.
func (w *weaver) front(x string, to onnx.DType, source []int, f fit, a affine) (string, error) {
	_, _, integer := integerRange(to)
	x, err := w.normalise(x, source, a, integer)
	if err != nil {
		return "", err
	}
	now := source
	if f.transpose {
		x = w.op("Transpose", []string{x}, onnx.Ints("perm", 0, 2, 3, 1))
		now = []int{source[1], source[2], source[0]}
	}
	if !slices.Equal(now, f.target) {
		if x, err = w.reshape(x, append([]int64{-1}, int64s(f.target)...)...); err != nil {
			return "", err
		}
	}
	return w.convert(x, to)
}

// normalise adds (x·scale − mean)/std: on axis 1 of an image, on all values otherwise.
// exact asks for the operations one by one, as rounding to integers needs.
func (w *weaver) normalise(x string, source []int, a affine, exact bool) (string, error) {
	for _, v := range [][]float64{a.mean, a.std} {
		if _, err := channelDims(len(v), source); err != nil {
			return "", err
		}
	}
	if len(source) == 3 && !exact && !(constant(a.mean, 0) && constant(a.std, 1)) {
		return w.normaliseOnce(x, source[0], a)
	}
	if a.scale != 1 {
		s, err := w.floats("scale", nil, onnx.Float, a.scale)
		if err != nil {
			return "", err
		}
		x = w.op("Mul", []string{x, s})
	}
	for _, step := range []struct {
		operator string
		values   []float64
		neutral  float64
	}{{"Sub", a.mean, 0}, {"Div", a.std, 1}} {
		if constant(step.values, step.neutral) {
			continue
		}
		dims, err := channelDims(len(step.values), source)
		if err != nil {
			return "", err
		}
		c, err := w.floats(step.operator+"_constant", dims, onnx.Float, step.values...)
		if err != nil {
			return "", err
		}
		x = w.op(step.operator, []string{x, c})
	}
	return x, nil
}

// normaliseOnce is normalise in one pass over an image, as the affine map of a
// BatchNormalization: less than half the time of Sub and Div, and the same but for
// the last bit. The variance and the epsilon add up to 1; an epsilon of 0 is below
// what some libraries take.
func (w *weaver) normaliseOnce(x string, channels int, a affine) (string, error) {
	const epsilon = 1e-5
	at := func(v []float64, c int) float64 { return v[min(c, len(v)-1)] }
	params := make([][]float64, 4) // scale, bias, mean, variance
	for c := range channels {
		gain := a.scale / at(a.std, c)
		for i, v := range []float64{gain, -at(a.mean, c) / at(a.std, c), 0, 1 - epsilon} {
			params[i] = append(params[i], v)
		}
	}
	inputs := []string{x}
	for i, base := range []string{"gain", "shift", "zero", "unit"} {
		p, err := w.floats(base, []int64{int64(channels)}, onnx.Float, params[i]...)
		if err != nil {
			return "", err
		}
		inputs = append(inputs, p)
	}
	return w.op("BatchNormalization", inputs, onnx.FloatAttr("epsilon", epsilon)), nil
}

// channelDims returns the shape in which n values meet a batch of rows of the
// source's shape.
func channelDims(n int, source []int) ([]int64, error) {
	switch {
	case n == 1:
		return nil, nil
	case len(source) >= 1 && n == source[0]:
		dims := []int64{1, int64(n)}
		for range source[1:] {
			dims = append(dims, 1)
		}
		return dims, nil
	}
	return nil, fmt.Errorf("%w: mean or std has %d values and the data shape %s; give one value, or one a channel (%d)",
		ErrDeclaration, n, shapeText(source), source[0])
}

// convert casts float values to the model's element type; integers are rounded and
// clipped first, so that the classifier is a function of every real input.
func (w *weaver) convert(x string, to onnx.DType) (string, error) {
	lo, hi, integer := integerRange(to)
	if !integer {
		if to == onnx.Float {
			return x, nil
		}
		return w.cast(x, to), nil
	}
	if w.opset >= 11 {
		x = w.op("Round", []string{x})
		low, err := w.floats("low", nil, onnx.Float, lo)
		if err != nil {
			return "", err
		}
		high, err := w.floats("high", nil, onnx.Float, hi)
		if err != nil {
			return "", err
		}
		return w.cast(w.op("Clip", []string{x, low, high}), to), nil
	}
	// Before opset 11 there is no Round; halves go up instead of to even.
	half, err := w.floats("half", nil, onnx.Float, 0.5)
	if err != nil {
		return "", err
	}
	x = w.op("Floor", []string{w.op("Add", []string{x, half})})
	x = w.op("Clip", []string{x}, onnx.FloatAttr("min", float32(lo)), onnx.FloatAttr("max", float32(hi)))
	return w.cast(x, to), nil
}

func int64s(dims []int) []int64 {
	out := make([]int64, len(dims))
	for i, d := range dims {
		out[i] = int64(d)
	}
	return out
}
