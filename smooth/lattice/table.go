package lattice

import (
	"fmt"
	"math/big"
)

// drawBits is the number of random bits of a draw.
const drawBits = 60

// guideBits selects the leading bits of a draw that index where to start.
const guideBits = 9

// table draws the steps of one scale: thresholds[i] = ⌊2⁶⁰ P[N ≤ i − reach]⌋ for
// i = 0 … 2·reach − 1, nondecreasing, and a sentinel.
type table struct {
	reach      int32
	thresholds []uint64
	guide      [1 << guideBits]uint16 // thresholds below the bucket's first draw
}

func newTable(l law, lambda float64, s float32, reach int) (*table, error) {
	if reach > maxReach {
		return nil, fmt.Errorf("lattice noise reaching %d steps; at most %d", reach, maxReach)
	}
	t := &table{reach: int32(reach), thresholds: make([]uint64, 2*reach+1)}
	// The laws are symmetric: P[N ≤ −i−1] = 1 − P[N ≤ i].
	scale := new(big.Rat).Mul(new(big.Rat).SetFloat64(lambda), new(big.Rat).SetFloat64(float64(s)))
	scale.Mul(scale, big.NewRat(2*Steps, 1))
	var known constants
	for i := range reach {
		// The upper tail at (2i+1)/(510 λs), in units of 2⁻⁶⁰.
		x := new(big.Rat).SetInt64(int64(2*i + 1))
		floor, whole, err := tail(l, x.Quo(x, scale), &known)
		if err != nil {
			return nil, err
		}
		t.thresholds[reach-1-i] = floor
		upper := uint64(1)<<drawBits - floor
		if !whole {
			upper-- // ⌊2⁶⁰ − tail⌋
		}
		t.thresholds[reach+i] = upper
	}
	t.thresholds[2*reach] = 1<<64 - 1 // ends every scan; no draw reaches it
	at := 0
	for b := range t.guide {
		first := uint64(b) << (drawBits - guideBits)
		for t.thresholds[at] < first {
			at++
		}
		t.guide[b] = uint16(at)
	}
	return t, nil
}

// draw returns the number of steps for a 60-bit u, and whether u ties with a
// threshold: then the exact uniform number could lie on either side of it.
func (t *table) draw(u uint64) (step int32, tie bool) {
	at := int(t.guide[u>>(drawBits-guideBits)])
	for t.thresholds[at] < u {
		at++
	}
	return int32(at) - t.reach, t.thresholds[at] == u
}

// tail returns ⌊2⁶⁰·P[ε > x]⌋ and whether the number is whole, raising the precision
// until the floor is certain.
func tail(l law, x *big.Rat, c *constants) (floor uint64, whole bool, err error) {
	for prec := uint(128); prec <= 4096; prec *= 2 {
		value, exact := l.tail(x, prec, c)
		value.SetMantExp(value, drawBits)
		if exact {
			n, acc := value.Uint64()
			return n, acc == big.Exact, nil
		}
		// The tail errs by less than 2^(20−prec).
		slack := new(big.Float).SetMantExp(big.NewFloat(1), drawBits+20-int(prec))
		lo, _ := new(big.Float).SetPrec(prec+64).Sub(value, slack).Uint64()
		hi, _ := new(big.Float).SetPrec(prec+64).Add(value, slack).Uint64()
		if lo == hi && value.Cmp(slack) > 0 {
			return lo, false, nil
		}
		if hi == 0 { // below one unit, and above 0
			return 0, false, nil
		}
	}
	return 0, false, fmt.Errorf("lattice noise: a threshold could not be decided with 4096 bits")
}
