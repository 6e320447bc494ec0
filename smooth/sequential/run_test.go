package sequential

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"ucan/smooth/stats"
)

func testPlan(mode Mode) Plan {
	return Plan{
		Levels:  []float64{0.5, stats.NormalCDFUpper(0.5), stats.NormalCDFUpper(1), stats.NormalCDFUpper(2)},
		Alpha:   0.001,
		Profile: Default().WithCap(10_000),
		Mode:    mode,
	}
}

func TestLooks(t *testing.T) {
	looks, err := Default().Looks()
	if err != nil {
		t.Fatal(err)
	}
	if len(looks) != 102 || looks[0] != 100 || looks[101] != 100_000 {
		t.Errorf("%d looks from %d to %d", len(looks), looks[0], looks[len(looks)-1])
	}
	// 30·100 → step 1.5 rounds to 2; 50·100 → 2.5 rounds to 2 (ties to even).
	for i, n := range looks {
		if n == 3000 && looks[i+1] != 3200 || n == 5000 && looks[i+1] != 5200 {
			t.Errorf("after %d comes %d", n, looks[i+1])
		}
	}
	if strict, err := Strict().Looks(); err != nil || len(strict) != 110 {
		t.Errorf("strict has %d looks, %v", len(strict), err)
	}
	if one, err := Default().WithCap(30).Looks(); err != nil || len(one) != 1 || one[0] != 30 {
		t.Errorf("cap below the unit: %v, %v", one, err)
	}
}

func TestProfiles(t *testing.T) {
	for _, p := range []Profile{Strict(), Default(), Fast()} {
		got, err := ParseProfile(p.Name)
		if err != nil || got != p {
			t.Errorf("%s parses to %+v, %v", p.Name, got, err)
		}
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
	}
	if _, err := ParseProfile("quick"); err == nil || !strings.Contains(err.Error(), "strict, default or fast") {
		t.Errorf("unknown profile: %v", err)
	}
	if err := (Profile{Schedule: Schedule{}, Gamma: 2}).Validate(); err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("want four faults, got %v", err)
	}
}

