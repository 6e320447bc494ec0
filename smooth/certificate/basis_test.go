package certificate_test

import (
	"math"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// A certificate in a basis says so twice, answers questions in it, and can be asked in
// another norm.
func TestCertificateInBasis(t *testing.T) {
	c := samples(t)["basis"]
	if c.Noise.Basis == nil || *c.Noise.Basis != "dct2:1x2x3" || *c.Regions[0].Basis != "dct2:1x2x3" {
		t.Fatalf("noise basis %v, region %+v", c.Noise.Basis, c.Regions[0])
	}
	// The constant direction has the coefficient 1 on s = 0.5 and none elsewhere.
	r := float64(c.Regions[0].R)
	constant := make([]float64, 6)
	for i := range constant {
		constant[i] = r * 0.5 / math.Sqrt(6) * (1 - 1e-12)
	}
	if in, err := c.Contains(constant, nil); err != nil || !in {
		t.Errorf("the end of the shortest axis counts as outside (%v)", err)
	}
	for i := range constant {
		constant[i] *= 1 + 1e-11
	}
	if in, err := c.Contains(constant, nil); err != nil || in {
		t.Errorf("a point beyond the shortest axis counts as inside (%v)", err)
	}
	if l2 := float64(c.Radii.L2); !near(l2, r*0.5, 1e-15) || float64(c.Radii.L1) <= l2 {
		t.Errorf("radii %+v for R %v", c.Radii, r)
	}
	other, err := certificate.FromCounts(c, certificate.Terms{Norm: 1}, nil)
	if err != nil || *other.Noise.Basis != "dct2:1x2x3" || other.Radii != c.Radii || other.ConvertedFrom != "l2" {
		t.Errorf("in ℓ1: %+v, %v", other, err)
	}
	noise, err := c.SealedNoise(nil)
	if err != nil || noise.Noise().Basis() == nil {
		t.Errorf("the noise to replay has no basis (%v)", err)
	}
}

// Only noise that was fixed before any input was seen may be called deployed.
func TestDeployedNeedsAFixedGenerator(t *testing.T) {
	for kind, fixed := range subtest.Rows(map[string]bool{
		"pattern": true, "dataset": true, "field": true,
		"certification": false, "per-input": false, "": false, "anything": false,
	}) {
		t.Run(kind, func(t *testing.T) {
			c := samples(t)["fields"]
			c.Noise.NPG = &certificate.NPG{Kind: certificate.Kind(kind), Spec: "x"}
			if err := c.SetID(); err != nil {
				t.Fatal(err)
			}
			line, err := c.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			_, err = certificate.Parse(line)
			if (err == nil) != fixed || err != nil && !strings.Contains(err.Error(), "kind") {
				t.Errorf("kind %q under guarantee deployed: %v", kind, err)
			}
			c.Guarantee = smooth.Pinned
			if err = c.SetID(); err != nil {
				t.Fatal(err)
			}
			if line, err = c.Marshal(); err != nil {
				t.Fatal(err)
			}
			known := fixed || kind == "certification" || kind == "per-input"
			if _, err = certificate.Parse(line); (err == nil) != (known && !fixed) {
				t.Errorf("kind %q under guarantee pinned: %v", kind, err)
			}
		})
	}
}
