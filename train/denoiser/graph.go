package denoiser

import (
	"fmt"
	"strings"

	"ucan/models/arch/denoise"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
)

// opset is the least version of the operators of a step graph.
const opset = 17

// Names of the values that a step graph takes and gives.
const (
	cleanInput   = "ucan.clean"
	labelsInput  = "ucan.labels"
	lossOutput   = "ucan.loss"
	logitsOutput = "ucan.logits"
)

// frozenPrefix keeps the names of the classifiers apart from those of the denoiser.
const frozenPrefix = "ucan.f"

func prefix(k int) string { return fmt.Sprintf("%s%d.", frozenPrefix, k) }

// stepGraph is denoiser, classifiers and loss: the input denoise.Noisy and, for mse, the clean
// inputs, otherwise labels; the outputs are the loss, the statistics of the denoiser's batch
// normalisations, and the logits of the first classifier where there is one.
func stepGraph(c Config, objective string) (*onnx.Model, error) {
	net := c.Net.Training()
	if objective == MSE {
		b := onnx.Extend(net)
		b.Output(lossOutput, b.Identity(squares(b, c)), onnx.Float)
		return b.Build()
	}
	joined := net
	for k, f := range c.Classifiers {
		base, err := f.Graph.WithOpset(max(opset, f.Graph.Opset("")))
		if err == nil {
			base, err = base.WithOutputs(f.Scores)
		}
		if err == nil {
			base, err = base.WithoutDead()
		}
		if err != nil {
			return nil, fmt.Errorf("take the scores of the classifier: %w", err)
		}
		if joined, err = onnx.Compose(joined, base.Prefixed(prefix(k)), map[string]string{prefix(k) + f.Input: denoise.Clean}); err != nil {
			return nil, fmt.Errorf("join denoiser and classifier: %w", err)
		}
		if k < len(c.Classifiers)-1 { // the next one reads it too
			b := onnx.Extend(joined)
			out, _ := net.Output(denoise.Clean)
			b.Output(denoise.Clean, b.Value(denoise.Clean), onnx.Float, out.Shape...)
			if joined, err = b.Build(); err != nil {
				return nil, err
			}
		}
	}
	b := onnx.Extend(joined)
	loss, first, err := entropies(b, joined, c)
	if err != nil {
		return nil, err
	}
	b.ClearOutputs()
	for _, s := range c.Net.Statistics() {
		for _, name := range []string{s.Mean, s.Variance} {
			b.Output(name, b.Value(name), onnx.Float, onnx.Fixed(int64(s.Channels)))
		}
	}
	classes, err := c.Classifiers[0].Classes()
	if err != nil {
		return nil, err
	}
	b.Output(lossOutput, b.Identity(loss), onnx.Float)
	b.Output(logitsOutput, b.Identity(first), onnx.Float, onnx.Fixed(int64(c.Rows*c.Draws)), onnx.Fixed(classes))
	return b.Build()
}

// squares is the mean of ((D(y) − x)/p)².
func squares(b *onnx.Builder, c Config) onnx.Value {
	dims := []onnx.Dim{onnx.Fixed(int64(c.Rows))}
	one, all, weights := []int64{int64(c.Rows), 1}, []int64{int64(c.Rows), int64(c.Draws)}, []int64{1, 1}
	for i, d := range c.Shape {
		n := int64(d)
		dims, one, all = append(dims, onnx.Fixed(n)), append(one, n), append(all, n)
		if i > 0 {
			n = 1
		}
		weights = append(weights, n)
	}
	x := b.Input(cleanInput, onnx.Float, dims...)
	s := b.Scope("ucan.loss")
	e := s.Sub(s.Reshape(b.Value(denoise.Clean), all...), s.Reshape(x, one...))
	if len(c.Signal) > 0 {
		inverse := make([]float32, len(c.Signal))
		for i, p := range c.Signal {
			inverse[i] = float32(1 / p)
		}
		e = s.Mul(e, onnx.Tensor(s, "signal", weights, inverse))
	}
	return s.Mean(s.Mul(e, e), false)
}

// entropies is the mean over the classifiers of the cross-entropy, and the logits of the first. A
// label of −1 leaves its input out.
func entropies(b *onnx.Builder, m *onnx.Model, c Config) (loss, first onnx.Value, err error) {
	n, draws := int64(c.Rows), int64(c.Draws)
	labels := b.Input(labelsInput, onnx.Int64, onnx.Fixed(n))
	for k, f := range c.Classifiers {
		classes, err := f.Classes()
		if err != nil {
			return loss, first, err
		}
		s := b.Scope(fmt.Sprint("ucan.loss", k))
		z := f.Logits(s, m, b.Value(prefix(k)+f.Scores))
		all := make([]int64, classes)
		for i := range all {
			all[i] = int64(i)
		}
		hot := s.Cast(s.Equal(s.Reshape(labels, n, 1, 1), s.Ints(all...)), onnx.Float)
		logp := s.Reshape(s.LogSoftmax(z, 1), n, draws, classes)
		each := s.Neg(s.Mean(s.Sum(s.Mul(logp, hot), false, 2), false))
		if k == 0 {
			loss, first = each, z
		} else {
			loss = s.Add(loss, each)
		}
	}
	if k := len(c.Classifiers); k > 1 {
		loss = b.Mul(loss, b.Scalar(onnx.Float, 1/float64(k)))
	}
	return loss, first, nil
}

// rules are those of the denoiser's own layers, which take every BatchNormalization for one by the
// statistics of its batch and let nothing through a Sum of one term. In a classifier both are what
// ONNX says.
func rules(own map[string]autodiff.Rule) map[string]autodiff.Rule {
	if own == nil {
		return nil
	}
	return map[string]autodiff.Rule{
		"BatchNormalization": func(c *autodiff.Context) ([]onnx.Value, error) {
			if c.Const(4) == nil { // the variance of a batch
				return own["BatchNormalization"](c)
			}
			return affine(c)
		},
		"Sum": func(c *autodiff.Context) ([]onnx.Value, error) {
			if c.Inputs() == 1 && !strings.HasPrefix(c.Node.GetOutput()[0], frozenPrefix) {
				return nil, nil
			}
			return sum(c), nil
		},
	}
}

// affine is the gradient of x ↦ (x − mean)/√(variance + ε)·scale + shift by x, channel by channel.
func affine(c *autodiff.Context) ([]onnx.Value, error) {
	b, rank := c.Builder, len(c.InDims(0))
	epsilon := b.Scalar(c.InDType(4), c.Float("epsilon", 1e-5))
	factor := b.Div(c.In(1), b.Sqrt(b.Add(c.In(4), epsilon)))
	dims := make([]int64, rank)
	for i := range dims {
		dims[i] = 1
	}
	if rank > 1 {
		dims[1] = -1
	}
	return []onnx.Value{b.Mul(c.Grad(0), b.Reshape(factor, dims...))}, nil
}

// sum is the gradient of a sum by its terms.
func sum(c *autodiff.Context) []onnx.Value {
	out := make([]onnx.Value, c.Inputs())
	for i := range out {
		if c.Needs(i) {
			out[i] = c.Reduce(c.Grad(0), c.OutDims(0), i)
		}
	}
	return out
}
