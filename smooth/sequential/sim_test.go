package sequential

import (
	"math"
	"math/rand/v2"
	"sort"

	"ucan/smooth/stats"
)

// binomial draws Bin(n, q) by inversion of a table made once.
type binomial struct {
	low int64
	cdf []float64
}

func newBinomial(n int64, q float64) binomial {
	if n == 0 || q <= 0 {
		return binomial{low: 0, cdf: []float64{1}}
	}
	if q >= 1 {
		return binomial{low: n, cdf: []float64{1}}
	}
	mean, sd := float64(n)*q, math.Sqrt(float64(n)*q*(1-q))
	low := max(0, int64(mean-9*sd-20))
	high := min(n, int64(mean+9*sd+20))
	l, err := stats.LogBinomialPMF(low, n, q)
	if err != nil {
		panic(err)
	}
	b := binomial{low: low, cdf: make([]float64, high-low+1)}
	// Logarithms, because the far tail may underflow.
	sum, odds := 0.0, math.Log(q)-math.Log1p(-q)
	for i := low; i <= high; i++ {
		sum += math.Exp(l)
		b.cdf[i-low] = sum
		l += math.Log(float64(n-i)/float64(i+1)) + odds
	}
	return b
}

func (b binomial) draw(rng *rand.Rand) int64 {
	if len(b.cdf) == 1 {
		return b.low
	}
	u := rng.Float64() * b.cdf[len(b.cdf)-1]
	return b.low + int64(sort.SearchFloat64s(b.cdf, u))
}

// stream draws the failures of one input look by look. The tables of a failure
// rate are shared by its repetitions.
type stream struct {
	q    float64
	step map[int64]binomial
}

func newStream(q float64) *stream { return &stream{q: q, step: map[int64]binomial{}} }

func (s *stream) draw(m int64, rng *rand.Rand) int64 {
	b, ok := s.step[m]
	if !ok {
		b = newBinomial(m, s.q)
		s.step[m] = b
	}
	return b.draw(rng)
}

// simulate runs the plan on the stream and returns the result.
func simulate(plan Plan, tables *Tables, s *stream, rng *rand.Rand) (Result, error) {
	r, err := NewRun(plan, tables)
	if err != nil {
		return Result{}, err
	}
	var n, f int64
	for {
		next, ok := r.Next()
		if !ok {
			return r.Result(), nil
		}
		f += s.draw(next-n, rng)
		n = next
		if _, err := r.Observe(n, f); err != nil {
			return Result{}, err
		}
	}
}
