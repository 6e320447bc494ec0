package stream

import "math/bits"

// Slices are filled in blocks of blockValues values, two from each of blockWords
// words. The words of a block's first tries come from four lanes; those of the
// values that need more than their 32 bits come from the sample's own sequence
// after the lanes' seeds, in the order of the values.
const (
	blockWords  = 512
	blockValues = 2 * blockWords
)

// words is a block's buffer of words.
type words [blockWords]uint64

// draw returns the draw of value i of the block: half a word.
func (w *words) draw(i int) uint32 {
	return uint32(w[i>>1&(blockWords-1)] >> (uint(i) & 1 * 32))
}

// lanes are four xoshiro256++ generators side by side: lane l has the state
// a[l], b[l], c[l], d[l].
type lanes struct{ a, b, c, d [4]uint64 }

// lanes seeds four generators with the next sixteen words, each scrambled by the
// bijection of SplitMix64 (Steele, Lea, Flood 2014, with the constants of Stafford's
// variant 13): xoshiro's authors advise against seeding their generators with plain
// outputs of a linear one.
func (s *Source) lanes() lanes {
	var l lanes
	for i := range 4 {
		l.a[i], l.b[i], l.c[i], l.d[i] = mix(s.Uint64()), mix(s.Uint64()), mix(s.Uint64()), mix(s.Uint64())
		if l.a[i]|l.b[i]|l.c[i]|l.d[i] == 0 {
			l.a[i] = philoxW0 // the one state that xoshiro can't leave
		}
	}
	return l
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// fill puts the words of n values, at most blockValues, into w: word 4t+l is the
// t-th of lane l. It may write up to three words more.
func (s *Source) fill(w *words, n int) {
	l := s.lanes()
	steps := (n + 7) / 8
	if vector {
		fillLanes(&l, w, steps)
		return
	}
	l.fill(w, steps)
}

// fill is fillLanes in plain Go.
func (l *lanes) fill(w *words, steps int) {
	for lane := range 4 {
		a, b, c, d := l.a[lane], l.b[lane], l.c[lane], l.d[lane]
		for i := lane; i < 4*steps; i += 4 {
			w[i&(blockWords-1)] = bits.RotateLeft64(a+d, 23) + a
			t := b << 17
			c ^= a
			d ^= b
			b ^= c
			a ^= d
			c ^= t
			d = bits.RotateLeft64(d, 45)
		}
	}
}

// misses marks the values of a block whose first try failed: bit i&63 of word i/64
// for value i.
type misses [blockValues / 64]uint64

// tries puts the outcomes of the first tries of w into o, at most blockValues
// values, and the numbers of those that failed into list; it returns how many.
func tries(layers *[layers]fastLayer, w *words, o []float32, list *[blockValues]uint16) int {
	var miss misses
	whole := 0
	if vector && len(o) >= 64 {
		firstTries(layers, w, &o[0], &miss, len(o)/64)
		whole = len(o) &^ 63
	}
	plainTries(layers, w, o, whole, &miss)
	return miss.list(list)
}

// plainTries is firstTries in plain Go, for the values from number from on.
func plainTries(layers *[layers]fastLayer, w *words, o []float32, from int, miss *misses) {
	for i := from; i < len(o); i++ {
		u := w.draw(i)
		l := &layers[u&layerMask]
		v := u&^layerMask | centre
		o[i] = float32(int32(v)) * l.w
		if v+l.k >= 2*l.k {
			miss[i>>6&(len(miss)-1)] |= 1 << (i & 63)
		}
	}
}

// list puts the marked numbers into to, in order, and returns how many there are.
func (m *misses) list(to *[blockValues]uint16) int {
	n := 0
	for h, bit := range m {
		for ; bit != 0; bit &= bit - 1 {
			to[n&(blockValues-1)] = uint16(h<<6 | bits.TrailingZeros64(bit)) //nolint:gosec // G115: below blockValues
			n++
		}
	}
	return n
}

// UniformInto fills dst with independent variates, uniform on (−1, 1), from 24
// random bits each: the odd multiples of 2⁻²⁴, all exact in float32.
//
// Lost mass: none. Resolution: 6e-8 (half a step). Pieces: see [Source.NormalInto].
func (s *Source) UniformInto(dst []float32) {
	var w words
	for len(dst) > 0 {
		o := dst[:min(len(dst), blockValues)]
		s.fill(&w, len(o))
		for i := range o {
			o[i] = float32(int32(w.draw(i)&^0xff|0x80)) * 0x1p-31
		}
		dst = dst[len(o):]
	}
}
