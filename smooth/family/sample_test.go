package family

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth/internal/special"
	"ucan/smooth/stream"
)

// law is the exact distribution of a family's noise in lawDim dimensions: of the
// size of one coordinate, and of a statistic of the whole vector.
type law struct {
	name     string
	params   map[string]float64
	marginal func(x float64) float64   // P[|x₁| ≤ x]
	size     func(v []float32) float64 // a statistic of the vector, its radius
	radial   func(r float64) float64   // its distribution function
}

const (
	lawDim     = 6
	lawSamples = 8_000
)

func gammaCDF(a float64) func(float64) float64 {
	return func(x float64) float64 { l, _ := special.GammaTails(a, x); return l }
}

// betaPrimeCDF is that of t where t/(1+t) is Beta(a, b).
func betaPrimeCDF(a, b float64) func(float64) float64 {
	return func(t float64) float64 { l, _ := special.BetaTails(a, b, t/(1+t), 1/(1+t)); return l }
}

// powerSum returns Σ|v_i|^p; the largest |v_i| for p = 0.
func powerSum(p float64) func(v []float32) float64 {
	return func(v []float32) float64 {
		var sum, largest float64
		for _, x := range v {
			a := math.Abs(float64(x))
			sum += math.Pow(a, p)
			largest = max(largest, a)
		}
		if p == 0 {
			return largest
		}
		return sum
	}
}

// norm2 is the ℓ2 norm, norm1 the ℓ1 norm, normInf the ℓ∞ norm to the power k.
func norm2(k float64) func(v []float32) float64 {
	return func(v []float32) float64 { return math.Pow(powerSum(2)(v), k/2) }
}
func norm1(k float64) func(v []float32) float64 {
	return func(v []float32) float64 { return math.Pow(powerSum(1)(v), k) }
}
func normInf(k float64) func(v []float32) float64 {
	return func(v []float32) float64 { return math.Pow(powerSum(0)(v), k) }
}

// Distribution of |x₁|/r given the radius r, uniform on the sphere of a norm.
func onSphere2(c float64) float64 { l, _ := special.NewCap(lawDim).Tails(c); return l }
func onSphere1(c float64) float64 {
	if c >= 1 {
		return 1
	}
	return 1 - math.Pow(1-c, lawDim-1)
}
func onSphereInf(c float64) float64 {
	if c >= 1 {
		return 1
	}
	return c * (1 - 1.0/lawDim)
}

// mixed is the distribution of |x₁| for a radius with r^k = t distributed as cdf:
// the mean over strata of t, found by bisection, of that on the sphere.
func mixed(cdf func(float64) float64, k float64, sphere func(float64) float64) func(float64) float64 {
	const strata = 200
	r := make([]float64, strata)
	for i := range r {
		lo, hi := -60.0, 60.0
		for range 60 {
			m := (lo + hi) / 2
			if cdf(math.Exp(m)) < (float64(i)+0.5)/strata {
				lo = m
			} else {
				hi = m
			}
		}
		r[i] = math.Exp(lo / k)
	}
	return func(x float64) float64 {
		var sum float64
		for _, v := range r {
			sum += sphere(x / v)
		}
		return sum / strata
	}
}

