package attack

import (
	"fmt"

	"ucan/models/declare"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
)

// Names of what the loss adds to a graph.
const (
	lossName   = "ucan.audit"
	classInput = "ucan.class"
	// leastProbability keeps the logarithm finite; it is far below what float32 tells from 0 beside
	// 1.
	leastProbability = 1e-30
)

// smoothedLoss is −ln of the mean probability of one class over all rows of the batch, the soft
// smoothed classifier's. It adds the input classInput, int64 [1].
type smoothedLoss struct {
	// decision says which scores win; shift is the logit at which one score changes its class.
	decision declare.DecisionKind
	shift    float64
}

var _ autodiff.Loss = smoothedLoss{}

// Name implements autodiff.Loss.
func (smoothedLoss) Name() string { return lossName }

// Build implements autodiff.Loss.
func (l smoothedLoss) Build(b *onnx.Builder, h autodiff.Head) (onnx.Value, error) {
	if len(h.Dims) != 2 || h.Dims[1] < 1 {
		return onnx.Value{}, fmt.Errorf("%w: its output has dimensions %v and not [N, classes]", autodiff.ErrNotDifferentiable, h.Dims)
	}
	class := h.Input(b, classInput, onnx.Int64, onnx.Fixed(1))
	s := b.Scope("ucan.audit")
	k := max(h.Dims[1], 2)
	classes := make([]int64, k)
	for i := range classes {
		classes[i] = int64(i)
	}
	hot := s.Cast(s.Equal(s.Reshape(class, 1, 1), s.Reshape(s.Ints(classes...), 1, k)), onnx.Float)
	of := s.Sum(s.Mul(s.Exp(l.logProbabilities(s, h)), hot), false, 1)
	mean := s.Add(s.Mean(of, false), s.Scalar(onnx.Float, leastProbability))
	return s.Neg(s.Log(mean)), nil
}

// logProbabilities are the logarithms of the probabilities [N, K]. One score z is that of class 1
// against class 0, whose logarithms are −ln(1 + e^{−z}) and −ln(1 + e^z).
func (l smoothedLoss) logProbabilities(s *onnx.Builder, h autodiff.Head) onnx.Value {
	logits := h.Logits
	if h.Softmax || h.Sigmoid && h.Dims[1] == 1 {
		logits = h.Before
	}
	if h.Dims[1] == 1 {
		if l.shift != 0 {
			logits = s.Sub(logits, s.Scalar(onnx.Float, l.shift))
		}
		return s.Concat(1, s.Neg(s.Softplus(logits)), s.Neg(s.Softplus(s.Neg(logits))))
	}
	if l.decision == declare.Argmin {
		logits = s.Neg(logits)
	}
	return s.LogSoftmax(logits, 1)
}
