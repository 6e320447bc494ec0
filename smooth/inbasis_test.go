package smooth_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/smooth/family"
	"ucan/smooth/stats"
	"ucan/smooth/stream"
)

func dct(tb testing.TB, shape ...int) *basis.Transform {
	tb.Helper()
	b, err := basis.DCT2(shape)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// inBasis returns Gaussian noise with random λ, μ and s along the basis: s log-uniform
// in [1/4, 4].
func inBasis(tb testing.TB, rng *rand.Rand, b *basis.Transform, norm family.Norm) *smooth.SealedNoise {
	tb.Helper()
	mu, sigma := make([]float32, b.Dim()), make([]float32, b.Dim())
	for i := range sigma {
		mu[i] = float32(rng.NormFloat64())
		sigma[i] = float32(math.Exp2(4*rng.Float64() - 2))
	}
	n, err := smooth.Noise{Family: family.Gaussian{}, Norm: norm, Lambda: 0.1 + rng.Float64(), Fields: fieldsOf(tb, b.Dim(), mu, sigma, b)}.Seal(b.Dim())
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// Along the basis vectors the drawn noise has the deviations λ·s_k and no correlation.
func TestSamplesInBasis(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := dct(t, 2, 3, 4)
	d, n := b.Dim(), 20000
	noise := inBasis(t, rng, b, family.L2)
	mu, sigma := noise.Noise().Mu(), noise.Noise().Sigma()
	x := make([]float32, d)
	moments := make([]float64, d*d)
	e, c := make([]float64, d), make([]float64, d)
	s := newSmoother(t, d, 1, 1, smooth.ClassifierFunc(d, 64, func(z []float32) int32 {
		for i, v := range z {
			e[i] = float64(v) - float64(mu[i])
		}
		b.Coefficients(c, e)
		for i := range c {
			for j := range c {
				moments[i*d+j] += c[i] * c[j]
			}
		}
		return 0
	}))
	sample(t, s, x, smooth.InputID(x), noise, stream.Audit, 0, uint64(n))
	scale := func(i int) float64 { return noise.Noise().Lambda * float64(sigma[i]) }
	for i := range d {
		for j := range d {
			got, want, deviation := moments[i*d+j]/float64(n)/scale(i)/scale(j), 0.0, 1.0
			if i == j {
				want, deviation = 1, math.Sqrt2
			}
			if math.Abs(got-want) > 5*deviation/math.Sqrt(float64(n)) {
				t.Errorf("moment (%d,%d) is %v, want %v", i, j, got, want)
			}
		}
	}
}

// A half-space {z : w·(z − x − μ) > −margin} with margin = R‖S Uᵀw‖ is what the region of
// radius R touches and does not cross, and the smoothed probability there is Φ(R/λ):
// region and sampler speak of the same noise, in every direction.
func TestHalfSpacesInBasis(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, shape := range [][]int{{1, 4, 4}, {3, 5, 6}} {
		b := dct(t, shape...)
		d := b.Dim()
		for trial := range 12 {
			noise := inBasis(t, rng, b, family.L2)
			mu, sigma := noise.Noise().Mu(), noise.Noise().Sigma()
			w := make([]float64, d)
			switch trial % 3 {
			case 0:
				w[rng.IntN(d)] = 1 // a pixel
			case 1:
				unit := make([]float64, d)
				unit[rng.IntN(d)] = 1
				b.Values(w, unit) // a basis vector
			default:
				for i := range w {
					w[i] = rng.NormFloat64()
				}
			}
			p := 0.6 + 0.39*rng.Float64()
			r, err := noise.Region(p)
			if err != nil {
				t.Fatal(err)
			}
			c := make([]float64, d)
			b.Coefficients(c, w)
			var squares float64
			for i := range c {
				c[i] *= float64(sigma[i])
				squares += c[i] * c[i]
			}
			margin := r.R * math.Sqrt(squares)
			// The point of the region that goes furthest towards the boundary: −R U S² Uᵀw / ‖S
			// Uᵀw‖.
			worst := make([]float64, d)
			for i := range c {
				c[i] *= -float64(sigma[i]) * r.R / math.Sqrt(squares)
			}
			b.Values(worst, c)
			scale, err := r.MaxScale(worst)
			if err != nil || scale > 1+1e-9 || scale < 1-1e-9 {
				t.Errorf("%v: the region ends at %v times the worst point (%v)", shape, scale, err)
			}
			for _, q := range []family.Norm{family.L1, family.L2, family.LInf} {
				if radius, err := r.Radius(q); err != nil || radius > margin/dual(q, w)*(1+1e-9) {
					t.Errorf("%v: %s radius %v, and the boundary is %v away (%v)", shape, q, radius, margin/dual(q, w), err)
				}
			}
			x := make([]float32, d)
			s := newSmoother(t, d, 2, 7, smooth.ClassifierFunc(d, 32, func(z []float32) int32 {
				var sum float64
				for i, v := range z {
					sum += w[i] * (float64(v) - float64(mu[i]))
				}
				if sum > -margin {
					return 1
				}
				return 0
			}))
			const count = 4000
			votes := sample(t, s, x, smooth.InputID(x), noise, stream.Audit, uint64(trial)*count, uint64(trial+1)*count)
			got, want := float64(votes.PerClass[1])/count, stats.NormalCDF(r.R/noise.Noise().Lambda)
			if math.Abs(got-want) > 5*math.Sqrt(want*(1-want)/count) {
				t.Errorf("%v, trial %d: the half-space has probability %v, want %v", shape, trial, got, want)
			}
		}
	}
}

func TestCountsInBasisDoNotDependOnWorkersOrBatch(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	b := dct(t, 1, 3, 3)
	noise := inBasis(t, rng, b, family.LInf)
	x := make([]float32, 9)
	var want smooth.Counts
	for _, workers := range []int{1, 3} {
		for _, batch := range []int{1, 8, 50} {
			var cs []smooth.Classifier
			for range workers {
				cs = append(cs, smooth.ClassifierFunc(9, batch, rings))
			}
			got := sample(t, newSmoother(t, 9, 3, 42, cs...), x, smooth.InputID(x), noise, stream.Estimate, 0, 1501)
			if want.PerClass == nil {
				want = got
			}
			if !slices.Equal(got.PerClass, want.PerClass) {
				t.Errorf("%d workers, batch %d: %v, want %v", workers, batch, got.PerClass, want.PerClass)
			}
		}
	}
}

// One smoother serves noise with and without a basis, and of several shapes, in turn.
func TestNoiseOfSeveralBasesInTurn(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	x := make([]float32, 12)
	s := newSmoother(t, 12, 3, 1, smooth.ClassifierFunc(12, 16, rings))
	noises := []*smooth.SealedNoise{
		inBasis(t, rng, dct(t, 1, 3, 4), family.L2), gaussian(t, 12, 1, nil, nil), inBasis(t, rng, dct(t, 3, 2, 2), family.L2),
	}
	var first []smooth.Counts
	for range 2 {
		for i, n := range noises {
			c := sample(t, s, x, smooth.InputID(x), n, stream.Estimate, 0, 300)
			if len(first) <= i {
				first = append(first, c)
			} else if !slices.Equal(c.PerClass, first[i].PerClass) {
				t.Errorf("noise %d: %v, then %v", i, first[i].PerClass, c.PerClass)
			}
		}
	}
}

func TestSealRefusesBases(t *testing.T) {
	laplace, err := family.New("laplace", nil)
	if err != nil {
		t.Fatal(err)
	}
	ones := func(d int) []float32 { return slices.Repeat([]float32{1}, d) }
	steep := ones(12)
	steep[3] = 1e5
	for name, c := range subtest.Rows(map[string]struct {
		noise smooth.Noise
		sigma []float32
		want  string
	}{
		"family":     {smooth.Noise{Family: laplace, Norm: family.L1}, ones(12), "only gaussian"},
		"lattice":    {smooth.Noise{Family: family.Gaussian{}, Norm: family.L2, Arithmetic: smooth.Lattice}, ones(12), "lattice"},
		"no field":   {smooth.Noise{Family: family.Gaussian{}, Norm: family.L2}, nil, "without a scale field"},
		"far apart":  {smooth.Noise{Family: family.Gaussian{}, Norm: family.L2}, steep, "raise the generator's floor"},
		"own family": {smooth.Noise{Family: &family.Gaussian{}, Norm: family.L2}, ones(12), "only gaussian"},
	}) {
		t.Run(name, func(t *testing.T) {
			c.noise.Lambda, c.noise.Fields = 1, fieldsOf(t, 12, nil, c.sigma, dct(t, 1, 3, 4))
			if _, err := c.noise.Seal(12); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error %v, want one about %q", name, err, c.want)
			}
		})
	}
	if _, err := smooth.NewFields(9, nil, ones(9), dct(t, 1, 3, 4)); err == nil {
		t.Error("a basis of another dimension was accepted")
	}
}

// The radius by the unit region is that of the region itself, but for the last digits, and
// never above what the region's own gives by more than them.
func TestRadiusInBasisIsThatOfTheRegion(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	b := dct(t, 2, 4, 5)
	for _, norm := range []family.Norm{family.L1, family.L2, family.LInf} {
		noise := inBasis(t, rng, b, norm)
		for _, p := range []float64{0.3, 0.6, 0.99, 1 - 1e-9} {
			got, err := noise.Radius(p)
			if err != nil {
				t.Fatal(err)
			}
			r, err := noise.Region(p)
			if err != nil {
				t.Fatal(err)
			}
			want, err := r.Radius(norm)
			if err != nil || math.Abs(got-want) > 1e-15*want {
				t.Errorf("%s, p = %v: %v, the region's %v (%v)", norm, p, got, want, err)
			}
		}
	}
}
