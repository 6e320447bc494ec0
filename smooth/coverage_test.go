package smooth_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/sequential"
	"ucan/smooth/stats"
)

// The coverage tests count false certificates: half-space classifiers whose true
// distance to the boundary is known by geometry, not by the theorem under test.
var (
	coverageN   = flag.Int("coverage", 2000, "certificates a case in the coverage tests")
	coverageOut = flag.String("coverage.report", "", "append the coverage tables to this file")
)

const coverageAlpha = 0.05

func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("millions of samples: coverage is counted without the race detector")
	}
}

// tooMany is the check of all coverage tests: whether n certificates at alpha,
// of which `false` are false, contradict a failure probability of at most alpha.
// It errs once in 10⁷.
func tooMany(t *testing.T, falses, n int, alpha float64) bool {
	t.Helper()
	p, err := stats.BinomialSurvival(int64(falses), int64(n), alpha) // P[X ≥ falses]
	if err != nil {
		t.Fatal(err)
	}
	return p < 1e-7
}

func report(t *testing.T, lines []string) {
	t.Helper()
	if *coverageOut == "" {
		return
	}
	f, err := os.OpenFile(*coverageOut, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(strings.Join(lines, "\n") + "\n\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// anisotropic returns noise with random λ, μ and s: s log-uniform in [1/4, 4].
func anisotropic(t *testing.T, rng *rand.Rand, f family.Family, norm family.Norm, d int) *smooth.SealedNoise {
	t.Helper()
	mu, sigma := make([]float32, d), make([]float32, d)
	for i := range d {
		mu[i] = float32(rng.NormFloat64())
		sigma[i] = float32(math.Exp2(4*rng.Float64() - 2))
	}
	n, err := smooth.Noise{Family: f, Norm: norm, Lambda: 0.1 + rng.Float64(), Fields: fieldsOf(t, d, mu, sigma, nil)}.Seal(d)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// target is a smoothed half-space: {z : w·(z − centre) > −margin}, whose true
// distance from x is known in every norm.
type target struct {
	noise  *smooth.SealedNoise
	x      []float32
	decide func(z []float32) int32
	scaled float64                 // distance in ‖·⊘s‖ of the theorem's norm
	radii  map[family.Norm]float64 // distance in the plain norms
}

// newTarget places a random half-space at the distance that p would certify. The
// noise is symmetric, so the smoothed classifier's boundary is where w·(z −
// centre) = −margin, and the distance from x is margin over the dual norm of w⊙s.
func newTarget(t *testing.T, rng *rand.Rand, noise *smooth.SealedNoise, p float64) target {
	t.Helper()
	d, mu, sigma := noise.Dim(), noise.Noise().Mu(), noise.Noise().Sigma()
	x, centre := make([]float32, d), make([]float32, d)
	for i := range x {
		x[i] = rng.Float32()
		centre[i] = x[i] + mu[i]
	}
	w := make([]float64, d)
	axis := -1
	switch kind := rng.IntN(3); {
	case kind == 0 || noise.Via() == family.L1 && kind == 1: // an axis: the worst case of ℓ1
		axis = rng.IntN(d)
		w[axis] = float64(1 - 2*rng.IntN(2))
	case noise.Via() == family.LInf && kind == 1: // the direction of a corner, the worst of ℓ∞
		for i := range w {
			w[i] = float64(1-2*rng.IntN(2)) / float64(sigma[i])
		}
	default:
		for i := range w {
			w[i] = rng.NormFloat64()
		}
	}
	ws := make([]float64, d)
	for i := range ws {
		ws[i] = w[i] * float64(sigma[i])
	}
	scaled, err := noise.TheoremRadius(p)
	if err != nil {
		t.Fatal(err)
	}
	margin := scaled * dual(noise.Via(), ws)
	out := target{noise: noise, x: x, scaled: scaled, radii: map[family.Norm]float64{}}
	for _, q := range []family.Norm{family.L1, family.L2, family.LInf} {
		out.radii[q] = margin / dual(q, w)
	}
	out.decide = func(z []float32) int32 {
		var sum float64
		if axis >= 0 {
			sum = w[axis] * (float64(z[axis]) - float64(centre[axis]))
		} else {
			for i, v := range z {
				sum += w[i] * (float64(v) - float64(centre[i]))
			}
		}
		if sum > -margin {
			return 1
		}
		return 0
	}
	return out
}

// dual returns the dual norm of w to q.
func dual(q family.Norm, w []float64) float64 {
	var one, two, inf float64
	for _, v := range w {
		a := math.Abs(v)
		one, two, inf = one+a, two+a*a, max(inf, a)
	}
	switch q {
	case family.L1:
		return inf
	case family.L2:
		return math.Sqrt(two)
	}
	return one
}

// exceeds reports whether a certificate claims more than the truth. Radii follow
// from the region, so they must not exceed theirs unless it does.
func (g target) exceeds(t *testing.T, c smooth.Certification) bool {
	t.Helper()
	if c.Abstained {
		return false
	}
	// Adaptive claims stand exactly on grid radii: reaching the truth is claiming
	// p_A above it. The slack covers the rounding of the distances above.
	over := c.R >= g.scaled*(1-1e-9)
	for q, truth := range g.radii {
		if r := c.Extent.Radii.In(q); r > truth*(1+1e-9) && !over {
			t.Fatalf("%s radius %v exceeds the distance %v, though the region (%v of %v) does not", q, r, truth, c.R, g.scaled)
		}
	}
	return over
}

// procedure is a way to certify, with few samples; its plans are kept by noise.
type procedure struct {
	name    string
	profile sequential.Profile // of an adaptive procedure
	n0      int64
	tables  *sequential.Tables
	plans   map[*smooth.SealedNoise]*smooth.AdaptivePlan
}

func procedures() []procedure {
	adaptive := func(name string, p sequential.Profile, n0 int64) procedure {
		p.Cap, p.Batch = 200, 20
		return procedure{name, p, n0, sequential.NewTables(), map[*smooth.SealedNoise]*smooth.AdaptivePlan{}}
	}
	return []procedure{
		{name: "fixed", n0: 10},
		adaptive("strict", sequential.Strict(), 10),
		adaptive("default", sequential.Default(), 10),
		adaptive("fast", sequential.Fast(), 10),
		adaptive("no selection", sequential.Default(), 0),
	}
}

// certify certifies g by n samples, or by as many as an adaptive plan takes.
func (p procedure) certify(t *testing.T, s *smooth.Smoother, g target, n int64) smooth.Certification {
	t.Helper()
	var c smooth.Certification
	var err error
	if p.plans == nil {
		c, err = s.Certify(t.Context(), g.x, smooth.InputID(g.x), g.noise, smooth.FixedN{N0: p.n0, N: n, Alpha: coverageAlpha})
	} else {
		c, err = s.CertifyAdaptive(t.Context(), g.x, smooth.InputID(g.x), p.plan(t, g.noise), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (p procedure) plan(t *testing.T, noise *smooth.SealedNoise) *smooth.AdaptivePlan {
	t.Helper()
	if plan, ok := p.plans[noise]; ok {
		return plan
	}
	grid, err := noise.GridOf(gridLevels)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := noise.NewAdaptive(smooth.AdaptiveN{N0: p.n0, Alpha: coverageAlpha, Profile: p.profile, Grid: grid}, p.tables)
	if err != nil {
		t.Fatal(err)
	}
	p.plans[noise] = plan
	return plan
}

// gridLevels are the levels of the adaptive coverage tests; a target's p_A stands
// on one of them wherever the theorem is tight.
var gridLevels = []float64{0.5, 0.6, 0.7, 0.8, 0.9, 0.95}

// share is the part of the certificates that is made in one dimension.
type share struct {
	d    int
	part float64
}

// tally counts the certificates of one procedure.
type tally struct {
	procedure                string
	total, certified, falses int
}

func (a tally) line(title string) string {
	return fmt.Sprintf("| %s, %s | %d | %d | %d | %.4f |", title, a.procedure, a.total, a.certified, a.falses, float64(a.falses)/float64(a.total))
}

// TestCoverageOfEveryFamily certifies half-spaces with real noise, for every
// family, norm and procedure, in dimensions from 2 to 3072.
func TestCoverageOfEveryFamily(t *testing.T) {
	subtest.Long(t)
	skipUnderRace(t)
	var titles []string
	var tallies [][]tally // a slot for each title, since families are counted at once
	t.Run("families", func(t *testing.T) {
		for _, name := range family.Names() {
			f, err := family.New(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, norm := range f.Norms() {
				i := len(titles)
				titles, tallies = append(titles, name+", "+norm.String()), append(tallies, nil)
				t.Run(name+"/"+norm.String(), func(t *testing.T) {
					t.Parallel()
					tallies[i] = countFamily(t, f, norm)
				})
			}
		}
	})
	if t.Failed() {
		return
	}
	lines := []string{fmt.Sprintf("| family, norm, procedure; half-spaces in d = 2 … 3072, α = %v | certificates | certified | false | rate |", coverageAlpha), "|-|-|-|-|-|"}
	for i, title := range titles { // a family that was not asked for has no tallies
		for _, c := range tallies[i] {
			lines = append(lines, c.line(title))
		}
	}
	for p, proc := range procedures() {
		sum := tally{procedure: proc.name}
		for i := range titles {
			if tallies[i] == nil {
				continue
			}
			c := tallies[i][p]
			sum.total, sum.certified, sum.falses = sum.total+c.total, sum.certified+c.certified, sum.falses+c.falses
		}
		if tooMany(t, sum.falses, sum.total, coverageAlpha) {
			t.Errorf("%s over all families: %d of %d certificates exceed the truth", proc.name, sum.falses, sum.total)
		}
		lines = append(lines, sum.line("all families"))
	}
	report(t, lines)
}

// countFamily counts the certificates of all procedures for one family and norm.
func countFamily(t *testing.T, f family.Isotropic, norm family.Norm) []tally {
	t.Helper()
	dims, n := []share{{2, .55}, {16, .3}, {128, .1}, {784, .04}, {3072, .01}}, int64(60)
	if name := f.Name(); name == "exp2" || name == "pow2" {
		// A level-set radius takes tens of milliseconds: fewer bounds.
		dims, n = []share{{2, .7}, {128, .28}, {3072, .02}}, 20
	}
	rng := rand.New(rand.NewPCG(3, 4))
	noises := map[int][]*smooth.SealedNoise{}
	for _, dim := range dims {
		sized, err := family.ForDim(f, dim.d)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			noises[dim.d] = append(noises[dim.d], anisotropic(t, rng, sized, norm, dim.d))
		}
	}
	procs := procedures()
	tallies := make([]tally, len(procs))
	for i, p := range procs {
		c := tally{procedure: p.name}
		for _, dim := range dims {
			for range max(1, int(math.Round(dim.part*float64(*coverageN/len(procs))))) {
				noise := noises[dim.d][rng.IntN(4)]
				g := newTarget(t, rng, noise, gridLevels[1+rng.IntN(len(gridLevels)-1)])
				s := newSmoother(t, dim.d, 2, rng.Uint64(), smooth.ClassifierFunc(dim.d, 20, g.decide))
				r := p.certify(t, s, g, n)
				c.total++
				if !r.Abstained {
					c.certified++
				}
				if g.exceeds(t, r) {
					c.falses++
				}
			}
		}
		if tooMany(t, c.falses, c.total, coverageAlpha) {
			t.Errorf("%s: %d of %d certificates exceed the truth at alpha %v", p.name, c.falses, c.total, coverageAlpha)
		}
		if c.certified < c.total/4 {
			t.Errorf("%s: only %d of %d inputs were certified: nothing was tested", p.name, c.certified, c.total)
		}
		tallies[i] = c
	}
	return tallies
}
