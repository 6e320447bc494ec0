package generator

import (
	"ucan/npg"
	"ucan/runtime/onnx"
)

// logistic is the ratio of the logit to Φ⁻¹ that fits best: |Φ(x) − 1/(1+e^{−1.702x})| < 0.01
// (Camilli 1994).
const logistic = 1.702

// leastError bounds the cross-entropy in the area from below, at q = 5.4: more than any sample
// proves.
const leastError = 1e-4

// lossGraph adds the loss to a forward graph: the input labels int64 [N], the outputs loss and
// cross-entropy (without smoothing), scalars.
func lossGraph(forward *onnx.Model, c Config, classes int64) (*onnx.Model, error) {
	b := onnx.Extend(forward)
	labels := b.Input(labelsInput, onnx.Int64, onnx.Fixed(int64(c.Rows)))
	s := b.Scope("ucan.loss")
	n, m := int64(c.Rows), int64(c.Draws)
	logp := s.Reshape(s.LogSoftmax(b.Value(logitOutput), 1), n, m, classes)
	hot := oneHot(s, labels, n, classes)
	each := s.Neg(s.Mean(s.Sum(s.Mul(logp, hot), false, 2), false, 1)) // C_n
	plain := s.Mean(each, false)
	loss := plain
	if e := c.Loss.Smoothing; e > 0 {
		uniform := s.Neg(s.Mean(logp, false))
		loss = s.Add(scaled(s, plain, 1-e), scaled(s, uniform, e))
	}
	sigma := s.Reshape(b.Value(sigmaOutput), n, int64(npg.Dim(c.Shape)))
	for _, t := range volumeTerms(s, c.Loss.Volume, sigma, each) {
		loss = s.Sub(loss, t)
	}
	if c.Loss.Reg > 0 {
		norm := s.Sqrt(s.Mean(s.Mul(sigma, sigma), false, 1))
		loss = s.Add(loss, scaled(s, s.Mean(norm, false), c.Loss.Reg))
	}
	if c.Loss.Consistency > 0 {
		loss = s.Add(loss, scaled(s, consistency(s, logp), c.Loss.Consistency))
	}
	b.Output(lossOutput, s.Identity(loss), onnx.Float)
	b.Output(errorOutput, s.Identity(plain), onnx.Float)
	return b.Build()
}

func scaled(b *onnx.Builder, v onnx.Value, weight float64) onnx.Value {
	return b.Mul(v, b.Scalar(onnx.Float, weight))
}

// oneHot is [N, 1, K].
func oneHot(b *onnx.Builder, labels onnx.Value, rows, classes int64) onnx.Value {
	all := make([]int64, classes)
	for i := range all {
		all[i] = int64(i)
	}
	return b.Cast(b.Equal(b.Reshape(labels, rows, 1, 1), b.Ints(all...)), onnx.Float)
}

// volumeTerms are the weighted terms that reward volume, each a scalar.
func volumeTerms(b *onnx.Builder, v Volume, sigma, each onnx.Value) []onnx.Value {
	var terms []onnx.Value
	add := func(weight float64, value func() onnx.Value) {
		if weight != 0 {
			terms = append(terms, scaled(b, b.Mean(value(), false), weight))
		}
	}
	add(v.Min, func() onnx.Value { return b.Reduce("ReduceMin", sigma, false, 1) })
	add(v.Mean, func() onnx.Value { return sigma })
	add(v.LogMean, func() onnx.Value { return b.Log(sigma) })
	add(v.Area, func() onnx.Value {
		// −ln(e^C − 1) = −C − ln(1 − e^{−C})
		c := b.Clip(each, b.Scalar(onnx.Float, leastError), onnx.Value{})
		rest := b.Log(b.Sub(b.Scalar(onnx.Float, 1), b.Exp(b.Neg(c))))
		q := scaled(b, b.Neg(b.Add(c, rest)), 1/logistic)
		return b.Mul(b.Exp(b.Mean(b.Log(sigma), false, 1)), b.Relu(q))
	})
	return terms
}

// consistency is the mean over images and draws of KL(p̄ ‖ p_j) for log-probabilities [N, m, K].
func consistency(b *onnx.Builder, logp onnx.Value) onnx.Value {
	mean := b.Mean(b.Exp(logp), true, 1)
	least := b.Scalar(onnx.Float, 1e-30)
	difference := b.Sub(b.Log(b.Clip(mean, least, onnx.Value{})), logp)
	return b.Mean(b.Sum(b.Mul(mean, difference), false, 2), false)
}