func laws() []law {
	const d = float64(lawDim)
	var out []law
	add := func(name string, p map[string]float64, marginal func(float64) float64, size func([]float32) float64, radial func(float64) float64) {
		out = append(out, law{name, p, marginal, size, radial})
	}
	add("gaussian", nil, func(x float64) float64 { return math.Erf(x / math.Sqrt2) }, powerSum(2), func(s float64) float64 { return gammaCDF(d / 2)(s / 2) })
	add("laplace", nil, func(x float64) float64 { return -math.Expm1(-x) }, powerSum(1), gammaCDF(d))
	add("uniform", nil, func(x float64) float64 { return min(x, 1) }, powerSum(0), func(u float64) float64 { return math.Pow(min(u, 1), d) })
	for _, a := range []float64{3, 10} {
		one := func(x float64) float64 { return 1 - math.Pow(1+x, -a) }
		add("pareto", map[string]float64{"a": a}, one, powerSum(0), func(u float64) float64 { return math.Pow(one(u), d) })
	}
	add("ball", nil, mixed(func(t float64) float64 { return math.Pow(min(t, 1), d) }, 1, onSphere2), norm2(1), func(t float64) float64 { return math.Pow(min(t, 1), d) })
	for _, k := range []float64{0.5, 1, 2} {
		add("expinf", map[string]float64{"k": k}, mixed(gammaCDF(d/k), k, onSphereInf), normInf(k), gammaCDF(d/k))
	}
	for _, k := range []float64{1, 2} {
		add("exp1", map[string]float64{"k": k}, mixed(gammaCDF(d/k), k, onSphere1), norm1(k), gammaCDF(d/k))
	}
	for _, p := range []float64{0.5, 1, 2, 3} {
		add("expp", map[string]float64{"p": p}, func(x float64) float64 { return gammaCDF(1 / p)(math.Pow(x, p)) }, powerSum(p), gammaCDF(d/p))
	}
	for _, a := range []float64{16, 40} {
		cdf := betaPrimeCDF(d, a-d)
		add("powinf", map[string]float64{"a": a}, mixed(cdf, 1, onSphereInf), normInf(1), cdf)
	}
	for _, kj := range [][2]float64{{1, 0}, {2, 0}, {2, 4}} {
		cdf := gammaCDF((d - kj[1]) / kj[0])
		add("exp2", map[string]float64{"k": kj[0], "j": kj[1]}, mixed(cdf, kj[0], onSphere2), norm2(kj[0]), cdf)
	}
	for _, ka := range [][2]float64{{2, 9}, {1, 20}} {
		cdf := betaPrimeCDF(d/ka[0], ka[1]-d/ka[0])
		add("pow2", map[string]float64{"k": ka[0], "a": ka[1]}, mixed(cdf, ka[0], onSphere2), norm2(ka[0]), cdf)
	}
	return out
}

// kolmogorov returns √n·sup|F_n − F|, above 2.2 with probability 1.3e-4.
func kolmogorov(x []float64, cdf func(float64) float64) float64 {
	slices.Sort(x)
	n := float64(len(x))
	worst := 0.0
	for i, v := range x {
		f := cdf(v)
		// Equal values (an ℓ∞ radius is attained by coordinates) step together.
		worst = max(worst, math.Abs(f-(float64(i)+0.5)/n)-0.5/n)
	}
	return worst * math.Sqrt(n)
}

// TestEveryFamilyHasALaw: no sampler goes untested.
func TestEveryFamilyHasALaw(t *testing.T) {
	known := laws()
	for _, l := range known { // also where the comparison itself is skipped for its length
		if l.marginal == nil || l.size == nil || l.radial == nil {
			t.Errorf("the law of %s %v lacks a function", l.name, l.params)
		}
	}
	for _, name := range Names() {
		if !slices.ContainsFunc(known, func(l law) bool { return l.name == name }) {
			t.Errorf("%s has no law that its samples are compared with; add one to laws", name)
		}
	}
}

func TestSampleLaws(t *testing.T) {
	subtest.Long(t)
	key := stream.New(17, [32]byte{}, stream.Audit)
	for _, l := range laws() {
		f, err := New(l.name, l.params)
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint(l.name, l.params)
		coordinate, radius := make([]float64, lawSamples), make([]float64, lawSamples)
		var signs, variance float64
		v := make([]float32, lawDim)
		for i := range lawSamples {
			src := key.Source(uint64(i))
			f.Sample(v, &src)
			x := v[i%lawDim] // every coordinate in turn: they have one law
			coordinate[i] = math.Abs(float64(x))
			radius[i] = l.size(v)
			signs += math.Copysign(1, float64(x))
			for _, x := range v {
				variance += float64(x) * float64(x)
			}
		}
		if d := kolmogorov(radius, l.radial); d > 2.2 {
			t.Errorf("%s: radius has Kolmogorov-Smirnov statistic %.2f", id, d)
		}
		// The marginal of a cube's surface has an atom at the radius, spread by it.
		if d := kolmogorov(coordinate[:4000], l.marginal); d > 2.2 {
			t.Errorf("%s: coordinate has Kolmogorov-Smirnov statistic %.2f", id, d)
		}
		if math.Abs(signs) > 4.5*math.Sqrt(lawSamples) {
			t.Errorf("%s: signs sum to %v of %v", id, signs, lawSamples)
		}
		lambda1, err := f.Lambda1(lawDim)
		if err != nil {
			continue // no variance
		}
		got := variance / (lawSamples * lawDim) * lambda1 * lambda1
		tol := 0.05
		if l.name == "pareto" && l.params["a"] == 3 {
			tol = 0.5 // the fourth moment is infinite
		}
		if math.Abs(got-1) > tol {
			t.Errorf("%s: variance at λ₁ is %v, want 1", id, got)
		}
	}
}

