package models

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"ucan/runtime"
	"ucan/runtime/onnx"
)

// probeRows is the number of different rows that are compared.
const probeRows = 8

// sampleRows makes deterministic rows of dimension d that look like what a smoothed
// classifier sees: uniform values, greys with a gradient, and both under noise.
func sampleRows(n, d int) []float32 {
	rng := rand.New(rand.NewPCG(0x5ca1ab1e, uint64(d)))
	rows := make([]float32, n*d)
	for r := range n {
		level, slope := rng.Float64(), rng.Float64()-0.5
		for i := range d {
			v := rng.Float64()
			switch r % 4 {
			case 1:
				v = level + slope*float64(i)/float64(d)
			case 2:
				v = level + 0.25*rng.NormFloat64()
			case 3:
				v += 0.5 * rng.NormFloat64()
			}
			rows[r*d+i] = float32(v)
		}
	}
	return rows
}

// tolerance is the largest relative difference of scores between two batches that
// passes for rounding.
func tolerance(input onnx.DType, provider string) float64 {
	if input == onnx.Float16 || input == onnx.BFloat16 || provider != runtime.CPU {
		return 2e-2
	}
	return 1e-3
}

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
func (c *comparison) rows(a answer, i int, b answer, j int, scale float64) {
	c.compared++
	worst := 0.0
	for k := range a.width {
		if a.scores == nil {
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
	if a.labels[i] != b.labels[j] {
		// Rounding may part two scores that all but tie.
		if a.scores == nil || margin(a.row(i)) > 4*worst {
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
func largestScore(a answer) float64 {
	scale := 0.0
	for _, f := range a.scores {
		if v := math.Abs(float64(f)); !math.IsInf(v, 0) && !math.IsNaN(v) {
			scale = max(scale, v)
		}
	}
	return max(scale, 1e-30)
}

// probeBatches are the batch sizes that scores are compared at, as far as the input's
// size allows.
func probeBatches(d int) []int {
	var sizes []int
	for _, n := range []int{3, 32, 257} {
		if n <= probeRows || n*d <= 1<<20 {
			sizes = append(sizes, n)
		}
	}
	return sizes
}

// mostNeighbours bounds the batches in which rows are replaced: their runs are many.
const mostNeighbours = 32

// probe runs a prepared graph that takes any batch on the same rows at different
// positions, with different neighbours and in different batch sizes.
func (p *plan) probe(ctx context.Context, e *engine, sess *runtime.Session, width int) (res ProbeResult, err error) {
	d := product(p.source)
	rows := sampleRows(probeRows, d)
	first, err := e.ask(ctx, sess, rows, p.source, width)
	if err != nil {
		return res, err
	}
	scale := largestScore(first)
	res = ProbeResult{Rows: probeRows, Batch: probeRows, Provider: sess.Provider()}
	c := comparison{bits: true}
	check := func(order []int) error {
		batch := make([]float32, len(order)*d)
		for at, r := range order {
			copy(batch[at*d:(at+1)*d], rows[r*d:(r+1)*d])
		}
		a, err := e.ask(ctx, sess, batch, p.source, width)
		if err != nil {
			return err
		}
		for at, r := range order {
			c.rows(first, r, a, at, scale)
		}
		res.Batch = max(res.Batch, len(order))
		return nil
	}
	reversed := make([]int, probeRows)
	for i := range reversed {
		reversed[i] = probeRows - 1 - i
	}
	orders := [][]int{reversed, {0}, {5}}
	for _, n := range probeBatches(d) {
		order := make([]int, n)
		for i := range order {
			order[i] = (i*5 + n) % probeRows // every position sees other neighbours
		}
		orders = append(orders, order)
	}
	for _, order := range orders {
		if err := check(order); err != nil {
			return res, err
		}
	}
	limit := tolerance(p.input.Type, res.Provider)
	res.MaxDifference, res.BatchIndependent = c.largest, c.bits
	res.SameDecisions = !c.flipped && !(c.largest > limit)
	if !res.SameDecisions {
		return res, refuse(
			fmt.Sprintf("its answer for a row depends on the other rows of the batch (scores differ by up to %.1g of the largest): votes would not be independent", c.largest),
			"export it for inference, without operators that mix the batch")
	}
	for _, n := range append([]int{probeRows}, probeBatches(d)...) {
		if n > mostNeighbours {
			continue
		}
		if err := p.probeNeighbours(ctx, e, sess, width, n); err != nil {
			res.SameDecisions = false
			return res, err
		}
	}
	return res, nil
}

// probeFixed compares rows at different positions of a fixed batch and among
// different neighbours. A batch of one row has neither: asking twice shows that the
// answer is a function of the row.
func (p *plan) probeFixed(ctx context.Context, e *engine, sess *runtime.Session, width, size int) (res ProbeResult, err error) {
	d := product(p.source)
	rows := sampleRows(max(size, 2), d)[:size*d]
	first, err := e.ask(ctx, sess, rows, p.source, width)
	if err != nil {
		return res, err
	}
	turned := make([]float32, len(rows))
	for i := range size {
		j := (i + size/2) % size
		copy(turned[j*d:(j+1)*d], rows[i*d:(i+1)*d])
	}
	second, err := e.ask(ctx, sess, turned, p.source, width)
	if err != nil {
		return res, err
	}
	c := comparison{bits: true}
	scale := largestScore(first)
	for i := range size {
		c.rows(first, i, second, (i+size/2)%size, scale)
	}
	res = ProbeResult{Rows: size, Batch: size, Provider: sess.Provider(), MaxDifference: c.largest, BatchIndependent: c.bits}
	res.SameDecisions = !c.flipped && !(c.largest > tolerance(p.input.Type, res.Provider))
	if !res.SameDecisions {
		return res, refuse("the same row gets different answers from one run to the next, or at different positions of the batch",
			"export it for inference, without random operators or operators that mix the batch")
	}
	return res, p.probeNeighbours(ctx, e, sess, width, size)
}

// same says whether two answers to the same rows agree but for rounding.
func same(a, b answer, limit float64) (float64, bool) {
	c := comparison{bits: true}
	scale := largestScore(a)
	for i := range a.labels {
		c.rows(a, i, b, i, scale)
	}
	return c.largest, !c.flipped && !(c.largest > limit)
}
