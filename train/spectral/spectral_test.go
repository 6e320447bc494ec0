package spectral

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func volume(s []float64) float64 {
	sum := 0.0
	for _, v := range s {
		sum += math.Log(v)
	}
	return sum
}

func lost(power, s []float64) float64 {
	sum, total := 0.0, 0.0
	for k, p := range power {
		sum += p * s[k] * s[k] / (p + s[k]*s[k])
		total += p
	}
	return sum / total
}

// TestNoFeasibleNoiseIsLarger tries all scales of a grid in three dimensions.
func TestNoFeasibleNoiseIsLarger(t *testing.T) {
	const points = 30
	for _, power := range [][]float64{{1, 0.1, 0.01}, {2, 2, 0.5}, {0.3, 0, 0.001}} {
		for _, distortion := range []float64{0.02, 0.1, 0.4, 0.8} {
			c := Config{Distortion: distortion, Floor: 0.01, Ceiling: 2}
			n, err := Shape(power, c)
			if err != nil {
				t.Fatal(err)
			}
			if n.Lost > distortion || math.Abs(n.Lost-lost(power, n.Scales)) > 1e-12 {
				t.Errorf("P = %v, D = %v: lost %v, in truth %v", power, distortion, n.Lost, lost(power, n.Scales))
			}
			// It is best among all that lose no more than it does.
			grid := func(i int) float64 { return c.Floor * math.Pow(c.Ceiling/c.Floor, float64(i)/points) }
			for a := range points + 1 {
				for b := range points + 1 {
					for d := range points + 1 {
						s := []float64{grid(a), grid(b), grid(d)}
						if lost(power, s) <= n.Lost && volume(s) > volume(n.Scales)+1e-9 {
							t.Fatalf("P = %v, D = %v: %v loses no more than %v and is larger", power, distortion, s, n.Scales)
						}
					}
				}
			}
		}
	}
}

// TestRandomChangesAreNoLarger moves the scales of a spectrum like that of images about.
func TestRandomChangesAreNoLarger(t *testing.T) {
	power, total := make([]float64, 256), 0.0
	for k := range power {
		power[k] = 3 / float64(4+k*k)
		total += power[k]
	}
	rng := rand.New(rand.NewPCG(1, 2))
	last := math.Inf(-1)
	for _, distortion := range []float64{0.01, 0.05, 0.2, 0.5, 0.9} {
		c := Config{Distortion: distortion, Floor: 1e-4, Ceiling: 4}
		n, err := Shape(power, c)
		if err != nil {
			t.Fatal(err)
		}
		if v := volume(n.Scales); v < last {
			t.Errorf("a larger distortion %v gave a smaller volume", distortion)
		} else {
			last = v
		}
		// The loss of one coefficient jumps where it drowns, by no more than its whole power.
		if n.Lost > distortion || n.Lost < distortion-power[0]/total {
			t.Errorf("distortion %v: %v is lost", distortion, n.Lost)
		}
		for range 3000 {
			s := make([]float64, len(power))
			size := math.Pow(10, -3*rng.Float64())
			for k := range s {
				s[k] = min(c.Ceiling, max(c.Floor, n.Scales[k]*math.Exp(size*rng.NormFloat64())))
			}
			if lost(power, s) <= n.Lost && volume(s) > volume(n.Scales)+1e-9 {
				t.Fatalf("distortion %v: a change of size %v loses no more and is larger", distortion, size)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	good := Config{Distortion: 0.1, Floor: 0.01, Ceiling: 1}
	for name, c := range map[string]struct {
		power  []float64
		config Config
	}{
		"distortion 0": {[]float64{1}, Config{0, 0.01, 1}}, "distortion 1": {[]float64{1}, Config{1, 0.01, 1}},
		"distortion NaN": {[]float64{1}, Config{math.NaN(), 0.01, 1}}, "floor 0": {[]float64{1}, Config{0.1, 0, 1}},
		"no ceiling": {[]float64{1}, Config{0.1, 0.01, math.Inf(1)}}, "floor above ceiling": {[]float64{1}, Config{0.1, 2, 1}},
		"no power": {[]float64{0, 0}, good}, "negative power": {[]float64{1, -1}, good}, "NaN": {[]float64{math.NaN()}, good},
		"a floor that drowns": {[]float64{0.001, 0.002}, Config{0.1, 0.5, 1}},
	} {
		if _, err := Shape(c.power, c.config); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v; want ErrConfig", name, err)
		}
	}
}
