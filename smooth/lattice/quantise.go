package lattice

import (
	"fmt"
	"math"
	"slices"
)

// quantiseMu rounds the offset to whole steps and returns the largest of them.
func (n *Noise) quantiseMu(mu []float32) (most int, err error) {
	if mu == nil {
		return 0, nil
	}
	n.mu, n.muf = make([]int32, len(mu)), make([]float32, len(mu))
	for i, v := range mu {
		k := math.Round(float64(v) * Steps)
		if !(math.Abs(k) <= 30_000) {
			return 0, fmt.Errorf("offset %v at coordinate %d; it must be finite and within 30000 lattice steps", v, i)
		}
		n.mu[i], n.muf[i] = int32(k), Value(int(k))
		most = max(most, int(math.Abs(k)))
	}
	return most, nil
}

// quantiseSigma rounds the field to at most maxLevels levels and returns those. A
// field with no more distinct values stays as it is. Otherwise the levels are
// powers of 2^(1/16), or of the smallest power of two of that ratio that keeps
// within the bound; each value takes the nearest in the logarithm, so it changes by
// 2.2 % at most where the field spans a factor below 16. The levels don't depend on
// the field, so that several fields share them.
func (n *Noise) quantiseSigma(sigma []float32) (levels []float32, err error) {
	if sigma == nil {
		return []float32{1}, nil
	}
	lo, hi := math.Inf(1), 0.0
	distinct := map[float32]bool{}
	for i, s := range sigma {
		if !(s > 0) || math.IsInf(float64(s), 0) {
			return nil, fmt.Errorf("scale %v at coordinate %d; every value must be positive and finite", s, i)
		}
		lo, hi = min(lo, float64(s)), max(hi, float64(s))
		if len(distinct) <= maxLevels {
			distinct[s] = true
		}
	}
	n.sigma = slices.Clone(sigma)
	if len(distinct) > maxLevels {
		ratio := 1.0 / 16 // in log₂
		for math.Round(math.Log2(hi)/ratio)-math.Round(math.Log2(lo)/ratio) >= maxLevels {
			ratio *= 2
		}
		clear(distinct)
		for i, s := range n.sigma {
			s = float32(math.Exp2(math.Round(math.Log2(float64(s))/ratio) * ratio))
			// The ends of float32's range stay inside it.
			s = min(max(s, math.SmallestNonzeroFloat32), math.MaxFloat32)
			n.sigma[i] = s
			distinct[s] = true
		}
	}
	for s := range distinct {
		levels = append(levels, s)
	}
	slices.Sort(levels)
	if len(levels) > 1 {
		n.level = make([]uint8, len(sigma))
		for i, s := range n.sigma {
			at, _ := slices.BinarySearch(levels, s)
			n.level[i] = uint8(at)
		}
	}
	return levels, nil
}