func TestPlanValidate(t *testing.T) {
	for name, change := range map[string]func(*Plan){
		"no levels":       func(p *Plan) { p.Levels = nil },
		"descending":      func(p *Plan) { p.Levels = []float64{0.7, 0.6} },
		"equal":           func(p *Plan) { p.Levels = []float64{0.7, 0.7} },
		"below half":      func(p *Plan) { p.Levels = []float64{0.4} },
		"one":             func(p *Plan) { p.Levels = []float64{0.5, 1} },
		"NaN":             func(p *Plan) { p.Levels = []float64{math.NaN()} },
		"alpha tiny":      func(p *Plan) { p.Alpha = 1e-10 },
		"alpha one":       func(p *Plan) { p.Alpha = 1 },
		"no mode":         func(p *Plan) { p.Mode = "" },
		"cap":             func(p *Plan) { p.Profile.Cap = 0 },
		"leading, no 1/2": func(p *Plan) { p.Mode, p.Levels = Leading, []float64{0.7} },
		"leading, alpha":  func(p *Plan) { p.Mode, p.Alpha = Leading, MinAlpha },
	} {
		p := testPlan(Selected)
		change(&p)
		if _, err := NewRun(p, NewTables()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := NewRun(testPlan(Selected), nil); err == nil {
		t.Error("accepted without tables")
	}
	if _, err := testPlan(Selected).LevelAlpha(9, NewTables()); err == nil {
		t.Error("alpha of a level that is not there")
	}
}

// feed gives the run failures = round(q·n) at each look.
func feed(t *testing.T, r *Run, q float64) Result {
	t.Helper()
	for n, ok := r.Next(); ok; n, ok = r.Next() {
		if _, err := r.Observe(n, int64(math.Round(q*float64(n)))); err != nil {
			t.Fatal(err)
		}
	}
	return r.Result()
}

func TestRunStops(t *testing.T) {
	tables := NewTables()
	for _, c := range []struct {
		q        float64
		stop     StopReason
		rejected int
		most     int64
	}{
		{0, StopTop, 4, 1000},      // never fails: the top, early
		{0.7, StopFutile, 0, 300},  // hopeless: given up at once
		{0.22, StopFutile, 2, 5e3}, // between levels 1 (.31) and 2 (.16)
	} {
		run, err := NewRun(testPlan(Selected), tables)
		if err != nil {
			t.Fatal(err)
		}
		r := feed(t, run, c.q)
		if r.Stop != c.stop || len(r.Rejected) != c.rejected || r.N > c.most {
			t.Errorf("q=%g: %+v", c.q, r)
		}
		if _, ok := run.Next(); ok {
			t.Errorf("q=%g: a stopped run asks for more", c.q)
		}
		if _, err := run.Observe(r.N+100, r.Failures); err == nil {
			t.Errorf("q=%g: a stopped run takes more", c.q)
		}
		want := 0.0
		if c.rejected > 0 {
			want = testPlan(Selected).Levels[c.rejected-1]
		}
		if p := r.PLower(testPlan(Selected)); p != want {
			t.Errorf("q=%g: p_lower %v, want %v", c.q, p, want)
		}
	}
	// Right on the edge of a level, without futility, the cap ends the run.
	p := testPlan(Selected)
	p.Profile.Gamma = 0
	p.Levels = p.Levels[:2]
	run, err := NewRun(p, tables)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := p.table(1, tables)
	if err != nil {
		t.Fatal(err)
	}
	if r := feed(t, run, float64(tab.Critical(tab.Len()-1)+10)/10_000); r.Stop != StopCap || r.N != 10_000 {
		t.Errorf("on the edge: %+v", r)
	}
}

func TestRunRefusesImpossibleCounts(t *testing.T) {
	run, err := NewRun(testPlan(Selected), NewTables())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Observe(100, 10); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ n, f int64 }{{200, 9}, {200, 111}, {200, -1}, {300, 20}, {100, 10}} {
		before := run.Result()
		if _, err := run.Observe(c.n, c.f); err == nil {
			t.Errorf("accepts %d failures among %d after 10 among 100", c.f, c.n)
		}
		if after := run.Result(); after.N != before.N || after.Failures != before.Failures {
			t.Errorf("a refused look changed the run")
		}
	}
	if _, err := run.ObserveVotes(200, map[int]int64{1: 190}); err == nil {
		t.Error("votes accepted where the class is fixed")
	}
	if d, err := run.Observe(200, 20); err != nil || d.Rejected == 0 {
		t.Errorf("after refusals: %+v, %v", d, err)
	}
}

func TestLeading(t *testing.T) {
	tables := NewTables()
	plan := testPlan(Leading)
	run, err := NewRun(plan, tables)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Observe(100, 5); err == nil {
		t.Error("failures accepted where votes are needed")
	}
	// The lead changes before anything is rejected; then class 3 wins.
	steps := []map[int]int64{{7: 51, 3: 48}, {7: 60, 3: 138}, {7: 62, 3: 235}, {7: 62, 3: 334}}
	for i, votes := range steps {
		n, ok := run.Next()
		if !ok {
			t.Fatalf("stopped before step %d", i)
		}
		d, err := run.ObserveVotes(n, votes)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 && (d.Rejected != 0 || run.Result().Class != 7) {
			t.Errorf("first look: %+v, class %d", d, run.Result().Class)
		}
	}
	r := run.Result()
	if r.Class != 3 || len(r.Rejected) < 2 || r.Failures != r.N-steps[3][3] {
		t.Errorf("%+v", r)
	}
	if p, err := Verify(plan, tables, r.Rejected); err != nil || p != r.PLower(plan) {
		t.Errorf("verify: %v, %v", p, err)
	}
	for name, votes := range map[string]map[int]int64{
		"too many":      {7: 162, 3: 339},
		"fewer":         {7: 61, 3: 430},
		"class gone":    {3: 430},
		"negative":      {7: 62, 3: 430, 4: -1},
		"invalid taken": {7: 62, 3: 438},
	} {
		if n, ok := run.Next(); ok {
			if _, err := run.ObserveVotes(n, votes); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	}
	if leader(map[int]int64{5: 3, 2: 3, 9: 1}) != 2 || leader(nil) != -1 {
		t.Error("ties go to the lowest class, no votes to none")
	}
	// Nothing but invalid samples.
	void, err := NewRun(plan, tables)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := void.ObserveVotes(100, nil); err != nil || d.Stop != StopFutile || void.Result().Class != -1 {
		t.Errorf("no votes at all: %+v, %v", d, err)
	}
}

// TestLeadingAlphas: alpha/2, alpha/2, then nearly alpha; the published lead of
// the method is 46.
func TestLeadingAlphas(t *testing.T) {
	tables := NewTables()
	plan := testPlan(Leading)
	plan.Profile = Default()
	var a [4]float64
	for j := range a {
		var err error
		if a[j], err = plan.LevelAlpha(j, tables); err != nil {
			t.Fatal(err)
		}
	}
	if a[0] != 0.0005 || a[1] != 0.0005 {
		t.Errorf("first two levels: %v", a)
	}
	// (2(1−p_1))^46 with p_1 = Φ(.5) = .691: 2.4e-10; the loss is half of that.
	want := 0.0005 * math.Pow(2*(1-plan.Levels[1]), 46)
	if loss := 0.001 - a[2]; math.Abs(loss-want) > 1e-6*want {
		t.Errorf("level 2 gives up %v, want %v", loss, want)
	}
	if a[3] != 0.001 {
		t.Errorf("level 3 has %v", a[3])
	}
}

func TestVerify(t *testing.T) {
	tables := NewTables()
	plan := testPlan(Selected)
	rng := rand.New(rand.NewPCG(4, 2))
	for _, q := range []float64{0.002, 0.1, 0.2, 0.45, 0.6} {
		s := newStream(q)
		for range 20 {
			r, err := simulate(plan, tables, s, rng)
			if err != nil {
				t.Fatal(err)
			}
			if p, err := Verify(plan, tables, r.Rejected); err != nil || p != r.PLower(plan) {
				t.Fatalf("q=%g: %+v: %v, %v", q, r, p, err)
			}
			// One failure more than the critical number is refused.
			for i := range r.Rejected {
				forged := append([]Rejection(nil), r.Rejected...)
				tab, err := plan.table(i, tables)
				if err != nil {
					t.Fatal(err)
				}
				forged[i].Failures = tab.Critical(tab.lookOf(forged[i].N)) + 1
				if _, err := Verify(plan, tables, forged); err == nil {
					t.Fatalf("q=%g: level %d of %+v passes", q, i, forged)
				}
			}
		}
	}
	good := []Rejection{{0, 100, 5}, {1, 100, 5}, {2, 300, 20}}
	if p, err := Verify(plan, tables, good); err != nil || p != plan.Levels[2] {
		t.Fatalf("%v, %v", p, err)
	}
	for name, c := range map[string][]Rejection{
		"gap":               {{0, 100, 5}, {2, 300, 20}},
		"order":             {{1, 100, 5}, {0, 100, 5}},
		"not a look":        {{0, 150, 5}},
		"back in time":      {{0, 300, 20}, {1, 100, 5}},
		"failures vanish":   {{0, 100, 5}, {1, 200, 4}},
		"failures too fast": {{0, 100, 5}, {1, 200, 106}},
		"same look differs": {{0, 100, 5}, {1, 100, 6}},
		"negative":          {{0, 100, -3}},
		"too many levels":   {{0, 900, 0}, {1, 900, 0}, {2, 900, 0}, {3, 900, 0}, {4, 900, 0}},
	} {
		if _, err := Verify(plan, tables, c); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
	if p, err := Verify(plan, tables, nil); err != nil || p != 0 {
		t.Errorf("no claims: %v, %v", p, err)
	}
	if _, err := Verify(Plan{}, tables, nil); err == nil {
		t.Error("an invalid plan passes")
	}
}

func TestPredictReject(t *testing.T) {
	// Even odds when the rate so far is the rate allowed.
	if p := PredictReject(1000, 100, 10000, 1000); math.Abs(p-0.5) > 0.02 {
		t.Errorf("on the line: %v", p)
	}
	if PredictReject(1000, 1001, 10000, 1000) != 0 || PredictReject(1000, 0, 1500, 600) != 1 {
		t.Error("decided cases")
	}
	prev := 1.0
	for f := int64(0); f <= 300; f += 10 {
		p := PredictReject(1000, f, 10000, 1000)
		if p > prev || p < 0 || math.IsNaN(p) {
			t.Errorf("f=%d: %v after %v", f, p, prev)
		}
		prev = p
	}
	// The predictive probability against simulation under a uniform prior.
	rng := rand.New(rand.NewPCG(6, 6))
	n, f, limit, total := int64(500), int64(60), int64(650), int64(5000)
	hits := 0
	const runs = 4000
	for range runs {
		// Beta(f+1/2, n−f+1/2) by its normal approximation on the logit scale.
		a, b := float64(f)+0.5, float64(n-f)+0.5
		l := math.Log(a/b) + rng.NormFloat64()*math.Sqrt(1/a+1/b)
		if f+newBinomial(total-n, 1/(1+math.Exp(-l))).draw(rng) <= limit {
			hits++
		}
	}
	if sim, p := float64(hits)/runs, PredictReject(n, f, total, limit); math.Abs(sim-p) > 0.03 {
		t.Errorf("predicted %.3f, simulated %.3f", p, sim)
	}
}

func TestAnytime(t *testing.T) {
	p := stats.NormalCDFUpper(1)
	a, err := NewAnytime(p, 0.001, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	// E starts at 1 and is a mixture: the weights add to 1.
	if l := a.LogE(0, 0); math.Abs(l) > 1e-12 {
		t.Errorf("ln E at the start is %v", l)
	}
	// The expectation over one sample at p_A = p is 1: a martingale.
	q := 1 - p
	if e := p*math.Exp(a.LogE(1, 0)) + q*math.Exp(a.LogE(1, 1)); math.Abs(e-1) > 1e-12 {
		t.Errorf("expected E after one sample is %v", e)
	}
	for _, n := range []int64{100, 2100, 50_000} {
		c := a.Critical(n)
		if !a.Rejects(n, c) || a.Rejects(n, c+1) {
			t.Errorf("n=%d: critical number %d is not the edge", n, c)
		}
	}
	if a.Critical(1) != -1 || a.Rejects(0, 0) || a.Rejects(10, 11) || a.Rejects(10, -1) {
		t.Error("impossible or worthless counts reject")
	}
	for _, c := range []struct {
		p, alpha float64
		h        int64
	}{{0.4, 0.1, 10}, {1, 0.1, 10}, {0.5, 0, 10}, {0.5, 1, 10}, {0.5, 0.1, 0}, {math.NaN(), 0.1, 10}} {
		if _, err := NewAnytime(c.p, c.alpha, c.h); err == nil {
			t.Errorf("accepts %+v", c)
		}
	}
}

func TestTwoStage(t *testing.T) {
	two := DefaultTwoStage()
	last := int64(math.MaxInt64)
	for f := range int64(100) {
		n, err := two.Size(f)
		if err != nil || n > last || n < 100 || n > two.Cap {
			t.Fatalf("%d failures: %d samples after %d, %v", f, n, last, err)
		}
		last = n
	}
	// q = .5/201, z = 2.8072, s = √(q(1−q))/φ(z) = 6.42; 5000·6.42^(2/3).
	if n, err := two.Size(0); err != nil || math.Abs(float64(n)-17270) > 60 {
		t.Errorf("no failures: %d, %v", n, err)
	}
	if n, err := two.Size(150); err != nil || n != 100 {
		t.Errorf("hopeless: %d, %v", n, err)
	}
	for _, bad := range []struct {
		s TwoStage
		f int64
	}{{two, -1}, {two, 201}, {TwoStage{0, 5000, 1000}, 0}, {TwoStage{200, 0, 1000}, 0}, {TwoStage{200, math.Inf(1), 1000}, 0}, {TwoStage{200, 5000, 99}, 0}} {
		if _, err := bad.s.Size(bad.f); err == nil {
			t.Errorf("accepts %+v", bad)
		}
	}
}

var errFuzz = errors.New("fuzz")

// FuzzVerify: whatever is claimed, Verify passes only counts within the table.
func FuzzVerify(f *testing.F) {
	tables := NewTables()
	plan := testPlan(Selected)
	f.Add(int64(100), int64(5), int64(300), int64(20))
	f.Fuzz(func(t *testing.T, n0, f0, n1, f1 int64) {
		claims := []Rejection{{0, n0, f0}, {1, n1, f1}}
		if _, err := Verify(plan, tables, claims); err != nil {
			return
		}
		for j, c := range claims {
			l, err := stats.ClopperPearsonLower(c.N-c.Failures, c.N, 0.05)
			if err != nil || l < plan.Levels[j]-0.2 {
				t.Fatal(fmt.Errorf("%w: %+v passes with a bound of %v, %v", errFuzz, c, l, err))
			}
		}
	})
}

func ExampleRun() {
	// Is p_A above 1/2, and above Φ(1)? A classifier that fails 4 times in 100.
	plan := Plan{Levels: []float64{0.5, stats.NormalCDFUpper(1)}, Alpha: 0.001, Profile: Default(), Mode: Selected}
	run, err := NewRun(plan, NewTables())
	if err != nil {
		fmt.Println(err)
		return
	}
	for n, ok := run.Next(); ok; n, ok = run.Next() {
		d, err := run.Observe(n, n*4/100)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d samples: %d levels rejected, stop %q\n", n, d.Rejected, d.Stop)
	}
	// Output:
	// 100 samples: 1 levels rejected, stop ""
	// 200 samples: 2 levels rejected, stop "top"
}
