package optim

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestVectorStepsAreScalarSteps compares the bits of steps in vectors with those value by value:
// for lengths about whole vectors, values of all sizes, denormal and infinite ones and zeros.
func TestVectorStepsAreScalarSteps(t *testing.T) {
	if !vector {
		t.Skip("no vector kernel on this processor")
	}
	r := rand.New(rand.NewPCG(5, 6))
	odd := []float32{0, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32, -3e-41, math.MaxFloat32, float32(math.Inf(1))}
	draw := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(r.NormFloat64() * math.Exp(20*r.NormFloat64()))
			if r.IntN(10) == 0 {
				out[i] = odd[r.IntN(len(odd))]
			}
		}
		return out
	}
	for _, n := range []int{0, 1, 7, 8, 9, 16, 31, 1000, piece} {
		s := adamStep{scale: 0.7, keep1: 0.9, take1: 0.1, keep2: 0.999, take2: 0.001, unbias: 1.7, eps: 1e-8, size: 1e-3, shrink: 0.99}
		w, g, m, v := draw(n), draw(n), draw(n), draw(n)
		for i := range v {
			v[i] = float32(math.Abs(float64(v[i])))
		}
		values := [2][3][]float32{}
		for i := range values {
			for j, x := range [][]float32{w, m, v} {
				values[i][j] = append([]float32(nil), x...)
			}
		}
		s.apply(values[0][0], g, values[0][1], values[0][2])
		s.scalar(values[1][0], g, values[1][1], values[1][2])
		for j, name := range []string{"w", "m", "v"} {
			for i, x := range values[0][j] {
				y := values[1][j][i]
				if math.Float32bits(x) != math.Float32bits(y) && !(x != x && y != y) {
					t.Fatalf("%d values: %s[%d] is %v in vectors, %v alone", n, name, i, x, y)
				}
			}
		}
	}
}
