package stream

import (
	"fmt"
	"testing"
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
