package stream

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"runtime"
	"slices"
	"testing"
	"ucan/fixtures/subtest"
)

// draws is the number of variates of the tests of laws: enough to see 0.5 % in a
// moment, quick enough for every run.
const draws = 200_000

// kolmogorov returns √n·sup|F_n − F|; under the null it exceeds 2.0 with
// probability 7e-4 (2e^(−2·2²)). Seeds are fixed, so a pass is a pass.
func kolmogorov(x []float64, cdf func(float64) float64) float64 {
	x = slices.Clone(x)
	slices.Sort(x)
	n := float64(len(x))
	worst := 0.0
	for i, v := range x {
		f := cdf(v)
		worst = max(worst, f-float64(i)/n, float64(i+1)/n-f)
	}
	return worst * math.Sqrt(n)
}

func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

func laplaceCDF(x float64) float64 {
	if x < 0 {
		return 0.5 * math.Exp(x)
	}
	return 1 - 0.5*math.Exp(-x)
}

// into draws n values by a slice sampler, a few samples of size 1000 each.
func into(f func(*Source, []float32), phase Phase, n int) []float64 {
	key := New(42, sha256.Sum256([]byte("laws")), phase)
	out := make([]float64, 0, n)
	buf := make([]float32, 1000)
	for i := uint64(0); len(out) < n; i++ {
		s := key.Source(i)
		f(&s, buf)
		for _, v := range buf {
			out = append(out, float64(v))
		}
	}
	return out[:n]
}

func scalar(f func(*Source) float64, n int) []float64 {
	s := New(43, [32]byte{}, Audit).Source(0)
	out := make([]float64, n)
	for i := range out {
		out[i] = f(&s)
	}
	return out
}

// moments checks means of x^k against the exact ones, within 4.5 standard errors
// taken from the exact variance of x^k.
func moments(t *testing.T, name string, x []float64, exact func(k int) float64) {
	t.Helper()
	for k := 1; k <= 4; k++ {
		var sum float64
		for _, v := range x {
			sum += math.Pow(v, float64(k))
		}
		n := float64(len(x))
		se := math.Sqrt((exact(2*k) - exact(k)*exact(k)) / n)
		if got := sum / n; math.Abs(got-exact(k)) > 4.5*se {
			t.Errorf("%s: moment %d is %v, want %v ± %v", name, k, got, exact(k), se)
		}
	}
}

func factorial(k int) float64 { return math.Gamma(float64(k) + 1) }

func normalMoment(k int) float64 {
	if k%2 == 1 {
		return 0
	}
	return factorial(k) / (math.Exp2(float64(k/2)) * factorial(k/2))
}

func TestLaws(t *testing.T) {
	for _, c := range []struct {
		name   string
		x      []float64
		cdf    func(float64) float64
		moment func(int) float64
	}{
		{"NormalInto", into((*Source).NormalInto, Estimate, draws), normalCDF, normalMoment},
		{"LaplaceInto", into((*Source).LaplaceInto, Estimate, draws), laplaceCDF, func(k int) float64 {
			if k%2 == 1 {
				return 0
			}
			return factorial(k)
		}},
		{"UniformInto", into((*Source).UniformInto, Estimate, draws), func(x float64) float64 { return (x + 1) / 2 }, func(k int) float64 {
			if k%2 == 1 {
				return 0
			}
			return 1 / float64(k+1)
		}},
		{"Float64Open", scalar((*Source).Float64Open, draws), func(x float64) float64 { return x }, func(k int) float64 { return 1 / float64(k+1) }},
		{"Normal", scalar((*Source).Normal, draws), normalCDF, normalMoment},
		{"Exponential", scalar((*Source).Exponential, draws), func(x float64) float64 { return -math.Expm1(-x) }, factorial},
		{"Gamma(3)", scalar(func(s *Source) float64 { return s.Gamma(3) }, draws), func(x float64) float64 {
			return 1 - math.Exp(-x)*(1+x+x*x/2)
		}, func(k int) float64 { return math.Gamma(3+float64(k)) / 2 }},
		{"Gamma(0.5)", scalar(func(s *Source) float64 { return s.Gamma(0.5) }, draws), func(x float64) float64 { return math.Erf(math.Sqrt(x)) },
			func(k int) float64 { return math.Gamma(0.5+float64(k)) / math.Gamma(0.5) }},
	} {
		if d := kolmogorov(c.x, c.cdf); d > 2.0 {
			t.Errorf("%s: Kolmogorov-Smirnov statistic %v; want at most 2", c.name, d)
		}
		moments(t, c.name, c.x, c.moment)
	}
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		s := New(1, [32]byte{}, Audit).Source(0)
		if g := s.Gamma(bad); !math.IsNaN(g) {
			t.Errorf("Gamma(%v) = %v, want NaN", bad, g)
		}
	}
}

