package stream

import (
	"math"
	"slices"
	"testing"
)

// lengths are 1…n with everything around a block in full, the others in steps.
func lengths(n int) []int {
	var out []int
	for i := 1; i <= n; i++ {
		if i <= 300 || i%37 == 0 {
			out = append(out, i)
		}
	}
	return append(out, n)
}

// The affine samplers give the bits of sampling, then multiplying, then adding.
func TestNormalAffine(t *testing.T) {
	key := New(5, [32]byte{1}, Estimate)
	for i, n := range lengths(1000) {
		for _, scale := range []float32{0.25, 0x1p-126, 3e-30, 1.7, 1e30} {
			source := key.Source(uint64(i))
			base, field := make([]float32, n), make([]float32, n)
			source.UniformInto(base)
			source.NormalInto(field)
			a, b, c := source, source, source
			eps, got, gotField := make([]float32, n), make([]float32, n), make([]float32, n)
			a.NormalInto(eps)
			b.NormalAffineInto(got, base, scale)
			for j := range field {
				field[j] *= scale
			}
			c.NormalFieldInto(gotField, base, field)
			if a != b || a != c {
				t.Fatalf("n=%d: the samplers leave different states", n)
			}
			for j, e := range eps {
				if want := base[j] + float32(scale*e); math.Float32bits(got[j]) != math.Float32bits(want) {
					t.Fatalf("n=%d scale=%v: value %d is %v, want %v", n, scale, j, got[j], want)
				}
				if want := base[j] + float32(field[j]*e); math.Float32bits(gotField[j]) != math.Float32bits(want) {
					t.Fatalf("n=%d field %v: value %d is %v, want %v", n, field[j], j, gotField[j], want)
				}
			}
		}
	}
}

func TestAffineAllocatesNothing(t *testing.T) {
	s := New(1, [32]byte{}, Estimate).Source(0)
	dst, base, field := make([]float32, 1000), make([]float32, 1000), make([]float32, 1000)
	if n := testing.AllocsPerRun(20, func() {
		s.NormalAffineInto(dst, base, 0.5)
		s.NormalFieldInto(dst, base, field)
	}); n != 0 {
		t.Errorf("%v allocations per sample, want 0", n)
	}
}

func TestAffineLongerOperands(t *testing.T) {
	x := []float32{1, 2, 3}
	Affine(x, []float32{10, 20, 30, 40}, 2)
	AffineField(x, []float32{1, 1, 1, 1}, []float32{1, 2, 3, 4})
	if want := []float32{13, 49, 109}; !slices.Equal(x, want) {
		t.Errorf("%v, want %v", x, want)
	}
}
