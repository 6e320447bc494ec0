package sequential

import (
	"errors"
	"fmt"
	"math"
)

// Schedule is what the critical numbers of a level depend on, beside its
// probability and alpha. It is a statistical parameter, recorded in every
// certificate, and has nothing to do with the batch of an inference session.
type Schedule struct {
	// Cap is the largest number of samples of an input, N, 1 to 10⁷. A table takes
	// time in proportion to it.
	Cap int64
	// Batch is the number of samples at the first look and the unit of all
	// later ones, b ≥ 1.
	Batch int64
	// Growth is the distance to the next look as a share of the samples seen,
	// 0 to 1; at least Batch samples lie between two looks.
	Growth float64
	// Rho is the exponent of the spending function, above 0 and at most 10: a
	// larger one saves alpha for late looks.
	Rho float64
}

// maxCap and maxLooks limit the cost of a table; the profiles have about a hundred.
const (
	maxCap   = 10_000_000
	maxLooks = 5000
)

// Validate reports every field that is out of range.
func (s Schedule) Validate() error {
	var faults []error
	if s.Cap < 1 || s.Cap > maxCap {
		faults = append(faults, fmt.Errorf("cap %d is outside 1 … %d samples", s.Cap, int64(maxCap)))
	}
	if s.Batch < 1 || s.Batch > 1e9 {
		faults = append(faults, fmt.Errorf("look unit %d is outside 1 … 1e9 samples", s.Batch))
	}
	if !(s.Growth >= 0 && s.Growth <= 1) {
		faults = append(faults, fmt.Errorf("growth %v is outside 0 … 1", s.Growth))
	}
	if !(s.Rho > 0 && s.Rho <= 10) {
		faults = append(faults, fmt.Errorf("spending exponent rho %v is outside (0, 10]", s.Rho))
	}
	return errors.Join(faults...)
}

// Looks returns the sample counts at which the counts are examined:
// n_1 = b, n_{k+1} = min(N, n_k + max(b, b·round(growth·n_k/b))), ties to even.
// The last one is the cap. Errors: an invalid schedule, or more than 5000
// looks.
func (s Schedule) Looks() ([]int64, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("schedule of looks: %w", err)
	}
	looks := []int64{min(s.Batch, s.Cap)}
	for n := looks[0]; n < s.Cap; {
		step := max(1, int64(math.RoundToEven(s.Growth*float64(n)/float64(s.Batch))))
		n = min(s.Cap, n+step*s.Batch)
		looks = append(looks, n)
		if len(looks) > maxLooks {
			return nil, fmt.Errorf("schedule of looks: more than %d looks; raise the look unit or growth", maxLooks)
		}
	}
	return looks, nil
}

// Profile is a schedule with a futility threshold, under a name.
type Profile struct {
	Name string
	Schedule
	// Gamma is the threshold of predictive futility, 0 to 1: a run stops when
	// the predicted probability of rejecting the next level by the cap falls
	// below Gamma·min(1, n/(0.2 N))^0.7. Zero never gives up before the cap
	// unless rejection has become impossible.
	Gamma float64
}

// Validate reports every field that is out of range.
func (p Profile) Validate() error {
	err := p.Schedule.Validate()
	if !(p.Gamma >= 0 && p.Gamma <= 1) {
		err = errors.Join(err, fmt.Errorf("futility threshold %v is outside 0 … 1", p.Gamma))
	}
	return err
}

// WithCap returns the profile with another cap.
func (p Profile) WithCap(n int64) Profile {
	p.Cap = n
	return p
}

// Strict gives up late: within 0.1 point of fixed-n at every usual radius, with
// a cap of 150,000 samples.
func Strict() Profile {
	return Profile{Name: "strict", Schedule: Schedule{Cap: 150_000, Batch: 100, Growth: 0.05, Rho: 3}, Gamma: 0.05}
}

// Default is within 0.6 point of fixed-n (n = 100,000), expected, at every
// usual radius.
func Default() Profile {
	return Profile{Name: "default", Schedule: Schedule{Cap: 100_000, Batch: 100, Growth: 0.05, Rho: 2.5}, Gamma: 0.05}
}

// Fast gives up early, for about 1.1 points.
func Fast() Profile {
	return Profile{Name: "fast", Schedule: Schedule{Cap: 100_000, Batch: 100, Growth: 0.05, Rho: 2.5}, Gamma: 0.2}
}

// ParseProfile returns the profile of that name: strict, default or fast.
func ParseProfile(name string) (Profile, error) {
	switch name {
	case "strict":
		return Strict(), nil
	case "default":
		return Default(), nil
	case "fast":
		return Fast(), nil
	}
	return Profile{}, fmt.Errorf("unknown adaptive profile %q: use strict, default or fast", name)
}
