package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestClopperPearsonCoverage draws k ~ Bin(n, p) and counts bounds on the wrong
// side of p. The rate is at most alpha for every p; at p near the bound's own
// values it comes close.
func TestClopperPearsonCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const runs, alpha = 20000, 0.05
	for _, c := range []struct {
		n int64
		p float64
	}{{20, 0.5}, {200, 0.5}, {200, 0.93}, {1000, 0.3}, {1000, 0.999}} {
		low, up := make([]float64, c.n+1), make([]float64, c.n+1)
		for k := range low {
			var err error
			if low[k], err = ClopperPearsonLower(int64(k), c.n, alpha); err != nil {
				t.Fatal(err)
			}
			if up[k], err = ClopperPearsonUpper(int64(k), c.n, alpha); err != nil {
				t.Fatal(err)
			}
		}
		above, below := 0, 0
		for range runs {
			k := 0
			for range c.n {
				if rng.Float64() < c.p {
					k++
				}
			}
			if low[k] > c.p {
				above++
			}
			if up[k] < c.p {
				below++
			}
		}
		// Three standard deviations of a rate of alpha.
		limit := alpha + 3*math.Sqrt(alpha*(1-alpha)/runs)
		if r := float64(above) / runs; r > limit {
			t.Errorf("n=%d p=%g: lower bound above p at a rate of %.4f", c.n, c.p, r)
		}
		if r := float64(below) / runs; r > limit {
			t.Errorf("n=%d p=%g: upper bound below p at a rate of %.4f", c.n, c.p, r)
		}
		if c.n >= 200 && c.p == 0.5 && (above < runs/50 || below < runs/50) {
			t.Errorf("n=%d p=%g: error rates %d and %d of %d are far below alpha: the bounds are loose", c.n, c.p, above, below, runs)
		}
	}
}

func TestClopperPearsonMonotone(t *testing.T) {
	for _, n := range []int64{1, 7, 100, 3000} {
		for _, alpha := range []float64{0.999, 0.5, 0.05, 1e-6} {
			low, up := -1.0, -1.0
			for k := range n + 1 {
				l, err := ClopperPearsonLower(k, n, alpha)
				if err != nil {
					t.Fatal(err)
				}
				u, err := ClopperPearsonUpper(k, n, alpha)
				if err != nil {
					t.Fatal(err)
				}
				if l < 0 || u > 1 || l < low || u < up || math.IsNaN(l+u) {
					t.Fatalf("n=%d k=%d alpha=%g: bounds [%v, %v] after [%v, %v]", n, k, alpha, l, u, low, up)
				}
				if alpha <= 0.5 && l > u {
					t.Fatalf("n=%d k=%d alpha=%g: lower %v above upper %v", n, k, alpha, l, u)
				}
				low, up = l, u
			}
			if up != 1 {
				t.Errorf("n=%d: upper bound at k=n is %v", n, up)
			}
		}
	}
}

func TestBadArguments(t *testing.T) {
	for _, c := range []struct {
		k, n  int64
		alpha float64
	}{{-1, 10, 0.1}, {11, 10, 0.1}, {0, 0, 0.1}, {1, maxTrials + 1, 0.1}, {5, 10, 0}, {5, 10, 1}, {5, 10, -1}, {5, 10, math.NaN()}} {
		if v, err := ClopperPearsonLower(c.k, c.n, c.alpha); err == nil || !math.IsNaN(v) {
			t.Errorf("lower bound of %+v: %v, %v", c, v, err)
		}
		if v, err := ClopperPearsonUpper(c.k, c.n, c.alpha); err == nil || !math.IsNaN(v) {
			t.Errorf("upper bound of %+v: %v, %v", c, v, err)
		}
	}
	for _, p := range []float64{-0.1, 1.1, math.NaN()} {
		if _, err := BinomialCDF(1, 2, p); err == nil {
			t.Errorf("BinomialCDF accepts p=%v", p)
		}
		if _, err := BinomialSurvival(1, 2, p); err == nil {
			t.Errorf("BinomialSurvival accepts p=%v", p)
		}
		if !math.IsNaN(NormalQuantile(p)) {
			t.Errorf("NormalQuantile(%v) is not NaN", p)
		}
	}
	for _, c := range []struct {
		counts  []int64
		class   int
		invalid int64
		alpha   float64
	}{{[]int64{1}, 0, 0, .1}, {[]int64{1, 2}, 2, 0, .1}, {[]int64{1, 2}, -1, 0, .1}, {[]int64{1, -2}, 0, 0, .1}, {[]int64{0, 0}, 0, 0, .1}, {[]int64{1, 2}, 0, -1, .1}, {[]int64{1, 2}, 0, 0, 2}} {
		if _, err := Bonferroni(c.counts, c.class, c.invalid, c.alpha); err == nil {
			t.Errorf("Bonferroni accepts %+v", c)
		}
	}
}

