package smooth_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/family"
)

// selectorCertificates is the number of certificates in the coverage tests of the guarantee
// selector.
const selectorCertificates = 5000

// TestSelectorCoverageWhereBothStagesAreTight draws votes where both theorems meet the truth: two
// half-spaces at right angles, one of the selector and one of the chosen noise. About one in twenty
// certificates must be false, no more, and regions that are 1 % too large must be caught.
func TestSelectorCoverageWhereBothStagesAreTight(t *testing.T) {
	skipUnderRace(t)
	const n, d = 10_000, 64
	rng := rand.New(rand.NewPCG(18, 1))
	f, err := family.New("gaussian", nil)
	if err != nil {
		t.Fatal(err)
	}
	noise, own := anisotropic(t, rng, f, family.L2, d), gaussian(t, d, 0.5, nil, nil)
	const away, margin = 1.1, 1.3 // in units of the noise
	drawOwn, draw := binomial(t, n, math.Erfc(-away/math.Sqrt2)/2), binomial(t, n, math.Erfc(-margin/math.Sqrt2)/2)
	truthOwn, truth := 0.5*away, noise.Noise().Lambda*margin
	var falses, mutated int
	for range selectorCertificates {
		first, err := own.Conclude(votes(1, 1), votes(drawOwn(rng), n), coverageAlpha/2, smooth.OneBound)
		if err != nil {
			t.Fatal(err)
		}
		second, err := noise.Conclude(votes(1, 1), votes(draw(rng), n), coverageAlpha/2, smooth.OneBound)
		if err != nil {
			t.Fatal(err)
		}
		c, err := smooth.Compose(first, second)
		if err != nil {
			t.Fatal(err)
		}
		if c.Alpha != coverageAlpha {
			t.Fatalf("alpha %v of two halves of %v", c.Alpha, coverageAlpha)
		}
		exceeds := func(factor float64) bool {
			return c.Regions[0].R*factor > truth || c.Regions[1].R*factor > truthOwn
		}
		if exceeds(1) {
			falses++
		}
		if exceeds(1.01) {
			mutated++
		}
	}
	if tooMany(t, falses, selectorCertificates, coverageAlpha) {
		t.Errorf("%d of %d certificates exceed the truth at alpha %v", falses, selectorCertificates, coverageAlpha)
	}
	if !tooMany(t, mutated, selectorCertificates, coverageAlpha) {
		t.Errorf("with regions 1 %% too large %d of %d are false, and the check does not notice", mutated, selectorCertificates)
	}
	if rate := float64(falses) / selectorCertificates; rate < 0.03 {
		t.Errorf("rate %v of false certificates where both stages are tight, at alpha %v: regions are too small", rate, coverageAlpha)
	}
}

// plane is a service in two dimensions of which all is known: the selector answers 1 right of an
// axis and 0 left of it, and each of its noises has a classifier with a boundary of its own.
type plane struct {
	own    *smooth.SealedNoise
	noises [2]*smooth.SealedNoise
	// level is the height of the boundary of each classifier: class 1 above it, class 0 below.
	level [2]float64
}

// answer is h(z), exactly: the noise is symmetric, so that smoothing moves no boundary.
func (p plane) answer(z [2]float64) int {
	k := 0
	if z[0] > 0 {
		k = 1
	}
	if z[1] > p.level[k] {
		return 1
	}
	return 0
}

