package region

import (
	"errors"
	"fmt"
	"math"

	"ucan/smooth/family"
)

// Intersection is the intersection of regions around one point, as a certificate
// with several regions claims it. It must not be empty, and all its regions must
// have the same dimension.
type Intersection []Region

// Check returns an error when there is no region, one is not valid, or their
// dimensions differ.
func (x Intersection) Check() error {
	if len(x) == 0 {
		return errors.New("intersection of no regions; a certificate needs at least one")
	}
	for i, r := range x {
		if err := r.Check(); err != nil {
			return fmt.Errorf("region %d: %w", i, err)
		}
		if r.Dim != x[0].Dim {
			return fmt.Errorf("region %d has dimension %d and region 0 %d; they must agree", i, r.Dim, x[0].Dim)
		}
	}
	return nil
}

// Radius returns the radius of the largest ℓq ball inside all regions, the
// minimum over them, rounded down.
func (x Intersection) Radius(q family.Norm) (float64, error) {
	return x.least(func(r Region) (float64, error) { return r.Radius(q) })
}

// ALM returns the smallest ALM of the regions: an upper estimate of that of the
// intersection, equal to it when there is one region.
func (x Intersection) ALM() (float64, error) { return x.least(Region.ALM) }

// LogVolume returns the smallest log-volume of the regions: an upper estimate of
// that of the intersection, equal to it when there is one region.
func (x Intersection) LogVolume() (float64, error) { return x.least(Region.LogVolume) }

// MaxScale returns the largest t ≥ 0 such that t·direction lies in all regions,
// rounded down.
func (x Intersection) MaxScale(direction []float64) (float64, error) {
	return x.least(func(r Region) (float64, error) { return r.MaxScale(direction) })
}

// Contains reports whether δ certainly lies in all regions. See Region.Contains.
func (x Intersection) Contains(delta []float64) (bool, error) {
	return x.all(func(r Region) (bool, error) { return r.Contains(delta) })
}

// ContainsPoint reports whether y certainly lies in all regions around the point
// p. See Region.ContainsPoint.
func (x Intersection) ContainsPoint(p, y []float32) (bool, error) {
	return x.all(func(r Region) (bool, error) { return r.ContainsPoint(p, y) })
}

func (x Intersection) least(f func(Region) (float64, error)) (float64, error) {
	if err := x.Check(); err != nil {
		return 0, err
	}
	least := math.Inf(1)
	for i, r := range x {
		v, err := f(r)
		if err != nil {
			return 0, fmt.Errorf("region %d: %w", i, err)
		}
		least = min(least, v)
	}
	return least, nil
}

func (x Intersection) all(f func(Region) (bool, error)) (bool, error) {
	if err := x.Check(); err != nil {
		return false, err
	}
	inside := true
	for i, r := range x {
		in, err := f(r)
		if err != nil {
			return false, fmt.Errorf("region %d: %w", i, err)
		}
		inside = inside && in
	}
	return inside, nil
}