func TestBinomialEdges(t *testing.T) {
	for _, c := range []struct {
		k            int64
		p            float64
		cdf, survive float64
	}{
		{-1, 0.5, 0, 1}, {0, 0, 1, 1}, {0, 1, 0, 1}, {4, 1, 1, 1}, {1, 0, 1, 0}, {5, 0.5, 1, 0}, {4, 0.5, 1, 0.0625}, {0, 0.5, 0.0625, 1},
		// 1 − 1/16 and 5/16 by counting
		{1, 0.5, 0.3125, 0.9375},
	} {
		cdf, err := BinomialCDF(c.k, 4, c.p)
		if err != nil || math.Abs(cdf-c.cdf) > 1e-15 {
			t.Errorf("P[Bin(4, %g) ≤ %d] = %v, %v, want %v", c.p, c.k, cdf, err, c.cdf)
		}
		s, err := BinomialSurvival(c.k, 4, c.p)
		if err != nil || math.Abs(s-c.survive) > 1e-15 {
			t.Errorf("P[Bin(4, %g) ≥ %d] = %v, %v, want %v", c.p, c.k, s, err, c.survive)
		}
	}
	if _, err := LogBinomialPMF(3, 2, 0.5); err == nil {
		t.Error("LogBinomialPMF accepts k > n")
	}
}

// TestBinomialSums compares each tail with the plain sum of the pmf.
func TestBinomialSums(t *testing.T) {
	for _, n := range []int64{1, 2, 13, 150} {
		for _, p := range []float64{1e-9, 0.02, 0.5, 0.77, 1 - 1e-9} {
			sum := 0.0
			for k := range n + 1 {
				l, err := LogBinomialPMF(k, n, p)
				if err != nil {
					t.Fatal(err)
				}
				sum += math.Exp(l)
				got, err := BinomialCDF(k, n, p)
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(got-sum) > 1e-12*sum {
					t.Errorf("P[Bin(%d, %g) ≤ %d] = %v, the sum is %v", n, p, k, got, sum)
				}
			}
		}
	}
}

