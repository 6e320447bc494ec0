package sequential

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ucan/smooth/stats"
)

// patient returns the profile at a small cap with futility off, so that the
// error probability is that of the boundary itself.
func patient(p Profile) Profile {
	p.Cap, p.Gamma = 10_000, 0
	return p
}

// crossings counts, of runs runs at failure rate q, those that cross the critical
// numbers at any look.
func crossings(looks, critical []int64, q float64, runs int, seed uint64) int {
	rng := rand.New(rand.NewPCG(seed, 99))
	s := newStream(q)
	count := 0
	for range runs {
		var n, f int64
		for k := range looks {
			f += s.draw(looks[k]-n, rng)
			n = looks[k]
			if f <= critical[k] {
				count++
				break
			}
		}
	}
	return count
}

// TestBoundaryErrorRate puts p_A exactly on a level, the least favourable place,
// and switches futility off. The rate of crossing must be what the table says it
// spends, which is at most alpha.
func TestBoundaryErrorRate(t *testing.T) {
	const alpha, runs = 0.05, 10000
	for _, prof := range []Profile{Strict(), Default(), Fast()} {
		for _, z := range []float64{0, 1, 2, 3} {
			p := stats.NormalCDFUpper(z)
			tab, err := newTable(p, alpha, patient(prof).Schedule)
			if err != nil {
				t.Fatal(err)
			}
			rate := float64(crossings(tab.looks, tab.critical, 1-p, runs, uint64(10*z)+1)) / runs
			sd := math.Sqrt(tab.spent * (1 - tab.spent) / runs)
			if math.Abs(rate-tab.spent) > 4*sd {
				t.Errorf("%s, z=%g: error rate %.4f, the table spends %.4f ± %.4f", prof.Name, z, rate, tab.spent, sd)
			}
			if tab.spent > alpha {
				t.Errorf("%s, z=%g: spends %v of %v", prof.Name, z, tab.spent, alpha)
			}
		}
	}
}

// naiveLooks are the critical numbers of the control: Clopper–Pearson at each look.
func naiveLooks(tb testing.TB, p, alpha float64, looks []int64) []int64 {
	tb.Helper()
	naive := make([]int64, len(looks))
	for k, n := range looks {
		// The largest F with a bound of at least p.
		lo, hi := int64(-1), n
		for hi-lo > 1 {
			mid := (lo + hi) / 2
			l, err := stats.ClopperPearsonLower(n-mid, n, alpha)
			if err != nil {
				tb.Fatal(err)
			}
			if l >= p {
				lo = mid
			} else {
				hi = mid
			}
		}
		naive[k] = lo
	}
	return naive
}

// TestNaiveLooksFail is the control: Clopper–Pearson at each look must fail the
// test that the tables pass.
func TestNaiveLooksFail(t *testing.T) {
	const alpha, runs = 0.05, 4000
	for _, z := range []float64{0, 1, 2} {
		p := stats.NormalCDFUpper(z)
		looks, err := patient(Default()).Looks()
		if err != nil {
			t.Fatal(err)
		}
		rate := float64(crossings(looks, naiveLooks(t, p, alpha, looks), 1-p, runs, 5)) / runs
		t.Logf("z=%g: naive error rate %.3f at alpha %.2f", z, rate, alpha)
		if rate < 3*alpha {
			t.Errorf("z=%g: Clopper-Pearson at each of %d looks errs at a rate of %.3f only; the test has no power", z, len(looks), rate)
		}
	}
}

// BenchmarkErrorRate prints the error rates at the full caps, p_A on the level and
// futility off, beside those of Clopper–Pearson at each look:
//
//	go test ./smooth/sequential -run '^$' -bench ErrorRate -benchtime 1x
func BenchmarkErrorRate(b *testing.B) {
	for b.Loop() {
		fmt.Printf("\n| alpha | z | runs | strict | default, fast | Clopper–Pearson at each look |\n| --- | --- | --- | --- | --- | --- |\n")
		for _, c := range []struct {
			alpha float64
			runs  int
		}{{0.01, 200_000}, {0.001, 500_000}} {
			for _, z := range []float64{0, 1, 2, 3} {
				p := stats.NormalCDFUpper(z)
				var rates []float64
				for i, prof := range []Profile{Strict(), Default()} {
					tab, err := newTable(p, c.alpha, prof.Schedule)
					if err != nil {
						b.Fatal(err)
					}
					rates = append(rates, float64(crossings(tab.looks, tab.critical, 1-p, c.runs, uint64(1000*c.alpha+10*z)+uint64(1000*i)))/float64(c.runs))
					if i == 1 {
						naive := naiveLooks(b, p, c.alpha, tab.looks)
						rates = append(rates, float64(crossings(tab.looks, naive, 1-p, c.runs/20, uint64(z)))/float64(c.runs/20))
					}
				}
				fmt.Printf("| %g | %g | %d | %.5f | %.5f | %.4f |\n", c.alpha, z, c.runs, rates[0], rates[1], rates[2])
			}
		}
	}
}

