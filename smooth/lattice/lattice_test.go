package lattice

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth/family"
	"ucan/smooth/stream"
)

func mustFamily(t testing.TB, name string) family.Family {
	t.Helper()
	f, err := family.New(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mustNoise(t testing.TB, c Config) *Noise {
	t.Helper()
	n, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Lower tails P[N ≤ −i−1] in units of 2⁻⁶⁰, rounded down: mpmath 1.3 with 60 digits,
// erfc, exp and powers of its own.
func TestThresholdsAreExact(t *testing.T) {
	for _, c := range []struct {
		family string
		lambda float64
		s      float32
		i      int
		want   uint64
	}{
		{"gaussian", 0.25, 1.0, 0, 572853345098702716},
		{"gaussian", 0.25, 1.0, 1, 565639418252221866},
		{"gaussian", 0.25, 1.0, 50, 246880395421891830},
		{"gaussian", 0.25, 1.0, 200, 957104589843832},
		{"gaussian", 0.25, 1.0, 254, 37743788817877},
		{"gaussian", 0.5, 0.3, 0, 570448516783078678},
		{"gaussian", 0.5, 0.3, 1, 558428154155735264},
		{"gaussian", 0.5, 0.3, 50, 107652756074062018},
		{"gaussian", 0.5, 0.3, 200, 91652615181},
		{"gaussian", 0.5, 0.3, 254, 16487930},
		{"laplace", 0.1, 1.0, 0, 565267694767289179},
		{"laplace", 0.1, 1.0, 1, 543529361833275237},
		{"laplace", 0.1, 1.0, 50, 79560290177932772},
		{"laplace", 0.1, 1.0, 200, 221831356785388},
		{"laplace", 0.1, 1.0, 254, 26689504019775},
		{"uniform", 0.4330127018922193, 1.0, 0, 573850401162093011},
		{"uniform", 0.4330127018922193, 1.0, 1, 568629698879432058},
		{"uniform", 0.4330127018922193, 1.0, 50, 312815287029045364},
		{"uniform", 0.4330127018922193, 1.0, 200, 0},
		{"uniform", 0.4330127018922193, 1.0, 254, 0},
		{"pareto", 0.25, 0.7, 0, 557510160288126925},
		{"pareto", 0.25, 0.7, 1, 522029797549691778},
		{"pareto", 0.25, 0.7, 50, 59514174005235332},
		{"pareto", 0.25, 0.7, 200, 3478096227696455},
		{"pareto", 0.25, 0.7, 254, 1914019146299513},
	} {
		law, err := lawOf(mustFamily(t, c.family))
		if err != nil {
			t.Fatal(err)
		}
		tab, err := newTable(law, c.lambda, c.s, Steps)
		if err != nil {
			t.Fatal(err)
		}
		if got := tab.thresholds[Steps-1-c.i]; got != c.want {
			t.Errorf("%s λ=%v s=%v i=%d: %d, want %d", c.family, c.lambda, c.s, c.i, got, c.want)
		}
		if !slices.IsSorted(tab.thresholds) {
			t.Errorf("%s: thresholds are not sorted", c.family)
		}
	}
}

// Every draw decides between thresholds as the exact comparison does.
func TestDrawIsTheInverseOfTheThresholds(t *testing.T) {
	law, _ := lawOf(mustFamily(t, "gaussian"))
	tab, err := newTable(law, 0.02, 1, 40)
	if err != nil {
		t.Fatal(err)
	}
	check := func(u uint64) {
		want := int32(0)
		tie := false
		for _, th := range tab.thresholds[:80] {
			if th < u {
				want++
			}
			tie = tie || th == u
		}
		if got, gotTie := tab.draw(u); got != want-40 || gotTie != tie {
			t.Errorf("draw(%d) = %d, %v; want %d, %v", u, got, gotTie, want-40, tie)
		}
	}
	for _, th := range tab.thresholds[:80] {
		for _, u := range []uint64{th - 1, th, th + 1} {
			check(u & (1<<drawBits - 1))
		}
	}
	src := stream.New(1, [32]byte{}, stream.Audit).Source(0)
	for range 2000 {
		check(src.Uint64() >> 4)
	}
	check(0)
	check(1<<drawBits - 1)
}

func TestTiesMakeASampleUncertain(t *testing.T) {
	n := mustNoise(t, Config{Family: mustFamily(t, "gaussian"), Dim: 1, Lambda: 0.25})
	// A threshold equal to the next draw of a known source.
	src := stream.New(1, [32]byte{}, stream.Audit).Source(3)
	peek := src
	u := peek.Uint64() >> 4
	tab := *n.tables[0]
	tab.thresholds = slices.Clone(tab.thresholds)
	at, _ := slices.BinarySearch(tab.thresholds, u)
	tab.thresholds[at] = u
	n.tables[0] = &tab
	if n.Sample(make([]float32, 1), []uint8{0}, &src) {
		t.Error("a draw that ties with a threshold was called certain")
	}
	if !n.Sample(make([]float32, 1), []uint8{0}, &src) {
		t.Error("an ordinary draw was called uncertain")
	}
}

// The distribution of the clipped steps against the exact law: chi-square.
func TestLaws(t *testing.T) {
	tails := map[string]func(x float64) float64{
		"gaussian": func(x float64) float64 { return 0.5 * math.Erfc(x/math.Sqrt2) },
		"laplace":  func(x float64) float64 { return 0.5 * math.Exp(-x) },
		"uniform":  func(x float64) float64 { return max(0, (1-x)/2) },
		"pareto":   func(x float64) float64 { return 0.5 * math.Pow(1+x, -3) },
	}
	for name, tail := range subtest.Rows(tails) {
		t.Run(name, func(t *testing.T) {
			const lambda, dim, samples, start = 0.1, 1000, 200, 100
			n := mustNoise(t, Config{Family: mustFamily(t, name), Dim: dim, Lambda: lambda})
			x := slices.Repeat([]uint8{start}, dim)
			var counts [Steps + 1]float64
			dst := make([]float32, dim)
			for i := range samples {
				src := stream.New(5, [32]byte{}, stream.Audit).Source(uint64(i))
				if !n.Sample(dst, x, &src) {
					t.Fatal("uncertain sample")
				}
				for _, v := range dst {
					counts[int(math.Round(float64(v)*Steps))]++
				}
			}
			cdf := func(k int) float64 { // P[value ≤ k]
				switch u := (float64(k-start) + 0.5) / Steps / lambda; {
				case k >= Steps:
					return 1
				case u > 0:
					return 1 - tail(u)
				default:
					return tail(-u)
				}
			}
			var chi, bins, pending, expected float64
			last := 0.0
			for k, c := range counts {
				p := cdf(k)
				pending += c
				expected += (p - last) * dim * samples
				last = p
				if expected >= 20 {
					chi += (pending - expected) * (pending - expected) / expected
					bins++
					pending, expected = 0, 0
				}
			}
			// Chi-square with bins−1 degrees: mean bins−1, variance twice that.
			if z := (chi - (bins - 1)) / math.Sqrt(2*(bins-1)); math.Abs(z) > 4.5 {
				t.Errorf("%s: chi-square %v over %v bins", name, chi, bins)
			}
		})
	}
}

func TestQuantisation(t *testing.T) {
	const dim = 5000
	mu, sigma := make([]float32, dim), make([]float32, dim)
	for i := range dim {
		mu[i] = float32(i%700)/1000 - 0.3
		sigma[i] = 0.2 + float32(i)/dim*2
	}
	n := mustNoise(t, Config{Family: mustFamily(t, "laplace"), Dim: dim, Lambda: 0.25, Mu: mu, Sigma: sigma})
	if len(n.tables) > maxLevels || len(n.tables) < 50 {
		t.Errorf("%d levels", len(n.tables))
	}
	distinct := map[float32]bool{}
	for i := range dim {
		if r := math.Abs(math.Log2(float64(n.Sigma()[i] / sigma[i]))); r > 1.0/32+1e-6 {
			t.Fatalf("scale %v became %v", sigma[i], n.Sigma()[i])
		}
		distinct[n.Sigma()[i]] = true
		if d := math.Abs(float64(n.Mu()[i] - mu[i])); d > 0.5/Steps+1e-7 {
			t.Fatalf("offset %v became %v", mu[i], n.Mu()[i])
		}
		if k := float64(n.Mu()[i]) * Steps; math.Abs(k-math.Round(k)) > 1e-4 {
			t.Fatalf("offset %v is no whole step", n.Mu()[i])
		}
	}
	if len(distinct) != len(n.tables) {
		t.Errorf("%d distinct scales in %d levels", len(distinct), len(n.tables))
	}
	// A huge span of scales still fits, and few values are kept as they are.
	for i := range sigma {
		sigma[i] = float32(math.Exp2(float64(i%240) - 120))
	}
	wide := mustNoise(t, Config{Family: mustFamily(t, "uniform"), Dim: dim, Lambda: 0.25, Sigma: sigma})
	if len(wide.tables) > maxLevels {
		t.Errorf("%d levels for a wide field", len(wide.tables))
	}
	few := slices.Repeat([]float32{0.3, 0.7, 1.1}, 2)
	kept := mustNoise(t, Config{Family: mustFamily(t, "gaussian"), Dim: 6, Lambda: 0.25, Sigma: few})
	if !slices.Equal(kept.Sigma(), few) || len(kept.tables) != 3 {
		t.Errorf("field %v became %v", few, kept.Sigma())
	}
	few[0] = 9
	if kept.Sigma()[0] == 9 {
		t.Error("the noise shares the caller's field")
	}
}

func TestRefusals(t *testing.T) {
	gauss := mustFamily(t, "gaussian")
	nan := float32(math.NaN())
	for name, c := range subtest.Rows(map[string]Config{
		"ball":       {Family: mustFamily(t, "ball"), Dim: 2, Lambda: 1},
		"expinf":     {Family: mustFamily(t, "expinf"), Dim: 2, Lambda: 1},
		"no family":  {Dim: 2, Lambda: 1},
		"dim":        {Family: gauss, Lambda: 1},
		"lambda 0":   {Family: gauss, Dim: 2},
		"lambda NaN": {Family: gauss, Dim: 2, Lambda: math.NaN()},
		"lambda inf": {Family: gauss, Dim: 2, Lambda: math.Inf(1)},
		"mu length":  {Family: gauss, Dim: 2, Lambda: 1, Mu: []float32{0}},
		"mu NaN":     {Family: gauss, Dim: 2, Lambda: 1, Mu: []float32{0, nan}},
		"mu huge":    {Family: gauss, Dim: 2, Lambda: 1, Mu: []float32{0, 1000}},
		"sigma 0":    {Family: gauss, Dim: 2, Lambda: 1, Sigma: []float32{0, 1}},
		"sigma NaN":  {Family: gauss, Dim: 2, Lambda: 1, Sigma: []float32{nan, 1}},
	}) {
		t.Run(name, func(t *testing.T) {
			if n, err := New(c); err == nil || n != nil {
				t.Errorf("%s: accepted", name)
			}
		})
	}
	if _, err := New(Config{Family: mustFamily(t, "ball"), Dim: 2, Lambda: 1}); !errors.Is(err, family.ErrDomain) {
		t.Errorf("ball: %v; want ErrDomain", err)
	}
	for _, name := range family.Names() {
		want := slices.Contains([]string{"gaussian", "laplace", "uniform", "pareto"}, name)
		if _, err := New(Config{Family: mustFamily(t, name), Dim: 2, Lambda: 1}); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPixels(t *testing.T) {
	x := make([]float32, 256)
	for k := range x {
		x[k] = float32(k) / 255 // division in float32: may differ from Value by an ulp
	}
	p, err := Pixels(x)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range p {
		if int(v) != k {
			t.Errorf("%d/255 read as %d", k, v)
		}
	}
	for _, bad := range []float32{0.5, -0.001, 1.001, float32(math.NaN()), float32(math.Inf(1)), 100.3 / 255} {
		if _, err := Pixels([]float32{bad}); err == nil {
			t.Errorf("%v accepted", bad)
		}
	}
}

func TestSampleIsReproducible(t *testing.T) {
	const dim = 300
	n := mustNoise(t, Config{Family: mustFamily(t, "pareto"), Dim: dim, Lambda: 0.1})
	x := make([]uint8, dim)
	a, b := make([]float32, dim), make([]float32, dim)
	key := stream.New(1, [32]byte{}, stream.Estimate)
	s1, s2 := key.Source(4), key.Source(4)
	n.Sample(a, x, &s1)
	n.Sample(b, x, &s2)
	if !slices.Equal(a, b) {
		t.Error("one source, two samples")
	}
	src := new(stream.Source)
	if allocs := testing.AllocsPerRun(10, func() { *src = key.Source(5); n.Sample(a, x, src) }); allocs != 0 {
		t.Errorf("%v allocations per sample", allocs)
	}
}

func BenchmarkSample(b *testing.B) {
	for _, levels := range []int{1, 64} {
		for _, dim := range []int{784, 3072, 150528} {
			b.Run(fmt.Sprintf("levels=%d/n=%d", levels, dim), func(b *testing.B) {
				sigma := make([]float32, dim)
				for i := range sigma {
					sigma[i] = 0.5 + float32(i%levels)/64
				}
				n := mustNoise(b, Config{Family: mustFamily(b, "gaussian"), Dim: dim, Lambda: 0.25, Sigma: sigma})
				x, dst := make([]uint8, dim), make([]float32, dim)
				key := stream.New(1, [32]byte{}, stream.Estimate)
				src := new(stream.Source)
				i := uint64(0)
				b.ResetTimer()
				for range b.N {
					*src = key.Source(i)
					n.Sample(dst, x, src)
					i++
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(dim), "ns/value")
			})
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for _, name := range []string{"gaussian", "laplace", "uniform", "pareto"} {
		b.Run("family="+name, func(b *testing.B) {
			for b.Loop() {
				mustNoise(b, Config{Family: mustFamily(b, name), Dim: 1, Lambda: 0.25})
			}
		})
	}
}