// Signs of different coordinates are independent, and so are directions of
// different samples.
func TestSampleSignsAreIndependent(t *testing.T) {
	key := stream.New(18, [32]byte{}, stream.Audit)
	for id, f := range each(t) {
		v := make([]float32, 20)
		var pair, next float64
		last := 1.0
		const n = 20_000
		for i := range n {
			src := key.Source(uint64(i))
			f.Sample(v, &src)
			a, b := math.Copysign(1, float64(v[0])), math.Copysign(1, float64(v[1]))
			pair += a * b
			next += a * last
			last = a
		}
		if limit := 4.5 * math.Sqrt(n); math.Abs(pair) > limit || math.Abs(next) > limit {
			t.Errorf("%s: sign correlations %v and %v of %v", id, pair, next, n)
		}
	}
}

func TestSampleIsAFunctionOfItsSource(t *testing.T) {
	key := stream.New(19, [32]byte{}, stream.Estimate)
	for id, f := range each(t) {
		a, b := make([]float32, 300), make([]float32, 300)
		if id == "powinf" || id == "pow2-1" { // their exponent allows up to 39
			a, b = a[:30], b[:30]
		}
		s1, s2 := key.Source(5), key.Source(5)
		f.Sample(a, &s1)
		fill(b, 7)
		f.Sample(b, &s2)
		if !slices.Equal(a, b) || s1 != s2 {
			t.Errorf("%s: two draws from one source differ", id)
		}
		if slices.ContainsFunc(a, func(x float32) bool { return x != x }) {
			t.Errorf("%s: a sample has NaN", id)
		}
		s := new(stream.Source)
		if n := testing.AllocsPerRun(10, func() { *s = key.Source(6); f.Sample(a, s) }); n != 0 {
			t.Errorf("%s: %v allocations per sample", id, n)
		}
	}
}

func TestSampleOutsideItsDomainIsNaN(t *testing.T) {
	pow, _ := New("powinf", map[string]float64{"a": 20})
	v := make([]float32, 20)
	src := stream.New(1, [32]byte{}, stream.Audit).Source(0)
	pow.Sample(v, &src)
	for _, x := range v {
		if x == x {
			t.Fatalf("powinf a = d drew %v; there is no such distribution", x)
		}
	}
}

// BenchmarkSample reports the cost of noise per value.
func BenchmarkSample(b *testing.B) {
	key := stream.New(1, [32]byte{}, stream.Estimate)
	for _, name := range Names() {
		f, err := New(name, nil)
		if err != nil {
			b.Fatal(err)
		}
		const n = 3072
		b.Run(fmt.Sprintf("family=%s/n=%d", name, n), func(b *testing.B) {
			dst := make([]float32, n)
			src := new(stream.Source)
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				*src = key.Source(i)
				f.Sample(dst, src)
				i++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/value")
		})
	}
}

// BenchmarkRadius reports the cost of a radius that was not asked for before.
func BenchmarkRadius(b *testing.B) {
	for _, name := range Names() {
		f, err := New(name, nil)
		if err != nil {
			b.Fatal(err)
		}
		for _, n := range []int{20, 3072, 150528} {
			b.Run(fmt.Sprintf("family=%s/n=%d", name, n), func(b *testing.B) {
				p := 0.9
				for b.Loop() {
					p = 0.6 + math.Mod(p*7.1234567, 0.39)
					if _, err := f.Radius(f.Norms()[len(f.Norms())-1], n, p); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
