package rewrite

import (
	"fmt"
	"math"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// WithSymbolicBatch returns m with the batch of the named input made symbolic, and
// what was changed. static is the batch that the file bakes in. The result need not
// be right, or even load: the caller compares it with the original.
//
// Edited are, on the path of the data only: targets of Reshape that hold the batch,
// values of batch 1 that Concat joins to the data along another axis (the class token
// of a vision transformer), sizes of Resize, and initial states of recurrent
// operators. Weights keep their shapes.
func WithSymbolicBatch(m *onnx.Model, input string, static int) (*onnx.Model, []string, error) {
	var edits []string
	out, err := m.Edit(func(p *onnxpb.ModelProto) error {
		ix := NewIndex(m)
		data := ix.downstream(input)
		w := newWriter(p, m)
		edits = append(edits, fmt.Sprintf("batch of input %q: %d → N", input, static))
		p.Graph.ValueInfo = nil
		for _, v := range slices.Concat(p.Graph.Input, p.Graph.Output) {
			if dims := onnx.DimProtos(v); len(dims) > 0 && data[v.GetName()] {
				dims[0].Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "N"}
			}
		}
		nodes := make([]*onnxpb.NodeProto, 0, len(p.Graph.Node))
		for _, n := range p.Graph.Node {
			edit := ""
			switch n.GetOpType() {
			case "Reshape":
				edit = w.freeReshape(ix, n, data, static)
			case "Concat":
				edit = w.freeConcat(ix, n, data, static)
			case "Resize":
				edit = w.freeResize(ix, n, data, static)
			case "LSTM", "GRU", "RNN":
				edit = freeRecurrent(ix, n, data)
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
func (w *writer) freeReshape(ix *Index, n *onnxpb.NodeProto, data map[string]bool, static int) string {
	if !data[onnx.InputOf(n, 0)] {
		return ""
	}
	t := ix.Constant(onnx.InputOf(n, 1))
	if t == nil {
		return ""
	}
	shape, err := onnx.Int64s(t)
	if err != nil || len(shape) == 0 {
		return "" // a target of another type is left to onnxruntime's own error
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
		return ""
	}
	n.Input[1] = w.ints("shape", target...)
	return fmt.Sprintf("%s: target %v → %v", onnx.Describe(n), shape, target)
}

// freeConcat repeats values of batch 1 that do not depend on the data for every row
// of the data that they are joined to.
func (w *writer) freeConcat(ix *Index, n *onnxpb.NodeProto, data map[string]bool, static int) string {
	if static != 1 || w.opset < 10 || onnx.AttrInt(n, "axis", 1) == 0 {
		return ""
	}
	row := ""
	for _, in := range n.GetInput() {
		if data[in] {
			row = in
		}
	}
	if row == "" {
		return ""
	}
	edit := ""
	for i, in := range n.GetInput() {
		t := ix.Constant(in)
		if data[in] || t != nil && (len(t.Dims) < 2 || t.Dims[0] != 1 || onnx.AttrInt(n, "axis", 1) == -int64(len(t.Dims))) {
			continue
		}
		rest := w.behindFirst(w.op("Shape", []string{in}))
		rows := w.rows(row)
		shape := w.op("Concat", []string{rows, rest}, onnx.Int("axis", 0))
		n.Input[i] = w.op("Expand", []string{in, shape})
		edit = fmt.Sprintf("%s: %q repeated for every row", onnx.Describe(n), in)
	}
	return edit
}

// freeResize takes the batch of a Resize to constant sizes from its input.
func (w *writer) freeResize(ix *Index, n *onnxpb.NodeProto, data map[string]bool, static int) string {
	t := ix.Constant(onnx.InputOf(n, 3))
	if !data[onnx.InputOf(n, 0)] || t == nil || onnx.FindAttr(n, "axes") != nil {
		return ""
	}
	sizes, err := onnx.Int64s(t)
	if err != nil || len(sizes) < 2 || sizes[0] != int64(static) {
		return "" // sizes of another type are left to onnxruntime's own error
	}
	rows := w.rows(n.Input[0])
	rest := w.ints("sizes", sizes[1:]...)
	n.Input[3] = w.op("Concat", []string{rows, rest}, onnx.Int("axis", 0))
	return fmt.Sprintf("%s: sizes %v → the input's batch and %v", onnx.Describe(n), sizes, sizes[1:])
}

// freeRecurrent leaves out initial states that are all zeros, which is what a
// recurrent operator starts from anyway: they hold the batch.
func freeRecurrent(ix *Index, n *onnxpb.NodeProto, data map[string]bool) string {
	if !data[onnx.InputOf(n, 0)] {
		return ""
	}
	edit := ""
	for i := 5; i < min(len(n.Input), 7); i++ { // initial_h, initial_c
		t := ix.Constant(n.Input[i])
		if t == nil {
			continue
		}
		if state, err := onnx.Float64s(t); err == nil && Constant(state, 0) {
			n.Input[i] = ""
			edit = onnx.Describe(n) + ": zero initial states left out"
		}
	}
	return edit
}

// rows returns the first dimension of a value, as a vector of one.
func (w *writer) rows(value string) string {
	return w.op("Gather", []string{w.op("Shape", []string{value}), w.ints("first", 0)}, onnx.Int("axis", 0))
}

// behindFirst returns a vector without its first element; it needs opset 10.
func (w *writer) behindFirst(vector string) string {
	return w.op("Slice", []string{vector, w.ints("from", 1), w.ints("to", math.MaxInt32)})
}

// WithFixedBatch returns m with the batch of the named input declared as size.
func WithFixedBatch(m *onnx.Model, input string, size int) (*onnx.Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		p.Graph.ValueInfo = nil
		for _, info := range p.Graph.Input {
			if dims := onnx.DimProtos(info); info.GetName() == input && len(dims) > 0 {
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
