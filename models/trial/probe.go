// Package trial runs a prepared graph on made-up rows, and before a run on rows of its own data,
// and refuses it when the answer for a row depends on its place in a batch or on the other rows.
// It is the second line of defence, behind what package rows proves of the graph's operators.
package trial

import (
	"context"
	"fmt"
	"time"

	"ucan/runtime/onnx/soundness"
)

// Graph is a prepared graph under trial.
type Graph struct {
	// Run runs the graph on rows of the source, all in one batch.
	Run func(ctx context.Context, rows []float32) (Answer, error)
	// Dim is the number of values of a row.
	Dim int
	// Provider is the provider that runs it.
	Provider string
	// Limit is the largest relative difference of scores between two batches that passes for
	// rounding.
	Limit float64
	// Exact says that the same row at the same place must get the same scores bit for bit, as on
	// the CPU. Other providers may pick another algorithm from one run to the next, and get Limit.
	Exact bool
}

// extent is how much of the trial is made.
type extent struct {
	rows     int   // that are compared
	batches  []int // that they are compared in
	replaced []int // that rows are replaced in
}

// slow is the time of a row from which a trial is made of few rows: with all of them it would take
// minutes.
const slow = 60 * time.Millisecond

// slowRow says whether a row takes long, from runs of rows; the second run is there because a busy
// machine, or the first touch of large weights, makes one run slow.
func (g Graph) slowRow(ctx context.Context, rows []float32) (bool, error) {
	for range 2 {
		begin := time.Now()
		if _, err := g.Run(ctx, rows); err != nil {
			return false, err
		}
		if time.Since(begin) < slow*time.Duration(len(rows)/g.Dim) {
			return false, nil
		}
	}
	return true, nil
}

// extent decides how much of the trial of any batch is made.
func (g Graph) extent(slow bool) extent {
	if slow {
		return extent{rows: slowRows, batches: []int{2}, replaced: []int{2}}
	}
	x := extent{rows: probeRows, batches: probeBatches(g.Dim), replaced: []int{probeRows}}
	for _, n := range x.batches {
		if n <= mostReplaced {
			x.replaced = append(x.replaced, n)
		}
	}
	return x
}

// samePlaceLimit is the largest difference of scores at the same place, 0 for none.
func (g Graph) samePlaceLimit() float64 {
	if g.Exact {
		return 0
	}
	return g.Limit
}

// Result is what running the prepared graph showed.
type Result struct {
	// Rows is the number of rows that were compared, Batch the largest batch.
	Rows  int `json:"rows"`
	Batch int `json:"batch"`
	// SameDecisions: the same rows at other positions, beside other rows and in
	// other batch sizes got the same decisions. Without it a model is refused.
	SameDecisions bool `json:"same_decisions"`
	// BatchIndependent: the scores were bit for bit the same in every batch size and
	// position, so runs with different batch sizes give the same counts. Not known, hence
	// false, of a model that is too slow for large batches.
	BatchIndependent bool `json:"batch_independent"`
	// MaxDifference is the largest difference of a score between two batches,
	// relative to the largest score.
	MaxDifference float64 `json:"max_difference"`
	// RewriteDifference is the same between the original graph at its own batch and
	// the rewritten one; 0 where nothing was rewritten.
	RewriteDifference float64 `json:"rewrite_difference,omitempty"`
	// Provider is the provider that ran.
	Provider string `json:"provider"`
	// Slow says that a row takes so long that few were tried.
	Slow bool `json:"-"`
}

// probeRows is the number of different rows that are compared, slowRows that of a model whose rows
// take long.
const (
	probeRows = 8
	slowRows  = 3
)

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

// mostReplaced bounds the batches in which rows are replaced: their runs are many.
const mostReplaced = 32

// AnyBatch runs a graph that takes any batch on the same rows at different
// positions, beside different rows and in different batch sizes.
func (g Graph) AnyBatch(ctx context.Context) (res Result, err error) {
	d := g.Dim
	rows := SampleRows(probeRows, d)
	long, err := g.slowRow(ctx, rows[:d])
	if err != nil {
		return res, err
	}
	x := g.extent(long)
	rows = rows[:x.rows*d]
	first, err := g.Run(ctx, rows)
	if err != nil {
		return res, err
	}
	scale := largestScore(first)
	res = Result{Rows: x.rows, Batch: x.rows, Provider: g.Provider, Slow: long}
	c := comparison{bits: true}
	check := func(order []int) error {
		batch := make([]float32, len(order)*d)
		for at, r := range order {
			copy(batch[at*d:(at+1)*d], rows[r*d:(r+1)*d])
		}
		a, err := g.Run(ctx, batch)
		if err != nil {
			return err
		}
		for at, r := range order {
			c.rows(first, r, a, at, scale)
		}
		res.Batch = max(res.Batch, len(order))
		return nil
	}
	reversed := make([]int, x.rows)
	for i := range reversed {
		reversed[i] = x.rows - 1 - i
	}
	orders := [][]int{reversed, {0}, {5 % x.rows}}
	for _, n := range x.batches {
		order := make([]int, n)
		for i := range order {
			order[i] = (i*5 + n) % x.rows // every position stands beside other rows
		}
		orders = append(orders, order)
	}
	for _, order := range orders {
		if err := check(order); err != nil {
			return res, err
		}
	}
	// Whether a model counts as slow depends on the machine; what follows from it must not.
	res.MaxDifference, res.BatchIndependent = c.largest, c.bits && !long
	res.SameDecisions = !c.flipped && !(c.largest > g.Limit)
	if !res.SameDecisions {
		return res, soundness.Refuse(
			fmt.Sprintf("its answer for a row depends on the other rows of the batch (scores differ by up to %.1g of the largest): votes would not be independent", c.largest),
			"export it for inference, without operators that mix the batch")
	}
	for _, n := range x.replaced {
		if err := g.otherRows(ctx, n); err != nil {
			res.SameDecisions = false
			return res, err
		}
	}
	return res, nil
}

// FixedBatch compares rows at different positions of a fixed batch and
// beside different rows. A batch of one row has neither: running it twice shows that the
// answer is a function of the row.
func (g Graph) FixedBatch(ctx context.Context, size int) (res Result, err error) {
	d := g.Dim
	rows := SampleRows(max(size, 2), d)[:size*d]
	long, err := g.slowRow(ctx, rows)
	if err != nil {
		return res, err
	}
	first, err := g.Run(ctx, rows)
	if err != nil {
		return res, err
	}
	turned := make([]float32, len(rows))
	for i := range size {
		j := (i + size/2) % size
		copy(turned[j*d:(j+1)*d], rows[i*d:(i+1)*d])
	}
	second, err := g.Run(ctx, turned)
	if err != nil {
		return res, err
	}
	c := comparison{bits: true}
	scale := largestScore(first)
	for i := range size {
		c.rows(first, i, second, (i+size/2)%size, scale)
	}
	res = Result{Rows: size, Batch: size, Provider: g.Provider, Slow: long, MaxDifference: c.largest, BatchIndependent: c.bits}
	res.SameDecisions = !c.flipped && !(c.largest > g.Limit)
	if !res.SameDecisions {
		return res, soundness.Refuse("the same row gets different answers from one run to the next, or at different positions of the batch",
			"export it for inference, without random operators or operators that mix the batch")
	}
	return res, g.otherRows(ctx, size)
}