func TestNormalRoundTrip(t *testing.T) {
	for x := -37.0; x < 8; x += 0.0371 {
		p := NormalCDF(x)
		back := NormalQuantile(p)
		// Near 1 the double p itself limits the way back: an ulp of p over the
		// density, plus a relative part.
		limit := 1e-13*math.Max(math.Abs(x), 1) + 2*eps*p/(math.Exp(-x*x/2)/math.Sqrt(2*math.Pi))
		if x < 0 {
			limit = 1e-13 * math.Max(math.Abs(x), 1)
		}
		if math.Abs(back-x) > limit {
			t.Errorf("x=%v comes back as %v", x, back)
		}
		if NormalQuantileLower(p) > NormalQuantileUpper(p) || NormalCDF(x) > NormalCDFUpper(x) {
			t.Errorf("x=%v: lower and upper are crossed", x)
		}
	}
	for _, c := range []struct{ got, want float64 }{
		{NormalQuantile(0.5), 0},
		{NormalQuantileLower(0.5), 0},
		{NormalQuantile(0), math.Inf(-1)},
		{NormalQuantileLower(1), math.Inf(1)},
		{NormalSurvival(math.Inf(1)), 0},
		{NormalSurvival(math.Inf(-1)), 1},
		{NormalCDF(0), 0.5},
		{NormalCDFUpper(0), 0.5},
		{NormalCDFUpper(9), 1},
	} {
		if c.got != c.want {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
	if !(NormalCDFUpper(-50) > 0) {
		t.Error("the upper bound of a tail that underflows must stay above zero")
	}
}

func TestBonferroni(t *testing.T) {
	// scipy 1.10: beta.ppf(.001/10, 900, 101) and 1 − beta.ppf(.001/10, 950, 51).
	counts := []int64{900, 50, 30, 20, 0, 0, 0, 0, 0, 0}
	b, err := Bonferroni(counts, 0, 0, 0.001)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(b.PLower-0.8603665772062773) > 1e-12 || math.Abs(b.PUpper-0.08061056839057434) > 1e-12 {
		t.Errorf("got %+v", b)
	}
	// Invalid samples hurt both bounds.
	w, err := Bonferroni([]int64{900, 50, 30, 10, 0, 0, 0, 0, 0, 0}, 0, 10, 0.001)
	if err != nil {
		t.Fatal(err)
	}
	if w.PLower != b.PLower || w.PUpper <= b.PUpper {
		t.Errorf("10 invalid samples change %+v into %+v", b, w)
	}
	// With two classes the complement binds.
	two, err := Bonferroni([]int64{95, 5}, 0, 0, 0.01)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(two.PUpper-(1-two.PLower)) > 1e-14 {
		t.Errorf("two classes: %+v", two)
	}
}

// TestBonferroniCoverage counts joint failures with the runner-up unknown.
func TestBonferroniCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	p := []float64{0.4, 0.2, 0.2, 0.2}
	const runs, n, alpha = 4000, 300, 0.1
	bad := 0
	for range runs {
		counts := make([]int64, len(p))
		for range n {
			u := rng.Float64()
			for c := range p {
				if u -= p[c]; u < 0 || c == len(p)-1 {
					counts[c]++
					break
				}
			}
		}
		b, err := Bonferroni(counts, 0, 0, alpha)
		if err != nil {
			t.Fatal(err)
		}
		if b.PLower > p[0] || b.PUpper < 0.2 {
			bad++
		}
	}
	if r := float64(bad) / runs; r > alpha+3*math.Sqrt(alpha*(1-alpha)/runs) {
		t.Errorf("joint error rate %.4f above %.2f", r, alpha)
	}
}

func TestPerCertificate(t *testing.T) {
	a, err := PerCertificate(0.001, 500)
	if err != nil || a > 0.001/500 || a < 0.001/500*(1-1e-15) {
		t.Errorf("got %v, %v", a, err)
	}
	if a, err := PerCertificate(0.001, 1); err != nil || a != 0.001 {
		t.Errorf("one certificate: %v, %v", a, err)
	}
	if _, err := PerCertificate(0.001, 0); err == nil {
		t.Error("accepts no certificates")
	}
	if _, err := PerCertificate(0, 3); err == nil {
		t.Error("accepts alpha 0")
	}
}

// TestCompareCountsReference: values of scipy 1.10, chi2_contingency without
// correction and fisher_exact.
func TestCompareCountsReference(t *testing.T) {
	for _, c := range []struct {
		a, b   map[int]int64
		p, x2  float64
		cells  int
		exact  bool
		reason string
	}{
		{map[int]int64{0: 900, 1: 60, 2: 40}, map[int]int64{0: 850, 1: 100, 2: 50}, 0.001892528960792166, 12.53968253968254, 3, false, "three cells"},
		{map[int]int64{0: 99000, 1: 400, 2: 300, 3: 200, 4: 100}, map[int]int64{0: 9900, 1: 45, 2: 25, 3: 22, 4: 8}, 0.7575280833616629, 1.8815790725903097, 5, false, "unequal sizes"},
		{map[int]int64{0: 90, 1: 10}, map[int]int64{0: 80, 1: 20}, 0.07342758972137636, 0, 2, true, "Fisher"},
		{map[int]int64{0: 990, 1: 10}, map[int]int64{0: 99000, 1: 1000}, 1, 0, 2, true, "Fisher, equal rates"},
		{map[int]int64{3: 9, 7: 1}, map[int]int64{3: 2, 7: 8}, 0.005477494641581328, 0, 2, true, "Fisher, small"},
		{map[int]int64{0: 5000, 1: 5000}, map[int]int64{0: 52000, 1: 48000}, 0.00013896480030633132, 0, 2, true, "Fisher, large"},
		{map[int]int64{4: 100}, map[int]int64{4: 50, 5: 0}, 1, 0, 1, true, "one cell"},
		// 2 + 3 and 2 + 2 rare votes pool into one cell of 9: Fisher on (90, 5) and (90, 4).
		{map[int]int64{0: 90, 1: 2, 2: 3}, map[int]int64{0: 90, 1: 2, 2: 2}, 1, 0, 2, true, "pooled"},
	} {
		r, err := CompareCounts(c.a, c.b)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(r.PValue-c.p) > 1e-9*c.p || math.Abs(r.Statistic-c.x2) > 1e-12*c.x2 || r.Cells != c.cells || r.Exact != c.exact {
			t.Errorf("%s: got %+v, want p=%v χ²=%v", c.reason, r, c.p, c.x2)
		}
	}
	for _, bad := range []map[int]int64{{}, {0: 0}, {0: -1, 1: 5}} {
		if _, err := CompareCounts(bad, map[int]int64{0: 1}); err == nil {
			t.Errorf("accepts %v", bad)
		}
		if _, err := CompareCounts(map[int]int64{0: 1}, bad); err == nil {
			t.Errorf("accepts %v", bad)
		}
	}
}

func TestIntervals(t *testing.T) {
	// scipy 1.10, binomtest(k, n).proportion_ci(1−alpha, method).
	e, err := ExactInterval(45, 50, 0.05)
	if err != nil || math.Abs(e.Low-0.7818646335657977) > 1e-12 || math.Abs(e.High-0.9667249064109785) > 1e-12 {
		t.Errorf("exact interval of 45/50: %+v, %v", e, err)
	}
	if _, err := ExactInterval(3, 2, 0.05); err == nil {
		t.Error("exact interval accepts k > n")
	}
}

func FuzzClopperPearson(f *testing.F) {
	f.Add(int64(3), int64(10), 0.05)
	f.Add(int64(999999), int64(1000000), 1e-9)
	f.Fuzz(func(t *testing.T, k, n int64, alpha float64) {
		n %= 100000
		l, err := ClopperPearsonLower(k, n, alpha)
		if err != nil {
			return
		}
		if !(l >= 0 && l <= 1) {
			t.Fatalf("k=%d n=%d alpha=%g: %v", k, n, alpha, l)
		}
		if s, err := BinomialSurvival(k, n, l); err != nil || k > 0 && s > alpha*(1+1e-9) {
			t.Fatalf("k=%d n=%d alpha=%g: the tail at %v is %v, %v", k, n, alpha, l, s, err)
		}
	})
}

func ExampleClopperPearsonLower() {
	// 9,985 of 10,000 noisy copies had the same label.
	p, _ := ClopperPearsonLower(9985, 10000, 0.001)
	fmt.Printf("p_A ≥ %.6f, so the radius at sigma 0.5 is %.4f\n", p, 0.5*NormalQuantileLower(p))
	// Output: p_A ≥ 0.996878, so the radius at sigma 0.5 is 1.3674
}

func ExampleBinomialTest() {
	fmt.Printf("%.4f\n", BinomialTest(60, 40))
	// Output: 0.0569
}

func BenchmarkClopperPearsonLower(b *testing.B) {
	for _, c := range []struct{ k, n int64 }{{99, 100}, {9900, 10000}, {99900, 100000}, {60000, 100000}, {999999, 1000000}} {
		b.Run(fmt.Sprintf("n=%d/k=%d", c.n, c.k), func(b *testing.B) {
			for b.Loop() {
				if _, err := ClopperPearsonLower(c.k, c.n, 0.001); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