// certify certifies the service at x with real noise.
func (p plane) certify(t *testing.T, x []float32, seed uint64) smooth.Certification {
	t.Helper()
	id := smooth.InputID(x)
	terms := smooth.FixedN{N0: 10, N: 200, Alpha: coverageAlpha / 2}
	run := func(noise *smooth.SealedNoise, id [32]byte, f func([]float32) int32) smooth.Certification {
		c, err := newSmoother(t, 2, 2, seed, smooth.ClassifierFunc(2, 50, f)).Certify(t.Context(), x, id, noise, terms)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	above := func(axis int, level float64) func([]float32) int32 {
		return func(z []float32) int32 {
			if float64(z[axis]) > level {
				return 1
			}
			return 0
		}
	}
	first := run(p.own, smooth.SelectorID(id), above(0, 0))
	second := p.noises[0].Unsampled(2, terms.Alpha)
	if !first.Abstained {
		second = run(p.noises[first.Class], id, above(1, p.level[first.Class]))
	}
	c, err := smooth.Compose(first, second)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSelectorCoverageOfAService certifies points on both sides of the selector's boundary with
// real noise, and looks in every region for a point where the service answers otherwise.
func TestSelectorCoverageOfAService(t *testing.T) {
	subtest.Long(t)
	skipUnderRace(t)
	p := plane{
		own:    gaussian(t, 2, 0.4, nil, nil),
		noises: [2]*smooth.SealedNoise{gaussian(t, 2, 0.3, nil, []float32{1, 2}), gaussian(t, 2, 0.5, nil, []float32{3, 0.5})},
		level:  [2]float64{-0.2, 0.3},
	}
	rng := rand.New(rand.NewPCG(18, 2))
	var falses, certified int
	for range selectorCertificates {
		x := []float32{rng.Float32()*2 - 1, rng.Float32()*2 - 1}
		c := p.certify(t, x, rng.Uint64())
		if c.Abstained {
			continue
		}
		certified++
		if p.violated(t, c, x) {
			falses++
		}
	}
	if certified < selectorCertificates/2 {
		t.Errorf("only %d of %d points were certified: nothing was tested", certified, selectorCertificates)
	}
	if tooMany(t, falses, selectorCertificates, coverageAlpha) {
		t.Errorf("%d of %d certificates hold a point with another answer, at alpha %v", falses, selectorCertificates, coverageAlpha)
	}
}

// violated looks for a point of the certified set where the service answers otherwise.
func (p plane) violated(t *testing.T, c smooth.Certification, x []float32) bool {
	t.Helper()
	const rays, steps = 72, 8
	for ray := range rays {
		turn := 2 * math.Pi * float64(ray) / rays
		direction := []float64{math.Cos(turn), math.Sin(turn)}
		most, err := c.Regions.MaxScale(direction)
		if err != nil {
			t.Fatal(err)
		}
		for step := 1; step <= steps; step++ {
			way := most * float64(step) / steps
			if p.answer([2]float64{float64(x[0]) + way*direction[0], float64(x[1]) + way*direction[1]}) != c.Class {
				return true
			}
		}
	}
	return false
}

// TestSelectorDoesNotFlipWhereNoiseOfTheInputDoes: f answers 1 inside a ball around 0. Noise that
// is small at 0 and large nearby certifies 0 far beyond where a service that remakes the noise
// answers otherwise. A selector that makes the same choice certifies no such point.
func TestSelectorDoesNotFlipWhereNoiseOfTheInputDoes(t *testing.T) {
	for name, row := range subtest.Rows(map[string]struct {
		dim          int
		small, large float64
		edge, near   float64 // the ball's radius, and where the noise becomes large
		own          float64 // σ of the selector
	}{
		"one dimension":                {1, 0.3, 3, 1, 0.05, 0.1},
		"16 dimensions":                {16, 0.1, 3, 1, 0.2, 0.01},
		"16 dimensions, wide selector": {16, 0.1, 3, 1, 0.2, 0.05},
	}) {
		t.Run(name, func(t *testing.T) {
			inside := func(radius float64) func([]float32) int32 {
				return func(z []float32) int32 {
					sum := 0.0
					for _, v := range z {
						sum += float64(v) * float64(v)
					}
					if sum < radius*radius {
						return 1
					}
					return 0
				}
			}
			smoothed := func(noise *smooth.SealedNoise, f func([]float32) int32) func(x []float32, id [32]byte) smooth.Certification {
				return func(x []float32, id [32]byte) smooth.Certification {
					c, err := newSmoother(t, row.dim, 2, 5, smooth.ClassifierFunc(row.dim, 100, f)).Certify(t.Context(), x, id, noise, smooth.FixedN{N0: 100, N: 10_000, Alpha: 0.0005})
					if err != nil {
						t.Fatal(err)
					}
					return c
				}
			}
			ball := inside(row.edge)
			// Set 1 has the small noise; the selector answers it near 0.
			sets := [2]func([]float32, [32]byte) smooth.Certification{
				smoothed(gaussian(t, row.dim, row.large, nil, nil), ball), smoothed(gaussian(t, row.dim, row.small, nil, nil), ball),
			}
			choose := smoothed(gaussian(t, row.dim, row.own, nil, nil), inside(row.near))
			zero, moved := make([]float32, row.dim), make([]float32, row.dim)
			moved[0] = float32(row.near * 1.01)
			pinned := sets[1](zero, smooth.InputID(zero))
			flips := sets[inside(row.near)(moved)](moved, smooth.InputID(moved))
			if pinned.Abstained || pinned.Class != 1 || pinned.Extent.Radii.L2 <= row.near*1.01 || flips.Abstained || flips.Class != 0 {
				t.Fatalf("no counterexample: at 0 class %d within %v, and beside it %d", pinned.Class, pinned.Extent.Radii.L2, flips.Class)
			}
			first := choose(zero, smooth.SelectorID(smooth.InputID(zero)))
			second := sets[first.Class](zero, smooth.InputID(zero))
			c, err := smooth.Compose(first, second)
			if err != nil {
				t.Fatal(err)
			}
			if c.Abstained {
				return // nothing is claimed
			}
			for step := 1; step <= 20; step++ {
				at := make([]float32, row.dim)
				at[0] = float32(c.Extent.Radii.L2 * float64(step) / 20)
				chosen := choose(at, smooth.SelectorID(smooth.InputID(at)))
				if answer := sets[chosen.Class](at, smooth.InputID(at)); !chosen.Abstained && !answer.Abstained && answer.Class != c.Class {
					t.Errorf("the service answers %d at %v, inside the radius %v of class %d", answer.Class, at[0], c.Extent.Radii.L2, c.Class)
				}
			}
		})
	}
}

// TestComposeAbstains where either stage does, and refuses a third.
func TestComposeAbstains(t *testing.T) {
	noise := gaussian(t, 4, 0.5, nil, nil)
	conclude := func(k int64) smooth.Certification {
		c, err := noise.Conclude(votes(1, 1), votes(k, 1000), 0.025, smooth.OneBound)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	sure, unsure := conclude(990), conclude(480)
	for name, row := range subtest.Rows(map[string]struct {
		first, second smooth.Certification
		abstains      bool
	}{
		"both certain": {sure, sure, false}, "the selector unsure": {unsure, sure, true},
		"the noise unsure": {sure, unsure, true}, "nothing drawn": {sure, noise.Unsampled(2, 0.025), true},
	}) {
		t.Run(name, func(t *testing.T) {
			c, err := smooth.Compose(row.first, row.second)
			if err != nil {
				t.Fatal(err)
			}
			if c.Abstained != row.abstains || (len(c.Regions) == 0) != row.abstains || (c.Radius == 0) != row.abstains {
				t.Errorf("abstained %v with %d regions and radius %v", c.Abstained, len(c.Regions), c.Radius)
			}
		})
	}
	c, err := smooth.Compose(sure, sure)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := smooth.Compose(c, sure); err == nil {
		t.Error("a composed stage was taken")
	}
}

// TestSumUpNeverRoundsDown: the probability of failure of two stages is at least the sum of theirs.
func TestSumUpNeverRoundsDown(t *testing.T) {
	rng := rand.New(rand.NewPCG(18, 3))
	for range 10_000 {
		a, b := rng.Float64()*math.Exp2(-float64(rng.IntN(60))), rng.Float64()
		s := smooth.SumUp(a, b)
		if exact := a + b; s < exact || s > math.Nextafter(exact, 2) {
			t.Fatalf("%v + %v gave %v", a, b, s)
		}
		if rest := s - b; rest < a && s-a < b {
			t.Fatalf("%v + %v rounded down to %v", a, b, s)
		}
	}
	if got := smooth.SumUp(1, 0x1p-60); got != math.Nextafter(1, 2) {
		t.Errorf("1 + 2⁻⁶⁰ gave %v", got)
	}
}
