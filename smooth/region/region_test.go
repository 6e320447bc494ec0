package region

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth/family"
)

var norms = []family.Norm{family.L1, family.L2, family.LInf}

func norm(v []float64, p family.Norm) float64 {
	var one, two, inf float64
	for _, x := range v {
		one += math.Abs(x)
		two += x * x
		inf = max(inf, math.Abs(x))
	}
	return map[family.Norm]float64{family.L1: one, family.L2: math.Sqrt(two), family.LInf: inf}[p]
}

func random(rng *rand.Rand, d int) []float64 {
	v := make([]float64, d)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

func randomField(rng *rand.Rand, d int) []float32 {
	s := make([]float32, d)
	for i := range s {
		s[i] = float32(0.1 + rng.ExpFloat64())
	}
	return s
}

// No point of the ℓq ball of the reported radius leaves the region, and the worst
// point of a ball larger by 1e-9 does.
func TestRadiusIsTheLargestBall(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range norms {
		for _, q := range norms {
			for _, d := range []int{1, 2, 3, 17} {
				r := Region{Norm: p, R: 0.1 + rng.Float64(), Sigma: randomField(rng, d), Dim: d}
				radius, err := r.Radius(q)
				if err != nil {
					t.Fatal(err)
				}
				worst := worstDirection(r, q)
				for i := range 200 {
					v := random(rng, d)
					if i == 0 {
						v = worst
					}
					n := norm(v, q)
					for k := range v {
						v[k] *= radius * (1 - 1e-12) / n
					}
					in, err := r.Contains(v)
					if err != nil {
						t.Fatal(err)
					}
					if !in {
						t.Fatalf("p=%s q=%s d=%d: a point of the ball is outside", p, q, d)
					}
				}
				for k := range worst {
					worst[k] *= 1 + 1e-9
				}
				if in, _ := r.Contains(worst); in {
					t.Errorf("p=%s q=%s d=%d: the radius %v could be larger", p, q, d, radius)
				}
			}
		}
	}
}

// worstDirection maximises ‖v/σ‖_p over ‖v‖_q = 1: a vertex for q ≤ p, otherwise
// the equality case of Hölder's inequality.
func worstDirection(r Region, q family.Norm) []float64 {
	v := make([]float64, r.Dim)
	least := 0
	for i := range v {
		if r.Sigma[i] < r.Sigma[least] {
			least = i
		}
	}
	switch {
	case q <= r.Norm:
		v[least] = 1
	case q == family.LInf:
		for i := range v {
			v[i] = 1
		}
	default: // p = 1, q = 2: v ∝ 1/σ
		for i := range v {
			v[i] = 1 / float64(r.Sigma[i])
		}
	}
	return v
}

// The radius never exceeds the exact one, computed here with 200 bits.
func TestRadiusRoundsDown(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		d := 1 + rng.IntN(40)
		r := Region{Norm: norms[rng.IntN(3)], R: rng.ExpFloat64(), Sigma: randomField(rng, d), Dim: d}
		for _, q := range norms {
			got, err := r.Radius(q)
			if err != nil {
				t.Fatal(err)
			}
			exact := exactRadius(r, q)
			if new(big.Float).SetFloat64(got).Cmp(exact) > 0 {
				t.Fatalf("p=%s q=%s d=%d: radius %v above the exact %v", r.Norm, q, d, got, exact.Text('g', 20))
			}
			if want, _ := exact.Float64(); got < want*(1-1e-13) {
				t.Fatalf("p=%s q=%s d=%d: radius %v too far below %v", r.Norm, q, d, got, want)
			}
		}
	}
}

func exactRadius(r Region, q family.Norm) *big.Float {
	const prec = 200
	f := func(x float64) *big.Float { return new(big.Float).SetPrec(prec).SetFloat64(x) }
	least, one, two := f(math.Inf(1)), f(0), f(0)
	for _, s := range r.Sigma {
		v := f(float64(s))
		if v.Cmp(least) < 0 {
			least = v
		}
		inv := new(big.Float).SetPrec(prec).Quo(f(1), v)
		one.Add(one, inv)
		two.Add(two, new(big.Float).SetPrec(prec).Mul(inv, inv))
	}
	z := new(big.Float).SetPrec(prec)
	switch {
	case q <= r.Norm:
		return z.Mul(f(r.R), least)
	case r.Norm == family.L1 && q == family.LInf:
		return z.Quo(f(r.R), one)
	}
	return z.Quo(f(r.R), z.Sqrt(two))
}