// Large shapes: Gamma(a) has mean a and variance a.
func TestGammaOfLargeShape(t *testing.T) {
	const a, n = 150528, 20000
	x := scalar(func(s *Source) float64 { return (s.Gamma(a) - a) / math.Sqrt(a) }, n)
	moments(t, "Gamma(150528) standardised", x, func(k int) float64 {
		// Central moments of a gamma law over powers of its deviation.
		return []float64{1, 0, 1, 2 / math.Sqrt(a), 3 + 6.0/a, 20 / math.Sqrt(a), 15, 0, 105}[k]
	})
}

// Tail counts: with the fixed seed, the counts beyond 2 … 4.5 must lie within 4.5
// standard deviations of their expectation. The base strip ends at 3.44, so this
// covers strips, wedges and tail.
func TestTailCounts(t *testing.T) {
	const n = 2_000_000
	count := func(x []float64, level float64) (lower, upper float64) {
		for _, v := range x {
			if v > level {
				upper++
			}
			if v < -level {
				lower++
			}
		}
		return lower, upper
	}
	check := func(name string, x []float64, level, p float64) {
		lower, upper := count(x, level)
		mean, sd := n*p, math.Sqrt(n*p*(1-p))
		if math.Abs(lower-mean) > 4.5*sd || math.Abs(upper-mean) > 4.5*sd {
			t.Errorf("%s: %v below and %v above ±%v, want %v ± %v", name, lower, upper, level, mean, sd)
		}
	}
	x := into((*Source).NormalInto, Pilot, n)
	for _, level := range []float64{0.01, 0.5, 1, 2, 3, 3.4, 3.5, 4, 4.5} {
		check("normal", x, level, normalCDF(-level))
	}
	x = into((*Source).LaplaceInto, Pilot, n)
	for _, level := range []float64{0.01, 0.5, 1, 3, 6, 6.85, 6.95, 8, 10} {
		check("laplace", x, level, 0.5*math.Exp(-level))
	}
}

// The tail and the wedges alone, a thousand times more often than they occur.
func TestTailLaw(t *testing.T) {
	s := New(44, [32]byte{}, Audit).Source(0)
	x := make([]float64, draws)
	for i := range x {
		x[i] = s.normalTail()
	}
	tail := normalCDF(-normalR)
	if d := kolmogorov(x, func(x float64) float64 { return 1 - normalCDF(-x)/tail }); d > 2 {
		t.Errorf("normal tail: Kolmogorov-Smirnov statistic %v", d)
	}
}

// Each layer's draws must follow the density within the layer: the rejection
// branch is taken at its exact rate.
func TestRejectionRate(t *testing.T) {
	// Area under the density over the ziggurat's area, times the layers: the
	// accepted fraction, from the tables alone.
	area := func(l *[layers]layer, r, tail, total float64, f func(float64) float64) {
		v := l[0].w * cells * f(r) // every strip has this area
		if got := total / (layers * v); got < 0.97 || got > 1 {
			t.Errorf("ziggurat efficiency %v", got)
		}
		for i := 1; i < layers; i++ {
			if strip := l[i].w * cells * l[i].df; math.Abs(strip/v-1) > 1e-13 {
				t.Errorf("strip %d has area %v, the base %v", i, strip, v)
			}
		}
		if base := r*f(r) + tail; math.Abs(base/v-1) > 1e-13 {
			t.Errorf("base with tail has area %v, strips %v", base, v)
		}
		// The fast cells are wholly under the density.
		for i := 0; i < layers-1; i++ {
			inner := l[i+1].w * cells
			if i == 0 {
				inner = r
			}
			if edge := float64(l[i].k) * l[i].w; edge > inner || edge < inner-2*l[i].w {
				t.Errorf("strip %d: cells end at %v, the inner edge is %v", i, edge, inner)
			}
		}
	}
	area(&normalLayers, normalR, math.Sqrt(math.Pi/2)*math.Erfc(normalR/math.Sqrt2), math.Sqrt(math.Pi/2), func(x float64) float64 { return math.Exp(-x * x / 2) })
	area(&expLayers, expR, math.Exp(-expR), 1, func(x float64) float64 { return math.Exp(-x) })
	for i := range normalFast {
		if normalFast[i].k != normalLayers[i].k<<8 || expFast[i].k != expLayers[i].k<<8 ||
			math.Abs(float64(normalFast[i].w)*256/normalLayers[i].w-1) > 0x1p-24 || math.Abs(float64(expFast[i].w)*256/expLayers[i].w-1) > 0x1p-24 {
			t.Errorf("fast table differs from the exact one at %d", i)
		}
	}
}

