package stream

import (
	"math"
	"testing"
	"ucan/fixtures/subtest"
)

// The bracket holds what math.Exp says all over every strip, so that no decision
// depends on it, and is tight enough to spare nearly every call.
func TestDensityBracket(t *testing.T) {
	for name, c := range subtest.Rows(map[string]struct {
		layers   *[layers]layer
		exponent func(edge, x float64) float64 // as the sampler computes it
		density  func(x float64) float64
	}{
		"normal": {&normalLayers,
			func(edge, x float64) float64 { return (edge - x) * (edge + x) * 0.5 },
			func(x float64) float64 { return math.Exp(-0.5 * x * x) }},
		"exp": {&expLayers,
			func(edge, x float64) float64 { return edge - x },
			func(x float64) float64 { return math.Exp(-x) }},
	}) {
		t.Run(name, func(t *testing.T) {
			const steps = 10_000
			var wide, all float64 // share of uniforms that need the exact value, over the strips
			for i := range c.layers {
				l := &c.layers[i]
				if i == 0 {
					continue // the base has no wedge
				}
				first := float64(l.k)
				for j := range steps + 1 {
					x := (first + (cells-first)*float64(j)/steps) * l.w
					d := c.exponent(l.w*cells, x)
					lo, hi := l.below(d), l.above(d)
					if f := c.density(x); !(lo < f && f < hi) {
						t.Fatalf("layer %d, x=%v: the density %v is outside (%v, %v)", i, x, f, lo, hi)
					}
					wide += min(l.f0+l.df, hi) - max(l.f0, lo)
					all += l.df
				}
			}
			if share := wide / all; share > 0.01 {
				t.Errorf("%v of the wedges' decisions need the exact density", share)
			} else {
				t.Logf("%.2g of the wedges' area is undecided", share)
			}
		})
	}
}