func TestMembershipIsExactOnTheBoundary(t *testing.T) {
	// R·σ is not a float64: the float64 nearest to it may lie on either side.
	r := Region{Norm: family.LInf, R: 0.1, Sigma: []float32{0.3}, Dim: 1}
	exact := new(big.Float).SetPrec(200).Mul(big.NewFloat(0.1), big.NewFloat(float64(float32(0.3))))
	near := 0.1 * float64(float32(0.3))
	for _, x := range []float64{math.Nextafter(near, 0), near, math.Nextafter(near, 1)} {
		in, err := r.Contains([]float64{-x})
		if err != nil {
			t.Fatal(err)
		}
		if want := big.NewFloat(x).Cmp(exact) <= 0; in != want {
			t.Errorf("contains(%v) = %v, want %v", x, in, want)
		}
	}
	// 3-4-5 in the plain ℓ2 ball: on the boundary, which belongs to the region.
	ball := Region{Norm: family.L2, R: 5, Dim: 2}
	for _, c := range []struct {
		v    []float64
		want bool
	}{
		{[]float64{3, 4}, true},
		{[]float64{3, math.Nextafter(4, 5)}, false},
		{[]float64{math.Nextafter(3, 0), 4}, true},
		{[]float64{0, 0}, true},
		{[]float64{math.NaN(), 0}, false},
		{[]float64{math.Inf(-1), 0}, false},
		{[]float64{3, 4 + 1e-300}, true}, // 4 + 1e-300 is 4
	} {
		if in, err := ball.Contains(c.v); err != nil || in != c.want {
			t.Errorf("contains(%v) = %v, %v; want %v", c.v, in, err, c.want)
		}
	}
	// A tiny component decides, below any float64 sum's resolution.
	if in, _ := ball.Contains([]float64{5, 1e-200}); in {
		t.Error("(5, 1e-200) is outside the ball of radius 5")
	}
	one := Region{Norm: family.L1, R: 1, Dim: 2}
	if in, _ := one.Contains([]float64{1, 1e-300}); in {
		t.Error("(1, 1e-300) is outside the cross-polytope of radius 1")
	}
	zero := Region{Norm: family.L2, R: 0, Dim: 2}
	if in, _ := zero.Contains([]float64{0, 5e-324}); in {
		t.Error("a region of radius 0 holds only its centre")
	}
	if in, _ := zero.Contains([]float64{0, 0}); !in {
		t.Error("a region of radius 0 holds its centre")
	}
}

// y − x is formed exactly: the float64 difference rounds to a value on the
// boundary, the exact one is outside.
func TestContainsPointUsesTheExactDifference(t *testing.T) {
	r := Region{Norm: family.LInf, R: 1, Dim: 1}
	x, y := []float32{-1e-30}, []float32{1}
	if in, err := r.ContainsPoint(x, y); err != nil || in {
		t.Errorf("1 + 1e-30 counted inside radius 1 (%v, %v)", in, err)
	}
	x[0] = 1e-30
	if in, err := r.ContainsPoint(x, y); err != nil || !in {
		t.Errorf("1 − 1e-30 counted outside radius 1 (%v, %v)", in, err)
	}
}

