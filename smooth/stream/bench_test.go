package stream

import (
	"fmt"
	"testing"
	"time"
)

func BenchmarkUint64(b *testing.B) {
	s := New(1, [32]byte{}, Estimate).Source(0)
	var x uint64
	for b.Loop() {
		x ^= s.Uint64()
	}
	_ = x
}

func BenchmarkNormalInto(b *testing.B)  { benchInto(b, (*Source).NormalInto) }
func BenchmarkLaplaceInto(b *testing.B) { benchInto(b, (*Source).LaplaceInto) }
func BenchmarkUniformInto(b *testing.B) { benchInto(b, (*Source).UniformInto) }

func benchInto(b *testing.B, into func(*Source, []float32)) {
	key := New(1, [32]byte{}, Estimate)
	for _, n := range []int{784, 3072, 150528} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			dst := make([]float32, n)
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				s := key.Source(i)
				into(&s, dst)
				i++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/value")
		})
	}
}

// BenchmarkBlock compares the kernels with plain Go in turn, each figure the best
// of many short runs, since what shares the machine only adds time.
func BenchmarkBlock(b *testing.B) {
	const n = 3 * blockValues
	dst, base := make([]float32, n), make([]float32, n)
	s := New(1, [32]byte{}, Estimate).Source(0)
	var room blockBuffer
	each := func(f func(o, base []float32)) {
		for i := 0; i < n; i += blockValues {
			f(dst[i:i+blockValues], base[i:])
		}
	}
	runs := []struct {
		name string
		run  func()
	}{
		{"words", func() { each(func(o, _ []float32) { s.fill(&room.w, len(o)) }) }},
		{"tries", func() { each(func(o, _ []float32) { tries(&normalFast, &room.w, o, &room.list) }) }},
		{"go", func() {
			each(func(o, base []float32) { plainly(&s, o, &normalLaw); affine(o, base[:len(o)], 0.25) })
		}},
		{"normal", func() { s.NormalInto(dst) }},
		{"affine", func() { s.NormalAffineInto(dst, base, 0.25) }},
		{"field", func() { s.NormalFieldInto(dst, base, base) }},
	}
	best := make([]time.Duration, len(runs))
	for b.Loop() {
		for i, r := range runs {
			begin := time.Now()
			r.run()
			if took := time.Since(begin); best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	for i, r := range runs {
		b.ReportMetric(float64(best[i].Nanoseconds())/n, r.name+"-ns/value")
	}
}
