package basis

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

var shapes = [][]int{{1, 1, 1}, {1, 2, 3}, {2, 5, 4}, {1, 28, 28}, {3, 32, 32}, {7}, {6, 9}}

func random(rng *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

func norm(v []float64) float64 {
	total := 0.0
	for _, x := range v {
		total += x * x
	}
	return math.Sqrt(total)
}

func mustDCT(t testing.TB, shape ...int) *Transform {
	t.Helper()
	b, err := DCT2(shape)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The definition of the DCT-II, term by term, with cosines of unreduced angles.
func TestCoefficientsFollowTheDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := mustDCT(t, 2, 5, 4)
	x, got := random(rng, b.Dim()), make([]float64, b.Dim())
	b.Coefficients(got, x)
	factor := func(u, n int) float64 {
		if u == 0 {
			return math.Sqrt(1 / float64(n))
		}
		return math.Sqrt(2 / float64(n))
	}
	angle := func(u, i, n int) float64 { return math.Cos(math.Pi * float64(2*i+1) * float64(u) / float64(2*n)) }
	for c := range 2 {
		for u := range 5 {
			for v := range 4 {
				want := 0.0
				for y := range 5 {
					for z := range 4 {
						want += x[c*20+y*4+z] * angle(u, y, 5) * angle(v, z, 4)
					}
				}
				want *= factor(u, 5) * factor(v, 4)
				if k := c*20 + u*4 + v; math.Abs(got[k]-want) > 1e-13 {
					t.Errorf("coefficient (%d,%d,%d) = %v, want %v", c, u, v, got[k], want)
				}
			}
		}
	}
}

// scipy.fft.dctn([[1,2,3],[4,5,7]], norm="ortho") of SciPy 1.17.1.
func TestCoefficientsAgreeWithSciPy(t *testing.T) {
	b := mustDCT(t, 2, 3)
	got := make([]float64, 6)
	b.Coefficients(got, []float64{1, 2, 3, 4, 5, 7})
	want := []float64{8.981462390204987, -2.4999999999999996, 0.2886751345948131, -4.0824829046386295, 0.5000000000000001, -0.28867513459481303}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-14 {
			t.Errorf("coefficient %d = %v, want %v", i, got[i], want[i])
		}
	}
}

// Uᵀ keeps lengths and U undoes it, within the stated resolution.
func TestTransformIsOrthonormal(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, shape := range append(shapes, []int{1, 224, 96}) {
		b := mustDCT(t, shape...)
		x, c, y := random(rng, b.Dim()), make([]float64, b.Dim()), make([]float64, b.Dim())
		b.Coefficients(c, x)
		if e := math.Abs(norm(c)/norm(x) - 1); e > b.Resolution() {
			t.Errorf("%s: length changed by %g, more than %g", b.Name(), e, b.Resolution())
		}
		b.Values(y, c)
		for i := range y {
			y[i] -= x[i]
		}
		if e := norm(y) / norm(x); e > 2*b.Resolution() {
			t.Errorf("%s: U Uᵀx differs from x by %g, more than twice %g", b.Name(), e, b.Resolution())
		}
	}
}

// Multiple precision keeps lengths to its own precision, so it is the exact transform;
// float64 stays within the stated resolution of it.
func TestResolutionBoundsTheError(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const prec = 400
	for _, shape := range [][]int{{1, 1, 1}, {1, 2, 3}, {2, 5, 4}, {1, 28, 28}, {1, 1, 100}} {
		b := mustDCT(t, shape...)
		x, c := random(rng, b.Dim()), make([]float64, b.Dim())
		wide := make([]*big.Float, b.Dim())
		before, after := new(big.Float).SetPrec(prec), new(big.Float).SetPrec(prec)
		square := new(big.Float).SetPrec(prec)
		for i, v := range x {
			wide[i] = big.NewFloat(v)
			before.Add(before, square.Mul(wide[i], wide[i]))
		}
		b.Coefficients(c, x)
		for i, exact := range b.PreciseCoefficients(wide, prec) {
			after.Add(after, square.Mul(exact, exact))
			d, _ := new(big.Float).Sub(exact, big.NewFloat(c[i])).Float64()
			c[i] = d
		}
		if e := norm(c) / norm(x); e > b.Resolution() {
			t.Errorf("%s: float64 is off by %g, more than %g", b.Name(), e, b.Resolution())
		}
		ratio, _ := after.Sub(after.Quo(after, before), big.NewFloat(1)).Float64()
		if math.Abs(ratio) > 1e-100 {
			t.Errorf("%s: multiple precision changes squared lengths by %g", b.Name(), ratio)
		}
	}
}

func TestNames(t *testing.T) {
	for _, shape := range shapes {
		b := mustDCT(t, shape...)
		again, err := Parse(b.Name())
		if err != nil || again.Shape() != b.Shape() {
			t.Errorf("%s reads back as %v, %v", b.Name(), again, err)
		}
	}
	for _, name := range []string{
		"", "dct2", "dct2:", "dct2:1x2", "dct2:1x2x3x4", "dct2:0x2x3", "dct2:-1x2x3", "dct2:01x2x3", "dct2:1x2x3 ",
		"dct2:1x2000x3", "haar:1x2x3", "dct2:+1x2x3", "dct2:1x2x9999999999999999999",
	} {
		if b, err := Parse(name); err == nil {
			t.Errorf("%q read as %s", name, b.Name())
		}
	}
	for _, shape := range [][]int{nil, {}, {1, 2, 3, 4}, {0}, {3, 2048, 2}} {
		if _, err := DCT2(shape); err == nil {
			t.Errorf("shape %v accepted", shape)
		}
	}
}
