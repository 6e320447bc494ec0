package autodiff

import (
	"context"
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// maxRank is the largest number of dimensions a value may have.
const maxRank = 12

// shapeModel returns m with a single output: the shapes of the named values, each padded to maxRank
// by −1.
func shapeModel(m *onnx.Model, values []string) (*onnx.Model, error) {
	m, err := m.WithOpset(max(m.Opset(""), 13))
	if err != nil {
		return nil, err
	}
	b := onnx.Extend(m)
	b.ClearOutputs()
	s := b.Scope("ucan.probe")
	pad := b.Ints(slices.Repeat([]int64{-1}, maxRank)...)
	rows := make([]onnx.Value, len(values))
	for i, name := range values {
		padded := s.Concat(0, s.Shape(b.Value(name)), pad)
		rows[i] = s.Slice(padded, []int64{0}, []int64{maxRank}, []int64{0}, nil)
	}
	b.Output(b.FreeName("ucan.shapes"), s.Concat(0, rows...), onnx.Int64, onnx.Fixed(int64(len(values))*maxRank))
	sm, err := b.Build()
	if err != nil {
		return nil, err
	}
	return sm.WithoutDead()
}

// unpackShapes reads the output of a shapeModel.
func unpackShapes(t *onnxpb.TensorProto, values []string) (map[string][]int64, error) {
	data, err := onnx.TensorData[int64](t)
	if err != nil {
		return nil, err
	}
	if len(data) != len(values)*maxRank {
		return nil, fmt.Errorf("autodiff: probing returned %d numbers for %d values", len(data), len(values))
	}
	out := make(map[string][]int64, len(values))
	for i, name := range values {
		row := data[i*maxRank : (i+1)*maxRank]
		end := slices.Index(row, -1)
		if end < 0 {
			return nil, fmt.Errorf("autodiff: value %q has %d or more dimensions", name, maxRank)
		}
		out[name] = slices.Clone(row[:end])
	}
	return out, nil
}

// fact is what probing tells of a value.
type fact struct {
	dtype onnx.DType
	// dims are the dimensions; −1 marks one that varies with the inputs.
	dims []int64
	// seen are the dimensions in the two rounds of probing.
	seen [2][]int64
	// value is set for constants.
	value *onnxpb.TensorProto
}

// facts maps the values of a graph to what is known of them.
type facts map[string]fact

// probe learns the types and shapes of all tensors of m's main graph. Symbolic dimensions get the
// sizes given for their symbols in the two rounds, or 2 and 3.
func probe(ctx context.Context, eng Engine, m *onnx.Model, sizes map[string][2]int64) (facts, error) {
	return probeValues(ctx, eng, m, m.Values(), sizes)
}

// probeValues is probe for the named values only.
func probeValues(ctx context.Context, eng Engine, m *onnx.Model, names []string, sizes map[string][2]int64) (facts, error) {
	for _, in := range m.Inputs() {
		if in.Kind != "tensor" || !in.HasShape {
			return nil, fmt.Errorf("autodiff: input %v has no declared shape; declare it first", in)
		}
	}
	types, err := valueTypes(ctx, eng, m, names)
	if err != nil {
		return nil, fmt.Errorf("autodiff: probe types: %w", err)
	}
	var tensors []string
	for _, n := range names {
		if _, ok := types[n]; ok {
			tensors = append(tensors, n)
		}
	}
	sm, err := shapeModel(m, tensors)
	if err != nil {
		return nil, fmt.Errorf("autodiff: probe shapes: %w", err)
	}
	var shapes [2]map[string][]int64
	for round := range shapes {
		feeds, varies, err := probeInputs(sm, sizes, round)
		if err != nil {
			return nil, err
		}
		if round == 1 && !varies {
			shapes[1] = shapes[0]
			break
		}
		out, err := eng.Eval(ctx, sm, feeds)
		if err != nil {
			return nil, fmt.Errorf("autodiff: probe shapes: %w", err)
		}
		if shapes[round], err = unpackShapes(out[sm.Outputs()[0].Name], tensors); err != nil {
			return nil, err
		}
	}
	fs := make(facts, len(tensors))
	for _, n := range tensors {
		dims, other := shapes[0][n], shapes[1][n]
		if len(dims) != len(other) {
			return nil, fmt.Errorf("autodiff: the number of dimensions of value %q varies", n)
		}
		f := fact{dtype: types[n], dims: slices.Clone(dims), seen: [2][]int64{dims, other}}
		for i := range dims {
			if dims[i] != other[i] {
				f.dims[i] = -1
			}
		}
		fs[n] = f
	}
	for _, t := range m.Initializers() {
		f := fs[t.GetName()]
		f.value = t
		fs[t.GetName()] = f
	}
	return fs, nil
}

// valueTypes returns the element types of the tensors among the named values.
func valueTypes(ctx context.Context, eng Engine, m *onnx.Model, names []string) (map[string]onnx.DType, error) {
	types := make(map[string]onnx.DType)
	for _, t := range m.Initializers() {
		types[t.GetName()] = onnx.TensorType(t)
	}
	for _, in := range m.Inputs() {
		types[in.Name] = in.Type
	}
	for _, o := range m.Outputs() {
		if o.Kind == "tensor" && o.Type != onnx.Undefined {
			types[o.Name] = o.Type
		}
	}
	var rest []string
	for _, n := range names {
		if _, ok := types[n]; !ok {
			rest = append(rest, n)
		}
	}
	if len(rest) == 0 {
		return types, nil
	}
	am, err := m.WithOutputs(rest...)
	if err != nil {
		return nil, err
	}
	inferred, err := eng.Infer(ctx, am)
	if err != nil {
		return nil, err
	}
	for n, dt := range inferred {
		types[n] = dt
	}
	return types, nil
}

// probeInputs makes inputs for one round of probing. Dimensions that are not fixed differ between
// the rounds; varies says whether there are any.
func probeInputs(m *onnx.Model, sizes map[string][2]int64, round int) (feeds []*onnxpb.TensorProto, varies bool, err error) {
	symbols := make(map[string]int64)
	for _, in := range m.Inputs() {
		dims := make([]int64, len(in.Shape))
		for i, d := range in.Shape {
			switch {
			case d.IsFixed():
				dims[i] = d.Size
				continue
			case d.Symbol != "" && sizes[d.Symbol] != [2]int64{}:
				dims[i] = sizes[d.Symbol][round]
				varies = true
				continue
			}
			key := d.Symbol
			if key == "" {
				key = fmt.Sprintf("%s#%d", in.Name, i)
				if i == 0 {
					key = "#batch" // nameless first dimensions are one batch
				}
			}
			if symbols[key] == 0 {
				symbols[key] = int64(2 + round)
			}
			dims[i] = symbols[key]
			varies = true
		}
		t, err := filled(in.Name, in.Type, dims)
		if err != nil {
			return nil, false, err
		}
		feeds = append(feeds, t)
	}
	return feeds, varies, nil
}
