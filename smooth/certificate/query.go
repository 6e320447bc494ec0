package certificate

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/lattice"
	"ucan/smooth/region"
)

// Intersection returns the certified regions, ready to be asked; load reads
// fields outside the certificate and may be nil when there are none. It returns
// an error when nothing is certified, and for a basis that this version does not know.
func (c *Certificate) Intersection(load Loader) (region.Intersection, error) {
	if c.Status != Certified {
		return nil, fmt.Errorf("certificate: %s, so it has no region", c.Status)
	}
	var out region.Intersection
	for _, r := range c.Regions {
		u, err := parseBasis(r.Basis)
		if err != nil {
			return nil, err
		}
		norm, err := family.ParseNorm(r.Norm)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		sigma, err := loadField(r.SigmaField, c.Input.Dim(), load)
		if err != nil {
			return nil, err
		}
		out = append(out, region.Region{Norm: norm, R: float64(r.R), Sigma: sigma, Dim: c.Input.Dim(), Basis: u})
	}
	if err := out.Check(); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return out, nil
}

// Contains reports whether the perturbation delta certainly lies in the certified
// region: whether the certificate promises the class Predict at x + delta, under
// the terms of its Guarantee. An input that was not certified contains nothing.
// Check the certificate first: Contains believes what is stored.
//
// In lattice arithmetic a certificate speaks of 8-bit images x + delta and of
// nothing between them, which delta alone does not tell: ask ContainsPoint.
func (c *Certificate) Contains(delta []float64, load Loader) (bool, error) {
	if c.Status != Certified {
		return false, nil
	}
	if c.Noise.Arithmetic == string(smooth.Lattice) {
		return false, errors.New("certificate: in lattice arithmetic it speaks of 8-bit images, not of differences; ask for the point x + δ")
	}
	in, err := c.Intersection(load)
	if err != nil {
		return false, err
	}
	return in.Contains(delta)
}

// ContainsPoint is Contains of the difference y − x, computed exactly: in lattice
// arithmetic in whole steps of 1/255, and then only 8-bit images y are inside. x
// must be the certified input: its hash is compared.
func (c *Certificate) ContainsPoint(x, y []float32, load Loader) (bool, error) {
	if hashValues(x) != c.Input.SHA256 {
		return false, errors.New("certificate: this is not the input that was certified (its hash differs)")
	}
	if c.Status != Certified {
		return false, nil
	}
	in, err := c.Intersection(load)
	if err != nil {
		return false, err
	}
	if c.Noise.Arithmetic == string(smooth.Lattice) {
		return containsImage(in, x, y)
	}
	return in.ContainsPoint(x, y)
}

// BoundaryShare returns how far towards the boundary of the certified region y lies, on the ray
// from the certified input x: 0 at x and 1 at the boundary. It is nil where the region has no
// extent in that direction. The rounding of float64 may move it across 1: whether y is inside is
// for ContainsPoint to say.
func (c *Certificate) BoundaryShare(x, y []float32, load Loader) (*float64, error) {
	if len(x) != len(y) {
		return nil, fmt.Errorf("certificate: the points have %d and %d coordinates", len(x), len(y))
	}
	in, err := c.Intersection(load)
	if err != nil {
		return nil, err
	}
	delta := make([]float64, len(x))
	for i := range x {
		delta[i] = float64(y[i]) - float64(x[i])
	}
	scale, err := in.MaxScale(delta)
	if err != nil || !(scale > 0) {
		return nil, err
	}
	share := 1 / scale
	return &share, nil
}

// containsImage is ContainsPoint among 8-bit images. The float32 that stand for
// them are up to an ulp off, which near the rim would decide: their numbers of
// steps are compared, with radii in steps too, rounded down.
func containsImage(in region.Intersection, x, y []float32) (bool, error) {
	from, err := lattice.Pixels(x)
	if err != nil {
		return false, fmt.Errorf("certificate: the certified input: %w", err)
	}
	to, err := lattice.Pixels(y)
	if err != nil {
		return false, nil //nolint:nilerr // no 8-bit image: the certificate promises nothing there
	}
	steps := slices.Clone(in)
	for i := range steps {
		r := steps[i].R
		product := r * lattice.Steps
		if math.FMA(r, lattice.Steps, -product) < 0 {
			product = math.Nextafter(product, 0)
		}
		steps[i].R = product
	}
	return steps.ContainsPoint(floats(from), floats(to))
}

// floats are pixels as float32, exactly.
func floats(pixels []uint8) []float32 {
	out := make([]float32, len(pixels))
	for i, v := range pixels {
		out[i] = float32(v)
	}
	return out
}
