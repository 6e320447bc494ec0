package rewrite

import (
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// LabelSource is what a label that the graph makes itself is the index in: the largest, or
// smallest, of values along an axis.
type LabelSource struct {
	Values   string
	Smallest bool
	Node     string // the operator that chooses, for messages

	axis int64 // may be negative: from the end
}

// AxisOf returns the axis for values of the given rank, counted from the front.
func (s *LabelSource) AxisOf(rank int) int64 {
	if s.axis < 0 {
		return s.axis + int64(rank)
	}
	return s.axis
}

// FindLabelSource follows a label back to the operator that chooses it, through operators that
// map every number alone and keep their order: casts, changes of shape, tables of labels.
// It returns nil where that ends elsewhere.
func (ix *Index) FindLabelSource(label string) *LabelSource {
	name := label
	for range 64 {
		n := ix.Maker[name]
		if n == nil {
			return nil
		}
		switch op := onnx.NormalDomain(n.GetDomain()) + ":" + n.GetOpType(); op {
		case ":ArgMax", ":ArgMin":
			return &LabelSource{Values: onnx.InputOf(n, 0), axis: onnx.AttrInt(n, "axis", 0), Smallest: n.GetOpType() == "ArgMin", Node: onnx.Describe(n)}
		case ":TopK":
			return ix.topOne(n, name)
		case ":Identity", ":Cast", ":Squeeze", ":Unsqueeze", ":Reshape", ":Flatten", "ai.onnx.ml:LabelEncoder":
			name = onnx.InputOf(n, 0)
		case ":Gather", "ai.onnx.ml:ArrayFeatureExtractor":
			if ix.Constant(onnx.InputOf(n, 0)) == nil {
				return nil
			}
			name = onnx.InputOf(n, 1) // a table of labels, read at the index
		default:
			return nil
		}
	}
	return nil
}

// topOne is the source of a TopK that gives one index a row.
func (ix *Index) topOne(n *onnxpb.NodeProto, name string) *LabelSource {
	if len(n.GetOutput()) < 2 || n.GetOutput()[1] != name {
		return nil
	}
	k := onnx.AttrInt(n, "k", 0) // up to opset 9
	if t := ix.Constant(onnx.InputOf(n, 1)); t != nil {
		if sizes, err := onnx.Int64s(t); err == nil && len(sizes) == 1 {
			k = sizes[0]
		}
	}
	if k != 1 {
		return nil
	}
	return &LabelSource{Values: onnx.InputOf(n, 0), axis: onnx.AttrInt(n, "axis", -1), Smallest: onnx.AttrInt(n, "largest", 1) == 0, Node: onnx.Describe(n)}
}
