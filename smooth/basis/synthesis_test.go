package basis

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func random32(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// The vector kernels and plain Go give the same bits, whatever is left over at the ends.
func TestProductBits(t *testing.T) {
	if !vector {
		t.Skip("this processor has no AVX2")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, m := range []int{1, 2, 3, 4, 5, 7, 8, 31, 32} {
		for _, k := range []int{1, 2, 9, 32} {
			for _, n := range []int{8, 16, 24, 32, 56} {
				a, b := random32(rng, m*k), random32(rng, k*n)
				got, want := random32(rng, m*n+1), make([]float32, m*n+1)
				want[m*n] = got[m*n] // nothing is written past the end
				productVector(got[:m*n], a, b, m, k, n)
				productPlain(want[:m*n], a, b, m, k, n)
				if !slices.Equal(got, want) {
					t.Fatalf("%d×%d×%d: the vector kernel's bits differ", m, k, n)
				}
			}
		}
	}
}

// Noise is base + U z up to float32 rounding: with at most 2·1024·2⁻²⁴ relative to the
// largest partial sums, ‖z‖ being their bound.
func TestSynthesiseIsTheTransform(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, shape := range append(shapes, []int{2, 33, 17}) {
		b := mustDCT(t, shape...)
		z, base, dst := random32(rng, b.Dim()), random32(rng, b.Dim()), make([]float32, b.Dim())
		b.Synthesise(dst, base, z, b.NewScratch())
		c, want := make([]float64, b.Dim()), make([]float64, b.Dim())
		for i, v := range z {
			c[i] = float64(v)
		}
		b.Values(want, c)
		for i := range dst {
			want[i] = float64(base[i]) + want[i] - float64(dst[i])
		}
		room := float64(b.rows.n+b.columns.n)*0x1p-24*math.Sqrt(float64(max(b.rows.n, b.columns.n))) + 0x1p-22
		if e := norm(want) / norm(c); e > room {
			t.Errorf("%s: off by %g relative, more than %g", b.Name(), e, room)
		}
	}
}

// The defect bounds ‖Û − U‖₂, estimated from below by power iteration in float64, and is
// not absurdly far above it.
func TestDefectBoundsTheMatrices(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, shape := range [][]int{{1, 28, 28}, {1, 32, 32}, {1, 7, 12}, {1, 1, 100}} {
		b := mustDCT(t, shape...)
		h, w := b.rows.n, b.columns.n
		// difference applies Û − U, with Û in float64 arithmetic.
		wide := func(a *axis, transpose bool) []float64 {
			out := make([]float64, a.n*a.n)
			for u := range a.n {
				for x := range a.n {
					v := float64(a.padded[u*a.stride+x])
					if transpose {
						out[x*a.n+u] = v
					} else {
						out[u*a.n+x] = v
					}
				}
			}
			return out
		}
		hatW, hatHT := wide(b.columns, false), wide(b.rows, true)
		x := random(rng, h*w)
		largest := 0.0
		for range 60 {
			half, sampled, exact := make([]float64, h*w), make([]float64, h*w), make([]float64, h*w)
			times(half, x, hatW, h, w, w)
			times(sampled, hatHT, half, h, h, w)
			b.Values(exact, x)
			for i := range sampled {
				sampled[i] -= exact[i]
			}
			largest = max(largest, norm(sampled)/norm(x))
			// One step with Uᵀ brings the difference back; the norm of the product is at most the
			// defect too.
			b.Coefficients(x, sampled)
			if n := norm(x); n > 0 {
				for i := range x {
					x[i] /= n
				}
			} else {
				x = random(rng, h*w)
			}
		}
		if !(largest <= b.Defect()) {
			t.Errorf("%s: ‖Û − U‖ is at least %g, more than the bound %g", b.Name(), largest, b.Defect())
		}
		if b.Defect() > 100*largest {
			t.Errorf("%s: the bound %g is far above %g", b.Name(), b.Defect(), largest)
		}
		t.Logf("%s: defect between %.3g and %.3g", b.Name(), largest, b.Defect())
	}
}

func TestSynthesiseAllocatesNothing(t *testing.T) {
	b := mustDCT(t, 1, 28, 28)
	s, z, base, dst := b.NewScratch(), make([]float32, 784), make([]float32, 784), make([]float32, 784)
	if n := testing.AllocsPerRun(10, func() { b.Synthesise(dst, base, z, s) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSynthesise(b *testing.B) {
	for _, shape := range [][]int{{1, 28, 28}, {3, 32, 32}, {3, 224, 224}} {
		t := mustDCT(b, shape...)
		b.Run(fmt.Sprint(t.Name()), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			s, z, base, dst := t.NewScratch(), random32(rng, t.Dim()), random32(rng, t.Dim()), make([]float32, t.Dim())
			for b.Loop() {
				t.Synthesise(dst, base, z, s)
			}
			n := float64(t.channels*t.plane()) * float64(t.rows.n+t.columns.n)
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}
