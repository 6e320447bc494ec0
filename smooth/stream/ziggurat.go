package stream

import "math"

// layer is one strip of a ziggurat; see gentables.py for the construction.
type layer struct {
	w  float64 // width of one of the strip's cells
	f0 float64 // unnormalised density at the strip's outer edge (0 for the base)
	df float64 // the strip's height
	k  uint32  // cells below k lie wholly under the density
}

// fastLayer is what the first try of a 32-bit draw needs, scaled by 2⁸.
type fastLayer struct {
	w float32 // width of a cell · 2⁻⁸
	k uint32  // layer.k · 2⁸
}

// A 32-bit draw u is split into 8 bits of layer (u&layerMask) and 24 bits of
// signed cell number j = int32(u)>>8, whose cell is [j, j+1)·w. The first try
// works on v = 2⁸(j+½) = u with its low bits replaced by the cell's centre.
const (
	layers    = 1 << 8
	layerMask = layers - 1
	cells     = 1 << 23 // of a layer, on either side of 0
	centre    = 1 << 7
)

// NormalInto fills dst with independent standard normal variates.
//
// Method: ziggurat of 256 layers with 2²⁴ signed cells each (Marsaglia, Tsang
// 2000), 32 random bits a value. A cell wholly under the density (98.5 % of the
// draws) yields its centre, in float32 arithmetic; every other draw is decided
// in float64 with fresh uniforms of at least 52 bits for the position in the
// cell, the acceptance and the tail.
//
// Lost mass: at most [LostMass] per coordinate; the tail itself reaches 27 σ.
// Resolution: within 6e-7 of an exact standard normal variate.
//
// Pieces: values are made in blocks of 1024, so filling a slice piece by piece
// gives the same values as one call when every piece but the last has a multiple
// of 1024 elements.
func (s *Source) NormalInto(dst []float32) {
	var b blockBuffer
	for len(dst) > 0 {
		n := min(len(dst), blockValues)
		s.zigguratBlock(&normalLaw, &b, dst[:n])
		dst = dst[n:]
	}
}

// LaplaceInto fills dst with independent variates of the standard Laplace law,
// density e^(−|x|)/2, by the same method as [Source.NormalInto].
//
// Lost mass: at most [LostMass] per coordinate; the tail reaches 87. Resolution:
// 6e-7 + 2e-7·|x|.
func (s *Source) LaplaceInto(dst []float32) {
	var b blockBuffer
	for len(dst) > 0 {
		n := min(len(dst), blockValues)
		s.zigguratBlock(&laplaceLaw, &b, dst[:n])
		dst = dst[n:]
	}
}

// law is what the two ziggurats differ in.
type law struct {
	fast   *[layers]fastLayer
	layers *[layers]layer
	normal bool
}

var (
	normalLaw  = law{fast: &normalFast, layers: &normalLayers, normal: true}
	laplaceLaw = law{fast: &expFast, layers: &expLayers}
)

// exponent is log f(x) − log f(edge) of the unnormalised density f, for 0 ≤ x ≤ edge.
func (l *law) exponent(x, edge float64) float64 {
	if l.normal {
		return (edge - x) * (edge + x) * 0.5
	}
	return edge - x
}

// blockBuffer is what filling a block needs beside the values.
type blockBuffer struct {
	w     words
	list  [blockValues]uint16
	fresh [2 * group]uint64
	left  [group]uint8
}

// group is how many failed tries are resolved at a time.
const group = 64

// zigguratBlock fills o, at most blockValues values. The tries that failed are
// collected, and most of them resolved, without branches: a branch that one value
// in a hundred takes, or every other of those, costs more than its work.
func (s *Source) zigguratBlock(l *law, b *blockBuffer, o []float32) {
	s.fill(&b.w, len(o))
	n := tries(l.fast, &b.w, o, &b.list)
	for list := b.list[:n]; len(list) > 0; {
		g := list[:min(len(list), group)]
		s.resolve(l, b, o, g)
		list = list[len(g):]
	}
}

// resolve decides the failed tries of g, at most group numbers of values of o, with
// two fresh words each for the position in the cell and the height in the layer.
// Those that lie under the density beyond doubt are done; the others are finished
// in turn, with further words.
func (s *Source) resolve(l *law, b *blockBuffer, o []float32, g []uint16) {
	for i := range b.fresh[:2*len(g)] {
		b.fresh[i] = s.Uint64()
	}
	left := 0
	for k, i := range g {
		c := l.candidate(b, k, i)
		o[i] = float32(signed(c.x, c.draw))
		b.left[left&(group-1)] = uint8(k) //nolint:gosec // G115: below group
		doubt := 1
		if c.y < c.layer.below(c.d) {
			doubt = 0
		}
		left += doubt
	}
	for _, k := range b.left[:left] {
		i := g[k]
		o[i] = float32(s.finish(l, l.candidate(b, int(k), i)))
	}
}

