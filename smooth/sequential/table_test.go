package sequential

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"ucan/fixtures/shared"
	"ucan/smooth/stats"
)

func TestTablesSharedReference(t *testing.T) {
	var ref struct {
		Rows []struct {
			Z, Alpha, Rho, Growth float64
			Batch, Cap            int64
			Looks                 []int64
			Critical              []int64 `json:"critical_failures"`
		}
	}
	shared.ReadJSON(t, &ref, "reference", "group_sequential.json")
	if len(ref.Rows) < 20 {
		t.Fatalf("%d rows", len(ref.Rows))
	}
	for _, r := range ref.Rows {
		tab, err := newTable(stats.NormalCDFUpper(r.Z), r.Alpha, Schedule{Cap: r.Cap, Batch: r.Batch, Growth: r.Growth, Rho: r.Rho})
		if err != nil {
			t.Fatal(err)
		}
		if tab.Len() != len(r.Looks) {
			t.Fatalf("z=%g cap=%d: %d looks, want %d", r.Z, r.Cap, tab.Len(), len(r.Looks))
		}
		for k := range r.Looks {
			if tab.Look(k) != r.Looks[k] || tab.Critical(k) != r.Critical[k] {
				t.Errorf("z=%g alpha=%g rho=%g cap=%d look %d: n=%d c=%d, want n=%d c=%d", r.Z, r.Alpha, r.Rho, r.Cap, k,
					tab.Look(k), tab.Critical(k), r.Looks[k], r.Critical[k])
				break
			}
		}
		if tab.spent > r.Alpha || tab.spent < 0.97*r.Alpha {
			t.Errorf("z=%g alpha=%g: spends %v", r.Z, r.Alpha, tab.spent)
		}
	}
}

// TestTableVectors holds the vectors published with the method: alpha .001,
// rho 2.5, b 100, cap 100,000. They were cross-checked there with a second
// implementation and by Monte Carlo.
func TestTableVectors(t *testing.T) {
	for z, want := range map[float64]map[int64]int64{
		0: {100: 28, 2100: 955, 8600: 4116, 100000: 49398},
		1: {100: 2, 2100: 266, 8600: 1231, 100000: 15427},
		3: {100000: 93},
	} {
		tab, err := NewTables().Get(stats.NormalCDFUpper(z), 0.001, Default().Schedule)
		if err != nil {
			t.Fatal(err)
		}
		if tab.Len() != 102 {
			t.Fatalf("%d looks, want 102", tab.Len())
		}
		for n, c := range want {
			k := lookOf(tab, n)
			if k < 0 || tab.Critical(k) != c {
				t.Errorf("z=%g n=%d: look %d, critical number %d, want %d", z, n, k, tab.Critical(max(k, 0)), c)
			}
		}
	}
}

// exactCrossing is a second implementation: sample by sample, without trimming or
// convolution, it returns P[crossed by look k] for each k at failure rate q.
func exactCrossing(looks, critical []int64, q float64) []float64 {
	v := make([]float64, looks[len(looks)-1]+1)
	v[0] = 1
	crossed, out, k := 0.0, make([]float64, len(looks)), 0
	for n := int64(1); k < len(looks); n++ {
		for f := n; f > 0; f-- {
			v[f] = v[f]*(1-q) + v[f-1]*q
		}
		v[0] *= 1 - q
		if n == looks[k] {
			for f := int64(0); f <= critical[k]; f++ {
				crossed += v[f]
				v[f] = 0
			}
			out[k] = crossed
			k++
		}
	}
	return out
}

