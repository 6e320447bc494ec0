package basis

import (
	"math"
	"math/rand/v2"
	"testing"
)

func field(rng *rand.Rand, n int) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = math.Exp(rng.NormFloat64())
	}
	return s
}

func at(s []float64) func(int) float64 { return func(i int) float64 { return s[i] } }

// scaledNorm is ‖diag(1/s) Uᵀδ‖₂.
func scaledNorm(b *Transform, s, delta []float64) float64 {
	c := make([]float64, b.Dim())
	b.Coefficients(c, delta)
	for i := range c {
		c[i] /= s[i]
	}
	return norm(c)
}

// The gain over ‖δ‖₁ ≤ 1 is that of the best vertex ±e_i, found here one by one.
func TestVertexGainIsTheBestVertex(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, shape := range [][]int{{1, 1, 1}, {1, 2, 3}, {2, 5, 4}, {3, 8, 8}} {
		b := mustDCT(t, shape...)
		for range 20 {
			s := field(rng, b.Dim())
			want := 0.0
			for i := range b.Dim() {
				e := make([]float64, b.Dim())
				e[i] = 1
				want = max(want, scaledNorm(b, s, e))
			}
			got := b.VertexGain(at(s))
			if got < want*(1-1e-13) || got > want*(1+1e-11) {
				t.Errorf("%s: %v, want %v", b.Name(), got, want)
			}
			for range 50 { // no point of the cross-polytope does better
				v := random(rng, b.Dim())
				one := 0.0
				for _, x := range v {
					one += math.Abs(x)
				}
				if g := scaledNorm(b, s, v) / one; g > got {
					t.Fatalf("%s: a point reaches %v, above %v", b.Name(), g, got)
				}
			}
		}
	}
}

// The gain over the cube is never below that of the best of all 2^d sign vectors, where
// a convex function of the cube is largest; and it is that value, exactly, when the
// constant vectors have the smallest scales.
func TestCubeGainBoundsAllVertices(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	worst := 1.0
	for _, shape := range [][]int{{1, 1, 1}, {1, 2, 2}, {1, 3, 3}, {1, 2, 5}, {2, 2, 3}, {1, 1, 12}, {1, 3, 4}} {
		b := mustDCT(t, shape...)
		d := b.Dim()
		for trial := range 20 {
			s := field(rng, d)
			rising := trial%2 == 0
			if rising {
				for c := range shape[0] {
					s[c*b.plane()] = 0.01
				}
			}
			want := 0.0
			v := make([]float64, d)
			for mask := range 1 << (d - 1) { // the sign of the last is free
				for i := range v {
					v[i] = 1 - 2*float64(mask>>i&1)
				}
				want = max(want, scaledNorm(b, s, v))
			}
			got := b.CubeGain(at(s))
			if got < want*(1-1e-14) {
				t.Fatalf("%s: the bound %v is below a vertex's %v", b.Name(), got, want)
			}
			if rising && got > want*(1+1e-12) {
				t.Errorf("%s: the bound %v is not attained: %v", b.Name(), got, want)
			}
			worst = max(worst, got/want)
		}
	}
	t.Logf("the bound exceeds the exact value by a factor of at most %.3f", worst)
	if worst > 1.6 {
		t.Errorf("the bound is loose by a factor of %v", worst)
	}
}

// It is never worse than the bound √d / min s that the spectral norm gives.
func TestCubeGainBeatsTheSpectralNorm(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	b := mustDCT(t, 3, 8, 6)
	for range 20 {
		s := field(rng, b.Dim())
		least := math.Inf(1)
		for _, v := range s {
			least = min(least, v)
		}
		if got := b.CubeGain(at(s)); got > math.Sqrt(float64(b.Dim()))/least*(1+1e-12) {
			t.Errorf("bound %v, the spectral norm gives %v", got, math.Sqrt(float64(b.Dim()))/least)
		}
	}
}
