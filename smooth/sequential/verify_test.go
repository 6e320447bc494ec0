package sequential

import (
	"math/rand/v2"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth/stats"
)

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
			if p, err := Verify(plan, tables, r.Rejected); err != nil || p != claimed(plan, r) {
				t.Fatalf("q=%g: %+v: %v, %v", q, r, p, err)
			}
			// One failure more than the critical number is refused.
			for i := range r.Rejected {
				forged := append([]Rejection(nil), r.Rejected...)
				tab, err := plan.table(i, tables)
				if err != nil {
					t.Fatal(err)
				}
				forged[i].Failures = tab.Critical(lookOf(tab, forged[i].N)) + 1
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
	for name, c := range subtest.Rows(map[string][]Rejection{
		"gap":               {{0, 100, 5}, {2, 300, 20}},
		"order":             {{1, 100, 5}, {0, 100, 5}},
		"not a look":        {{0, 150, 5}},
		"back in time":      {{0, 300, 20}, {1, 100, 5}},
		"failures vanish":   {{0, 100, 5}, {1, 200, 4}},
		"failures too fast": {{0, 100, 5}, {1, 200, 106}},
		"same look differs": {{0, 100, 5}, {1, 100, 6}},
		"negative":          {{0, 100, -3}},
		"too many levels":   {{0, 900, 0}, {1, 900, 0}, {2, 900, 0}, {3, 900, 0}, {4, 900, 0}},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := Verify(plan, tables, c); err == nil {
				t.Errorf("%s: passes", name)
			}
		})
	}
	if p, err := Verify(plan, tables, nil); err != nil || p != 0 {
		t.Errorf("no claims: %v, %v", p, err)
	}
	if _, err := Verify(Plan{}, tables, nil); err == nil {
		t.Error("an invalid plan passes")
	}
}

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
				t.Fatalf("%+v passes with a bound of %v, %v", c, l, err)
			}
		}
	})
}
