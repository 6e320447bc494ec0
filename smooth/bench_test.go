//go:build unix

package smooth_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/stream"
)

// idle is a classifier that costs nothing: what remains is the noise and the
// counting.
type idle struct {
	input  []float32
	labels []int32
}

func (c *idle) Input() []float32 { return c.input }

func (c *idle) Classify(_ context.Context, rows int) ([]int32, error) { return c.labels[:rows], nil }

// cpuTime is the processor time of the process: on a shared machine it says more
// than the clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCertify measures all that certification adds to inference, a noise
// value: compare "sampler" (the noise alone) with "scalar" and "fields" (Certify).
func BenchmarkCertify(b *testing.B) {
	imageOf := map[int][]int{784: {1, 28, 28}, 3072: {3, 32, 32}, 150528: {3, 224, 224}}
	for _, d := range []int{784, 3072, 150528} {
		batch := max(1, 128*784/d)
		n := max(64, 20_000_000/d/64*8)
		x := make([]float32, d)
		id := smooth.InputID(x)
		sigma, mu := make([]float32, d), make([]float32, d)
		for i := range sigma {
			sigma[i], mu[i] = 1+float32(i%3), float32(i%5)
		}
		perValue := func(b *testing.B, cpu time.Duration) {
			b.Helper()
			b.ReportMetric(float64((cpuTime(b)-cpu).Nanoseconds())/float64(b.N)/float64(n)/float64(d), "cpu-ns/value")
		}
		b.Run(fmt.Sprintf("d=%d/sampler", d), func(b *testing.B) {
			row := make([]float32, d)
			key := stream.New(1, id, stream.Estimate)
			cpu := cpuTime(b)
			for b.Loop() {
				for i := range n {
					source := key.Source(uint64(i))
					source.NormalInto(row)
				}
			}
			perValue(b, cpu)
		})
		for name, noise := range map[string]*smooth.SealedNoise{
			"scalar": gaussian(b, d, 0.25, nil, nil),
			"fields": gaussian(b, d, 0.25, mu, sigma),
			"basis":  inBasis(b, rand.New(rand.NewPCG(1, 2)), dct(b, imageOf[d]...), family.L2),
		} {
			for _, workers := range []int{1, 2} {
				b.Run(fmt.Sprintf("d=%d/%s/workers=%d", d, name, workers), func(b *testing.B) {
					var cs []smooth.Classifier
					for range workers {
						cs = append(cs, &idle{make([]float32, batch*d), make([]int32, batch)})
					}
					s := newSmoother(b, d, 1, 1, cs...)
					b.ReportAllocs()
					cpu := cpuTime(b)
					for b.Loop() {
						if _, err := s.Certify(b.Context(), x, id, noise, smooth.FixedN{N0: 8, N: int64(n) - 8, Alpha: 0.001}); err != nil {
							b.Fatal(err)
						}
					}
					perValue(b, cpu)
				})
			}
		}
	}
}
