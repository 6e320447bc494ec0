package sequential

import (
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"ucan/fixtures/subtest"
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
	mode := min(n, int64((float64(n)+1)*q))
	l, err := stats.LogBinomialPMF(mode, n, q)
	if err != nil {
		panic(err)
	}
	b := binomial{low: low, cdf: make([]float64, high-low+1)}
	odds := q / (1 - q)
	b.cdf[mode-low] = math.Exp(l)
	for i := mode; i < high; i++ {
		b.cdf[i+1-low] = b.cdf[i-low] * odds * float64(n-i) / float64(i+1)
	}
	for i := mode; i > low; i-- {
		b.cdf[i-1-low] = b.cdf[i-low] * float64(i) / (float64(n-i+1) * odds)
	}
	for i := low; i < high; i++ {
		b.cdf[i+1-low] += b.cdf[i-low]
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

// drawOnce draws Bin(n, q) without a table, walking outward from the mode.
func drawOnce(n int64, q float64, rng *rand.Rand) int64 {
	if n == 0 || q <= 0 {
		return 0
	}
	if q >= 1 {
		return n
	}
	mode := min(n, int64((float64(n)+1)*q))
	l, err := stats.LogBinomialPMF(mode, n, q)
	if err != nil {
		panic(err)
	}
	u, odds := rng.Float64(), q/(1-q)
	down, up := mode-1, mode
	pUp := math.Exp(l)
	pDown := pUp * float64(mode) / (float64(n-mode+1) * odds)
	for down >= 0 || up <= n {
		if up <= n {
			if u -= pUp; u < 0 {
				return up
			}
			pUp *= float64(n-up) / float64(up+1) * odds
			up++
		}
		if down >= 0 {
			if u -= pDown; u < 0 {
				return down
			}
			pDown *= float64(down) / (float64(n-down+1) * odds)
			down--
		}
	}
	return mode // the sum is 1 to rounding
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

// TestDraws compares both samplers with the distribution they claim.
func TestDraws(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for _, c := range []struct {
		n int64
		q float64
	}{{30, 0.1}, {500, 0.5}, {5000, 0.999}, {100, 1e-4}} {
		const runs = 20000
		table := newBinomial(c.n, c.q)
		for name, draw := range subtest.Rows(map[string]func() int64{
			"table": func() int64 { return table.draw(rng) },
			"once":  func() int64 { return drawOnce(c.n, c.q, rng) },
		}) {
			t.Run(name, func(t *testing.T) {
				count := make([]int, c.n+1)
				for range runs {
					count[draw()]++
				}
				// Kolmogorov–Smirnov; 1.95 is beyond the 99.9 % point, and discrete
				// distributions stay below the continuous one.
				sum, worst := 0, 0.0
				for k := range c.n + 1 {
					sum += count[k]
					want, err := stats.BinomialCDF(k, c.n, c.q)
					if err != nil {
						t.Fatal(err)
					}
					worst = math.Max(worst, math.Abs(float64(sum)/runs-want))
				}
				if worst*math.Sqrt(runs) > 1.95 {
					t.Errorf("%s Bin(%d, %g): Kolmogorov distance %.4f", name, c.n, c.q, worst)
				}
			})
		}
	}
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
