package stream

import (
	"math"
	"math/rand/v2"
	"testing"
	"ucan/fixtures/subtest"
)

func needVector(t *testing.T) {
	t.Helper()
	if !vector {
		t.Skip("no vector kernels: no AVX2, another architecture or the build tag purego")
	}
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: value %d is %v (%#x), plain Go says %v (%#x)", what, i, got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}

// checkTries compares the kernel with plain Go on the first chunks·64 values.
func checkTries(t *testing.T, layers *[layers]fastLayer, w *words, chunks int) {
	t.Helper()
	var got, want [blockValues]float32
	var miss, plain misses
	firstTries(layers, w, &got[0], &miss, chunks)
	plainTries(layers, w, want[:64*chunks], 0, &plain)
	sameBits(t, "first tries", got[:], want[:])
	if miss != plain {
		t.Fatalf("misses %x, plain Go says %x", miss, plain)
	}
}

func TestFirstTries(t *testing.T) {
	needVector(t)
	for name, layers := range subtest.Rows(map[string]*[layers]fastLayer{"normal": &normalFast, "exp": &expFast}) {
		t.Run(name, func(t *testing.T) {
			s := New(2, [32]byte{}, Audit).Source(0)
			var w words
			for i := range 2_500 { // 1.3 million values
				s.fill(&w, blockValues)
				checkTries(t, layers, &w, 1+i%16)
			}
			// Both sides of every layer's edges, and of the range of int32.
			var edges []uint32
			for i, l := range layers {
				for _, cell := range []uint32{0, 1 << 8, l.k - 1<<8, l.k, l.k + 1<<8, -l.k - 1<<8, -l.k, -l.k + 1<<8, 1<<31 - 1<<8, 1 << 31, 1<<31 + 1<<8, ^uint32(0)} {
					edges = append(edges, cell&^layerMask|uint32(i))
				}
			}
			for len(edges) > 0 {
				for i := range w {
					w[i] = uint64(edges[2*i%len(edges)]) | uint64(edges[(2*i+1)%len(edges)])<<32
				}
				checkTries(t, layers, &w, blockValues/64)
				edges = edges[min(len(edges), blockValues):]
			}
		})
	}
}

// The kernel and plain Go give the words of the lanes, and touch no others.
func TestFillLanes(t *testing.T) {
	needVector(t)
	s := New(5, [32]byte{1}, Audit).Source(0)
	for steps := range blockWords/4 + 1 {
		l := s.lanes()
		var got, want words
		fillLanes(&l, &got, steps)
		l.fill(&want, steps)
		if got != want {
			t.Fatalf("%d steps: the kernel and plain Go differ", steps)
		}
	}
}

// plainly fills dst in plain Go.
func plainly(s *Source, dst []float32, z *law) {
	for len(dst) > 0 {
		o := dst[:min(len(dst), blockValues)]
		var b blockBuffer
		var miss misses
		l := s.lanes()
		l.fill(&b.w, (len(o)+7)/8)
		plainTries(z.fast, &b.w, o, 0, &miss)
		for list := b.list[:miss.list(&b.list)]; len(list) > 0; {
			g := list[:min(len(list), group)]
			s.resolve(z, &b, o, g)
			list = list[len(g):]
		}
		dst = dst[len(o):]
	}
}

// Kernels and plain Go yield the same bits and leave the same state, for all
// lengths and alignments.
func TestVectorSamplers(t *testing.T) {
	needVector(t)
	key := New(11, [32]byte{3}, Estimate)
	const long = 2500
	room, want := make([]float32, long+100), make([]float32, long)
	for name, c := range subtest.Rows(map[string]struct {
		into func(*Source, []float32)
		law  *law
	}{
		"normal":  {(*Source).NormalInto, &normalLaw},
		"laplace": {(*Source).LaplaceInto, &laplaceLaw},
	}) {
		t.Run(name, func(t *testing.T) {
			for i := range 1200 {
				n := 1 + i
				if i >= 1000 {
					n = long - i%7
				}
				a := key.Source(uint64(i))
				b := a
				got := room[i%9:][:n]
				c.into(&a, got)
				plainly(&b, want[:n], c.law)
				sameBits(t, name, got, want[:n])
				if a != b {
					t.Fatalf("%s, n=%d: the states differ", name, n)
				}
			}
		})
	}
}

// The lanes are distinct generators with known answers: lane l is xoshiro256++ from
// the scrambled words 4l … 4l+3.
func TestLanesAreXoshiro(t *testing.T) {
	s := New(5, [32]byte{1}, Audit).Source(3)
	seeds := s
	var w words
	s.fill(&w, 80)
	for lane := range 4 {
		one := Source{mix(seeds.Uint64()), mix(seeds.Uint64()), mix(seeds.Uint64()), mix(seeds.Uint64())}
		for step := range 10 {
			if want := one.Uint64(); w[4*step+lane] != want {
				t.Fatalf("lane %d, step %d: %#x, want %#x", lane, step, w[4*step+lane], want)
			}
		}
	}
	if s != seeds {
		t.Error("filling takes more from the sequence than the seeds")
	}
}

// Scales and bases over the whole range of float32, overflow and subnormal
// results included.
func TestVectorAffine(t *testing.T) {
	needVector(t)
	rng := rand.New(rand.NewPCG(1, 2))
	anything := func() float32 {
		for {
			if f := math.Float32frombits(rng.Uint32()); !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) {
				return f
			}
		}
	}
	const n = 1000
	room, base, scale := make([]float32, n+9), make([]float32, n+9), make([]float32, n+9)
	x, want := make([]float32, n), make([]float32, n)
	for round := range 3000 {
		length := 1 + round%n
		for i := range room {
			base[i], scale[i] = anything(), anything()
			if round%3 == 0 {
				base[i] = rng.Float32()
			}
		}
		for i := range x[:length] {
			x[i] = float32(rng.NormFloat64())
			if round%2 == 0 {
				x[i] = anything()
			}
		}
		at, bt, st := round%9, round/9%9, round/81%9
		dst, b, s := room[at:][:length], base[bt:], scale[st:]
		copy(dst, x)
		copy(want, x[:length])
		Affine(dst, b, s[0])
		affine(want[:length], b[:length], s[0])
		sameNumbers(t, dst, want[:length])
		copy(dst, x)
		copy(want, x[:length])
		AffineField(dst, b, s)
		affineField(want[:length], b[:length], s[:length])
		sameNumbers(t, dst, want[:length])
	}
}

// sameNumbers is sameBits but for the bits of a NaN, which come of an infinite
// product and an infinite base only.
func sameNumbers(t *testing.T, got, want []float32) {
	t.Helper()
	for i := range want {
		if want[i] != want[i] && got[i] != got[i] {
			got[i], want[i] = 0, 0
		}
	}
	sameBits(t, "affine", got, want)
}