// TestPipelineErrorRate runs whole runs, futility and grid included, with p_A on
// level j. A claim of level j or above is false.
func TestPipelineErrorRate(t *testing.T) {
	const alpha, runs = 0.05, 4000
	tables := NewTables()
	levels := []float64{0.5, stats.NormalCDFUpper(0.5), stats.NormalCDFUpper(1), stats.NormalCDFUpper(2)}
	for _, prof := range []Profile{Strict(), Default(), Fast()} {
		plan := Plan{Levels: levels, Alpha: alpha, Profile: prof.WithCap(10_000), Mode: Selected}
		for j, p := range levels {
			rng := rand.New(rand.NewPCG(uint64(j), 17))
			s := newStream(1 - p)
			bad := 0
			for range runs {
				r, err := simulate(plan, tables, s, rng)
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Rejected) > j {
					bad++
				}
			}
			if rate := float64(bad) / runs; rate > alpha+4*math.Sqrt(alpha*(1-alpha)/runs) {
				t.Errorf("%s, p_A on level %d: %.4f false claims at alpha %.2f", prof.Name, j, rate, alpha)
			}
		}
	}
}

// TestLeadingErrorRate: without selection samples, a claim is false when it is
// made for a class whose probability does not exceed the level. The hardest
// cases are two classes at one half, and p_A on a level with one rival.
func TestLeadingErrorRate(t *testing.T) {
	const alpha, runs = 0.05, 6000
	tables := NewTables()
	levels := []float64{0.5, stats.NormalCDFUpper(0.25), stats.NormalCDFUpper(1)}
	plan := Plan{Levels: levels, Alpha: alpha, Profile: patient(Default()), Mode: Leading}
	uncorrected := plan
	uncorrected.Mode = Selected
	for _, c := range []struct {
		p []float64
		// wrong is true where reuse without correction must be seen to fail
		wrong bool
	}{
		{p: []float64{0.5, 0.5}, wrong: true},
		{p: []float64{levels[1], 1 - levels[1]}},
		{p: []float64{levels[2], 1 - levels[2]}},
		{p: []float64{0.4, 0.3, 0.3}},
	} {
		rng := rand.New(rand.NewPCG(7, 8))
		streams := map[float64]*stream{}
		bad, badPlain := 0, 0
		for range runs {
			// The votes of all classes by a chain of binomials.
			votes := make(map[int]int64, len(c.p))
			r, err := NewRun(plan, tables)
			if err != nil {
				t.Fatal(err)
			}
			plainBad := false
			var n int64
			for next, ok := r.Next(); ok; next, ok = r.Next() {
				left, mass := next-n, 1.0
				for i, p := range c.p {
					var v int64
					if share := p / mass; i == len(c.p)-1 {
						v = left
					} else {
						if streams[share] == nil {
							streams[share] = newStream(share)
						}
						v = streams[share].draw(left, rng)
					}
					votes[i] += v
					left -= v
					mass -= p
				}
				n = next
				if c.wrong {
					// Uncorrected: the leader of these counts tested at alpha.
					tab, err := uncorrected.table(0, tables)
					if err != nil {
						t.Fatal(err)
					}
					if n-votes[leader(votes)] <= tab.Critical(lookOf(tab, n)) {
						plainBad = true
					}
				}
				if _, err := r.ObserveVotes(n, votes); err != nil {
					t.Fatal(err)
				}
			}
			if res := r.Result(); len(res.Rejected) > 0 && c.p[res.Class] <= levels[len(res.Rejected)-1] {
				bad++
			}
			if plainBad {
				badPlain++
			}
		}
		limit := alpha + 4*math.Sqrt(alpha*(1-alpha)/runs)
		rate := float64(bad) / runs
		t.Logf("p=%v: error rate %.4f", c.p, rate)
		if c.wrong {
			t.Logf("p=%v: reuse without correction %.4f", c.p, float64(badPlain)/runs)
		}
		if rate > limit {
			t.Errorf("p=%v: error rate %.4f at alpha %.2f", c.p, rate, alpha)
		}
		if c.wrong && float64(badPlain)/runs <= limit {
			t.Errorf("p=%v: reusing the counts without correction errs at %.4f only; the test has no power", c.p, float64(badPlain)/runs)
		}
	}
}

// TestAnytimeErrorRate: p_A on the level, looked at after every ten samples and
// far past the horizon.
func TestAnytimeErrorRate(t *testing.T) {
	const alpha, runs = 0.05, 3000
	for _, z := range []float64{0, 1, 2.5} {
		p := stats.NormalCDFUpper(z)
		a, err := NewAnytime(p, alpha, 1000)
		if err != nil {
			t.Fatal(err)
		}
		var looks, critical []int64
		for n := int64(10); n <= 5000; n += 10 {
			looks = append(looks, n)
			critical = append(critical, a.Critical(n))
		}
		rate := float64(crossings(looks, critical, 1-p, runs, 3)) / runs
		t.Logf("z=%g: error rate %.4f", z, rate)
		if rate > alpha+4*math.Sqrt(alpha*(1-alpha)/runs) {
			t.Errorf("z=%g: error rate %.4f at alpha %.2f", z, rate, alpha)
		}
		if rate < alpha/10 {
			t.Errorf("z=%g: error rate %.4f: the test has no power", z, rate)
		}
	}
}
