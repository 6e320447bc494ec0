package attack

import (
	"context"
	"fmt"
	"math"
	"testing"

	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/smooth/family"
	"ucan/smooth/region"
	"ucan/smooth/stream"
)

// halfSpace is class 0 where w·x < b, else class 1. Under Gaussian noise of λ = 1 and scales s
// along the basis U its smoothed classifier is known: it changes its answer at w·δ = b − w·x, a
// distance (b − w·x) / ‖s ⊙ Uᵀw‖ in the coordinates of the region.
type halfSpace struct {
	w     []float64
	b     float64
	rows  []float32
	slope []float32
}

func (h *halfSpace) score(x []float32) float64 {
	z := -h.b
	for i, v := range x {
		z += h.w[i] * float64(v)
	}
	return z
}

func (h *halfSpace) classify(x []float32) int32 {
	if h.score(x) < 0 {
		return 0
	}
	return 1
}

// Rows implements Slope.
func (h *halfSpace) Rows() []float32 { return h.rows }

// Step implements Slope for the probability 1/(1+e^z) of class 0.
func (h *halfSpace) Step(_ context.Context, class int) (float64, []float32, error) {
	d := len(h.w)
	m := len(h.rows) / d
	own := func(z float64) float64 {
		if class == 1 {
			z = -z
		}
		return 1 / (1 + math.Exp(z))
	}
	mean := 1e-30
	for r := range m {
		mean += own(h.score(h.rows[r*d:][:d])) / float64(m)
	}
	for r := range m {
		p := own(h.score(h.rows[r*d:][:d]))
		for i, w := range h.w {
			if class == 1 {
				w = -w
			}
			h.slope[r*d+i] = float32(p * (1 - p) * w / mean / float64(m))
		}
	}
	return -math.Log(mean), h.slope, nil
}

// planted is a claim about a half-space whose true radius is distance.
func planted(t *testing.T, d int, u *basis.Transform, distance, enlarge float64) (*halfSpace, Claim) {
	t.Helper()
	source := stream.New(7, [32]byte{byte(d)}, stream.Audit).Source(0)
	x, sigma, w := make([]float32, d), make([]float32, d), make([]float64, d)
	norm, at := 0.0, 0.0
	c := make([]float64, d)
	for i := range d {
		x[i], sigma[i], w[i] = float32(source.Float64Open()), float32(0.2+2*source.Float64Open()), source.Normal()
	}
	copy(c, w)
	if u != nil {
		u.Coefficients(c, w)
	}
	for i := range d {
		norm += float64(sigma[i]) * c[i] * float64(sigma[i]) * c[i]
		at += w[i] * float64(x[i])
	}
	h := &halfSpace{w: w, b: at + distance*math.Sqrt(norm), rows: make([]float32, 8*d), slope: make([]float32, 8*d)}
	fields, err := smooth.NewFields(d, nil, sigma, u)
	if err != nil {
		t.Fatal(err)
	}
	noise, err := smooth.Noise{Family: family.Gaussian{}, Norm: family.L2, Lambda: 1, Fields: fields}.Seal(d)
	if err != nil {
		t.Fatal(err)
	}
	regions := region.Intersection{{Norm: family.L2, R: distance * enlarge, Sigma: sigma, Dim: d, Basis: u}}
	return h, Claim{
		X: x, ID: smooth.InputID(x), Class: 0, Alpha: 0.001, Regions: regions,
		Contains: func(y []float32) (bool, error) { return regions.ContainsPoint(x, y) },
		Noise:    func(context.Context, []float32) (*smooth.SealedNoise, error) { return noise, nil },
	}
}

