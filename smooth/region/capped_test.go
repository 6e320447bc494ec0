package region

import (
	"math"
	"math/big"
	"testing"

	"ucan/smooth/basis"
	"ucan/smooth/family"
)

// The expected values are computed here in the obvious way, axis by axis.
func TestCappedALM(t *testing.T) {
	u, err := basis.DCT2([]int{2, 3, 4})
	if err != nil {
		t.Fatal(err)
	}
	rising := make([]float32, 24)
	for i := range rising {
		rising[i] = float32(math.Exp2(float64(i)/4 - 2))
	}
	for name, r := range map[string]Region{
		"isotropic":           {Norm: family.L2, R: .5, Dim: 24},
		"isotropic, all":      {Norm: family.L1, R: 1.5, Dim: 24},
		"at the cap":          {Norm: family.L1, R: 1, Dim: 24},
		"l1":                  {Norm: family.L1, R: .5, Dim: 24, Sigma: rising},
		"l2":                  {Norm: family.L2, R: .5, Dim: 24, Sigma: rising},
		"linf":                {Norm: family.LInf, R: 4, Dim: 24, Sigma: rising},
		"none":                {Norm: family.L2, R: .01, Dim: 24, Sigma: rising},
		"all":                 {Norm: family.L2, R: 100, Dim: 24, Sigma: rising},
		"basis":               {Norm: family.L2, R: .5, Dim: 24, Sigma: rising, Basis: u},
		"basis, isotropic":    {Norm: family.L2, R: 2, Dim: 24, Basis: u},
		"basis, all":          {Norm: family.L2, R: 100, Dim: 24, Sigma: rising, Basis: u},
		"huge":                {Norm: family.L2, R: 1e300, Dim: 24, Sigma: rising},
		"tiny":                {Norm: family.L2, R: 1e-300, Dim: 24, Sigma: rising},
		"empty":               {Norm: family.L2, R: 0, Dim: 24, Sigma: rising},
		"one long, the rest,": {Norm: family.L2, R: 1e-200, Dim: 2, Sigma: []float32{1e30, 1e-30}},
	} {
		t.Run(name, func(t *testing.T) {
			box := Box{Low: -1, High: 1.5}
			got, err := r.CappedALM(box)
			if err != nil {
				t.Fatal(err)
			}
			log, capped := 0.0, 0
			for i := range r.Dim {
				reach := 2.5
				if r.Basis != nil {
					reach /= largestEntry(r.Basis, i)
				}
				if r.R*r.sigma(i) >= reach {
					capped++
					log += math.Log(reach)
				} else {
					log += math.Log(r.R) + math.Log(r.sigma(i))
				}
			}
			want := math.Exp(log / float64(r.Dim))
			alm, err := r.ALM()
			if err != nil {
				t.Fatal(err)
			}
			tol := 1e-15 * (1 + math.Abs(max(log/float64(r.Dim), -1e3))) // of the logarithms here
			if !(got.ALM <= want*(1+tol)) || !(got.ALM >= want*(1-1e-12)) || got.ALM > alm {
				t.Errorf("%v, want %v rounded down, and no more than the ALM %v", got.ALM, want, alm)
			}
			if share := float64(capped) / float64(r.Dim); got.Share != share {
				t.Errorf("share %v, want %v", got.Share, share)
			}
			if capped == 0 && got.ALM != alm {
				t.Errorf("%v without an axis at the cap, the ALM is %v", got.ALM, alm)
			}
		})
	}
}

// largestEntry is ‖U e_k‖_∞ from the vector itself.
func largestEntry(u *basis.Transform, k int) float64 {
	c, x := make([]float64, u.Dim()), make([]float64, u.Dim())
	c[k] = 1
	u.Values(x, c)
	largest := 0.0
	for _, v := range x {
		largest = max(largest, math.Abs(v))
	}
	return largest
}

// A step of the range along an axis stays in the box from the corner that faces it, and no longer
// step does from anywhere.
func TestRangeOfBasisVector(t *testing.T) {
	u, err := basis.DCT2([]int{1, 3, 4})
	if err != nil {
		t.Fatal(err)
	}
	for k := range u.Dim() {
		c, x := make([]float64, u.Dim()), make([]float64, u.Dim())
		c[k] = 1 / u.Peak(k) // the width of the box is 1
		u.Values(x, c)
		longest := 0.0
		for _, v := range x {
			longest = max(longest, math.Abs(v))
		}
		if math.Abs(longest-1) > 1e-14 {
			t.Errorf("axis %d: a step of the range moves a coordinate by %v, want 1", k, longest)
		}
	}
}

func TestBox(t *testing.T) {
	r := Region{Norm: family.L2, R: 1, Dim: 2}
	for _, b := range []Box{
		{0, 0}, {1, 0}, {math.NaN(), 1}, {0, math.NaN()}, {0, math.Inf(1)}, {math.Inf(-1), 0}, {-1e308, 1e308},
	} {
		if _, err := r.CappedALM(b); err == nil {
			t.Errorf("%v: accepted", b)
		}
	}
	for _, b := range []Box{{0, 1}, {-1, 1}, {.1, .7}, {-.3, 1e20}, {1e-300, 1}, {-1e-17, 1}, {1, 1 + 0x1p-52}} {
		exact := new(big.Float).SetPrec(2000).SetFloat64(b.High)
		exact.Sub(exact, big.NewFloat(b.Low))
		w := new(big.Float).SetFloat64(b.width())
		if w.Cmp(exact) > 0 || new(big.Float).SetFloat64(math.Nextafter(b.width(), math.Inf(1))).Cmp(exact) <= 0 {
			t.Errorf("%v: width %v, want %v rounded down", b, b.width(), exact)
		}
	}
}

// Of several regions the smallest counts, with its own share.
func TestCappedIntersection(t *testing.T) {
	x := Intersection{
		{Norm: family.L2, R: .5, Dim: 2, Sigma: []float32{4, 1}}, {Norm: family.L2, R: .75, Dim: 2},
	}
	got, err := x.CappedALM(Box{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	if want := math.Sqrt(.5); math.Abs(got.ALM-want) > 1e-12 || got.Share != .5 {
		t.Errorf("%+v, want %v with half the axes", got, want)
	}
	if _, err := (Intersection{}).CappedALM(Box{0, 1}); err == nil {
		t.Error("no region: accepted")
	}
}
