package base

import (
	"fmt"

	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
)

// Names of the values that the loss adds to a graph.
const (
	lossName    = "loss"
	labelsInput = "ucan.labels"
	// leastProbability keeps logarithms finite; it is far below what float32 tells from 0 beside 1.
	leastProbability = 1e-30
)

// loss is the package's loss over Rows·Draws noisy images, the draws of an image one after another.
// It adds the input labelsInput, int64 [Rows].
type loss struct {
	config Config
	// shift is the logit at which a classifier of one score changes its mind.
	shift float64
}

var _ autodiff.Loss = loss{}

// Name returns the name of the loss's output.
func (loss) Name() string { return lossName }

// Build adds the loss.
func (l loss) Build(b *onnx.Builder, h autodiff.Head) (onnx.Value, error) {
	if len(h.Dims) != 2 || h.Dims[1] < 1 {
		return onnx.Value{}, fmt.Errorf("%w: its output has dimensions %v; training needs scores [N, classes]", autodiff.ErrNotDifferentiable, h.Dims)
	}
	c := l.config
	n, m, k := int64(c.Rows), int64(c.Draws), max(h.Dims[1], 2)
	labels := h.Input(b, labelsInput, onnx.Int64, onnx.Fixed(n))
	s := b.Scope("ucan.loss")
	logp := s.Reshape(l.logProbabilities(s, h), n, m, k)
	total := s.Neg(s.Mean(s.Sum(s.Mul(logp, target(s, labels, c, k)), false, 2), false))
	if c.Consistency > 0 {
		// KL(F̄ ‖ F_j) summed over classes is −H(F̄) − Σ F̄·log F_j, whose mean over j is −H(F̄) −
		// Σ F̄·mean(log F_j).
		mean := s.Mean(s.Exp(logp), true, 1)
		// Where all draws underflow, F̄·log F̄ is 0 and not NaN.
		logMean := s.Log(s.Add(mean, s.Scalar(onnx.Float, leastProbability)))
		entropy := s.Neg(s.Sum(s.Mul(mean, logMean), false, 1, 2))
		cross := s.Neg(s.Sum(s.Mul(mean, s.Mean(logp, true, 1)), false, 1, 2))
		term := s.Add(s.Sub(cross, entropy), s.Mul(entropy, s.Scalar(onnx.Float, c.Entropy)))
		total = s.Add(total, s.Mul(s.Mean(term, false), s.Scalar(onnx.Float, c.Consistency)))
	}
	return total, nil
}

// logProbabilities is the logarithm of the probabilities [Rows·Draws, K]. One score z is that of
// class 1 against class 0, whose logarithms are −ln(1 + e^{−z}) and −ln(1 + e^z).
func (l loss) logProbabilities(s *onnx.Builder, h autodiff.Head) onnx.Value {
	logits := h.Logits
	if h.Softmax || h.Sigmoid && h.Dims[1] == 1 {
		logits = h.Before
	}
	switch {
	case h.Dims[1] == 1:
		if l.shift != 0 {
			logits = s.Sub(logits, s.Scalar(onnx.Float, l.shift))
		}
		return s.Concat(1, s.Neg(s.Softplus(logits)), s.Neg(s.Softplus(s.Neg(logits))))
	case h.LogSoftmax:
		return logits
	}
	return s.LogSoftmax(logits, 1)
}

// target is the distribution [N, 1, K] that the cross-entropy compares with: 1 − smoothing on the
// label and the rest spread over all classes.
func target(s *onnx.Builder, labels onnx.Value, c Config, k int64) onnx.Value {
	classes := make([]int64, k)
	for i := range classes {
		classes[i] = int64(i)
	}
	hot := s.Cast(s.Equal(s.Reshape(labels, int64(c.Rows), 1, 1), s.Ints(classes...)), onnx.Float)
	if c.Smoothing == 0 {
		return hot
	}
	return s.Add(s.Mul(hot, s.Scalar(onnx.Float, 1-c.Smoothing)), s.Scalar(onnx.Float, c.Smoothing/float64(k)))
}
