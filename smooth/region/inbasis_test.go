package region

import (
	"math"
	"math/rand/v2"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth/basis"
	"ucan/smooth/family"
)

func inBasis(t testing.TB, rng *rand.Rand, shape ...int) Region {
	t.Helper()
	b, err := basis.DCT2(shape)
	if err != nil {
		t.Fatal(err)
	}
	return Region{Norm: family.L2, R: 0.1 + rng.Float64(), Sigma: randomField(rng, b.Dim()), Dim: b.Dim(), Basis: b}
}

// scaled is ‖diag(1/σ) Uᵀδ‖₂ by float64.
func scaled(r Region, delta []float64) float64 {
	c := make([]float64, r.Dim)
	r.Basis.Coefficients(c, delta)
	for i := range c {
		c[i] /= r.sigma(i)
	}
	return norm(c, family.L2)
}

// No point of a reported ball leaves the region: random ones, all vertices of the ℓ1 ball,
// all corners of the ℓ∞ ball, and the basis vectors. The ℓ1 and ℓ2 radii cannot be larger.
func TestRadiiInBasis(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for _, shape := range [][]int{{1, 1, 1}, {1, 2, 3}, {2, 2, 3}, {1, 3, 4}, {1, 1, 11}} {
		for range 10 {
			r := inBasis(t, rng, shape...)
			d := r.Dim
			largest := map[family.Norm]float64{}
			for _, v := range probes(rng, r) {
				for _, q := range norms {
					largest[q] = max(largest[q], scaled(r, v)/norm(v, q))
				}
			}
			for _, q := range norms {
				radius, err := r.Radius(q)
				if err != nil {
					t.Fatal(err)
				}
				exact := r.R / largest[q]
				if radius > exact*(1+1e-13) {
					t.Fatalf("%s, d=%d: radius %v, but the region ends at %v", q, d, radius, exact)
				}
				if tight := q != family.LInf; tight && radius < exact*(1-1e-10) {
					t.Errorf("%s, d=%d: radius %v could be %v", q, d, radius, exact)
				}
			}
		}
	}
}

// probes are the extreme points of all three balls in their own directions.
func probes(rng *rand.Rand, r Region) [][]float64 {
	var out [][]float64
	d := r.Dim
	for i := range d {
		e, u := make([]float64, d), make([]float64, d)
		e[i] = 1
		r.Basis.Values(u, e)
		out = append(out, e, u)
	}
	for mask := range 1 << (d - 1) {
		v := make([]float64, d)
		for i := range v {
			v[i] = 1 - 2*float64(mask>>i&1)
		}
		out = append(out, v)
	}
	for range 100 {
		out = append(out, random(rng, d))
	}
	return out
}

// For scales that rise with frequency all three radii are exact, at sizes that no
// enumeration reaches: δ = 1 is the worst corner.
func TestLInfRadiusOfRisingScales(t *testing.T) {
	b, err := basis.DCT2([]int{3, 32, 32})
	if err != nil {
		t.Fatal(err)
	}
	r := Region{Norm: family.L2, R: 1.5, Dim: b.Dim(), Basis: b, Sigma: make([]float32, b.Dim())}
	for i := range r.Sigma {
		u, v := i/32%32, i%32
		r.Sigma[i] = float32(0.25 * (1 + 15*math.Pow(math.Hypot(float64(u), float64(v))/math.Hypot(31, 31), 3)))
	}
	got, err := r.Radius(family.LInf)
	if err != nil {
		t.Fatal(err)
	}
	ones := make([]float64, r.Dim)
	for i := range ones {
		ones[i] = 1
	}
	exact := r.R / scaled(r, ones)
	if got > exact || got < exact*(1-1e-11) {
		t.Errorf("ℓ∞ radius %v, exact %v", got, exact)
	}
	// ‖δ‖∞ = got·√d must be the ℓ2 radius, min σ lying on the constants.
	two, _ := r.Radius(family.L2)
	if !near(got*math.Sqrt(float64(r.Dim)), two, 1e-10) || two != MulDown(1.5, 0.25) {
		t.Errorf("ℓ2 radius %v, ℓ∞ radius %v", two, got)
	}
	one, _ := r.Radius(family.L1)
	if one <= two {
		t.Errorf("the ℓ1 radius %v does not exceed the ℓ2 radius %v", one, two)
	}
	t.Logf("ℓ1 radius is %.4f times the ℓ2 radius", one/two)
}

