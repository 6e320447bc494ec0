package dataset

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// answers simulates a model that is right with probability acc, else says any
// class; rename is applied to what it says.
func answers(rng *rand.Rand, labels []int, classes int, acc float64, rename func(int) int) []int {
	out := make([]int, len(labels))
	for i, l := range labels {
		if rng.Float64() >= acc {
			l = rng.IntN(classes)
		}
		out[i] = rename(l)
	}
	return out
}

func same(c int) int { return c }

func cyclic(n, classes int) []int {
	labels := make([]int, n)
	for i := range labels {
		labels[i] = i * 7 % classes
	}
	return labels
}

func TestCleanCheck(t *testing.T) {
	swap := func(c int) int {
		if c == 3 || c == 5 {
			return 8 - c
		}
		return c
	}
	cat := make([]int, 200) // a folder source begins with one class only
	for _, tc := range []struct {
		name    string
		labels  []int
		classes int
		acc     float64
		rename  func(int) int
		want    CleanVerdict
		cause   string
	}{
		{"good", cyclic(200, 10), 10, 0.95, same, CleanOK, ""},
		{"weak but above chance", cyclic(200, 10), 10, 0.25, same, CleanOK, ""},
		{"guessing", cyclic(200, 10), 10, 0, same, CleanChance, "normalisation"},
		{"constant", cyclic(200, 10), 10, 1, func(int) int { return 4 }, CleanChance, "class 4 to nearly all"},
		{"NaN", cyclic(200, 10), 10, 1, func(int) int { return -1 }, CleanChance, "no class"},
		{"reversed", cyclic(200, 10), 10, 0.9, func(c int) int { return 9 - c }, CleanPermuted, "0→9, 1→8"},
		{"two swapped", cyclic(200, 10), 10, 0.97, swap, CleanPermuted, "3→5, 5→3"},
		{"background class", cyclic(200, 1000), 1001, 0.7, func(c int) int { return c + 1 }, CleanPermuted, "shifted by +1"},
		{"binary swapped", cyclic(200, 2), 2, 0.9, func(c int) int { return 1 - c }, CleanPermuted, "0→1, 1→0"},
		{"one class, right", cat, 10, 0.8, same, CleanOK, ""},
		{"one class, confused", cat, 10, 0.9, func(c int) int { return c + 1 }, CleanChance, ""},
		{"few labels", cyclic(49, 10), 10, 0, same, CleanTooFew, ""},
		{"thousand classes", cyclic(200, 1000), 1000, 0.6, same, CleanOK, ""},
	} {
		rng := rand.New(rand.NewPCG(1, 2))
		r, err := CheckClean(tc.labels, answers(rng, tc.labels, tc.classes, tc.acc, tc.rename), tc.classes)
		if err != nil || r.Verdict != tc.want || !strings.Contains(r.Cause, tc.cause) || r.OK() != (tc.want == CleanOK || tc.want == CleanTooFew) {
			t.Errorf("%s: %+v, %v; want verdict %d", tc.name, r, err, tc.want)
		}
	}
}

// A sound model, however weak, must almost never be called permuted, nor one
// with real skill guessing.
func TestCleanCheckFalseAlarms(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	alarms := 0
	const runs = 2000
	for range runs {
		labels := make([]int, 200)
		for i := range labels {
			labels[i] = rng.IntN(10)
		}
		r, err := CheckClean(labels, answers(rng, labels, 10, 0.3+0.6*rng.Float64(), same), 10)
		if err != nil {
			t.Fatal(err)
		}
		if !r.OK() {
			alarms++
		}
	}
	// Each run may err with probability 0.001 or less: more than 10 in 2,000 has
	// probability below 1e-4.
	if alarms > 10 {
		t.Errorf("%d false alarms in %d runs", alarms, runs)
	}
}

// The p-value is exact: P[Bin(50, 1/10) ≥ 11] = 0.009354601587329066 (scipy 1.17 binom.sf(10, 50,
// 0.1)).
func TestCleanPValue(t *testing.T) {
	labels, said := make([]int, 50), make([]int, 50)
	for i := range labels {
		labels[i], said[i] = i%10, (i+1)%10
		if i < 11 {
			said[i] = labels[i]
		}
	}
	r, err := CheckClean(append(labels, -1), append(said, 3), 10)
	if err != nil || r.Correct != 11 || r.Inputs != 50 || math.Abs(r.PValue/0.009354601587329066-1) > 1e-9 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := CheckClean(labels, said[:3], 10); err == nil {
		t.Error("unequal lengths are accepted")
	}
	if _, err := CheckClean(labels, said, 1); err == nil {
		t.Error("one class is accepted")
	}
}

// assignment against all permutations.
func TestAssignment(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		n := 1 + rng.IntN(5)
		m := n + rng.IntN(3)
		gain := make([][]float64, n)
		for i := range gain {
			gain[i] = make([]float64, m)
			for j := range gain[i] {
				gain[i][j] = float64(rng.IntN(8))
			}
		}
		got, sum := assignment(gain), 0.0
		for i, j := range got {
			sum += gain[i][j]
		}
		if sorted := slices.Compact(slices.Sorted(slices.Values(got))); len(sorted) != n {
			t.Fatalf("columns %v are not distinct", got)
		}
		if best := bruteForce(gain, 0, 0); sum != best {
			t.Fatalf("gain %v: %v, best %v", gain, sum, best)
		}
	}
}

func bruteForce(gain [][]float64, row int, used uint) float64 {
	if row == len(gain) {
		return 0
	}
	best := math.Inf(-1)
	for j, g := range gain[row] {
		if used&(1<<j) == 0 {
			best = max(best, g+bruteForce(gain, row+1, used|1<<j))
		}
	}
	return best
}
