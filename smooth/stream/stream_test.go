package stream

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"ucan/fixtures/subtest"
)

var _ rand.Source = (*Source)(nil)

func TestStreamIsFunctionOfItsFourArguments(t *testing.T) {
	input := [32]byte{1, 2, 3}
	draw := func(seed uint64, in [32]byte, p Phase, i uint64) [4]uint64 {
		s := New(seed, in, p).Source(i)
		return [4]uint64{s.Uint64(), s.Uint64(), s.Uint64(), s.Uint64()}
	}
	base := draw(7, input, Estimate, 5)
	if again := draw(7, input, Estimate, 5); again != base {
		t.Fatalf("same arguments, other words: %x and %x", base, again)
	}
	other := input
	other[31] = 1
	for name, got := range subtest.Rows(map[string][4]uint64{
		"seed": draw(8, input, Estimate, 5), "input": draw(7, other, Estimate, 5),
		"phase": draw(7, input, Select, 5), "index": draw(7, input, Estimate, 6),
	}) {
		t.Run(name, func(t *testing.T) {
			for i := range got {
				if got[i] == base[i] {
					t.Errorf("word %d is the same for another %s", i, name)
				}
			}
		})
	}
}

// The known answers of Random123's kat_vectors for philox4x64-10.
func TestPhiloxKnownAnswers(t *testing.T) {
	const f = math.MaxUint64
	for _, c := range []struct {
		ctr  [4]uint64
		k    [2]uint64
		want [4]uint64
	}{
		{[4]uint64{}, [2]uint64{}, [4]uint64{0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b, 0x7e68b68aec7ba23b}},
		{[4]uint64{f, f, f, f}, [2]uint64{f, f}, [4]uint64{0x87b092c3013fe90b, 0x438c3c67be8d0224, 0x9cc7d7c69cd777b6, 0xa09caebf594f0ba0}},
		{[4]uint64{0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89}, [2]uint64{0x452821e638d01377, 0xbe5466cf34e90c6c},
			[4]uint64{0xa528f45403e61d95, 0x38c72dbd566e9788, 0xa5a1610e72fd18b5, 0x57bd43b5e52b7fe6}},
	} {
		var got [4]uint64
		got[0], got[1], got[2], got[3] = philox(c.k[0], c.k[1], c.ctr)
		if got != c.want {
			t.Errorf("philox(%x, %x) = %x, want %x", c.k, c.ctr, got, c.want)
		}
	}
}

// xoshiro256++ from the state {1, 2, 3, 4}: the values of the authors' C code, as
// published in the tests of the Rust crate rand_xoshiro.
func TestXoshiroKnownAnswers(t *testing.T) {
	s := Source{1, 2, 3, 4}
	for i, want := range []uint64{41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205, 9973669472204895162} {
		if got := s.Uint64(); got != want {
			t.Errorf("word %d = %d, want %d", i, got, want)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	key := New(1, [32]byte{}, Estimate)
	dst := make([]float32, 1000)
	var x float64
	if n := testing.AllocsPerRun(20, func() {
		s := key.Source(3)
		s.NormalInto(dst)
		s.LaplaceInto(dst)
		s.UniformInto(dst)
		x += s.Gamma(3) + s.Normal() + s.Exponential()
	}); n != 0 {
		t.Errorf("%v allocations per sample, want 0", n)
	}
}

// Filling in pieces of multiples of 1024 is filling at once.
func TestPieces(t *testing.T) {
	key := New(1, [32]byte{9}, Estimate)
	for name, into := range subtest.Rows(map[string]func(*Source, []float32){
		"normal": (*Source).NormalInto, "laplace": (*Source).LaplaceInto, "uniform": (*Source).UniformInto,
	}) {
		t.Run(name, func(t *testing.T) {
			whole, parts := make([]float32, 3001), make([]float32, 3001)
			s := key.Source(0)
			into(&s, whole)
			s = key.Source(0)
			into(&s, parts[:1024])
			into(&s, parts[1024:2048])
			into(&s, parts[2048:])
			if !slices.Equal(whole, parts) {
				t.Errorf("%s: pieces differ from the whole", name)
			}
		})
	}
}
