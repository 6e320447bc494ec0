package certificate

import (
	"errors"
	"fmt"

	"ucan/smooth/family"
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
func (c *Certificate) Contains(delta []float64, load Loader) (bool, error) {
	if c.Status != Certified {
		return false, nil
	}
	in, err := c.Intersection(load)
	if err != nil {
		return false, err
	}
	return in.Contains(delta)
}

// ContainsPoint is Contains of the difference y − x, computed exactly. x must be
// the certified input: its hash is compared.
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
	return in.ContainsPoint(x, y)
}
