package models

import (
	"fmt"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// ballot is what a label that the graph makes itself is the index in: the largest, or
// smallest, of values along an axis.
type ballot struct {
	values   string
	axis     int64 // may be negative: from the end
	smallest bool
	maker    string // the node, for messages
}

// findBallot follows a label back to the operator that chooses it, through operators that
// map every number alone and keep their order: casts, changes of shape, tables of labels.
// It returns nil where that ends elsewhere.
func (v *view) findBallot(label string) *ballot {
	name := label
	for range 64 {
		n := v.maker[name]
		if n == nil {
			return nil
		}
		switch op := onnx.NormalDomain(n.GetDomain()) + ":" + n.GetOpType(); op {
		case ":ArgMax", ":ArgMin":
			return &ballot{values: input(n, 0), axis: onnx.AttrInt(n, "axis", 0), smallest: n.GetOpType() == "ArgMin", maker: onnx.Describe(n)}
		case ":TopK":
			return v.topOne(n, name)
		case ":Identity", ":Cast", ":Squeeze", ":Unsqueeze", ":Reshape", ":Flatten", "ai.onnx.ml:LabelEncoder":
			name = input(n, 0)
		case ":Gather", "ai.onnx.ml:ArrayFeatureExtractor":
			if v.constant(input(n, 0)) == nil {
				return nil
			}
			name = input(n, 1) // a table of labels, read at the index
		default:
			return nil
		}
	}
	return nil
}

// topOne is the ballot of a TopK that gives one index a row.
func (v *view) topOne(n *onnxpb.NodeProto, name string) *ballot {
	if len(n.GetOutput()) < 2 || n.GetOutput()[1] != name {
		return nil
	}
	k := onnx.AttrInt(n, "k", 0) // up to opset 9
	if t := v.constant(input(n, 1)); t != nil {
		if sizes, err := onnx.Int64s(t); err == nil && len(sizes) == 1 {
			k = sizes[0]
		}
	}
	if k != 1 {
		return nil
	}
	return &ballot{values: input(n, 0), axis: onnx.AttrInt(n, "axis", -1), smallest: onnx.AttrInt(n, "largest", 1) == 0, maker: onnx.Describe(n)}
}

// explainLabel says what a label is decided on.
func (s *subject) explainLabel(r *Report) {
	if b := s.ballot; b != nil {
		r.add(kindFound, fmt.Sprintf("the label is the index that %s finds in %q: rows with NaN or a tie there give no vote", b.maker, b.values), "")
		return
	}
	r.add(kindWarning, fmt.Sprintf("the label is taken as %s makes it, so rows whose scores are NaN or tie do vote", orUnknown(s.endingName())),
		"--output NAME --decision argmax, with the tensor of scores")
}

func (s *subject) endingName() string {
	if s.ending == nil {
		return ""
	}
	return onnx.Describe(s.ending)
}

// valid returns where the largest (or smallest) value of the ballot is attained once and no value
// is NaN: a vector of one truth a row.
func (w *weaver) valid(b *ballot, rank int) (string, error) {
	axis := b.axis
	if axis < 0 {
		axis += int64(rank)
	}
	// Nothing need declare the element type. Every one that ArgMax takes is exact in double, but for
	// integers above 2^53, which may then tie and give no vote.
	_, single, err := w.unique(w.cast(b.values, onnx.Double), axis, b.smallest)
	if err != nil {
		return "", err
	}
	return w.reshape(single, -1)
}