func attacker(t *testing.T, h *halfSpace, gradients bool, o Options) *Attacker {
	t.Helper()
	d := len(h.w)
	s, err := smooth.New([]smooth.Classifier{smooth.ClassifierFunc(d, 64, h.classify)}, smooth.Config{Dim: d, Classes: 2, Seed: o.Seed})
	if err != nil {
		t.Fatal(err)
	}
	var slope Slope
	if gradients {
		slope = h
	}
	a, err := New(s, slope, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A region that is a hundredth too large is caught, with gradients in every dimension and by random
// directions in two; the true one is not, although the attack reaches its boundary.
func TestPlantedRegions(t *testing.T) {
	o := DefaultOptions()
	o.N, o.Seed = 200000, 5
	for _, d := range []int{2, 4, 16} {
		for _, enlarge := range []float64{1, 1.01, 1.5} {
			t.Run(fmt.Sprintf("d=%d enlarged %g times", d, enlarge), func(t *testing.T) {
				t.Parallel()
				h, claim := planted(t, d, nil, 3, enlarge)
				got, err := attacker(t, h, true, o).Attack(t.Context(), claim, 1)
				if err != nil {
					t.Fatal(err)
				}
				if got.Flipped != (enlarge > 1) {
					t.Errorf("flipped %t by %s at %.4f of the boundary, margin %v", got.Flipped, got.How, got.Share, got.Margin)
				}
				// The margin at the boundary of a region enlarged by e is 1 − 2Φ(3(e−1)).
				if want := -math.Erf(3 * (enlarge - 1) / math.Sqrt2); got.Margin > want+0.01 {
					t.Errorf("margin %v; the attack can reach %v", got.Margin, want)
				}
				if in, err := claim.Contains(got.Y); err != nil || !in {
					t.Errorf("the point is outside the region (%v)", err)
				}
			})
		}
	}
	h, claim := planted(t, 2, nil, 3, 1.3)
	o.Random = 40
	if got, err := attacker(t, h, false, o).Attack(t.Context(), claim, 1); err != nil || !got.Flipped {
		t.Errorf("random directions in the plane find nothing: margin %v, %v", got.Margin, err)
	}
}

// In a DCT basis, and in an intersection, attacks stay inside by exact membership and reach the
// boundary.
func TestBasisAndIntersection(t *testing.T) {
	u, err := basis.DCT2([]int{1, 4, 4})
	if err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	o.N, o.Seed = 100000, 3
	for _, enlarge := range []float64{1, 1.03} {
		h, claim := planted(t, 16, u, 2, enlarge)
		got, attackErr := attacker(t, h, true, o).Attack(t.Context(), claim, 1)
		if attackErr != nil {
			t.Fatal(attackErr)
		}
		in, containsErr := claim.Contains(got.Y)
		if containsErr != nil || !in || got.Share < 0.999 || got.Flipped != (enlarge > 1) {
			t.Errorf("enlarged %g times: flipped %t, inside %t, share %v, margin %v, %v", enlarge, got.Flipped, in, got.Share, got.Margin, containsErr)
		}
	}
	// The second region is a ball so small that nothing flips in it.
	h, claim := planted(t, 16, u, 2, 1.5)
	claim.Regions = append(claim.Regions, region.Region{Norm: family.L2, R: 0.05, Dim: 16})
	claim.Contains = func(y []float32) (bool, error) { return claim.Regions.ContainsPoint(claim.X, y) }
	got, err := attacker(t, h, true, o).Attack(t.Context(), claim, 1)
	if err != nil {
		t.Fatal(err)
	}
	square := 0.0
	for i, v := range got.Y {
		square += math.Pow(float64(v)-float64(claim.X[i]), 2)
	}
	if got.Flipped || math.Sqrt(square) > 0.05 || got.Share < 0.99 {
		t.Errorf("flipped %t at a distance of %v, share %v", got.Flipped, math.Sqrt(square), got.Share)
	}
}

// The same seed gives the same attempt, another one other noise.
func TestSeed(t *testing.T) {
	o := DefaultOptions()
	o.Seed = 9
	run := func() Attempt {
		h, claim := planted(t, 5, nil, 2, 1)
		got, err := attacker(t, h, true, o).Attack(t.Context(), claim, 1)
		if err != nil {
			t.Fatal(err)
		}
		got.Y = nil
		return got
	}
	first, again := run(), run()
	o.Seed++
	if other := run(); fmt.Sprint(first) != fmt.Sprint(again) || first.Votes == other.Votes {
		t.Errorf("%+v, again %+v, another seed %+v", first, again, other)
	}
}

// In ℓ1 and ℓ∞ the steps are of length 1 in the norm and gain what the dual norm allows, and the
// projection ends in the ball.
func TestBalls(t *testing.T) {
	g := []float64{3, -1, 0.5, 0}
	for _, c := range []struct {
		norm family.Norm
		gain float64 // Σ g·step
	}{{family.L1, 3}, {family.L2, math.Sqrt(10.25)}, {family.LInf, 4.5}} {
		b := newBall(region.Region{Norm: c.norm, R: 1, Dim: 4})
		step := append([]float64(nil), g...)
		if !b.steepest(step) {
			t.Fatal("no direction")
		}
		gain := 0.0
		for i := range g {
			gain += g[i] * step[i]
		}
		if math.Abs(gain-c.gain) > 1e-12 {
			t.Errorf("%s: a step gains %v, want %v", c.norm, gain, c.gain)
		}
		u := []float64{4, -2, 1, 0.1}
		b.project(u)
		if scale, err := b.MaxScale(u); err != nil || scale < 1-1e-9 || scale > 1+1e-9 {
			t.Errorf("%s: projected to %v, which may grow %v times", c.norm, u, scale)
		}
	}
	b := newBall(region.Region{Norm: family.L2, R: 1, Dim: 2})
	if b.steepest([]float64{0, 0}) || b.steepest([]float64{math.NaN(), 1}) {
		t.Error("a step without a direction")
	}
}

// The tail of the number of false certificates is that of the binomial law where all have one α.
func TestFalseOnes(t *testing.T) {
	alpha := make([]float64, 200)
	for i := range alpha {
		alpha[i] = 0.001
	}
	// scipy.stats.binom.sf(k-1, 200, .001), scipy 1.17.1
	for k, want := range map[int]float64{0: 1, 1: 0.1813511705, 2: 0.0174575110, 3: 0.0011337681} {
		if got := falseOnes(k, alpha); math.Abs(got-want) > 1e-10 {
			t.Errorf("P[≥ %d false] is %v, want %v", k, got, want)
		}
	}
	if got := falseOnes(2, []float64{0.5, 0.1, 0}); math.Abs(got-0.05) > 1e-15 {
		t.Errorf("P[≥ 2 of three] is %v, want 0.05", got)
	}
}

// One flip among two hundred is within α; three are not, and with the strict rule neither is one.
func TestTally(t *testing.T) {
	o := DefaultOptions()
	alpha, attempts := make([]float64, 200), make([]Attempt, 200)
	for i := range alpha {
		alpha[i], attempts[i].Margin, attempts[i].Index = 0.001, 0.5, i
	}
	for flips, want := range map[int]bool{0: false, 1: false, 2: false, 3: true} {
		for i := range attempts {
			attempts[i].Flipped = i < flips
		}
		got, err := o.Tally(attempts, alpha, false)
		if err != nil || got.Violated != want || got.Flips != flips || got.Interval[0] > got.Rate || got.Interval[1] < got.Rate {
			t.Errorf("%d flips: %+v, %v", flips, got, err)
		}
		if got, err = o.Tally(attempts, alpha, true); err != nil || got.Violated != (flips > 0) {
			t.Errorf("%d flips, strict: %+v, %v", flips, got, err)
		}
	}
	attempts[7].Margin = -0.1
	if got, err := o.Tally(attempts, alpha, false); err != nil || got.LeastIndex != 7 || got.Least != -0.1 {
		t.Errorf("the least margin is %v of input %d, %v", got.Least, got.LeastIndex, err)
	}
}
