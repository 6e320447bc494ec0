package models

import (
	"math"

	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// mostChannels bounds the constants that are read as a value a channel; larger ones
// are whole images or weights.
const mostChannels = 16

// findNormalisation looks for operators at the front of a graph that normalise the
// input named in: Sub, Add, Div, Mul with a constant, or a BatchNormalization.
// Without any it returns nil.
func findNormalisation(ix *rewrite.Index, in string) *Normalisation {
	var (
		found Normalisation
		scale = []float64{1} // y = scale·x + shift
		shift = []float64{0}
		known = true
	)
	at := in
	for range 32 {
		readers := ix.Readers[at]
		if len(readers) != 1 || len(readers[0].GetOutput()) == 0 {
			break
		}
		n := readers[0]
		op := n.GetOpType()
		if rewrite.PassThrough(op) || op == "Transpose" {
			at = n.GetOutput()[0]
			continue
		}
		a, b, ok := affineStep(ix, n, at)
		if !ok {
			break
		}
		found.Operators = append(found.Operators, op)
		if a == nil {
			known = false
		} else if known {
			scale, shift, known = compose(scale, shift, a, b)
		}
		at = n.GetOutput()[0]
		if op == "BatchNormalization" {
			break
		}
	}
	if len(found.Operators) == 0 {
		return nil
	}
	if known {
		for i := range scale {
			found.Mean = append(found.Mean, round6(-shift[i]/scale[i]))
			found.Std = append(found.Std, round6(1/scale[i]))
		}
	}
	return &found
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// round6 rounds for display; adding 0 turns −0 into 0.
func round6(v float64) float64 { return math.Round(v*1e6)/1e6 + 0 }

// compose returns a·(scale·x + shift) + b; ok is false when the lengths differ or a
// factor is 0.
func compose(scale, shift, a, b []float64) (s, t []float64, ok bool) {
	n := max(len(scale), len(a), len(b))
	at := func(v []float64, i int) (float64, bool) {
		if len(v) == 1 {
			return v[0], true
		}
		return v[min(i, len(v)-1)], len(v) == n
	}
	for i := range n {
		si, ok1 := at(scale, i)
		ti, ok2 := at(shift, i)
		ai, ok3 := at(a, i)
		bi, ok4 := at(b, i)
		if !ok1 || !ok2 || !ok3 || !ok4 || ai == 0 || !finite(ai) || !finite(bi) {
			return nil, nil, false
		}
		s = append(s, ai*si)
		t = append(t, ai*ti+bi)
	}
	return s, t, true
}

// affineStep reads node n as y = a·x + b with x the value named at. ok is false when
// n is no such step; a is nil when it is one whose constants are not a value a
// channel.
func affineStep(ix *rewrite.Index, n *onnxpb.NodeProto, at string) (a, b []float64, ok bool) {
	switch n.GetOpType() {
	case "Sub", "Add", "Mul", "Div":
	case "BatchNormalization":
		return batchNorm(ix, n)
	default:
		return nil, nil, false
	}
	other, swapped := onnx.InputOf(n, 1), false
	if other == at {
		other, swapped = onnx.InputOf(n, 0), true
	}
	t := ix.Constant(other)
	if t == nil {
		return nil, nil, false
	}
	if count, err := onnx.Elements(t.Dims); err != nil || count > mostChannels || count == 0 {
		return nil, nil, true
	}
	c, err := onnx.Float64s(t)
	if err != nil {
		return nil, nil, true
	}
	one := []float64{1}
	switch n.GetOpType() {
	case "Add":
		return one, c, true
	case "Mul":
		return c, []float64{0}, true
	case "Sub":
		if swapped {
			return []float64{-1}, c, true
		}
		return one, mapped(c, func(x float64) float64 { return -x }), true
	}
	if swapped {
		return nil, nil, false // c/x is no affine step
	}
	return mapped(c, func(x float64) float64 { return 1 / x }), []float64{0}, true
}

// batchNorm reads an inference-mode BatchNormalization.
func batchNorm(ix *rewrite.Index, n *onnxpb.NodeProto) (a, b []float64, ok bool) {
	var p [4][]float64 // scale, bias, mean, variance
	for i := range p {
		t := ix.Constant(onnx.InputOf(n, i+1))
		if t == nil {
			return nil, nil, true
		}
		c, err := onnx.Float64s(t)
		if err != nil || len(c) > mostChannels || len(c) == 0 || i > 0 && len(c) != len(p[0]) {
			return nil, nil, true
		}
		p[i] = c
	}
	eps := float64(onnx.AttrFloat(n, "epsilon", 1e-5))
	for i := range p[0] {
		k := p[0][i] / math.Sqrt(p[3][i]+eps)
		a = append(a, k)
		b = append(b, p[1][i]-k*p[2][i])
	}
	return a, b, true
}

func mapped[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, x := range in {
		out[i] = f(x)
	}
	return out
}