func TestMaxScale(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, p := range norms {
		for _, size := range []float64{1e-300, 1e-5, 1, 1e300} {
			d := 20
			r := Region{Norm: p, R: 0.7, Sigma: randomField(rng, d), Dim: d}
			v := random(rng, d)
			for i := range v {
				v[i] *= size
			}
			s, err := r.MaxScale(v)
			if err != nil {
				t.Fatal(err)
			}
			at := func(f float64) bool {
				w := make([]float64, d)
				for i := range w {
					w[i] = v[i] * (s * f)
				}
				in, err := r.Contains(w)
				if err != nil {
					t.Fatal(err)
				}
				return in
			}
			if size == 1e-300 || size == 1e300 { // s·v is rounded with s subnormal or huge
				continue
			}
			if !at(1-1e-14) || at(1+1e-12) {
				t.Errorf("%s, size %g: scale %v is not the largest", p, size, s)
			}
		}
	}
	r := Region{Norm: family.L2, R: 1, Dim: 2}
	if s, err := r.MaxScale([]float64{0, 0}); err != nil || !math.IsInf(s, 1) {
		t.Errorf("zero direction: %v, %v; want +Inf", s, err)
	}
	if _, err := r.MaxScale([]float64{math.NaN(), 0}); err == nil {
		t.Error("NaN direction accepted")
	}
	if s, err := r.MaxScale([]float64{3e200, 4e200}); err != nil || !near(s, 2e-201, 1e-13) {
		t.Errorf("huge direction: %v, %v; want 2e-201", s, err)
	}
}

func TestInvalidRegions(t *testing.T) {
	ok := Region{Norm: family.L2, R: 1, Sigma: []float32{1, 1}, Dim: 2}
	if err := ok.Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range subtest.Rows(map[string]func(*Region){
		"norm":      func(r *Region) { r.Norm = 0 },
		"dim":       func(r *Region) { r.Dim = 0; r.Sigma = nil },
		"R NaN":     func(r *Region) { r.R = math.NaN() },
		"R inf":     func(r *Region) { r.R = math.Inf(1) },
		"R < 0":     func(r *Region) { r.R = -1 },
		"length":    func(r *Region) { r.Sigma = r.Sigma[:1] },
		"sigma 0":   func(r *Region) { r.Sigma = []float32{1, 0} },
		"sigma < 0": func(r *Region) { r.Sigma = []float32{1, -1} },
		"sigma NaN": func(r *Region) { r.Sigma = []float32{float32(math.NaN()), 1} },
		"sigma inf": func(r *Region) { r.Sigma = []float32{1, float32(math.Inf(1))} },
		"two":       func(r *Region) { r.Sigma64 = []float64{1, 1} },
	}) {
		t.Run(name, func(t *testing.T) {
			r := ok
			change(&r)
			if _, err := r.Radius(family.L2); err == nil {
				t.Errorf("%s: accepted", name)
			}
		})
	}
	if _, err := ok.Radius(9); err == nil {
		t.Error("unknown norm accepted")
	}
	if _, err := ok.Contains([]float64{1}); err == nil {
		t.Error("perturbation of another length accepted")
	}
}

func TestIntersection(t *testing.T) {
	x := Intersection{
		{Norm: family.L2, R: 1, Dim: 2},
		{Norm: family.L2, R: 1, Sigma: []float32{0.5, 4}, Dim: 2},
	}
	if r, err := x.Radius(family.L2); err != nil || r != 0.5 {
		t.Errorf("radius %v, %v; want 0.5", r, err)
	}
	if a, err := x.ALM(); err != nil || !near(a, 1, 1e-13) {
		t.Errorf("ALM %v, %v; want 1, the smaller", a, err)
	}
	for _, c := range []struct {
		v    []float64
		want bool
	}{{[]float64{0.4, 0}, true}, {[]float64{0, 2}, false}, {[]float64{0.6, 0}, false}, {[]float64{0, 0.9}, true}} {
		if in, err := x.Contains(c.v); err != nil || in != c.want {
			t.Errorf("contains(%v) = %v, %v; want %v", c.v, in, err, c.want)
		}
	}
	if _, err := (Intersection{}).Radius(family.L2); err == nil {
		t.Error("empty intersection accepted")
	}
	if _, err := (Intersection{x[0], {Norm: family.L2, R: 1, Dim: 3}}).ALM(); err == nil {
		t.Error("regions of different dimension accepted")
	}
}

func BenchmarkRegion(b *testing.B) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{784, 3072, 150528} {
		r := Region{Norm: family.L2, R: 0.3, Sigma: randomField(rng, n), Dim: n}
		b.Run(fmt.Sprintf("radius/n=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := r.Radius(family.LInf); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("volume/n=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := r.LogVolume(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
