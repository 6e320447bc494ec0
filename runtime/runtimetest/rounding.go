package runtimetest

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// Tests that compare float32 results take their tolerance from here, since the bits of a sum depend
// on the kernel that the processor is given: its order, its width, fused multiplication. What a
// test may assert on every processor follows from the arithmetic: the number of terms, the unit
// roundoff and the magnitude of the terms.
//
// Sources: N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM 2002,
// sections 3.1 and 3.4; N. J. Higham and T. Mary, A new approach to probabilistic rounding error
// analysis, SIAM J. Sci. Comput. 41 (2019).

// Unit is the unit roundoff of float32.
const Unit = 0x1p-24

// Gamma returns γₙ = n·u/(1 − n·u), the largest relative change that n roundings of float32 amount
// to (Higham 2002, Lemma 3.1). It is +Inf from n = 2²⁴ on.
func Gamma(n int) float64 {
	nu := float64(n) * Unit
	if nu >= 1 {
		return math.Inf(1)
	}
	return nu / (1 - nu)
}

// SumError is by how much two float32 evaluations of one sum of n products can differ, in whatever
// orders and with fused multiplication or without: 2·γₙ·magnitude, where magnitude is the sum of
// the products' absolute values (Higham 2002, (3.5)). A constant that is added is one more term.
func SumError(n int, magnitude float64) float64 { return 2 * Gamma(n) * magnitude }

// The parameters of NetworkError.
const (
	networkDraws = 4
	// networkFactor is λ of Higham and Mary's theorem 2.4: a sum of n rounded products exceeds
	// λ·√n·u times the sum of their absolute values with probability below 2·exp(−λ²/2), 3·10⁻¹⁴
	// here.
	networkFactor = 8
)

// NetworkError returns by how much each output of a network, by name, may differ between two
// evaluations in float32.
//
// A rounded sum of products is the exact sum with weights changed by at most γₙ, n the number of
// its terms (backward error, Higham 2002, (3.4)). So the weights of every layer are changed by ±γₙ
// at random, and the largest change of the output, times λ = 8, is the tolerance: for terms xᵢ·wᵢ a
// draw changes the sum by about γₙ·‖x∘w‖₂, and a probable rounding error is at most λ·√n·u·‖x∘w‖₁ ≤
// λ·γₙ·‖x∘w‖₂. What the layers after do to it is measured along with it.
//
// run evaluates a model; it is called a few times with models that differ in their weights alone.
func NetworkError(t testing.TB, m *onnx.Model, run func(*onnx.Model) map[string][]float32) map[string]float64 {
	t.Helper()
	terms := termsOf(m)
	weights := make(map[string][]float32)
	for _, w := range m.Initializers() {
		if onnx.TensorType(w) != onnx.Float || terms[w.GetName()] == 0 {
			continue
		}
		values, err := onnx.Float32s(w)
		if err != nil {
			t.Fatal(err)
		}
		weights[w.GetName()] = values
	}
	want := run(m)
	out := make(map[string]float64, len(want))
	r := rand.New(rand.NewPCG(1, 2))
	for range networkDraws {
		changed := make(map[string][]float32, len(weights))
		for _, name := range slices.Sorted(maps.Keys(weights)) {
			values := slices.Clone(weights[name])
			for i, v := range values {
				change := float64(v) * Gamma(terms[name])
				if r.Uint64()&1 == 0 {
					change = -change
				}
				values[i] = float32(float64(v) + change)
			}
			changed[name] = values
		}
		other, err := m.WithFloats(changed)
		if err != nil {
			t.Fatal(err)
		}
		for name, got := range run(other) {
			for i, v := range got {
				out[name] = max(out[name], networkFactor*math.Abs(float64(v)-float64(want[name][i])))
			}
		}
	}
	return out
}

// termsOf is, for every constant that a node with sums or products reads, the number of terms of
// one of its results.
func termsOf(m *onnx.Model) map[string]int {
	shapes := make(map[string][]int64)
	for _, w := range m.Initializers() {
		shapes[w.GetName()] = w.GetDims()
	}
	terms := make(map[string]int)
	for _, n := range m.Nodes() {
		count := nodeTerms(n, shapes)
		for _, u := range n.GetInput() {
			if _, ok := shapes[u]; ok {
				terms[u] = max(terms[u], count)
			}
		}
	}
	return terms
}

// nodeTerms is the number of terms of one result of a node: the products of a filter or of a
// column, the constant added to them, and two for element-wise arithmetic.
func nodeTerms(n *onnxpb.NodeProto, shapes map[string][]int64) int {
	if len(n.GetInput()) < 2 {
		return 0
	}
	switch d := shapes[n.GetInput()[1]]; n.GetOpType() {
	case "Conv":
		return product(d)/max(1, int(first(d))) + 1
	case "ConvTranspose":
		return product(d) + 1
	case "Gemm":
		if onnx.AttrInt(n, "transB", 0) != 0 && len(d) == 2 {
			return int(d[1]) + 1
		}
		return int(first(d)) + 1
	case "MatMul":
		if len(d) < 2 { // the constant is on the left
			d = shapes[n.GetInput()[0]]
			return product(d) + 1
		}
		return int(d[len(d)-2]) + 1
	case "Add", "Sub", "Mul", "Div", "Sum", "BatchNormalization", "LayerNormalization", "InstanceNormalization", "PRelu", "Pow":
		return 2
	}
	return 0
}

func first(d []int64) int64 {
	if len(d) == 0 {
		return 1
	}
	return d[0]
}

func product(d []int64) int {
	p := 1
	for _, v := range d {
		p *= int(v)
	}
	return p
}
