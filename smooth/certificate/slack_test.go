package certificate_test

import (
	"testing"

	"ucan/smooth/certificate"
	"ucan/smooth/family"
)

// Radii computed numerically differ between versions in digits that the family's margin
// is for. Those are accepted, and no more; of closed forms nothing is.
func TestRadiiOfOtherVersions(t *testing.T) {
	x := []float32{.25, .5, .75}
	for _, tt := range []struct {
		family string
		norm   family.Norm
		factor certificate.Float
		found  bool
	}{
		{"exp2", family.L2, 1 + 3e-10, false},
		{"exp2", family.L2, 1 - 3e-10, false},
		{"exp2", family.L2, 1 + 1e-9, true},
		{"powinf", family.LInf, 1 + 1.5e-12, false},
		{"powinf", family.LInf, 1 + 1e-11, true},
		{"gaussian", family.L2, 1 + 2e-12, true},
	} {
		c := fixed(t, x, seal(t, tt.family, tt.norm, 0.25, 3, nil, nil), 0.5, 1)
		if c.Status != certificate.Certified {
			t.Fatalf("%s: %s", tt.family, c.Status)
		}
		c.Regions[0].R *= tt.factor
		c.Radii.L1 *= tt.factor
		c.Radii.L2 *= tt.factor
		c.Radii.LInf *= tt.factor
		c.ALM *= tt.factor
		if err := c.SetID(); err != nil {
			t.Fatal(err)
		}
		f, err := certificate.Check(c, nil)
		if err != nil || names(f, "regions.0.R") != tt.found || (len(f) > 0) != tt.found {
			t.Errorf("%s times %v: findings %v, %v", tt.family, tt.factor, f, err)
		}
	}
}
