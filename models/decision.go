package models

import (
	"fmt"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// Names of the prepared graph's input and outputs.
const (
	inputName  = "ucan.x"
	labelName  = "ucan.label"
	scoresName = "ucan.scores"
)

// head describes the tensor that a decision is made of.
type head struct {
	name  string
	dtype onnx.DType // Undefined where nothing tells it
	// rank is that of a real run; classes is the number of classes.
	rank    int
	classes int
	width   int // scores a row; 0 for a label without any
	// ballot is what a label is the index in, nil where that is not known; ballotRank is
	// that tensor's rank in a real run.
	ballot     *ballot
	ballotRank int
	// declared says that nothing was measured: this is what the file declares.
	declared bool
}

// withDecision returns m with the decision appended: outputs labelName (int32 [N])
// and, where there are scores, scoresName (float [N, classes]).
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
func withDecision(m *onnx.Model, h head, d Decision, batch int64) (*onnx.Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		w := newWeaver(p, m)
		w.Reserve(labelName, scoresName)
		var err error
		if d.Kind == Label {
			err = w.label(h)
			p.Graph.Output = []*onnxpb.ValueInfoProto{tensorInfo(labelName, onnx.Int32, batch)}
			if h.width > 0 {
				p.Graph.Output = append(p.Graph.Output, tensorInfo(scoresName, onnx.Float, batch, int64(h.width)))
			}
		} else {
			err = w.scored(h, d)
			p.Graph.Output = []*onnxpb.ValueInfoProto{
				tensorInfo(labelName, onnx.Int32, batch),
				tensorInfo(scoresName, onnx.Float, batch, int64(h.width)),
			}
		}
		if err != nil {
			return fmt.Errorf("append the decision: %w", err)
		}
		p.Graph.Node = append(p.Graph.Node, w.Nodes...)
		p.Graph.ValueInfo = without(p.Graph.ValueInfo, labelName, scoresName)
		return nil
	})
}

// scored appends the decision over a tensor of scores.
func (w *weaver) scored(h head, d Decision) error {
	s, dt := w.comparable(h)
	if h.rank != 2 {
		var err error
		if s, err = w.reshape(s, -1, int64(h.width)); err != nil {
			return err
		}
	}
	if dt == onnx.Float {
		w.opTo(scoresName, "Identity", []string{s})
	} else {
		w.opTo(scoresName, "Cast", []string{s}, onnx.Int("to", int64(onnx.Float)))
	}
	if d.Kind == Threshold {
		return w.threshold(s, dt, d.T)
	}
	hit, single, err := w.unique(s, 1, d.Kind == Argmin)
	if err != nil {
		return err
	}
	at := w.op("ArgMax", []string{hit}, onnx.Int("axis", 1), onnx.Int("keepdims", 0))
	return w.vote(w.cast(at, onnx.Float), single)
}

// unique returns where the values along an axis attain their maximum, or minimum, as 0
// and 1 (hit), and where they do so once (single), without that axis. A NaN is a hit.
func (w *weaver) unique(s string, axis int64, smallest bool) (hit, single string, err error) {
	reduce, beaten := "ReduceMax", "Less"
	if smallest {
		reduce, beaten = "ReduceMin", "Greater"
	}
	best, err := w.reduce(reduce, s, axis, 1)
	if err != nil {
		return "", "", err
	}
	hit = w.cast(w.op("Not", []string{w.op(beaten, []string{s, best})}), onnx.Float)
	count, err := w.reduce("ReduceSum", hit, axis, 0)
	if err != nil {
		return "", "", err
	}
	limit, err := w.floats("one_and_a_half", nil, onnx.Float, 1.5)
	if err != nil {
		return "", "", err
	}
	return hit, w.op("Less", []string{count, limit}), nil
}

// vote writes class where valid and −1 elsewhere: (class + 1)·valid − 1, all
// integers below 2^24 in float32, exact, and legal in every opset from 7 on.
func (w *weaver) vote(class, valid string) error {
	one, err := w.floats("one", nil, onnx.Float, 1)
	if err != nil {
		return err
	}
	up := w.op("Add", []string{class, one})
	kept := w.op("Mul", []string{up, w.cast(valid, onnx.Float)})
	w.opTo(labelName, "Cast", []string{w.op("Sub", []string{kept, one})}, onnx.Int("to", int64(onnx.Int32)))
	return nil
}

// threshold appends 1 where s > t, 0 where s < t, −1 where neither holds: 2·gt + lt − 1.
func (w *weaver) threshold(s string, dt onnx.DType, t float64) error {
	at, err := w.floats("threshold", []int64{1}, dt, float64(float32(t)))
	if err != nil {
		return err
	}
	above := w.cast(w.op("Greater", []string{s, at}), onnx.Float)
	below := w.cast(w.op("Less", []string{s, at}), onnx.Float)
	one, err := w.floats("one", nil, onnx.Float, 1)
	if err != nil {
		return err
	}
	sum := w.op("Add", []string{w.op("Add", []string{above, above}), below})
	label := w.cast(w.op("Sub", []string{sum, one}), onnx.Int32)
	shape, err := w.ints("shape", -1)
	if err != nil {
		return err
	}
	w.opTo(labelName, "Reshape", []string{label, shape})
	return nil
}

// label appends the checks of a label that the model gives: −1 outside the classes, and
// where what it was chosen from holds a NaN or a tie.
func (w *weaver) label(h head) error {
	shape, err := w.ints("shape", -1)
	if err != nil {
		return err
	}
	l := w.cast(w.op("Reshape", []string{h.name, shape}), onnx.Float)
	low, err := w.floats("low", nil, onnx.Float, -0.5)
	if err != nil {
		return err
	}
	high, err := w.floats("high", nil, onnx.Float, float64(h.classes)-0.5)
	if err != nil {
		return err
	}
	in := w.op("And", []string{w.op("Greater", []string{l, low}), w.op("Less", []string{l, high})})
	if h.ballot != nil {
		valid, err := w.valid(h.ballot, h.ballotRank)
		if err != nil {
			return err
		}
		in = w.op("And", []string{in, valid})
		if h.width > 0 {
			scores, err := w.reshape(w.cast(h.ballot.values, onnx.Float), -1, int64(h.width))
			if err != nil {
				return err
			}
			w.opTo(scoresName, "Identity", []string{scores})
		}
	}
	return w.vote(l, in)
}

// comparable returns the scores in an element type that every provider compares and
// reduces, without merging values that differ: float16 and small integers fit into
// float, 32- and 64-bit integers into double (up to 2^53).
func (w *weaver) comparable(h head) (string, onnx.DType) {
	switch h.dtype {
	case onnx.Float, onnx.Double:
		return h.name, h.dtype
	case onnx.Int32, onnx.Int64, onnx.Uint32, onnx.Uint64:
		return w.cast(h.name, onnx.Double), onnx.Double
	}
	return w.cast(h.name, onnx.Float), onnx.Float
}

// without returns the declarations but those of the named values.
func without(infos []*onnxpb.ValueInfoProto, names ...string) []*onnxpb.ValueInfoProto {
	out := infos[:0:0]
	for _, v := range infos {
		keep := true
		for _, n := range names {
			keep = keep && v.GetName() != n
		}
		if keep {
			out = append(out, v)
		}
	}
	return out
}
