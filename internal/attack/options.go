package attack

import (
	"errors"
	"fmt"
)

// Options configure an attack.
type Options struct {
	// Steps is the number of steps of an ascent, Draws that of noisy copies whose gradients a step
	// averages, and Restarts that of ascents for each input. 0 restarts leave ascents out.
	Steps, Draws, Restarts int
	// Random is the number of random directions that are tried.
	Random int
	// Screen is the number of samples that each candidate is first compared by, N that of the
	// samples which judge the worst one.
	Screen, N int64
	// Level bounds the probability that true certificates are called violated.
	Level float64
	// Confidence is that of the interval of the rate.
	Confidence float64
	// Seed keys all noise.
	Seed uint64
}

// DefaultOptions returns 2 ascents of 20 steps over 16 copies, 8 random directions, 100 samples for
// a candidate and 10,000 for the worst one, level 0.01 and 95 % intervals.
func DefaultOptions() Options {
	return Options{Steps: 20, Draws: 16, Restarts: 2, Random: 8, Screen: 100, N: 10000, Level: 0.01, Confidence: 0.95}
}

// most bounds what an attack on one input does.
const most = 1 << 30

// Validate reports every option out of range.
func (o Options) Validate() error {
	var faults []error
	for _, c := range []struct {
		name         string
		value, least int64
	}{
		{"steps", int64(o.Steps), 1}, {"draws", int64(o.Draws), 1}, {"restarts", int64(o.Restarts), 0},
		{"random directions", int64(o.Random), 0}, {"samples that compare", o.Screen, 1}, {"samples", o.N, 1},
	} {
		if c.value < c.least || c.value > most {
			faults = append(faults, fmt.Errorf("%s is %d; it must be %d to %d", c.name, c.value, c.least, most))
		}
	}
	for _, c := range []struct {
		name  string
		value float64
	}{{"level", o.Level}, {"confidence", o.Confidence}} {
		if !(c.value > 0 && c.value < 1) {
			faults = append(faults, fmt.Errorf("%s is %v; it must lie between 0 and 1", c.name, c.value))
		}
	}
	return errors.Join(faults...)
}

// share is the part of the level that the tests of single inputs, and the test of their number, may
// each use up.
func (o Options) share() float64 { return o.Level / 2 }
