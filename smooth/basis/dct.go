package basis

import "math"

// axis is an orthonormal n×n matrix A: row u is the u-th basis vector.
type axis struct {
	n             int
	exact, exactT []float64 // A and Aᵀ, each entry within entryError of the real one, relative
	padded        []float32 // A in float32, rows padded with zeros to stride values
	transposed    []float32 // Aᵀ in float32
	stride        int       // n rounded up to whole vectors
	peaks         []float64 // the largest absolute entry of each row of A
	defect        float64   // bounds ‖Â − A‖₂ of the float32 matrix Â
}

// entryError bounds the relative error of an entry of A in float64: the angle is
// reduced exactly, so that no cosine is taken near its zero, and the rounding of the
// angle, the function, the root and the product lose less than 8 half-ulps together.
const entryError = 0x1p-50

// newDCT returns the orthonormal DCT-II: A[u][a] = c_u cos(π(2a+1)u / 2n), with
// c_0 = √(1/n) and c_u = √(2/n).
func newDCT(n int) *axis {
	a := &axis{n: n, exact: make([]float64, n*n), exactT: make([]float64, n*n)}
	for u := range n {
		c := math.Sqrt(2 / float64(n))
		if u == 0 {
			c = math.Sqrt(1 / float64(n))
		}
		for x := range n {
			v := c * cosine((2*x+1)*u, n)
			a.exact[u*n+x], a.exactT[x*n+u] = v, v
		}
	}
	a.narrow()
	a.findPeaks()
	return a
}

// cosine returns cos(πm/2n) for m ≥ 0, with a small relative error wherever it is
// not zero.
func cosine(m, n int) float64 {
	m %= 4 * n
	if m > 2*n {
		m = 4*n - m // cos is even about π
	}
	sign := 1.0
	if m > n {
		m, sign = 2*n-m, -1
	}
	if 2*m <= n {
		return sign * math.Cos(math.Pi*float64(m)/float64(2*n))
	}
	return sign * math.Sin(math.Pi*float64(n-m)/float64(2*n))
}

// lanes is the number of float32 in a vector register.
const lanes = 8

// narrow makes the float32 matrices and bounds how far they are from the real ones.
func (a *axis) narrow() {
	a.stride = (a.n + lanes - 1) / lanes * lanes
	a.padded = make([]float32, a.n*a.stride)
	a.transposed = make([]float32, a.n*a.n)
	sum := 0.0
	for u := range a.n {
		for x := range a.n {
			v := a.exact[u*a.n+x]
			f := float32(v)
			a.padded[u*a.stride+x], a.transposed[x*a.n+u] = f, f
			d := math.Abs(float64(f)-v) + entryError*math.Abs(v)
			sum += d * d
		}
	}
	a.defect = math.Sqrt(sum) * (1 + 0x1p-20) // Frobenius; the factor covers this sum's rounding
}

// single returns A in float32 without padding.
func (a *axis) single() []float32 {
	out := make([]float32, 0, a.n*a.n)
	for u := range a.n {
		out = append(out, a.padded[u*a.stride:u*a.stride+a.n]...)
	}
	return out
}

// error bounds the relative ℓ2 error of one float64 pass with A; see
// [Transform.Resolution].
func (a *axis) error() float64 {
	n := float64(a.n)
	return (entryError + (n+2)*0x1p-53) * math.Sqrt(n)
}
