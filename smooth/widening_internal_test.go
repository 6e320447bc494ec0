package smooth

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"ucan/smooth/basis"
	"ucan/smooth/family"
)

// The covariance that is really sampled, Û diag(scale)² Ûᵀ with the float32 matrices and
// scales, is nowhere below the recorded one, λ²U S²Uᵀ: the least eigenvalue of
// S⁻¹UᵀÛ diag(scale)² ÛᵀU S⁻¹/λ² is at least 1. Without the widening it would not be.
func TestSampledCovarianceIsNotBelowTheRecorded(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	short := 0
	for _, shape := range [][]int{{1, 3, 4}, {1, 7, 5}, {1, 1, 40}, {2, 3, 6}} {
		b, err := basis.DCT2(shape)
		if err != nil {
			t.Fatal(err)
		}
		for _, spread := range []float64{1, 30, 3000} {
			sigma := make([]float32, b.Dim())
			for i := range sigma {
				sigma[i] = float32(math.Pow(spread, rng.Float64()))
			}
			fields, err := NewFields(b.Dim(), nil, sigma, b)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Noise{Family: family.Gaussian{}, Norm: family.L2, Lambda: 0.3, Fields: fields}.Seal(b.Dim())
			if err != nil {
				t.Fatal(err)
			}
			least, bare := leastEigenvalues(s)
			if least < 1 {
				t.Errorf("%v, spread %v: 1 − %.3g", shape, spread, 1-least)
			}
			if bare < 1 {
				short++
			}
			if least > 1+2*(maxWidening-1) {
				t.Errorf("%v, spread %v: sampled far too wide, %v", shape, spread, least)
			}
		}
	}
	if short == 0 {
		t.Error("without the widening no covariance falls short: this test sees nothing")
	}
}

// leastEigenvalues returns the least eigenvalue with the sampled scales, and with the
// recorded ones.
func leastEigenvalues(s *SealedNoise) (sampled, recorded float64) {
	b, d := s.noise.basis, s.dim
	h32, w32 := b.Matrices()
	shape := b.Shape()
	n := shape[1] * shape[2]
	// Column k of Û is the image whose only coefficient is k: Ĥ[u][y]·Ŵ[v][x].
	m := mat.NewDense(d, d, nil) // UᵀÛ
	image, c := make([]float64, d), make([]float64, d)
	for k := range d {
		clear(image)
		channel, u, v := k/n, k%n/shape[2], k%shape[2]
		for y := range shape[1] {
			for x := range shape[2] {
				image[channel*n+y*shape[2]+x] = float64(h32[u*shape[1]+y]) * float64(w32[v*shape[2]+x])
			}
		}
		b.Coefficients(c, image)
		m.SetCol(k, c)
	}
	least := func(scale func(k int) float64) float64 {
		a := mat.NewDense(d, d, nil)
		for i := range d {
			for k := range d {
				a.Set(i, k, m.At(i, k)*scale(k)/float64(s.noise.sigma[i])/s.noise.Lambda)
			}
		}
		var product mat.Dense
		product.Mul(a, a.T())
		var eigen mat.EigenSym
		symmetric := mat.NewSymDense(d, nil)
		for i := range d {
			for k := range i + 1 {
				symmetric.SetSym(i, k, product.At(i, k))
			}
		}
		if !eigen.Factorize(symmetric, false) {
			return math.NaN()
		}
		return eigen.Values(nil)[0]
	}
	return least(func(k int) float64 { return float64(s.scale[k]) }),
		least(func(k int) float64 { return s.noise.Lambda * float64(s.noise.sigma[k]) })
}
