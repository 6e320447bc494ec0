package generator

import (
	"fmt"
	"slices"

	"ucan/npg/net"
	"ucan/runtime/onnx"
	"ucan/smooth/basis"
)

// opset is the least version of the operators of a step graph.
const opset = 17

// Names of the values that a step graph takes and gives.
const (
	noiseInput  = "ucan.noise"
	labelsInput = "ucan.labels"
	noisyValue  = "ucan.noisy"
	lossOutput  = "ucan.loss"
	errorOutput = "ucan.cross_entropy"
	logitOutput = "ucan.logits"
	sigmaOutput = "ucan.sigma"
	muOutput    = "ucan.mu"
)

// basePrefix keeps the names of the classifier apart from those of the generator.
const basePrefix = "f."

// forwardGraph joins generator, noise and classifier: inputs x [N, shape…] and noise [N·m, shape…],
// outputs the scores as logits [N·m, K], the scale [N, shape…] and, unless it is fixed, the offset.
func forwardGraph(c Config) (*onnx.Model, error) {
	classes, err := c.Base.Classes()
	if err != nil {
		return nil, err
	}
	front, err := noisyGraph(c)
	if err != nil {
		return nil, fmt.Errorf("add noise to the generator's graph: %w", err)
	}
	base, err := c.Base.Graph.WithOutputs(c.Base.Scores)
	if err != nil {
		return nil, fmt.Errorf("take the scores of the base classifier: %w", err)
	}
	if base, err = base.WithoutDead(); err != nil {
		return nil, err
	}
	base = base.Prefixed(basePrefix)
	joined, err := onnx.Compose(front, base, map[string]string{basePrefix + c.Base.Input: noisyValue})
	if err != nil {
		return nil, fmt.Errorf("join generator and base classifier: %w", err)
	}
	b := onnx.Extend(joined)
	scores := b.Value(basePrefix + c.Base.Scores)
	logits := c.Base.Logits(b.Scope("ucan.head"), joined, scores)
	b.ClearOutputs()
	b.Output(logitOutput, b.Identity(logits), onnx.Float, onnx.Fixed(int64(c.Rows*c.Draws)), onnx.Fixed(classes))
	for _, name := range []string{sigmaOutput, muOutput} {
		if o, ok := joined.Output(name); ok {
			b.Output(name, b.Value(name), o.Type, o.Shape...)
		}
	}
	return b.Build()
}

// noisyGraph is the generator with the noise applied: its outputs are the noisy copies, the scale
// and the offset, the latter two repeated for every input.
func noisyGraph(c Config) (*onnx.Model, error) {
	g, err := c.Generator.WithOpset(max(opset, c.Generator.Opset("")))
	if err != nil {
		return nil, err
	}
	b := onnx.Extend(g)
	n, m := int64(c.Rows), int64(c.Draws)
	one, all := []int64{n, 1}, []int64{n, m}
	out := []onnx.Dim{onnx.Fixed(n)}
	copies := []onnx.Dim{onnx.Fixed(n * m)}
	flat := []int64{n * m}
	for _, d := range c.Shape {
		one, all, flat = append(one, int64(d)), append(all, int64(d)), append(flat, int64(d))
		out, copies = append(out, onnx.Fixed(int64(d))), append(copies, onnx.Fixed(int64(d)))
	}
	x := b.Value(net.Input)
	full := b.Shape(x)
	noise := b.Input(noiseInput, onnx.Float, copies...)
	s := b.Scope("ucan")
	sigma := s.Expand(b.Value(net.Sigma), full)
	var mu onnx.Value
	if _, ok := g.Output(net.Mu); ok {
		mu = s.Mul(s.Expand(b.Value(net.Mu), full), s.Scalar(onnx.Float, c.MuScale))
	}
	perturbation := s.Reshape(s.Mul(s.Reshape(noise, all...), s.Reshape(sigma, one...)), flat...)
	if c.Basis == net.DCT {
		perturbation = cosine(s, perturbation, c.Shape)
	}
	centre := x
	if !mu.IsZero() {
		centre = s.Add(x, mu)
	}
	noisy := s.Add(s.Reshape(perturbation, all...), s.Reshape(centre, one...))
	b.ClearOutputs()
	b.Output(noisyValue, s.Reshape(noisy, flat...), onnx.Float, copies...)
	b.Output(sigmaOutput, s.Identity(sigma), onnx.Float, out...)
	if !mu.IsZero() {
		b.Output(muOutput, s.Identity(mu), onnx.Float, out...)
	}
	joined, err := b.Build()
	if err != nil {
		return nil, err
	}
	return joined.WithDim(net.Input, 0, onnx.Fixed(n))
}

// cosine takes coefficients [·, C, H, W] of the orthonormal cosine basis to pixels: Hᵀ·Z·W on every
// plane, with the matrices that certification samples with.
func cosine(b *onnx.Builder, z onnx.Value, shape []int) onnx.Value {
	t, err := basis.DCT2(shape)
	if err != nil {
		return b.Fail(err)
	}
	h, w := t.Matrices()
	height, width := int64(shape[1]), int64(shape[2])
	rows := b.Transpose(onnx.Tensor(b, "cosine_rows", []int64{height, height}, h), 1, 0)
	return b.MatMul(b.MatMul(rows, z), onnx.Tensor(b, "cosine_columns", []int64{width, width}, w))
}

// Logits turns the classifier's scores, a value of m that b extends, into logits [N, classes]: what
// goes into a final Softmax or Sigmoid, or the scores themselves.
func (c Base) Logits(b *onnx.Builder, m *onnx.Model, scores onnx.Value) onnx.Value {
	head := c.Head
	before, op := ending(m, scores.Name())
	switch {
	case head == Binary:
		z := scores
		if op == "Sigmoid" {
			z = b.Value(before)
		}
		z = b.Reshape(z, -1, 1)
		return b.Concat(1, b.Mul(z, b.Scalar(onnx.Float, 0)), z)
	case head == Negative:
		return b.Neg(scores)
	case op == "Softmax" || op == "LogSoftmax":
		return b.Value(before)
	case head == Probabilities:
		return b.Log(b.Clip(scores, b.Scalar(onnx.Float, 1e-12), onnx.Value{}))
	}
	return scores
}

// ending returns the operator that makes a value and what it reads, looking through what only
// renames or reshapes a matrix.
func ending(m *onnx.Model, name string) (before, op string) {
	for _, n := range slices.Backward(m.Nodes()) {
		if len(n.GetOutput()) == 0 || n.GetOutput()[0] != name || len(n.GetInput()) == 0 {
			continue
		}
		if n.GetOpType() == "Identity" || n.GetOpType() == "Cast" {
			name = n.GetInput()[0]
			continue
		}
		return n.GetInput()[0], n.GetOpType()
	}
	return "", ""
}
