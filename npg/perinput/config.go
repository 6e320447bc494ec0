package perinput

import (
	"errors"
	"fmt"
	"math"

	"ucan/npg"
	"ucan/smooth/basis"
	"ucan/smooth/family"
)

// Config configures how fields are optimised. Start from [DefaultConfig].
type Config struct {
	// Family is the noise ε and Lambda its raw scale at σ = 1, > 0.
	Family family.Isotropic
	Lambda float64
	// Norm is that of the theorem, one that the family has.
	Norm family.Norm
	// Basis is the basis U that σ lives in; nil for the input's own coordinates. It takes Gaussian
	// noise.
	Basis *basis.Transform
	// Limits bound σ. The ceiling may be +Inf.
	Limits npg.Limits
	// Low and High are the ends of the isotropic search, Low < High, cut to the limits; GridSize ≥
	// 2 is the number of scales tried, equal ratios apart.
	Low, High float64
	GridSize  int
	// Votes is the number of noisy copies that vote on a field, and Alpha the error probability of
	// the bound on p.
	Votes int
	Alpha float64
	// Iterations ≥ 0 and Samples ≥ 1 are the number of steps and of noisy copies in each;
	// LearningRate > 0 is Adam's, in log σ.
	Iterations, Samples int
	LearningRate        float64
	// Kappa ≥ 0 weighs the least scale.
	Kappa float64
	// Seed, with the input's hash, decides all noise.
	Seed uint64
}

// DefaultConfig returns Gaussian noise in ℓ2 with λ = 1 and the authors' 100 steps of 100 copies at
// rate 0.04 and κ = 2; starts are searched over 24 scales from 0.05 to 2, with 256 votes and α =
// 0.001.
func DefaultConfig() Config {
	gaussian, err := family.New("gaussian", nil)
	if err != nil {
		panic("perinput: " + err.Error()) // the family is built in
	}
	return Config{
		Family: gaussian, Lambda: 1, Norm: family.L2, Limits: npg.DefaultLimits(),
		Low: 0.05, High: 2, GridSize: 24, Votes: 256, Alpha: 0.001,
		Iterations: 100, Samples: 100, LearningRate: 0.04, Kappa: 2,
	}
}

// Validate reports every fault.
func (c Config) Validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	positive := func(v float64) bool { return v > 0 && !math.IsInf(v, 0) }
	fault(c.Family == nil, "no noise family")
	fault(!positive(c.Lambda), "lambda is %v; it must be positive and finite", c.Lambda)
	if err := c.Limits.Validate(); err != nil {
		faults = append(faults, err)
	}
	fault(!positive(c.Low) || !positive(c.High) || c.Low >= c.High, "the search for the start runs from %v to %v; both must be positive and rising", c.Low, c.High)
	low, high := c.search()
	fault(low > high, "the search for the start, %v to %v, lies outside the limits %v to %v", c.Low, c.High, c.Limits.Floor, c.Limits.Ceiling)
	fault(c.GridSize < 2, "the search tries %d scales; at least 2", c.GridSize)
	fault(c.Votes < 1 || c.Samples < 1, "%d votes and %d samples; at least 1 each", c.Votes, c.Samples)
	fault(!(c.Alpha > 0 && c.Alpha < 1), "alpha is %v; it must lie between 0 and 1", c.Alpha)
	fault(c.Iterations < 0, "%d iterations; at least 0", c.Iterations)
	fault(!positive(c.LearningRate), "the learning rate is %v; it must be positive and finite", c.LearningRate)
	fault(!(c.Kappa >= 0) || math.IsInf(c.Kappa, 0), "kappa is %v; it must be 0 or more", c.Kappa)
	if c.Basis != nil && c.Family != nil {
		fault(c.Family.Name() != "gaussian", "a basis takes gaussian noise, not %s", c.Family.Name())
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("perinput: %w", errors.Join(faults...))
}

// search returns the ends of the isotropic search within the limits.
func (c Config) search() (low, high float64) {
	return max(c.Low, c.Limits.Floor), min(c.High, c.Limits.Ceiling)
}
