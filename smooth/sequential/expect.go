package sequential

import (
	"fmt"
	"math"
)

// Expectation is what a run of a plan costs and achieves on average.
type Expectation struct {
	// Samples is the expected number of samples.
	Samples float64
	// Reject[j] is the probability that level j is rejected.
	Reject []float64
}

// expectTrim is the mass below which a cell of the forward computation is
// dropped. Nothing is certified by it, so it need not be one-sided.
const expectTrim = 1e-13

// Expect computes, without simulation, the expected samples of a run and the
// probability of each level, for an input whose tested class has probability pA.
// It prices runs from a pilot. Modes Selected and Labelled only: mode Leading
// costs the same as Selected to a fraction of a percent, less the selection
// samples.
//
// The distribution of (levels rejected, failures) is carried from look to look
// through the same critical numbers and futility rule that [Run] uses; the
// result is exact to about 1e-9.
func Expect(plan Plan, tables *Tables, pA float64) (Expectation, error) {
	if err := plan.Validate(); err != nil {
		return Expectation{}, err
	}
	if plan.Mode == Leading {
		return Expectation{}, fmt.Errorf("expected samples: mode %s is not supported: use %s", Leading, Selected)
	}
	if !(pA >= 0 && pA <= 1) {
		return Expectation{}, fmt.Errorf("expected samples: probability %v is outside 0 … 1", pA)
	}
	looks, err := plan.Profile.Looks()
	if err != nil {
		return Expectation{}, err
	}
	levels := len(plan.Levels)
	table := make([]*Table, levels)
	state := make([]forward, levels) // by levels rejected
	state[0].cells = []float64{1}
	e := Expectation{Reject: make([]float64, levels)}
	var step, spare []float64
	var stepOf, stepLow, n int64
	for k, look := range looks {
		if m := look - n; m != stepOf {
			if step, stepLow, err = failureStep(m, 1-pA, step); err != nil {
				return Expectation{}, err
			}
			stepOf = m
		}
		n = look
		for j := range state {
			if len(state[j].cells) > 0 {
				spare = convolve(spare, state[j].cells, step)
				state[j].cells, spare = spare, state[j].cells
				state[j].low += stepLow
			}
		}
		for j := range state {
			if len(state[j].cells) == 0 {
				continue
			}
			if table[j] == nil {
				if table[j], err = plan.table(j, tables); err != nil {
					return Expectation{}, err
				}
			}
			moved, at := state[j].below(table[j].Critical(k))
			for i, v := range moved {
				e.Reject[j] += v
				if j == levels-1 {
					e.Samples += v * float64(n)
				} else {
					state[j+1].add(at+int64(i), v)
				}
			}
			e.Samples += float64(n) * state[j].stop(n, look == plan.Profile.Cap, table[j].Critical(table[j].Len()-1), plan.Profile)
			state[j].trim()
		}
	}
	return e, nil
}

// failureStep is the distribution of failures among m samples at rate q in [0, 1].
func failureStep(m int64, q float64, into []float64) (pmf []float64, low int64, err error) {
	switch q {
	case 0:
		return append(into[:0], 1), 0, nil
	case 1:
		return append(into[:0], 1), m, nil
	}
	pmf, low, _, err = binomialStep(m, q, into, expectTrim)
	return pmf, low, err
}

// forward is the distribution of failures of the runs that go on with the same
// number of rejected levels: cells[i] = P[low + i failures].
type forward struct {
	low   int64
	cells []float64
}

// below removes and returns the cells of at most limit failures; they start at
// failures at.
func (f *forward) below(limit int64) (moved []float64, at int64) {
	at = f.low
	i := int(max(0, min(int64(len(f.cells)), limit+1-f.low)))
	moved, f.cells, f.low = f.cells[:i], f.cells[i:], f.low+int64(i)
	return moved, at
}

// add puts mass v at failures n.
func (f *forward) add(n int64, v float64) {
	if len(f.cells) == 0 {
		f.low, f.cells = n, []float64{v}
		return
	}
	for ; n < f.low; f.low-- {
		f.cells = append([]float64{0}, f.cells...)
	}
	for n >= f.low+int64(len(f.cells)) {
		f.cells = append(f.cells, 0)
	}
	f.cells[n-f.low] += v
}

// stop removes the cells at which the run ends, at the cap or for futility, and
// returns their mass. Futility is monotone in the failures.
func (f *forward) stop(n int64, capped bool, limit int64, p Profile) float64 {
	lo, hi := 0, len(f.cells)
	if capped {
		hi = 0
	}
	for lo < hi {
		if mid := (lo + hi) / 2; p.futile(n, f.low+int64(mid), limit) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	mass := 0.0
	for _, v := range f.cells[hi:] {
		mass += v
	}
	f.cells = f.cells[:hi]
	return mass
}

// trim drops negligible cells at both ends.
func (f *forward) trim() {
	i, j := 0, len(f.cells)
	for i < j && f.cells[i] < expectTrim {
		i++
	}
	for j > i && f.cells[j-1] < expectTrim {
		j--
	}
	f.cells, f.low = f.cells[i:j], f.low+int64(i)
	if len(f.cells) == 0 {
		f.low = math.MaxInt32
	}
}
