package stream

import (
	"math"
	"math/bits"
)

// layer is one strip of a ziggurat; see gentables.py for the construction.
type layer struct {
	w  float64 // width of one of the strip's 2²⁴ cells
	f0 float64 // unnormalised density at the strip's outer edge (0 for the base)
	df float64 // the strip's height
	k  uint32  // cells below k lie wholly under the density
}

// fastLayer is what the first try of a 32-bit draw needs, scaled by 2⁷.
type fastLayer struct {
	w float32 // width of a cell · 2⁻⁷
	k uint32  // layer.k · 2⁷
}

// A 32-bit draw u is split into 7 bits of layer (u&layerMask) and 25 bits of
// signed cell number j = int32(u)>>7, whose cell is [j, j+1)·w. The first try
// works on v = 2⁷(j+½) = u with its low bits replaced by the cell's centre.
const (
	layerMask = 1<<7 - 1
	centre    = 1 << 6
)

// NormalInto fills dst with independent standard normal variates.
//
// Method: ziggurat of 128 layers with 2²⁵ signed cells each (Marsaglia, Tsang
// 2000), 32 random bits a value. A cell wholly under the density (98.8 % of the
// draws) yields its centre, in float32 arithmetic; every other draw is decided
// in float64 with fresh uniforms of at least 52 bits for the position in the
// cell, the acceptance and the tail.
//
// Lost mass: at most [LostMass] per coordinate; the tail itself reaches 27 σ.
// Resolution: within 6e-7 of an exact standard normal variate.
//
// Pieces: values are made in blocks of 128, so filling a slice piece by piece
// gives the same values as one call when every piece but the last has a multiple
// of 128 elements.
func (s *Source) NormalInto(dst []float32) {
	var w [block]uint64
	for len(dst) > 0 {
		n := min(len(dst), 2*block)
		s.normalBlock(&w, dst[:n])
		dst = dst[n:]
	}
}

// normalBlock fills o, at most 2·block values, with normal variates: the words of
// the first tries, then those of the others in the order of their values. w is
// room for words.
func (s *Source) normalBlock(w *[block]uint64, o []float32) {
	s.fill(w[:(len(o)+1)/2])
	if vector && len(o) == 2*block {
		o := (*[2 * block]float32)(o)
		for h, miss := range firstTries(&normalFast, w, o) {
			for ; miss != 0; miss &= miss - 1 {
				i := h<<6 | bits.TrailingZeros64(miss)
				o[i&(2*block-1)] = float32(s.normal(draw(w, i)))
			}
		}
		return
	}
	s.normalTries(w, o)
}

// draw returns the draw of value i of a block: half a word.
func draw(w *[block]uint64, i int) uint32 {
	return uint32(w[i>>1&(block-1)] >> (uint(i) & 1 * 32))
}

// normalTries is normalBlock after its first step, in plain Go.
func (s *Source) normalTries(w *[block]uint64, o []float32) {
	if len(o) == 2*block { // two values a word, without tests of bounds
		o := (*[2 * block]float32)(o)
		for i, r := range w {
			u := uint32(r)
			l := &normalFast[u&layerMask]
			v := u&^layerMask | centre
			if v+l.k < 2*l.k {
				o[2*i] = float32(int32(v)) * l.w
			} else {
				o[2*i] = float32(s.normal(u))
			}
			u = uint32(r >> 32)
			l = &normalFast[u&layerMask]
			v = u&^layerMask | centre
			if v+l.k < 2*l.k {
				o[2*i+1] = float32(int32(v)) * l.w
			} else {
				o[2*i+1] = float32(s.normal(u))
			}
		}
		return
	}
	for i := range o {
		u := draw(w, i)
		l := &normalFast[u&layerMask]
		v := u&^layerMask | centre
		if v+l.k < 2*l.k {
			o[i] = float32(int32(v)) * l.w
		} else {
			o[i] = float32(s.normal(u))
		}
	}
}

// LaplaceInto fills dst with independent variates of the standard Laplace law,
// density e^(−|x|)/2, by the same method as [Source.NormalInto].
//
// Lost mass: at most [LostMass] per coordinate; the tail reaches 87. Resolution:
// 5e-7 + 2e-7·|x|.
func (s *Source) LaplaceInto(dst []float32) {
	var w [block]uint64
	for len(dst) > 0 {
		n := min(len(dst), 2*block)
		s.laplaceBlock(&w, dst[:n])
		dst = dst[n:]
	}
}

