package trial

import (
	"context"
	"fmt"

	"ucan/runtime/onnx/soundness"
)

// otherRows checks that no row of a batch sees another one: in every run some
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
func (g Graph) otherRows(ctx context.Context, size int) error {
	d := g.Dim
	rows := SampleRows(size, d)
	first, err := g.Run(ctx, rows)
	if err != nil {
		return err
	}
	scale := largestScore(first)
	kept := func(batch []float32, keep func(int) bool) (comparison, error) {
		a, aerr := g.Run(ctx, batch)
		if aerr != nil {
			return comparison{}, aerr
		}
		return compareWhere(first, a, scale, keep), nil
	}
	c, err := kept(rows, everywhere)
	if err != nil {
		return err
	}
	if !c.within(g.samePlaceLimit()) {
		return soundness.Refuse("the same rows get different answers from one run to the next",
			"export it for inference, without random operators")
	}
	batch := make([]float32, len(rows))
	for bit, run := 1, 0; bit < size; bit <<= 1 {
		for _, side := range []int{0, bit} {
			keep := func(i int) bool { return i&bit == side }
			outliers := outlierRows(size, d, run)
			run++
			for i := range size {
				from := outliers
				if keep(i) {
					from = rows
				}
				copy(batch[i*d:(i+1)*d], from[i*d:(i+1)*d])
			}
			if c, err = kept(batch, keep); err != nil {
				return err
			}
			if !c.within(g.samePlaceLimit()) {
				return soundness.Refuse(
					fmt.Sprintf("its answer for a row depends on the other rows of the batch (scores differ by %.1g of the largest): votes would not be independent", c.largest),
					"export it for inference, without operators that mix the batch")
			}
		}
	}
	return nil
}
