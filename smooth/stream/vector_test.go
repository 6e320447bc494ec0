package stream

import (
	"math"
	"math/rand/v2"
	"testing"
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

// checkTries compares the kernel with the definition of a first try.
func checkTries(t *testing.T, layers *[128]fastLayer, w *[block]uint64) {
	t.Helper()
	var o [2 * block]float32
	miss := firstTries(layers, w, &o)
	for i, got := range o {
		u := draw(w, i)
		l := layers[u&layerMask]
		v := u&^layerMask | centre
		if hit := v+l.k < 2*l.k; hit != (miss[i/64]>>(i%64)&1 == 0) {
			t.Fatalf("draw %#x of value %d: hit is %t in plain Go only", u, i, hit)
		}
		if want := float32(int32(v)) * l.w; math.Float32bits(got) != math.Float32bits(want) {
			t.Fatalf("draw %#x of value %d: %v, want %v", u, i, got, want)
		}
	}
}

func TestFirstTries(t *testing.T) {
	needVector(t)
	for name, layers := range map[string]*[128]fastLayer{"normal": &normalFast, "exp": &expFast} {
		t.Run(name, func(t *testing.T) {
			s := New(2, [32]byte{}, Audit).Source(0)
			var w [block]uint64
			for range 20_000 { // 2.6 million values
				s.fill(w[:])
				checkTries(t, layers, &w)
			}
			// Both sides of every layer's edges, and of the range of int32.
			var edges []uint32
			for i, l := range layers {
				for _, cell := range []uint32{0, 1 << 7, l.k - 1<<7, l.k, l.k + 1<<7, -l.k - 1<<7, -l.k, -l.k + 1<<7, 1<<31 - 1<<7, 1 << 31, 1<<31 + 1<<7, ^uint32(0)} {
					edges = append(edges, cell&^layerMask|uint32(i))
				}
			}
			for len(edges) > 0 {
				for i := range w {
					w[i] = uint64(edges[2*i%len(edges)]) | uint64(edges[(2*i+1)%len(edges)])<<32
				}
				checkTries(t, layers, &w)
				edges = edges[min(len(edges), 2*block):]
			}
		})
	}
}

// plainly fills dst by the plain Go path.
func plainly(s *Source, dst []float32, tries func(*Source, *[block]uint64, []float32)) {
	var w [block]uint64
	for len(dst) > 0 {
		n := min(len(dst), 2*block)
		s.fill(w[:(n+1)/2])
		tries(s, &w, dst[:n])
		dst = dst[n:]
	}
}

// Kernels and plain Go yield the same bits and leave the same state, for all
// lengths and alignments.
func TestVectorSamplers(t *testing.T) {
	needVector(t)
	key := New(11, [32]byte{3}, Estimate)
	room, want := make([]float32, 1100), make([]float32, 1000)
	for name, c := range map[string]struct {
		into  func(*Source, []float32)
		tries func(*Source, *[block]uint64, []float32)
	}{
		"normal":  {(*Source).NormalInto, (*Source).normalTries},
		"laplace": {(*Source).LaplaceInto, (*Source).laplaceTries},
	} {
		for n := 1; n <= 1000; n++ { // 500,000 values
			a := key.Source(uint64(n))
			b := a
			got := room[n%9:][:n]
			c.into(&a, got)
			plainly(&b, want[:n], c.tries)
			sameBits(t, name, got, want[:n])
			if a != b {
				t.Fatalf("%s, n=%d: the states differ", name, n)
			}
		}
		for i := range uint64(1000) { // a million values
			a := key.Source(i)
			b := a
			c.into(&a, room[1:][:1000])
			plainly(&b, want, c.tries)
			sameBits(t, name, room[1:], want)
		}
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
