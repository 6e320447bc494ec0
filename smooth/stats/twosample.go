package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// TwoSample is the outcome of a test that two sets of class counts come from
// the same distribution.
type TwoSample struct {
	// PValue is the probability of counts at least as unlike as these when the
	// two distributions are equal.
	PValue float64
	// Statistic is Pearson's χ², and zero when the exact test was used.
	Statistic float64
	// Cells is the number of cells compared after rare classes were pooled; the
	// χ² test has Cells − 1 degrees of freedom.
	Cells int
	// Exact says that Fisher's exact test was used (two cells) or that nothing
	// could differ (one cell), rather than the χ² approximation.
	Exact bool
}

// minExpected is Cochran's rule: a cell of a χ² test should expect at least
// this many counts in either sample.
const minExpected = 5

// CompareCounts tests whether two sets of class counts, keyed by class, come
// from the same distribution. Verification uses it on a certificate's stored
// counts and those of a fresh run.
//
// Classes expected fewer than five times in either sample are pooled into one
// cell, in ascending order of their total, until every cell reaches five. With
// two cells left the test is Fisher's exact one (two-sided, by probability of
// the table); with more it is Pearson's χ² test of homogeneity. Classes of equal
// total are ordered by their count in a. Errors: a negative count or an empty
// sample.
//
// Source: Pearson's χ² test of homogeneity, Cochran's rule for its cells, and Fisher's
// exact test.
func CompareCounts(a, b map[int]int64) (TwoSample, error) {
	type cell struct{ a, b int64 }
	classes := map[int]cell{}
	var na, nb int64
	for c, k := range a {
		if k < 0 || k > maxTrials {
			return TwoSample{}, fmt.Errorf("compare counts: count %d of class %d is outside 0 … %d", k, c, maxTrials)
		}
		classes[c] = cell{a: k}
		na += k
	}
	for c, k := range b {
		if k < 0 || k > maxTrials {
			return TwoSample{}, fmt.Errorf("compare counts: count %d of class %d is outside 0 … %d", k, c, maxTrials)
		}
		classes[c] = cell{a: classes[c].a, b: k}
		nb += k
	}
	if na == 0 || nb == 0 {
		return TwoSample{}, errors.New("compare counts: a sample is empty")
	}
	cells := make([]cell, 0, len(classes))
	for _, c := range classes {
		if c.a+c.b > 0 {
			cells = append(cells, c)
		}
	}
	slices.SortFunc(cells, func(x, y cell) int {
		if d := (x.a + x.b) - (y.a + y.b); d != 0 {
			return int(max(-1, min(1, d)))
		}
		return int(max(-1, min(1, x.a-y.a)))
	})
	share := float64(min(na, nb)) / float64(na+nb)
	for len(cells) > 2 && float64(cells[0].a+cells[0].b)*share < minExpected {
		// Pool the two smallest, and keep the order.
		p := cell{cells[0].a + cells[1].a, cells[0].b + cells[1].b}
		cells = cells[1:]
		i := 0
		for i+1 < len(cells) && cells[i+1].a+cells[i+1].b < p.a+p.b {
			cells[i] = cells[i+1]
			i++
		}
		cells[i] = p
	}
	switch len(cells) {
	case 1:
		return TwoSample{PValue: 1, Cells: 1, Exact: true}, nil
	case 2:
		return TwoSample{PValue: fisherExact(cells[0].a, na, cells[0].b, nb), Cells: 2, Exact: true}, nil
	}
	x2, total := 0.0, float64(na+nb)
	for _, c := range cells {
		sum := float64(c.a + c.b)
		ea, eb := sum*float64(na)/total, sum*float64(nb)/total
		da, db := float64(c.a)-ea, float64(c.b)-eb
		x2 += da*da/ea + db*db/eb
	}
	p := mathext.GammaIncRegComp(float64(len(cells)-1)/2, x2/2)
	return TwoSample{PValue: p, Statistic: x2, Cells: len(cells)}, nil
}

// fisherExact is the two-sided p-value of Fisher's exact test of ka of na
// against kb of nb: the probability, given the margins, of all tables no more
// probable than this one.
func fisherExact(ka, na, kb, nb int64) float64 {
	k, n := ka+kb, na+nb
	lo, hi := max(0, k-nb), min(k, na)
	// Hypergeometric weights by the ratio recursion outward from the mode, so
	// that nothing overflows; the normalising constant is their sum. A weight
	// that underflows ends a side: it no longer counts in float64.
	mode := int64(float64(k+1) * (float64(na+1) / float64(n+2)))
	mode = max(lo, min(hi, mode))
	each := func(visit func(i int64, w float64)) {
		w := 1.0
		for i := mode; w > 0 && i <= hi; i++ {
			visit(i, w)
			w *= (float64(na-i) / float64(i+1)) * (float64(k-i) / float64(nb-k+i+1))
		}
		w = 1
		for i := mode; w > 0 && i > lo; i-- {
			w *= (float64(i) / float64(na-i+1)) * (float64(nb-k+i) / float64(k-i+1))
			visit(i-1, w)
		}
	}
	own := 0.0
	each(func(i int64, w float64) {
		if i == ka {
			own = w
		}
	})
	total, extreme := 0.0, 0.0
	limit := own * (1 + 1e-9) // equal tables differ by rounding
	each(func(_ int64, w float64) {
		total += w
		if w <= limit {
			extreme += w
		}
	})
	return math.Min(1, extreme/total)
}