// Neighbouring values, samples, phases and inputs are uncorrelated: |r|√n below 4.5.
func TestIndependence(t *testing.T) {
	const n = 100_000
	fill := func(seed uint64, in [32]byte, p Phase, i uint64) []float32 {
		s := New(seed, in, p).Source(i)
		x := make([]float32, n)
		s.NormalInto(x)
		return x
	}
	base := fill(1, [32]byte{}, Estimate, 0)
	for name, other := range subtest.Rows(map[string][]float32{
		"next value":  append(slices.Clone(base[1:]), base[0]),
		"two on":      append(slices.Clone(base[2:]), base[:2]...),
		"block on":    append(slices.Clone(base[128:]), base[:128]...),
		"next sample": fill(1, [32]byte{}, Estimate, 1),
		"far sample":  fill(1, [32]byte{}, Estimate, 1<<63),
		"next seed":   fill(2, [32]byte{}, Estimate, 0),
		"next phase":  fill(1, [32]byte{}, Predict, 0),
		"next input":  fill(1, [32]byte{1}, Estimate, 0),
	}) {
		t.Run(name, func(t *testing.T) {
			for power := 1; power <= 2; power++ { // values, and squares for dependence of size
				var sum, scale float64
				for i := range base {
					a, b := float64(base[i]), float64(other[i])
					if power == 2 {
						a, b = (a*a-1)/math.Sqrt2, (b*b-1)/math.Sqrt2
					}
					sum += a * b
					scale++
				}
				if r := sum / math.Sqrt(scale); math.Abs(r) > 4.5 {
					t.Errorf("%s, power %d: correlation of %.2f standard errors", name, power, r)
				}
			}
		})
	}
}

// golden pins the streams: a certificate's replay depends on these bytes.
func TestGolden(t *testing.T) {
	key := New(20251122, sha256.Sum256([]byte("golden")), Estimate)
	s := key.Source(7)
	words := []uint64{s.Uint64(), s.Uint64(), s.Uint64(), s.Uint64()}
	if want := goldenWords; !slices.Equal(words, want) {
		t.Errorf("words %#x, want %#x", words, want)
	}
	digest := func(f func(*Source, []float32)) string {
		h := sha256.New()
		buf := make([]float32, 100_000)
		s := key.Source(8)
		f(&s, buf)
		if err := binary.Write(h, binary.LittleEndian, buf); err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(h.Sum(nil)[:8])
	}
	for name, c := range subtest.Rows(map[string]struct {
		f    func(*Source, []float32)
		want string
	}{
		"normal":  {(*Source).NormalInto, goldenNormal},
		"laplace": {(*Source).LaplaceInto, goldenLaplace},
		"uniform": {(*Source).UniformInto, goldenUniform},
		"gamma": {func(s *Source, dst []float32) {
			for i := range dst {
				dst[i] = float32(s.Gamma(2.5))
			}
		}, goldenGamma},
	}) {
		t.Run(name, func(t *testing.T) {
			if name == "gamma" && runtime.GOARCH != "amd64" {
				return // its values pass through math.Log, whose last bit may differ
			}
			if got := digest(c.f); got != c.want {
				t.Errorf("%s: digest %s, want %s", name, got, c.want)
			}
		})
	}
}

var goldenWords = []uint64{0x6a534d09dcb1f67f, 0x4d58d4ed1901618d, 0xfa91f1ff754b75ef, 0xba4de8c168a644d1}

const (
	goldenNormal  = "76160702d127eace"
	goldenLaplace = "a132f4dad6d275c2"
	goldenUniform = "5262144ae61bfc2b"
	goldenGamma   = "2d4d25f41b894af8"
)

// Extremes of the open interval, from the extreme words.
func TestFloat64OpenStaysInside(t *testing.T) {
	for _, c := range []struct{ state Source }{{Source{}}, {Source{a: math.MaxUint64, b: 0, c: 0, d: math.MaxUint64}}} {
		s := c.state
		if x := s.Float64Open(); !(x > 0 && x < 1) {
			t.Errorf("%v is not inside (0, 1)", x)
		}
	}
	// The largest word and the smallest, directly.
	if x := (float64(uint64(math.MaxUint64)>>12) + 0.5) * 0x1p-52; !(x < 1) {
		t.Errorf("largest value %v", x)
	}
}
