package npg

import (
	"fmt"
	"math"
	"slices"

	"ucan/smooth"
	"ucan/smooth/basis"
)

// Limits bound the scale field of a generator, so that Σ is always invertible and never beyond what
// was meant.
type Limits struct {
	// Floor σ_min > 0 is the least scale: smaller values are raised to it, and all that end there
	// are counted in [Parameters.Floored].
	Floor float64
	// Ceiling is the largest scale: larger values are lowered to it, and all that end there are
	// counted in [Parameters.Ceiled]. +Inf is none.
	Ceiling float64
}

// DefaultFloor is the floor of generators that are given none.
const DefaultFloor = 1e-3

// DefaultLimits returns a floor of [DefaultFloor] and no ceiling.
func DefaultLimits() Limits { return Limits{Floor: DefaultFloor, Ceiling: math.Inf(1)} }

// Validate reports limits that leave no invertible field.
func (l Limits) Validate() error {
	switch {
	case !(l.Floor > 0) || math.IsInf(l.Floor, 0):
		return fmt.Errorf("the floor of the noise scale is %v; it must be positive and finite, since the scale field must be invertible", l.Floor)
	case !(l.Ceiling >= l.Floor):
		return fmt.Errorf("the ceiling of the noise scale is %v; it must be at least the floor %v", l.Ceiling, l.Floor)
	}
	return nil
}

// Apply makes fields whose scale lies within the limits, in float32: the floor rounded up, the
// ceiling down. sigma is not changed; a nil one, standing for ones, is not limited. Errors are
// those of [Limits.Validate] and [smooth.NewFields]; NaN is not corrected but fails with
// [smooth.ErrSigma].
func (l Limits) Apply(u *basis.Transform, dim int, mu, sigma []float32) (Parameters, error) {
	if err := l.Validate(); err != nil {
		return Parameters{}, err
	}
	floor, ceiling := l.Float32()
	var p Parameters
	limited := slices.Clone(sigma)
	for i, s := range limited {
		switch {
		case s <= floor:
			limited[i] = floor
			p.Floored++
		case s >= ceiling:
			limited[i] = ceiling
			p.Ceiled++
		}
	}
	var err error
	p.Fields, err = smooth.NewFields(dim, mu, limited, u)
	return p, err
}

// Float32 returns the limits in float32: the floor rounded up, the ceiling down but not below the
// floor.
func (l Limits) Float32() (floor, ceiling float32) {
	floor, ceiling = float32(l.Floor), float32(l.Ceiling)
	if float64(floor) < l.Floor {
		floor = math.Nextafter32(floor, float32(math.Inf(1)))
	}
	if float64(ceiling) > l.Ceiling {
		ceiling = math.Nextafter32(ceiling, 0)
	}
	return floor, max(floor, ceiling)
}
