package trial

import "math"

// Answer is what a prepared graph says of some rows.
type Answer struct {
	Labels []int32
	Scores []float32 // rows × Width; nil where the graph gives labels only
	Width  int
}

// row returns the scores of one row.
func (a Answer) row(i int) []float32 { return a.Scores[i*a.Width : (i+1)*a.Width] }

// comparison collects differences between answers for the same rows.
type comparison struct {
	largest  float64 // relative to the largest finite score
	bits     bool    // all scores were equal bit for bit
	flipped  bool    // a decision changed, and no tie explains it
	ties     int     // decisions that changed at a near tie
	compared int
}

// merge adds what another comparison found.
func (c *comparison) merge(o comparison) {
	c.largest, c.bits, c.flipped = max(c.largest, o.largest), c.bits && o.bits, c.flipped || o.flipped
	c.ties, c.compared = c.ties+o.ties, c.compared+o.compared
}

// rows compares row i of a with row j of b.
func (c *comparison) rows(a Answer, i int, b Answer, j int, scale float64) {
	c.compared++
	worst := 0.0
	for k := range a.Width {
		if a.Scores == nil {
			break
		}
		x, y := a.row(i)[k], b.row(j)[k]
		if math.Float32bits(x) == math.Float32bits(y) || x != x && y != y {
			continue
		}
		c.bits = false
		diff := math.Abs(float64(x) - float64(y))
		if math.IsNaN(diff) || math.IsInf(diff, 0) {
			diff = math.Inf(1)
		}
		worst = max(worst, diff)
	}
	c.largest = max(c.largest, worst/scale)
	if a.Labels[i] != b.Labels[j] {
		// Rounding may part two scores that all but tie.
		if a.Scores == nil || margin(a.row(i)) > 4*worst {
			c.flipped = true
		} else {
			c.ties++
		}
		c.bits = false
	}
}

// margin is the distance between the two largest values (and, for arg-min, the two
// smallest: the smaller of both).
func margin(v []float32) float64 {
	if len(v) < 2 {
		return math.Inf(1)
	}
	hi, hi2, lo, lo2 := math.Inf(-1), math.Inf(-1), math.Inf(1), math.Inf(1)
	for _, f := range v {
		x := float64(f)
		if x > hi {
			hi, hi2 = x, hi
		} else {
			hi2 = max(hi2, x)
		}
		if x < lo {
			lo, lo2 = x, lo
		} else {
			lo2 = min(lo2, x)
		}
	}
	return min(hi-hi2, lo2-lo)
}

// largestScore returns the scale that differences are relative to.
func largestScore(a Answer) float64 {
	scale := 0.0
	for _, f := range a.Scores {
		if v := math.Abs(float64(f)); !math.IsInf(v, 0) && !math.IsNaN(v) {
			scale = max(scale, v)
		}
	}
	return max(scale, 1e-30)
}

// compareWhere compares the rows at the same places of two answers, those that keep wants.
func compareWhere(a, b Answer, scale float64, keep func(int) bool) comparison {
	c := comparison{bits: true}
	for i := range a.Labels {
		if keep(i) {
			c.rows(a, i, b, i, scale)
		}
	}
	return c
}

func everywhere(int) bool { return true }

// within says whether answers agree up to limit, 0 for bit by bit.
func (c *comparison) within(limit float64) bool {
	if limit == 0 {
		return c.bits
	}
	return !c.flipped && !(c.largest > limit)
}

// Same says whether two answers to the same rows agree but for rounding.
func Same(a, b Answer, limit float64) (float64, bool) {
	c := compareWhere(a, b, largestScore(a), everywhere)
	return c.largest, !c.flipped && !(c.largest > limit)
}
