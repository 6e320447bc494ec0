package autodiff

import (
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// sizes follows arithmetic on dimensions: for lists of numbers it tells which elements are the same
// in every run, because they come from constants and from dimensions that do not vary.
type sizes struct {
	m     *onnx.Model
	facts facts
	maker map[string]*onnxpb.NodeProto
	same  map[string][]bool
}

func newSizes(m *onnx.Model, fs facts, keep map[string]bool) sizes {
	s := sizes{m: m, facts: fs, maker: newSources(m).maker, same: make(map[string][]bool)}
	for _, t := range m.Initializers() {
		if !keep[t.GetName()] {
			s.all(t.GetName())
		}
	}
	return s
}

// all marks every element of a short list.
func (s sizes) all(name string) {
	if f, ok := s.facts[name]; ok && fixed(f.dims) && len(f.dims) <= 1 {
		s.same[name] = slices.Repeat([]bool{true}, int(append(slices.Clone(f.dims), 1)[0]))
	}
}

// node follows one node, and reports whether all of what it makes is the same in every run.
func (s sizes) node(n *onnxpb.NodeProto) bool {
	if len(n.GetOutput()) != 1 || onnx.NormalDomain(n.GetDomain()) != "" {
		return false
	}
	out := n.GetOutput()[0]
	if v := s.of(n); v != nil {
		s.same[out] = v
	}
	v := s.same[out]
	return v != nil && !slices.Contains(v, false)
}

func (s sizes) of(n *onnxpb.NodeProto) []bool {
	x := s.same[onnx.InputOf(n, 0)]
	switch n.GetOpType() {
	case "Constant":
		s.all(n.GetOutput()[0])
	case "Shape":
		if onnx.FindAttr(n, "start") == nil && onnx.FindAttr(n, "end") == nil {
			v := []bool{}
			for _, d := range s.facts[n.GetInput()[0]].dims {
				v = append(v, d >= 0)
			}
			return v
		}
	case "Identity", "Cast", "Unsqueeze", "Squeeze", "Floor", "Ceil", "Neg", "Sqrt":
		if len(s.facts[n.GetOutput()[0]].dims) <= 1 {
			return x
		}
	case "Concat":
		var v []bool
		for _, in := range n.GetInput() {
			if s.same[in] == nil || len(s.facts[in].dims) != 1 {
				return nil
			}
			v = append(v, s.same[in]...)
		}
		return v
	case "Gather":
		return s.gather(n, x)
	case "Add", "Sub", "Mul", "Div":
		return s.elementwise(x, s.same[onnx.InputOf(n, 1)])
	}
	return nil
}

func (s sizes) gather(n *onnxpb.NodeProto, x []bool) []bool {
	index := onnx.InputOf(n, 1)
	t := s.m.Initializer(index)
	if t == nil && s.maker[index] != nil {
		t, _ = onnx.ConstantValue(s.maker[index])
	}
	if t == nil || len(t.GetDims()) > 1 || onnx.AttrInt(n, "axis", 0) != 0 {
		return nil
	}
	at, err := onnx.Int64s(t)
	if err != nil {
		return nil
	}
	var v []bool
	for _, i := range at {
		if i < 0 {
			i += int64(len(x))
		}
		if i < 0 || i >= int64(len(x)) {
			return nil
		}
		v = append(v, x[i])
	}
	return v
}

func (sizes) elementwise(x, y []bool) []bool {
	if len(x) < len(y) {
		x, y = y, x
	}
	if len(y) == 0 || len(x) != len(y) && len(y) != 1 {
		return nil
	}
	v := slices.Clone(x)
	for i := range v {
		v[i] = v[i] && y[i%len(y)]
	}
	return v
}
