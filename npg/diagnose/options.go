package diagnose

import (
	"errors"
	"fmt"
)

// Thresholds are the figures from which a diagnosis is made.
type Thresholds struct {
	// Collapse and CollapseInputs are the smallest healthy relative spreads of Σ. Half-axes that
	// differ by less than 5 % are a ball for every use; a field that differs by less than 1 % from
	// input to input could be constant and keep the guarantee "deployed".
	Collapse       float64 `json:"collapse" yaml:"collapse"`
	CollapseInputs float64 `json:"collapse_inputs" yaml:"collapse_inputs"`
	// AtCeiling is the share of coordinates at the ceiling from which the ceiling, not training,
	// has set the field.
	AtCeiling float64 `json:"at_ceiling" yaml:"at_ceiling"`
	// AtFloor is the share of coordinates at the floor from which the ℓ2 radius is the floor's.
	AtFloor float64 `json:"at_floor" yaml:"at_floor"`
	// VolumeGain is the ratio of ALM and ℓ2 radius from which the latter counts as zero.
	VolumeGain float64 `json:"volume_gain" yaml:"volume_gain"`
	// MuCap is the share of the largest ‖μ‖ that the generator can make, from which μ is saturated.
	MuCap float64 `json:"mu_cap" yaml:"mu_cap"`
	// MuLarge is the size of the varying part of μ relative to the input's, from which a classifier
	// sees more of μ than of the input.
	MuLarge float64 `json:"mu_large" yaml:"mu_large"`
	// Abstention is the share of inputs that abstain.
	Abstention float64 `json:"abstention" yaml:"abstention"`
	// Leak is by how much the lower end of the accuracy's interval must exceed chance. It is not 0,
	// so that a large sample does not report a leak too small to move a curve.
	Leak float64 `json:"leak" yaml:"leak"`
}

// DefaultThresholds returns spreads of 5 % and 1 %, half the coordinates at the ceiling or 5 % at
// the floor, a volume gain of 1000, 90 % of the cap, an offset that varies as much as the input,
// half the inputs abstaining, and 5 points above chance.
func DefaultThresholds() Thresholds {
	return Thresholds{
		Collapse: 0.05, CollapseInputs: 0.01, AtCeiling: 0.5, AtFloor: 0.05, VolumeGain: 1000,
		MuCap: 0.9, MuLarge: 1, Abstention: 0.5, Leak: 0.05,
	}
}

// Options configures how much is sampled.
type Options struct {
	Thresholds Thresholds
	// Samples is the number of noisy copies of an input that the abstention is judged on, and Alpha
	// its error probability.
	Samples int
	Alpha   float64
	// Donors and Draws are the numbers of swapped images for an input, and of noisy copies of each,
	// in the leak audit. Donors is cut to the number of other classes.
	Donors, Draws int
	// ReaderDraws is the number of noisy copies of an input that the linear reader learns from.
	ReaderDraws int
	// LeastInputs is the number of labelled inputs below which the leak is not measured.
	LeastInputs int
	// Confidence is that of the intervals, in (0, 1).
	Confidence float64
	// Seed chooses the donors. The noise itself comes from the sampler's seed.
	Seed uint64
}

// DefaultOptions returns 100 samples at α = 0.001, 2 donors with 16 draws, 2 for the reader, at
// least 20 inputs, 95 % intervals.
func DefaultOptions() Options {
	return Options{
		Thresholds: DefaultThresholds(), Samples: 100, Alpha: 0.001, Donors: 2, Draws: 16, ReaderDraws: 2,
		LeastInputs: 20, Confidence: 0.95,
	}
}

// Validate reports every option out of range.
func (o Options) Validate() error {
	var faults []error
	for _, c := range []struct {
		name  string
		value int
	}{{"samples", o.Samples}, {"donors", o.Donors}, {"draws", o.Draws}, {"reader draws", o.ReaderDraws}, {"least inputs", o.LeastInputs}} {
		if c.value < 1 {
			faults = append(faults, fmt.Errorf("%s is %d; it must be at least 1", c.name, c.value))
		}
	}
	for _, c := range []struct {
		name  string
		value float64
	}{{"alpha", o.Alpha}, {"confidence", o.Confidence}} {
		if !(c.value > 0 && c.value < 1) {
			faults = append(faults, fmt.Errorf("%s is %v; it must lie between 0 and 1", c.name, c.value))
		}
	}
	return errors.Join(faults...)
}