// Volume does not depend on the basis, whose determinant is ±1.
func TestVolumeInBasis(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	r := inBasis(t, rng, 2, 5, 4)
	plain := r
	plain.Basis = nil
	for name, f := range subtest.Rows(map[string]func(Region) (float64, error){"ALM": Region.ALM, "log-volume": Region.LogVolume}) {
		t.Run(name, func(t *testing.T) {
			a, err := f(r)
			b, _ := f(plain)
			if err != nil || a != b {
				t.Errorf("%s: %v in the basis, %v outside (%v)", name, a, b, err)
			}
		})
	}
}

// Membership and the largest scaling agree with each other, across the boundary.
func TestMembershipInBasis(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	for _, shape := range [][]int{{1, 2, 3}, {3, 8, 8}, {1, 28, 28}} {
		for _, size := range []float64{1e-200, 1e-3, 1, 1e250} {
			r := inBasis(t, rng, shape...)
			v := random(rng, r.Dim)
			for i := range v {
				v[i] *= size
			}
			scale, err := r.MaxScale(v)
			if err != nil {
				t.Fatal(err)
			}
			unit := norm(v, family.LInf)
			for _, c := range []struct {
				factor float64
				want   bool
			}{{1 - 1e-9, true}, {1 - 1e-10, true}, {1 + 1e-9, false}, {0, true}, {2, false}} {
				w := make([]float64, len(v))
				for i := range v {
					w[i] = v[i] / unit * (scale * unit * c.factor)
				}
				in, err := r.Contains(w)
				if err != nil || in != c.want {
					t.Errorf("%v, size %g, factor %v: inside is %v, %v", shape, size, c.factor, in, err)
				}
			}
		}
	}
	r := inBasis(t, rng, 1, 2, 3)
	if in, _ := r.Contains([]float64{math.NaN(), 0, 0, 0, 0, 0}); in {
		t.Error("NaN counts as inside")
	}
	r.R = 0
	if in, _ := r.Contains([]float64{0, 0, 0, 0, 0, 5e-324}); in {
		t.Error("a region of radius 0 holds only its centre")
	}
}

// The constant vector has the exact coefficient 2 in a 2×2 image: within float64's
// resolution of the boundary, multiple precision decides.
func TestMembershipInBasisIsExact(t *testing.T) {
	b, err := basis.DCT2([]int{1, 2, 2})
	if err != nil {
		t.Fatal(err)
	}
	r := Region{Norm: family.L2, R: 2, Dim: 4, Basis: b, Sigma: []float32{1, 3, 5, 7}}
	up, low := math.Nextafter(1, 2), math.Nextafter(1, 0)
	for _, c := range []struct {
		v    []float64
		want bool
	}{
		{[]float64{low, 1, 1, 1}, true},
		{[]float64{up, 1, 1, 1}, false},
		{[]float64{low, low, low, low}, true},
		{[]float64{up, up, low, low}, false}, // its other coefficients are not zero
		{[]float64{1 - 1e-14, 1, 1, 1}, true},
	} {
		if in, err := r.Contains(c.v); err != nil || in != c.want {
			t.Errorf("contains(%v) = %v, %v; want %v", c.v, in, err, c.want)
		}
	}
	if in, err := r.ContainsPoint([]float32{1, 1, 1, 1}, []float32{2, 2, 2, 2 - 0x1p-23}); err != nil || !in {
		t.Errorf("a point inside counts as outside (%v)", err)
	}
	if in, err := r.ContainsPoint([]float32{-1e-30, 0, 0, 0}, []float32{1, 1, 1, 1}); err != nil || in {
		t.Errorf("1 + 1e-30 counts as inside (%v)", err)
	}
}

func TestInvalidRegionsInBasis(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	for name, change := range subtest.Rows(map[string]func(*Region){
		"l1":   func(r *Region) { r.Norm = family.L1 },
		"linf": func(r *Region) { r.Norm = family.LInf },
		"dim":  func(r *Region) { r.Dim--; r.Sigma = r.Sigma[1:] },
	}) {
		t.Run(name, func(t *testing.T) {
			r := inBasis(t, rng, 1, 2, 3)
			if err := r.Check(); err != nil {
				t.Fatal(err)
			}
			change(&r)
			if r.Check() == nil {
				t.Errorf("%s: accepted", name)
			}
		})
	}
}

// The intersection of a ball and an ellipsoid in a basis takes the smaller of each.
func TestIntersectionInBasis(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	r := inBasis(t, rng, 1, 2, 3)
	ball := Region{Norm: family.L2, R: 0.2, Dim: 6}
	x := Intersection{r, ball}
	for _, q := range norms {
		got, err := x.Radius(q)
		a, _ := r.Radius(q)
		b, _ := ball.Radius(q)
		if err != nil || got != min(a, b) {
			t.Errorf("%s: %v, want the smaller of %v and %v (%v)", q, got, a, b, err)
		}
	}
}
