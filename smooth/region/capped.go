package region

import (
	"fmt"
	"math"
)

// Box is the set [Low, High]ᵈ that holds every input of some data.
type Box struct{ Low, High float64 }

// Check returns an error unless Low and High are finite, Low < High, and so is their difference.
func (b Box) Check() error {
	if width := b.High - b.Low; !(width > 0) || math.IsInf(width, 0) || math.IsInf(b.Low, 0) || math.IsInf(b.High, 0) {
		return fmt.Errorf("box from %v to %v; give two finite numbers, the smaller first", b.Low, b.High)
	}
	return nil
}

// width returns High − Low, rounded down.
func (b Box) width() float64 {
	w := b.High - b.Low
	// Knuth's two-sum: the exact difference is w + low.
	t := w - b.High
	low := (b.High - (w - t)) + (-b.Low - t)
	if low < 0 {
		return down(w)
	}
	return w
}

// Capped is the size of a region, no axis of which counts for more than the data's range.
type Capped struct {
	// ALM is the geometric mean over the axes of min(extent, range), rounded down.
	ALM float64
	// Share is the share of axes at their cap: extent ≥ range.
	Share float64
}

// CappedALM returns (∏ min(R σ_i, w_i))^(1/d). R σ_i is the region's extent from its centre along
// axis i: it holds the displacements t of that axis with |t| ≤ R σ_i and no others. The range w_i
// is the largest |t| with which a point of the box stays in the box. Along a coordinate this is
// the box's width, along a basis vector u the width over ‖u‖_∞, since x + t·u moves coordinate j
// by t·u_j. What the region holds beyond it no input can be moved by, so it is not counted.
//
// The ALM is rounded down by less than 1e-13 relative, is never above Region.ALM, and equals it
// where no axis is at its cap. Cost: O(d) logarithms, as for ALM.
func (r Region) CappedALM(box Box) (Capped, error) {
	if err := box.Check(); err != nil {
		return Capped{}, err
	}
	alm, err := r.ALM()
	if err != nil || r.R == 0 {
		return Capped{}, err
	}
	width := box.width()
	if r.isotropic() && r.Basis == nil {
		if r.R >= width {
			return Capped{ALM: min(alm, width), Share: 1}, nil
		}
		return Capped{ALM: alm}, nil
	}
	var total sum
	abs, capped := 0.0, 0
	for i := range r.Dim {
		least, s := width, r.sigma(i)
		if r.Basis != nil {
			least = down(width / (r.Basis.Peak(i) * (1 + slack)))
		}
		x := math.Log(s)
		if r.R*s >= least {
			capped++
			x = math.Log(least)
		}
		total.add(x)
		abs += math.Abs(x)
	}
	if capped == 0 {
		return Capped{ALM: alm}, nil
	}
	d, free := float64(r.Dim), float64(r.Dim-capped)
	x := free * math.Log(r.R)
	total.add(x)
	abs += math.Abs(x)
	// The exponent's error is that of the logarithms (one ulp each, one more for the product) and
	// of the mean.
	margin := 0x1p-50 * (abs/d + 4)
	return Capped{ALM: min(alm, down(math.Exp(total.value()/d)*(1-margin))), Share: float64(capped) / d}, nil
}

// CappedALM returns the smallest capped ALM of the regions, an upper estimate of the
// intersection's, with the share of that region's axes at their cap.
func (x Intersection) CappedALM(box Box) (Capped, error) {
	if err := x.Check(); err != nil {
		return Capped{}, err
	}
	least := Capped{ALM: math.Inf(1)}
	for i, r := range x {
		c, err := r.CappedALM(box)
		if err != nil {
			return Capped{}, fmt.Errorf("region %d: %w", i, err)
		}
		if c.ALM < least.ALM {
			least = c
		}
	}
	return least, nil
}
