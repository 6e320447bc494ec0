package sequential

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"ucan/smooth/stats"
)

// certified is the certified accuracy per radius, in points.
type certified []float64

// outcome is what a method cost and certified on a log, over all repetitions.
type outcome struct {
	samples float64     // per image, selection included
	acc     certified   // expected
	perRun  []certified // each repetition
}

// fixedN is the baseline: n0 = 100, then Clopper–Pearson at n, alpha .001.
func fixedN(tb testing.TB, l published, n int64, alpha float64, reps int, seed uint64) outcome {
	tb.Helper()
	need := make([]int64, len(l.levels)) // votes that certify each radius
	for j, p := range l.levels {
		lo, hi := int64(0), n+1
		for hi-lo > 1 {
			mid := (lo + hi) / 2
			b, err := stats.ClopperPearsonLower(mid, n, alpha)
			if err != nil {
				tb.Fatal(err)
			}
			if b > p {
				hi = mid
			} else {
				lo = mid
			}
		}
		need[j] = hi
	}
	o := outcome{samples: float64(n + 100), acc: make(certified, len(l.radii))}
	rng := rand.New(rand.NewPCG(seed, 1))
	o.perRun = make([]certified, reps)
	for r := range o.perRun {
		o.perRun[r] = make(certified, len(l.radii))
	}
	point := 100 / float64(len(l.images))
	for _, im := range l.images {
		if !im.correct {
			continue
		}
		right := selected(tb, im.p)
		for j := range l.levels {
			s, err := stats.BinomialSurvival(need[j], n, im.p)
			if err != nil {
				tb.Fatal(err)
			}
			o.acc[j] += point * s * right
		}
		votes := newBinomial(n, im.p)
		for r := range o.perRun {
			if rng.Float64() >= right {
				continue
			}
			k := votes.draw(rng)
			for j := range need {
				if k >= need[j] {
					o.perRun[r][j] += point
				}
			}
		}
	}
	return o
}

// rival is the largest probability a runner-up to p can have.
func rival(p float64) float64 { return math.Min(p, 1-p) }

// selected is the probability that n0 = 100 samples select a class of probability
// p against one rival that has all the rest.
func selected(tb testing.TB, p float64) float64 {
	tb.Helper()
	over, err := stats.BinomialSurvival(51, 100, p)
	if err != nil {
		tb.Fatal(err)
	}
	tie, err := stats.LogBinomialPMF(50, 100, p)
	if err != nil {
		tb.Fatal(err)
	}
	return over + math.Exp(tie)/2
}

// method simulates one image: the number of levels certified for the label (0 for
// another class) and the samples used.
type method func(tb testing.TB, l published, tables *Tables, im logImage, s [2]*stream, rng *rand.Rand) (levels int, samples int64)

// adaptive is a method made of a profile and a mode, at alpha .001.
func adaptive(prof Profile, mode Mode) method {
	return func(tb testing.TB, l published, tables *Tables, im logImage, s [2]*stream, rng *rand.Rand) (int, int64) {
		plan := Plan{Levels: l.levels, Alpha: 0.001, Profile: prof, Mode: mode}
		switch mode {
		case Labelled:
			r, err := simulate(plan, tables, s[1], rng)
			if err != nil {
				tb.Fatal(err)
			}
			return len(r.Rejected), r.N
		case Leading:
			run, err := NewRun(plan, tables)
			if err != nil {
				tb.Fatal(err)
			}
			var n, f, second int64
			for next, ok := run.Next(); ok; next, ok = run.Next() {
				more := s[0].draw(next-n, rng)
				f += more
				second += drawOnce(more, rival(im.p)/(1-im.p), rng)
				n = next
				if _, err := run.ObserveVotes(n, map[int]int64{0: n - f, 1: second, 2: f - second}); err != nil {
					tb.Fatal(err)
				}
			}
			r := run.Result()
			if r.Class != 0 || !im.correct {
				return 0, r.N
			}
			return len(r.Rejected), r.N
		}
		wrong := rng.Float64() >= selected(tb, im.p)
		st := s[0]
		if wrong {
			st = newStream(1 - rival(im.p))
		}
		r, err := simulate(plan, tables, st, rng)
		if err != nil {
			tb.Fatal(err)
		}
		if wrong || !im.correct {
			return 0, r.N + 100
		}
		return len(r.Rejected), r.N + 100
	}
}

