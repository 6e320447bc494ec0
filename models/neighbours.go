package models

import (
	"context"
	"fmt"
	"math/rand/v2"

	"ucan/runtime"
)

// probeNeighbours checks that no row of a batch sees another one: in every run some
// rows keep their place and all others are replaced by very different ones; the kept
// rows must get the same answer. Sums, means and norms over the batch show here, which
// leave rows alone that only change places.
//
// Position, session and batch size stay the same, so on the CPU there is no rounding
// to excuse a difference: scores must be equal bit for bit. Other providers may pick
// another algorithm from one run to the next and get their tolerance.
//
// Position i is kept, and j replaced, in the runs of the bits in which i and j differ:
// 2·⌈log₂ size⌉ runs cover all ordered pairs.
func (p *plan) probeNeighbours(ctx context.Context, e *engine, sess *runtime.Session, width, size int) error {
	d := product(p.source)
	rows := sampleRows(size, d)
	first, err := e.ask(ctx, sess, rows, p.source, width)
	if err != nil {
		return err
	}
	limit := 0.0
	if sess.Provider() != runtime.CPU {
		limit = tolerance(p.input.Type, sess.Provider())
	}
	scale := largestScore(first)
	kept := func(batch []float32, keep func(int) bool) (comparison, error) {
		c := comparison{bits: true}
		a, aerr := e.ask(ctx, sess, batch, p.source, width)
		if aerr != nil {
			return c, aerr
		}
		for i := range size {
			if keep(i) {
				c.rows(first, i, a, i, scale)
			}
		}
		return c, nil
	}
	c, err := kept(rows, func(int) bool { return true })
	if err != nil {
		return err
	}
	if !c.within(limit) {
		return refuse("the same rows get different answers from one run to the next",
			"export it for inference, without random operators")
	}
	batch := make([]float32, len(rows))
	for bit, run := 1, 0; bit < size; bit <<= 1 {
		for _, side := range []int{0, bit} {
			keep := func(i int) bool { return i&bit == side }
			strangers := strangeRows(size, d, run)
			run++
			for i := range size {
				from := strangers
				if keep(i) {
					from = rows
				}
				copy(batch[i*d:(i+1)*d], from[i*d:(i+1)*d])
			}
			if c, err = kept(batch, keep); err != nil {
				return err
			}
			if !c.within(limit) {
				return refuse(
					fmt.Sprintf("its answer for a row depends on the other rows of the batch (scores differ by %.1g of the largest): votes would not be independent", c.largest),
					"export it for inference, without operators that mix the batch")
			}
		}
	}
	return nil
}

// within says whether answers agree up to limit, 0 for bit by bit.
func (c *comparison) within(limit float64) bool {
	if limit == 0 {
		return c.bits
	}
	return !c.flipped && !(c.largest > limit)
}

// strangeRows makes deterministic rows unlike those of sampleRows: large values of
// both signs, all zeros, large constants, and spikes. run turns the kinds around.
func strangeRows(n, d, run int) []float32 {
	const large = 64 // far outside the data and its noise, small enough for float16
	rng := rand.New(rand.NewPCG(0x57ead, uint64(d)<<16|uint64(run)))
	rows := make([]float32, n*d)
	for r := range n {
		row := rows[r*d : (r+1)*d]
		level := large * (2*rng.Float64() - 1)
		for i := range row {
			switch (r + r/4 + run) % 4 {
			case 0:
				row[i] = float32(large * (2*rng.Float64() - 1))
			case 1:
				row[i] = float32(level)
			case 2:
				if rng.IntN(8) == 0 {
					row[i] = float32(level)
				}
			}
		}
	}
	return rows
}
