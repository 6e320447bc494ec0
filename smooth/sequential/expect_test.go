package sequential

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestExpectAgainstSimulation compares the forward computation with the state
// machine itself.
func TestExpectAgainstSimulation(t *testing.T) {
	tables := NewTables()
	plan := testPlan(Selected)
	const runs = 4000
	for _, pA := range []float64{0.45, 0.52, 0.69, 0.8, 0.9, 0.98, 0.9999, 1} {
		e, err := Expect(plan, tables, pA)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(8, 8))
		s := newStream(1 - pA)
		var sum, square float64
		hits := make([]float64, len(plan.Levels))
		for range runs {
			r, err := simulate(plan, tables, s, rng)
			if err != nil {
				t.Fatal(err)
			}
			sum += float64(r.N)
			square += float64(r.N) * float64(r.N)
			for j := range r.Rejected {
				hits[j]++
			}
		}
		mean := sum / runs
		se := math.Sqrt(math.Max(square/runs-mean*mean, 0) / runs)
		if math.Abs(mean-e.Samples) > 4*se+1e-6*mean {
			t.Errorf("p=%g: expected %.1f samples, simulated %.1f ± %.1f", pA, e.Samples, mean, se)
		}
		for j, h := range hits {
			if sd := math.Sqrt(e.Reject[j]*(1-e.Reject[j])/runs) + 1e-9; math.Abs(h/runs-e.Reject[j]) > 4*sd {
				t.Errorf("p=%g level %d: expected %.4f, simulated %.4f", pA, j, e.Reject[j], h/runs)
			}
		}
	}
}

// TestExpectOnTheLevel: with p_A on level 0 and futility off, level 0 is rejected
// exactly as often as the table spends.
func TestExpectOnTheLevel(t *testing.T) {
	tables := NewTables()
	plan := testPlan(Selected)
	plan.Levels = plan.Levels[:1]
	plan.Profile.Gamma = 0
	e, err := Expect(plan, tables, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := plan.table(0, tables)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(e.Reject[0]-tab.spent) > 1e-6*tab.spent {
		t.Errorf("level 0 rejected with probability %v, the table spends %v", e.Reject[0], tab.spent)
	}
}

func TestExpectRefusals(t *testing.T) {
	tables := NewTables()
	if _, err := Expect(testPlan(Leading), tables, 0.9); err == nil {
		t.Error("mode Leading accepted")
	}
	if _, err := Expect(Plan{}, tables, 0.9); err == nil {
		t.Error("an invalid plan accepted")
	}
	for _, p := range []float64{-0.1, 1.1, math.NaN()} {
		if _, err := Expect(testPlan(Selected), tables, p); err == nil {
			t.Errorf("p_A = %v accepted", p)
		}
	}
}

func ExampleExpect() {
	plan := Plan{Levels: []float64{0.5, 0.9, 0.99}, Alpha: 0.001, Profile: Default(), Mode: Selected}
	e, err := Expect(plan, NewTables(), 0.95)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.0f samples; levels %.4f\n", e.Samples, e.Reject)
	// Output: 604 samples; levels [1.0000 1.0000 0.0000]
}

func BenchmarkExpect(b *testing.B) {
	tables := NewTables()
	plan := testPlan(Selected)
	plan.Profile = Default()
	for _, p := range []float64{0.5, 0.8, 0.99} {
		b.Run(fmt.Sprintf("p=%g", p), func(b *testing.B) {
			for b.Loop() {
				if _, err := Expect(plan, tables, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
