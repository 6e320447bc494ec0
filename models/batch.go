package models

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// withSymbolicBatch returns m with the batch of the named input made symbolic, and
// what was changed. static is the batch that the file bakes in. The result need not
// be right, or even load: the caller compares it with the original.
//
// Edited are, on the path of the data only: targets of Reshape whose first dimension
// is the batch, and constants of batch 1 that Concat joins to the data along another
// axis (the class token of a vision transformer). Weights keep their shapes.
func withSymbolicBatch(m *onnx.Model, input string, static int) (*onnx.Model, []string, error) {
	var edits []string
	out, err := m.Edit(func(p *onnxpb.ModelProto) error {
		v := newView(m)
		data := v.downstream(input)
		w := newWeaver(p, m)
		edits = append(edits, fmt.Sprintf("batch of input %q: %d → N", input, static))
		p.Graph.ValueInfo = nil
		for _, list := range [][]*onnxpb.ValueInfoProto{p.Graph.Input, p.Graph.Output} {
			for _, info := range list {
				name := info.GetName()
				dims := info.GetType().GetTensorType().GetShape().GetDim()
				if len(dims) > 0 && (name == input || data[name]) {
					dims[0].Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "N"}
				}
			}
		}
		nodes := make([]*onnxpb.NodeProto, 0, len(p.Graph.Node))
		for _, n := range p.Graph.Node {
			switch n.GetOpType() {
			case "Reshape":
				edit, err := w.freeReshape(v, n, data, static)
				if err != nil {
					return err
				}
				if edit != "" {
					edits = append(edits, edit)
				}
			case "Concat":
				edit, err := w.freeConcat(v, n, data, static)
				if err != nil {
					return err
				}
				if edit != "" {
					edits = append(edits, edit)
				}
				nodes = append(nodes, w.nodes...)
				w.nodes = nil
			}
			nodes = append(nodes, n)
		}
		p.Graph.Node = nodes
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("rewrite the batch: %w", err)
	}
	return out, edits, nil
}

// freeReshape gives a Reshape of the data a target without the batch: −1 in its
// place, or 0 (as in the input) where −1 is taken.
func (w *weaver) freeReshape(v *view, n *onnxpb.NodeProto, data map[string]bool, static int) (string, error) {
	if !data[input(n, 0)] {
		return "", nil
	}
	t := v.constant(input(n, 1))
	if t == nil {
		return "", nil
	}
	shape, err := onnx.Int64s(t)
	if err != nil || len(shape) == 0 || shape[0] != int64(static) {
		return "", nil //nolint:nilerr // a target of another type is left to onnxruntime's own error
	}
	target := slices.Clone(shape)
	target[0] = -1
	if slices.Contains(shape[1:], -1) {
		if onnx.AttrInt(n, "allowzero", 0) != 0 {
			return "", nil
		}
		target[0] = 0
	}
	name, err := w.ints("shape", target...)
	if err != nil {
		return "", err
	}
	n.Input[1] = name
	return fmt.Sprintf("%s: target %v → %v", onnx.Describe(n), shape, target), nil
}

// freeConcat repeats constants of batch 1 for every row of the data that they are
// joined to.
func (w *weaver) freeConcat(v *view, n *onnxpb.NodeProto, data map[string]bool, static int) (string, error) {
	if static != 1 || w.opset < 8 || onnx.AttrInt(n, "axis", 1) == 0 {
		return "", nil
	}
	row := ""
	for _, in := range n.GetInput() {
		if data[in] {
			row = in
		}
	}
	if row == "" {
		return "", nil
	}
	edit := ""
	for i, in := range n.GetInput() {
		t := v.constant(in)
		if t == nil || data[in] || len(t.Dims) < 2 || t.Dims[0] != 1 || onnx.AttrInt(n, "axis", 1) == -int64(len(t.Dims)) {
			continue
		}
		zero, err := w.ints("first", 0)
		if err != nil {
			return "", err
		}
		rest, err := w.ints("rest", t.Dims[1:]...)
		if err != nil {
			return "", err
		}
		rows := w.op("Gather", []string{w.op("Shape", []string{row}), zero}, attrInt("axis", 0))
		shape := w.op("Concat", []string{rows, rest}, attrInt("axis", 0))
		n.Input[i] = w.op("Expand", []string{in, shape})
		edit = fmt.Sprintf("%s: constant %q repeated for every row", onnx.Describe(n), in)
	}
	return edit, nil
}

// withFixedBatch returns m with the batch of the named input declared as size.
func withFixedBatch(m *onnx.Model, input string, size int) (*onnx.Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		p.Graph.ValueInfo = nil
		for _, info := range p.Graph.Input {
			dims := info.GetType().GetTensorType().GetShape().GetDim()
			if info.GetName() == input && len(dims) > 0 {
				dims[0].Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(size)}
			}
		}
		for _, info := range p.Graph.Output {
			// The output's shape follows; a symbol there could contradict it.
			if t := info.GetType().GetTensorType(); t != nil {
				t.Shape = nil
			}
		}
		return nil
	})
}

// withMeasure returns m with one output that tells the shape of a value: an int64
// vector of 1 + measured numbers, the rank and then the dimensions, filled with −1.
func withMeasure(m *onnx.Model, name string) (*onnx.Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		w := newWeaver(p, m)
		dims := w.op("Shape", []string{name})
		rank := w.op("Shape", []string{dims})
		filler := make([]int64, measured)
		index := make([]int64, 1+measured)
		for i := range filler {
			filler[i] = -1
		}
		for i := range index {
			index[i] = int64(i)
		}
		fill, err := w.ints("fill", filler...)
		if err != nil {
			return err
		}
		first, err := w.ints("index", index...)
		if err != nil {
			return err
		}
		all := w.op("Concat", []string{rank, dims, fill}, attrInt("axis", 0))
		w.opTo(measureName, "Gather", []string{all, first}, attrInt("axis", 0))
		p.Graph.Node = append(p.Graph.Node, w.nodes...)
		p.Graph.ValueInfo = nil
		p.Graph.Output = []*onnxpb.ValueInfoProto{tensorInfo(measureName, onnx.Int64, 1+measured)}
		return nil
	})
}

// measured is the largest rank that withMeasure tells, and measureName its output.
const (
	measured    = 8
	measureName = "ucan.measure"
)