// laplaceBlock is normalBlock for Laplace variates.
func (s *Source) laplaceBlock(w *[block]uint64, o []float32) {
	s.fill(w[:(len(o)+1)/2])
	if vector && len(o) == 2*block {
		o := (*[2 * block]float32)(o)
		for h, miss := range firstTries(&expFast, w, o) {
			for ; miss != 0; miss &= miss - 1 {
				i := h<<6 | bits.TrailingZeros64(miss)
				o[i&(2*block-1)] = float32(s.laplace(draw(w, i)))
			}
		}
		return
	}
	s.laplaceTries(w, o)
}

// laplaceTries is laplaceBlock after its first step, in plain Go.
func (s *Source) laplaceTries(w *[block]uint64, o []float32) {
	for i := range o {
		u := draw(w, i)
		l := &expFast[u&layerMask]
		v := u&^layerMask | centre
		if v+l.k < 2*l.k {
			o[i] = float32(int32(v)) * l.w
		} else {
			o[i] = float32(s.laplace(u))
		}
	}
}

// split returns the layer, cell number |j| and sign of a 32-bit draw.
func split(u uint32) (i, m uint32, sign float64) {
	j := int32(u) >> 7
	sign = 1
	if j < 0 {
		sign = -1
	}
	return u & layerMask, uint32(j ^ j>>31), sign
}

// density brackets the density where its logarithm is d above that at the strip's
// outer edge, and with it what math.Exp says there: a comparison with a uniform
// is then decided without that call, which takes longer than all the rest, but a
// few times in 100,000. The bracket is e^d's Taylor polynomial of degree 3 without
// and with a bound of its remainder d⁴/24·(1 + d/5 + d²/30 + …), for d < 1 at most
// 0.0521·d⁴; the margins of 1e-9 are far more than the rounding errors.
func (t *layer) density(d float64) (lo, hi float64) {
	if d >= 1 {
		return 0, math.Inf(1)
	}
	d2 := d * d
	p := 1 + d + d2*(0.5+d*(1.0/6))
	return t.f0 * p * (1 - 1e-9), t.f0 * (p + 0.0522*(d2*d2)) * (1 + 1e-9)
}

// normal turns the draw u into a variate, exactly up to float64 rounding: the
// position within the cell is a fresh uniform.
func (s *Source) normal(u uint32) float64 {
	for {
		i, m, sign := split(u)
		t := &normalLayers[i]
		x := (float64(m) + s.Float64Open()) * t.w
		switch {
		case m < t.k:
			return sign * x
		case i == 0:
			if x >= normalR {
				x = s.normalTail()
			}
			return sign * x
		}
		y := t.f0 + float64(t.df*s.Float64Open())
		edge := t.w * 0x1p24
		lo, hi := t.density((edge - x) * (edge + x) * 0.5)
		if y < lo || y < hi && y < math.Exp(-0.5*x*x) {
			return sign * x
		}
		u = uint32(s.Uint64() >> 32)
	}
}

// normalTail returns a standard normal variate conditioned to exceed normalR
// (Marsaglia 1964): r + E₁/r with exponential E₁, accepted when 2E₂ > (E₁/r)².
func (s *Source) normalTail() float64 {
	for {
		x := s.logExp() / normalR
		if y := s.logExp(); y+y > x*x {
			return normalR + x
		}
	}
}

// laplace is normal for the signed exponential.
func (s *Source) laplace(u uint32) float64 {
	for {
		i, m, sign := split(u)
		t := &expLayers[i]
		x := (float64(m) + s.Float64Open()) * t.w
		switch {
		case m < t.k:
			return sign * x
		case i == 0:
			if x >= expR {
				x = expR + s.logExp() // the law has no memory
			}
			return sign * x
		}
		y := t.f0 + float64(t.df*s.Float64Open())
		lo, hi := t.density(t.w*0x1p24 - x)
		if y < lo || y < hi && y < math.Exp(-x) {
			return sign * x
		}
		u = uint32(s.Uint64() >> 32)
	}
}

// logExp is an exponential variate by inversion; it reaches 81.
func (s *Source) logExp() float64 { return -math.Log(s.Float64Open()) }