// anytime is the e-process at the looks and with the futility of a profile.
func anytime(prof Profile) method {
	return func(tb testing.TB, l published, _ *Tables, im logImage, s [2]*stream, rng *rand.Rand) (int, int64) {
		looks, err := prof.Looks()
		if err != nil {
			tb.Fatal(err)
		}
		run, err := AnytimePlan{Levels: l.levels, Alpha: 0.001, Horizon: prof.Cap}.Start()
		if err != nil {
			tb.Fatal(err)
		}
		st, wrong := s[0], rng.Float64() >= selected(tb, im.p)
		if wrong {
			st = newStream(1 - rival(im.p))
		}
		var n, f int64
		rejected := 0
		for _, next := range looks {
			f += st.draw(next-n, rng)
			n = next
			if rejected, err = run.Observe(n, f); err != nil {
				tb.Fatal(err)
			}
			patience := math.Pow(math.Min(1, float64(n)/(0.2*float64(prof.Cap))), 0.7)
			if rejected == len(l.levels) || run.Predict(prof.Cap) < prof.Gamma*patience {
				break
			}
		}
		if wrong || !im.correct {
			return 0, n + 100
		}
		return rejected, n + 100
	}
}

// exactly computes the expected cost and certified accuracy of a plan on a log by
// [Expect], without drawing anything.
func exactly(tb testing.TB, l published, tables *Tables, prof Profile, mode Mode) outcome {
	tb.Helper()
	plan := Plan{Levels: l.levels, Alpha: 0.001, Profile: prof, Mode: mode}
	seen := map[float64]Expectation{} // radii are printed to three digits
	expect := func(p float64) Expectation {
		e, ok := seen[p]
		if !ok {
			var err error
			if e, err = Expect(plan, tables, p); err != nil {
				tb.Fatal(err)
			}
			seen[p] = e
		}
		return e
	}
	o := outcome{acc: make(certified, len(l.radii))}
	for _, im := range l.images {
		p, right := im.label, 1.0
		if mode == Selected {
			p, right = im.p, selected(tb, im.p)
			o.samples += 100 + (1-right)*expect(rival(p)).Samples
		}
		e := expect(p)
		o.samples += right * e.Samples
		if im.correct {
			for j, r := range e.Reject {
				o.acc[j] += 100 * right * r / float64(len(l.images))
			}
		}
	}
	o.samples /= float64(len(l.images))
	return o
}

// measure runs a method on a log.
func measure(tb testing.TB, l published, tables *Tables, m method, reps int, seed uint64) outcome {
	tb.Helper()
	o := outcome{acc: make(certified, len(l.radii)), perRun: make([]certified, reps)}
	for r := range o.perRun {
		o.perRun[r] = make(certified, len(l.radii))
	}
	point := 100 / float64(len(l.images))
	rng := rand.New(rand.NewPCG(seed, 2))
	for _, im := range l.images {
		s := [2]*stream{newStream(1 - im.p), newStream(1 - im.label)}
		for r := range reps {
			levels, n := m(tb, l, tables, im, s, rng)
			o.samples += float64(n)
			for j := range levels {
				o.perRun[r][j] += point
				o.acc[j] += point / float64(reps)
			}
		}
	}
	o.samples /= float64(reps * len(l.images))
	return o
}

// loss is the largest shortfall in certified accuracy at any radius, in points.
func loss(base, got certified) float64 {
	worst := 0.0
	for j := range base {
		worst = math.Max(worst, base[j]-got[j])
	}
	return worst
}

// p95Loss is the 95th percentile, over repetitions, of the loss of one run against
// one independent run of the baseline.
func p95Loss(base, got []certified) float64 {
	v := make([]float64, min(len(base), len(got)))
	for r := range v {
		v[r] = loss(base[r], got[r])
	}
	slices.Sort(v)
	return v[len(v)*95/100]
}
