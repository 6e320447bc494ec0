package rewrite

import (
	"slices"

	"ucan/models/declare"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// Names of the prepared graph's input and outputs.
const (
	InputName  = "ucan.x"
	LabelName  = "ucan.label"
	ScoresName = "ucan.scores"
)

// Output describes the tensor that a decision is made of, as a run shows it or the file declares.
type Output struct {
	Name    string
	Type    onnx.DType // Undefined where nothing tells it
	Rank    int
	Classes int
	Width   int // scores a row; 0 for a label without any
	// Source is what a label is the index in, nil where that is not known; SourceRank is that
	// tensor's rank.
	Source     *LabelSource
	SourceRank int
}

// WithDecision returns m with the decision appended: outputs LabelName (int32 [N])
// and, where there are scores, ScoresName (float [N, classes]).
//
// batch is the fixed batch, or −1. The labels are computed from comparisons alone,
// so that they are exact in every element type:
//
//	hit = ¬(s < max s)        true at every maximum and at every NaN
//	label = argmax(hit) where Σ hit = 1, otherwise −1
//
// Whatever a kernel's max makes of a NaN — the NaN, the largest of the rest, or any
// other value of the row — the NaN itself and at least one other value are hits, so a
// row of two or more scores with a NaN among them never votes.
func WithDecision(m *onnx.Model, o Output, d declare.Decision, batch int64) (*onnx.Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		w := newWriter(p, m)
		w.Reserve(LabelName, ScoresName)
		if d.Kind == declare.Label {
			w.label(o)
		} else {
			w.scored(o, d)
		}
		p.Graph.Output = []*onnxpb.ValueInfoProto{info(LabelName, onnx.Int32, batch)}
		if d.Kind != declare.Label || o.Width > 0 {
			p.Graph.Output = append(p.Graph.Output, info(ScoresName, onnx.Float, batch, int64(o.Width)))
		}
		p.Graph.Node = append(p.Graph.Node, w.Nodes...)
		p.Graph.ValueInfo = without(p.Graph.ValueInfo, LabelName, ScoresName)
		return nil
	})
}

// scored appends the decision over a tensor of scores.
func (w *writer) scored(o Output, d declare.Decision) {
	s, dt := w.comparable(o)
	if o.Rank != 2 {
		s = w.reshape(s, -1, int64(o.Width))
	}
	if dt == onnx.Float {
		w.opTo(ScoresName, "Identity", []string{s})
	} else {
		w.opTo(ScoresName, "Cast", []string{s}, onnx.Int("to", int64(onnx.Float)))
	}
	if d.Kind == declare.Threshold {
		w.threshold(s, dt, d.T)
		return
	}
	hit, single := w.unique(s, 1, d.Kind == declare.Argmin)
	at := w.op("ArgMax", []string{hit}, onnx.Int("axis", 1), onnx.Int("keepdims", 0))
	w.vote(w.cast(at, onnx.Float), single)
}

// unique returns where the values along an axis attain their maximum, or minimum, as 0
// and 1 (hit), and where they do so once (single), without that axis. A NaN is a hit.
func (w *writer) unique(s string, axis int64, smallest bool) (hit, single string) {
	reduce, beaten := "ReduceMax", "Less"
	if smallest {
		reduce, beaten = "ReduceMin", "Greater"
	}
	best := w.reduce(reduce, s, axis, 1)
	hit = w.cast(w.op("Not", []string{w.op(beaten, []string{s, best})}), onnx.Float)
	count := w.reduce("ReduceSum", hit, axis, 0)
	return hit, w.op("Less", []string{count, w.scalar("one_and_a_half", 1.5)})
}

// vote writes class where valid and −1 elsewhere: (class + 1)·valid − 1, all
// integers below 2^24 in float32, exact, and legal in every opset from 7 on.
func (w *writer) vote(class, valid string) {
	one := w.scalar("one", 1)
	up := w.op("Add", []string{class, one})
	kept := w.op("Mul", []string{up, w.cast(valid, onnx.Float)})
	w.opTo(LabelName, "Cast", []string{w.op("Sub", []string{kept, one})}, onnx.Int("to", int64(onnx.Int32)))
}

// threshold appends 1 where s > t, 0 where s < t, −1 where neither holds: 2·gt + lt − 1.
func (w *writer) threshold(s string, dt onnx.DType, t float64) {
	at := w.floats("threshold", []int64{1}, dt, float64(float32(t)))
	above := w.cast(w.op("Greater", []string{s, at}), onnx.Float)
	below := w.cast(w.op("Less", []string{s, at}), onnx.Float)
	one := w.scalar("one", 1)
	sum := w.op("Add", []string{w.op("Add", []string{above, above}), below})
	label := w.cast(w.op("Sub", []string{sum, one}), onnx.Int32)
	w.opTo(LabelName, "Reshape", []string{label, w.ints("shape", -1)})
}

// label appends the checks of a label that the model gives: −1 outside the classes, and
// where what it was chosen from holds a NaN or a tie.
func (w *writer) label(o Output) {
	l := w.cast(w.reshape(o.Name, -1), onnx.Float)
	low, high := w.scalar("low", -0.5), w.scalar("high", float64(o.Classes)-0.5)
	in := w.op("And", []string{w.op("Greater", []string{l, low}), w.op("Less", []string{l, high})})
	if o.Source != nil {
		in = w.op("And", []string{in, w.decided(o.Source, o.SourceRank)})
		if o.Width > 0 {
			scores := w.reshape(w.cast(o.Source.Values, onnx.Float), -1, int64(o.Width))
			w.opTo(ScoresName, "Identity", []string{scores})
		}
	}
	w.vote(l, in)
}

// decided returns where the largest (or smallest) value of the source is attained once and no value
// is NaN: a vector of one truth a row.
func (w *writer) decided(s *LabelSource, rank int) string {
	// Nothing need declare the element type. Every one that ArgMax takes is exact in double, but
	// for integers above 2^53, which may then tie and give no vote.
	_, single := w.unique(w.cast(s.Values, onnx.Double), s.AxisOf(rank), s.Smallest)
	return w.reshape(single, -1)
}

// comparable returns the scores in an element type that every provider compares and
// reduces, without merging values that differ: float16 and small integers fit into
// float, 32- and 64-bit integers into double (up to 2^53).
func (w *writer) comparable(o Output) (string, onnx.DType) {
	switch o.Type {
	case onnx.Float, onnx.Double:
		return o.Name, o.Type
	case onnx.Int32, onnx.Int64, onnx.Uint32, onnx.Uint64:
		return w.cast(o.Name, onnx.Double), onnx.Double
	}
	return w.cast(o.Name, onnx.Float), onnx.Float
}

// without returns the declarations but those of the named values.
func without(infos []*onnxpb.ValueInfoProto, names ...string) []*onnxpb.ValueInfoProto {
	return slices.DeleteFunc(slices.Clone(infos), func(v *onnxpb.ValueInfoProto) bool { return slices.Contains(names, v.GetName()) })
}
