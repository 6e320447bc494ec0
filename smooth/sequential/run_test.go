package sequential

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
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
	for name, change := range subtest.Rows(map[string]func(*Plan){
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
	}) {
		t.Run(name, func(t *testing.T) {
			p := testPlan(Selected)
			change(&p)
			if _, err := NewRun(p, NewTables()); err == nil {
				t.Errorf("%s: accepted", name)
			}
		})
	}
	if _, err := NewRun(testPlan(Selected), nil); err == nil {
		t.Error("accepted without tables")
	}
	if _, err := testPlan(Selected).LevelAlpha(9, NewTables()); err == nil {
		t.Error("alpha of a level that is not there")
	}
}

func begin(t *testing.T, plan Plan, tables *Tables) *Run {
	t.Helper()
	run, err := NewRun(plan, tables)
	if err != nil {
		t.Fatal(err)
	}
	return run
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
		if p := claimed(testPlan(Selected), r); p != want {
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
	run := begin(t, plan, tables)
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
	if p, err := Verify(plan, tables, r.Rejected); err != nil || p != claimed(plan, r) {
		t.Errorf("verify: %v, %v", p, err)
	}
	for name, votes := range subtest.Rows(map[string]map[int]int64{
		"too many":      {7: 162, 3: 339},
		"fewer":         {7: 61, 3: 430},
		"class gone":    {3: 430},
		"negative":      {7: 62, 3: 430, 4: -1},
		"invalid taken": {7: 62, 3: 438},
	}) {
		t.Run(name, func(t *testing.T) {
			n, ok := run.Next()
			if !ok {
				t.Fatal("the run has stopped: nothing to refuse")
			}
			if _, err := run.ObserveVotes(n, votes); err == nil {
				t.Errorf("%s: accepted", name)
			}
		})
	}
	if leader(map[int]int64{5: 3, 2: 3, 9: 1}) != 2 || leader(nil) != -1 {
		t.Error("ties go to the lowest class, no votes to none")
	}
	// Nothing but invalid samples.
	void := begin(t, plan, tables)
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

// claimed is the bound on p_A that a result proves: the probability of the last rejected level.
func claimed(plan Plan, r Result) float64 {
	if len(r.Rejected) == 0 {
		return 0
	}
	return plan.Levels[len(r.Rejected)-1]
}
