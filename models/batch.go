package models

import (
	"fmt"
	"math"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// withSymbolicBatch returns m with the batch of the named input made symbolic, and
// what was changed. static is the batch that the file bakes in. The result need not
// be right, or even load: the caller compares it with the original.
//
// Edited are, on the path of the data only: targets of Reshape that hold the batch,
// values of batch 1 that Concat joins to the data along another axis (the class token
// of a vision transformer), sizes of Resize, and initial states of recurrent
// operators. Weights keep their shapes.
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
			var edit string
			var err error
			switch n.GetOpType() {
			case "Reshape":
				edit, err = w.freeReshape(v, n, data, static)
			case "Concat":
				edit, err = w.freeConcat(v, n, data, static)
			case "Resize":
				edit, err = w.freeResize(v, n, data, static)
			case "LSTM", "GRU", "RNN":
				edit = freeRecurrent(v, n, data)
			}
			if err != nil {
				return err
			}
			if edit != "" {
				edits = append(edits, edit)
			}
			nodes = append(append(nodes, w.Nodes...), n)
			w.Nodes = nil
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
// place, or 0 (as in the input) where −1 is taken. The batch is looked for in front,
// and otherwise where the target holds its size once: attention keeps the sequence in
// front of it.
func (w *weaver) freeReshape(v *view, n *onnxpb.NodeProto, data map[string]bool, static int) (string, error) {
	if !data[input(n, 0)] {
		return "", nil
	}
	t := v.constant(input(n, 1))
	if t == nil {
		return "", nil
	}
	shape, err := onnx.Int64s(t)
	if err != nil || len(shape) == 0 {
		return "", nil //nolint:nilerr // a target of another type is left to onnxruntime's own error
	}
	target := slices.Clone(shape)
	inferred := slices.Contains(shape, -1)
	switch at := slices.Index(shape, int64(static)); {
	case at == 0 && !inferred:
		target[0] = -1
	case at == 0 && onnx.AttrInt(n, "allowzero", 0) == 0:
		target[0] = 0
	case at > 0 && !inferred && !slices.Contains(shape[at+1:], int64(static)):
		target[at] = -1
	case at < 0 && static == 1 && !inferred && (len(shape) == 2 || len(shape) == 3):
		// A batch of 1 merged into another axis: with the sequence in two dimensions,
		// with the heads of an attention in three.
		target[len(shape)-2] = -1
	default:
		return "", nil
	}
	name, err := w.ints("shape", target...)
	if err != nil {
		return "", err
	}
	n.Input[1] = name
	return fmt.Sprintf("%s: target %v → %v", onnx.Describe(n), shape, target), nil
}

// freeConcat repeats values of batch 1 that do not depend on the data for every row
// of the data that they are joined to.
func (w *weaver) freeConcat(v *view, n *onnxpb.NodeProto, data map[string]bool, static int) (string, error) {
	if static != 1 || w.opset < 10 || onnx.AttrInt(n, "axis", 1) == 0 {
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
		if data[in] || t != nil && (len(t.Dims) < 2 || t.Dims[0] != 1 || onnx.AttrInt(n, "axis", 1) == -int64(len(t.Dims))) {
			continue
		}
		rest, err := w.slice(w.op("Shape", []string{in}), 1)
		if err != nil {
			return "", err
		}
		rows, err := w.rows(row)
		if err != nil {
			return "", err
		}
		shape := w.op("Concat", []string{rows, rest}, onnx.Int("axis", 0))
		n.Input[i] = w.op("Expand", []string{in, shape})
		edit = fmt.Sprintf("%s: %q repeated for every row", onnx.Describe(n), in)
	}
	return edit, nil
}

// freeResize takes the batch of a Resize to constant sizes from its input.
func (w *weaver) freeResize(v *view, n *onnxpb.NodeProto, data map[string]bool, static int) (string, error) {
	t := v.constant(input(n, 3))
	if !data[input(n, 0)] || t == nil || onnx.FindAttr(n, "axes") != nil {
		return "", nil
	}
	sizes, err := onnx.Int64s(t)
	if err != nil || len(sizes) < 2 || sizes[0] != int64(static) {
		return "", nil //nolint:nilerr // sizes of another type are left to onnxruntime's own error
	}
	rows, err := w.rows(n.Input[0])
	if err != nil {
		return "", err
	}
	rest, err := w.ints("sizes", sizes[1:]...)
	if err != nil {
		return "", err
	}
	n.Input[3] = w.op("Concat", []string{rows, rest}, onnx.Int("axis", 0))
	return fmt.Sprintf("%s: sizes %v → the input's batch and %v", onnx.Describe(n), sizes, sizes[1:]), nil
}

// freeRecurrent leaves out initial states that are all zeros, which is what a
// recurrent operator starts from anyway: they hold the batch.
func freeRecurrent(v *view, n *onnxpb.NodeProto, data map[string]bool) string {
	if !data[input(n, 0)] {
		return ""
	}
	edit := ""
	for i := 5; i < min(len(n.Input), 7); i++ { // initial_h, initial_c
		t := v.constant(n.Input[i])
		if t == nil {
			continue
		}
		if state, err := realValues(t); err == nil && constant(state, 0) {
			n.Input[i] = ""
			edit = onnx.Describe(n) + ": zero initial states left out"
		}
	}
	return edit
}

// rows returns the first dimension of a value, as a vector of one.
func (w *weaver) rows(value string) (string, error) {
	zero, err := w.ints("first", 0)
	if err != nil {
		return "", err
	}
	return w.op("Gather", []string{w.op("Shape", []string{value}), zero}, onnx.Int("axis", 0)), nil
}

// slice returns a vector from the given element on; it needs opset 10.
func (w *weaver) slice(vector string, from int64) (string, error) {
	start, err := w.ints("from", from)
	if err != nil {
		return "", err
	}
	end, err := w.ints("to", math.MaxInt32)
	if err != nil {
		return "", err
	}
	return w.op("Slice", []string{vector, start, end}), nil
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
		all := w.op("Concat", []string{rank, dims, fill}, onnx.Int("axis", 0))
		w.opTo(measureName, "Gather", []string{all, first}, onnx.Int("axis", 0))
		p.Graph.Node = append(p.Graph.Node, w.Nodes...)
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
