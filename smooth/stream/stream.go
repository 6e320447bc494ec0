// Package stream provides the counter-based random streams that noise is made
// from.
//
// # Streams
//
// A stream is a function of four things only: the run's seed, the 32-byte hash
// of the input, the [Phase], and the sample's index. Counts of a certification
// therefore do not depend on threads, batch size, shards, order or restarts:
// whoever draws sample i of an input gets the same noise.
//
// Construction: SHA-256 over (domain tag, seed, input hash, phase) gives a
// 128-bit key and a 128-bit nonce. One block of the counter-based generator
// Philox4x64-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy
// as 1, 2, 3", SC'11) on the counter (index, 0, nonce) gives the 256-bit state of
// a xoshiro256++ generator (Blackman, Vigna, "Scrambled linear pseudorandom
// number generators", 2021), which yields the sample's words. Philox is a
// bijection of its counter, so two samples of one key never start from the same
// state; the chance that any of N samples of L words overlap is N²·L·2⁻²⁵⁶.
// (Philox alone, at 6 ns a word in pure Go against 1.5 ns, would cost more than
// everything else in a normal variate.) Slices are filled by four such generators
// side by side, seeded anew from the sample's own for every block of 1024 values,
// see lanes: that is what vector instructions can do.
//
// Both generators pass TestU01's BigCrush; neither is a cipher. A service that
// must resist adversaries who search for lucky inputs keeps its seed secret
// until after the fact.
//
// # Compatibility
//
// The words of a stream and the values of every sampler in this package are
// pinned by golden tests. They are a promise: a stored certificate is replayed
// from its seed. Changing any of them needs a new domain tag.
//
// # Resolution and lost mass
//
// Every sampler states how far its law is from the exact one, in two parts: the
// lost mass (total-variation distance, such as tails that can't be reached),
// and the resolution (how far a value may lie from the exact variate it is
// coupled with, by the grid of its random bits and by rounding to float32).
// Certificates subtract the lost mass; for the resolution they state that they
// assume real arithmetic (package lattice is the alternative).
package stream

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// LostMass bounds the mass that every sampler of this package loses per variate:
// the rounding of the ziggurats' tables to float64 (512 numbers at 1e-16
// relative) and the unreachable tails (below 1e-30).
const LostMass = 1e-15

// domainTag separates these streams from any other use of SHA-256 on the same
// values, and versions the whole construction.
const domainTag = "ucan/stream/2\x00"

// Philox4x64 multipliers and Weyl increments (Salmon et al. 2011, table 2 and §4).
const (
	philoxM0 = 0xD2E7470EE14C6C93
	philoxM1 = 0xCA5A826395121157
	philoxW0 = 0x9E3779B97F4A7C15
	philoxW1 = 0xBB67AE8584CAA73B
)

// Key identifies all streams of one (seed, input, phase). It is a small value:
// copy it freely; any number of goroutines may use it.
type Key struct {
	k0, k1 uint64 // Philox key
	n0, n1 uint64 // upper half of the counter
}

// New derives the key of (seed, input, phase). input is the SHA-256 of the
// input's float32 little-endian values in source layout (any 32 bytes do).
func New(seed uint64, input [32]byte, phase Phase) Key {
	var m [len(domainTag) + 8 + 32 + 1]byte
	n := copy(m[:], domainTag)
	binary.LittleEndian.PutUint64(m[n:], seed)
	copy(m[n+8:], input[:])
	m[n+40] = byte(phase)
	h := sha256.Sum256(m[:])
	return Key{
		k0: binary.LittleEndian.Uint64(h[0:]), k1: binary.LittleEndian.Uint64(h[8:]),
		n0: binary.LittleEndian.Uint64(h[16:]), n1: binary.LittleEndian.Uint64(h[24:]),
	}
}

// Source returns the stream of sample number index, at its beginning. It costs
// some 30 ns and allocates nothing.
func (k Key) Source(index uint64) Source {
	a, b, c, d := philox(k.k0, k.k1, [4]uint64{index, 0, k.n0, k.n1})
	if a|b|c|d == 0 {
		a = philoxW0 // the one state that xoshiro can't leave
	}
	return Source{a, b, c, d}
}

// philox is Philox4x64-10: ten rounds on the counter c under the key (k0, k1).
func philox(k0, k1 uint64, c [4]uint64) (c0, c1, c2, c3 uint64) {
	c0, c1, c2, c3 = c[0], c[1], c[2], c[3]
	for range 10 {
		h0, l0 := bits.Mul64(philoxM0, c0)
		h1, l1 := bits.Mul64(philoxM1, c2)
		c0, c1, c2, c3 = h1^c1^k0, l1, h0^c3^k1, l0
		k0 += philoxW0
		k1 += philoxW1
	}
	return c0, c1, c2, c3
}

// Source is one sample's stream of random words (xoshiro256++). Make it with
// [Key.Source]; the zero value yields zeros only. A Source is a value: a copy
// continues from the same point, independently. It must not be used by two
// goroutines at once.
type Source struct{ a, b, c, d uint64 }

// Uint64 returns the next 64 random bits. It implements math/rand/v2.Source.
func (s *Source) Uint64() uint64 {
	a, b, c, d := s.a, s.b, s.c, s.d
	r := bits.RotateLeft64(a+d, 23) + a
	t := b << 17
	c ^= a
	d ^= b
	s.b = b ^ c
	s.a = a ^ d
	s.c = c ^ t
	s.d = bits.RotateLeft64(d, 45)
	return r
}

// Float64Open returns a uniform variate in the open interval (0, 1): never 0,
// never 1. The grid is 2⁻⁵² (offset by half a step), and 2⁻¹¹⁶ below 2⁻¹²; the
// smallest value is 2⁻¹¹⁷, the largest 1 − 2⁻⁵³. No mass is lost (a coupling
// moves each value by at most half a step).
func (s *Source) Float64Open() float64 {
	u := s.Uint64()
	if u < 1<<52 { // the leading 12 bits are zero, once in 4096: refine
		return float64(u)*0x1p-64 + (float64(s.Uint64()>>12)+0.5)*0x1p-116
	}
	return (float64(u>>12) + 0.5) * 0x1p-52
}
