package rewrite

import (
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// WithShape returns m with one output that tells the shape of a value: an int64
// vector of 1 + MaxRank numbers, the rank and then the dimensions, filled with −1.
func WithShape(m *onnx.Model, name string) (*onnx.Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		w := newWriter(p, m)
		dims := w.op("Shape", []string{name})
		rank := w.op("Shape", []string{dims})
		index := make([]int64, 1+MaxRank)
		for i := range index {
			index[i] = int64(i)
		}
		fill := w.ints("fill", slices.Repeat([]int64{-1}, MaxRank)...)
		first := w.ints("index", index...)
		all := w.op("Concat", []string{rank, dims, fill}, onnx.Int("axis", 0))
		w.opTo(ShapeName, "Gather", []string{all, first}, onnx.Int("axis", 0))
		p.Graph.Node = append(p.Graph.Node, w.Nodes...)
		p.Graph.ValueInfo = nil
		p.Graph.Output = []*onnxpb.ValueInfoProto{info(ShapeName, onnx.Int64, 1+MaxRank)}
		return nil
	})
}

// MaxRank is the largest rank that WithShape tells, and ShapeName its output.
const (
	MaxRank   = 8
	ShapeName = "ucan.measure"
)