// candidate is a point of the ziggurat: in layer, at x and height y, where the
// logarithm of the density is d above that at the layer's outer edge.
type candidate struct {
	layer   *layer
	base    bool
	x, y, d float64
	draw    uint32 // its first try, for the sign
}

// candidate is the point of the k-th failed try of the group, of value i.
func (l *law) candidate(b *blockBuffer, k int, i uint16) candidate {
	u := b.w.draw(int(i))
	strip, m := split(u)
	t := &l.layers[strip]
	k &= group - 1
	x := (float64(m) + unit(b.fresh[2*k])) * t.w
	y := t.f0 + float64(t.df*unit(b.fresh[2*k+1]))
	return candidate{layer: t, base: strip == 0, x: x, y: y, d: l.exponent(x, t.w*cells), draw: u}
}

// finish returns the variate of a candidate, or of a new draw if that lies above
// the density.
func (s *Source) finish(l *law, c candidate) float64 {
	x := c.x
	if l.normal {
		switch {
		case c.base && x >= normalR:
			x = s.normalTail()
		case c.base, c.y < c.layer.above(c.d) && c.y < math.Exp(-0.5*x*x):
		default:
			return s.Normal()
		}
		return signed(x, c.draw)
	}
	switch {
	case c.base && x >= expR:
		x = expR + s.logExp() // the law has no memory
	case c.base, c.y < c.layer.above(c.d) && c.y < math.Exp(-x):
	default:
		return s.laplace(uint32(s.Uint64() >> 32))
	}
	return signed(x, c.draw)
}

// unit is the word's place in (0, 1): odd multiples of 2⁻⁵³.
func unit(u uint64) float64 { return (float64(int64(u>>12)) + 0.5) * 0x1p-52 } //nolint:gosec // G115: 52 bits

// split returns the layer and the cell number |j| of a 32-bit draw.
func split(u uint32) (i, m uint32) {
	j := int32(u) >> 8 //nolint:gosec // G115: the sign is one of the draw's bits
	return u & layerMask, uint32(j ^ j>>31)
}

// signed is ±x by the draw's sign, x ≥ 0, without a branch that guesses wrong every
// other time.
func signed(x float64, u uint32) float64 {
	return math.Float64frombits(math.Float64bits(x) | uint64(u>>31)<<63)
}

// below is a lower bound of the density where its logarithm is d ≥ 0 above that at
// the strip's outer edge: e^d's Taylor polynomial of degree 3. With above, it
// decides a comparison without the call of math.Exp, which takes longer than all
// the rest, but a few times in 100,000. The margins of 1e-9 are far more than the
// rounding errors.
func (t *layer) below(d float64) float64 {
	return t.f0 * (1 + d + d*d*(0.5+d*(1.0/6))) * (1 - 1e-9)
}

// above is an upper bound: the polynomial with a bound of its remainder
// d⁴/24·(1 + d/5 + d²/30 + …), for d < 1 at most 0.0521·d⁴, and infinity for others.
func (t *layer) above(d float64) float64 {
	if d >= 1 {
		return math.Inf(1)
	}
	d2 := d * d
	return t.f0 * (1 + d + d2*(0.5+d*(1.0/6)) + 0.0522*(d2*d2)) * (1 + 1e-9)
}

// normal turns the draw u into a variate, exactly up to float64 rounding: the
// position within the cell is a fresh uniform.
func (s *Source) normal(u uint32) float64 {
	for {
		i, m := split(u)
		t := &normalLayers[i]
		x := (float64(m) + s.Float64Open()) * t.w
		switch {
		case m < t.k:
			return signed(x, u)
		case i == 0:
			if x >= normalR {
				x = s.normalTail()
			}
			return signed(x, u)
		}
		y := t.f0 + float64(t.df*s.Float64Open())
		edge := t.w * cells
		d := (edge - x) * (edge + x) * 0.5
		if y < t.below(d) || y < t.above(d) && y < math.Exp(-0.5*x*x) {
			return signed(x, u)
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
		i, m := split(u)
		t := &expLayers[i]
		x := (float64(m) + s.Float64Open()) * t.w
		switch {
		case m < t.k:
			return signed(x, u)
		case i == 0:
			if x >= expR {
				x = expR + s.logExp() // the law has no memory
			}
			return signed(x, u)
		}
		y := t.f0 + float64(t.df*s.Float64Open())
		d := t.w*cells - x
		if y < t.below(d) || y < t.above(d) && y < math.Exp(-x) {
			return signed(x, u)
		}
		u = uint32(s.Uint64() >> 32)
	}
}

// logExp is an exponential variate by inversion; it reaches 81.
func (s *Source) logExp() float64 { return -math.Log(s.Float64Open()) }