// TestTableAgainstSampleBySample checks, on small schedules, that the crossing
// probability by each look is within its budget, that the table's own account
// agrees, and that no critical number could be one larger.
func TestTableAgainstSampleBySample(t *testing.T) {
	for _, c := range []struct {
		z, alpha float64
		s        Schedule
	}{
		{0, 0.05, Schedule{Cap: 300, Batch: 20, Growth: 0.1, Rho: 2}},
		{0.7, 0.001, Schedule{Cap: 1500, Batch: 50, Growth: 0.2, Rho: 2.5}},
		{1.5, 1e-6, Schedule{Cap: 1200, Batch: 100, Growth: 0.05, Rho: 3}},
		{2, MinAlpha, Schedule{Cap: 1000, Batch: 100, Growth: 0.3, Rho: 1}},
		{0.3, 0.01, Schedule{Cap: 60, Batch: 100, Growth: 0.05, Rho: 2.5}}, // one look
	} {
		p := stats.NormalCDFUpper(c.z)
		tab, err := newTable(p, c.alpha, c.s)
		if err != nil {
			t.Fatal(err)
		}
		exact := exactCrossing(tab.looks, tab.critical, 1-p)
		final := exact[len(exact)-1]
		if final > c.alpha || math.Abs(final-tab.spent) > 1e-6*c.alpha+1e-9*final {
			t.Errorf("%+v: crossing probability %v, the table says %v", c, final, tab.spent)
		}
		if final > tab.spent*(1+1e-10) {
			t.Errorf("%+v: the account %v is below the exact crossing probability %v", c, tab.spent, final)
		}
		for k, n := range tab.looks {
			frac := 1.0
			if k < tab.Len()-1 {
				frac = 0.01 + 0.99*math.Pow(math.Log(float64(n)/float64(tab.looks[0]))/math.Log(float64(c.s.Cap)/float64(tab.looks[0])), c.s.Rho)
			}
			// Trimmed cells may exceed a budget by a hair.
			if exact[k] > c.alpha*frac*(1+1e-6) {
				t.Errorf("%+v look %d: crossed %v, budget %v", c, k, exact[k], c.alpha*frac)
			}
			more := append([]int64(nil), tab.critical...)
			more[k]++
			if e := exactCrossing(tab.looks[:k+1], more[:k+1], 1-p)[k]; e < c.alpha*frac*(1-1e-2) && e > exact[k]*(1+1e-9) && e < c.alpha*frac-2e-12 {
				t.Errorf("%+v look %d: critical number %d could be larger: %v of %v", c, k, tab.critical[k], e, c.alpha*frac)
			}
		}
	}
}

func TestTableRefusals(t *testing.T) {
	ok := Default().Schedule
	for _, c := range []struct {
		p, alpha float64
		s        Schedule
	}{
		{0.49, 0.01, ok}, {1, 0.01, ok}, {math.NaN(), 0.01, ok}, {0.5, MinAlpha / 2, ok}, {0.5, 1, ok}, {0.5, math.NaN(), ok},
		{0.5, 0.01, Schedule{Cap: 0, Batch: 100, Growth: .05, Rho: 2}},
		{0.5, 0.01, Schedule{Cap: 100, Batch: 0, Growth: .05, Rho: 2}},
		{0.5, 0.01, Schedule{Cap: 100, Batch: 10, Growth: -1, Rho: 2}},
		{0.5, 0.01, Schedule{Cap: 100, Batch: 10, Growth: .05, Rho: math.NaN()}},
		{0.5, 0.01, Schedule{Cap: 1e6, Batch: 1, Growth: 0, Rho: 2}},
	} {
		if _, err := newTable(c.p, c.alpha, c.s); err == nil {
			t.Errorf("accepts %+v", c)
		}
	}
}

func TestTablesConcurrent(t *testing.T) {
	tables := NewTables()
	tables.size = 3
	s := Schedule{Cap: 2000, Batch: 100, Growth: 0.1, Rho: 2}
	var wg sync.WaitGroup
	got := make([][]*Table, 8)
	for g := range got {
		got[g] = make([]*Table, 3)
		wg.Go(func() {
			for i := range 3 {
				tab, err := tables.Get(0.5+0.1*float64(i), 0.01, s)
				if err != nil {
					t.Error(err)
				}
				got[g][i] = tab
			}
		})
	}
	wg.Wait()
	for g := range got {
		for i := range 3 {
			if got[g][i] != got[0][i] {
				t.Errorf("goroutine %d was given its own table %d", g, i)
			}
		}
	}
	// A fourth table pushes out the oldest; nothing grows without bound.
	if _, err := tables.Get(0.9, 0.01, s); err != nil {
		t.Fatal(err)
	}
	if len(tables.byKey) != 3 || len(tables.order) != 3 {
		t.Errorf("%d tables kept, want 3", len(tables.byKey))
	}
}

func BenchmarkTable(b *testing.B) {
	for _, z := range []float64{0, 1, 2, 3} {
		b.Run(fmt.Sprintf("z=%g", z), func(b *testing.B) {
			for b.Loop() {
				if _, err := newTable(stats.NormalCDFUpper(z), 0.001, Default().Schedule); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// lookOf is the index of the look at n samples, −1 when there is none.
func lookOf(t *Table, n int64) int {
	if k, ok := slices.BinarySearch(t.looks, n); ok {
		return k
	}
	return -1
}
