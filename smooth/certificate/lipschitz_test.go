package certificate_test

import (
	"math"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
)

func TestLipschitzIsSmallerThanPinned(t *testing.T) {
	c := samples(t)["lipschitz"]
	if c.Status != certificate.Certified || c.Guarantee != smooth.ByLipschitz {
		t.Fatalf("%s, %s", c.Status, c.Guarantee)
	}
	pinned := *c
	npg := *c.Noise.NPG
	npg.Kind, npg.Lipschitz = certificate.KindPerInput, nil
	pinned.Guarantee, pinned.Noise.NPG = smooth.Pinned, &npg
	sealed, err := pinned.SealedNoise(nil)
	if err != nil {
		t.Fatal(err)
	}
	free, err := sealed.TheoremRadius(float64(c.Statistics.PLower))
	if got := float64(c.Regions[0].R); err != nil || !(got > 0 && got < free) {
		t.Errorf("R is %v, and %v for noise that is replayed (%v)", got, free, err)
	}
}

// TestForgedScales changes what a certificate says of its scale, and seals it anew.
func TestForgedScales(t *testing.T) {
	for name, edit := range subtest.Rows(map[string]func(c *certificate.Certificate){
		"a smaller rate":    func(c *certificate.Certificate) { c.Noise.NPG.Lipschitz.Rate /= 2 },
		"no rate":           func(c *certificate.Certificate) { c.Noise.NPG.Lipschitz.Rate = 0 },
		"a negative rate":   func(c *certificate.Certificate) { c.Noise.NPG.Lipschitz.Rate *= -1 },
		"a rate of NaN":     func(c *certificate.Certificate) { c.Noise.NPG.Lipschitz.Rate = certificate.Float(math.NaN()) },
		"a smaller τ":       func(c *certificate.Certificate) { c.Noise.NPG.Lipschitz.Tau /= 2 },
		"τ a little larger": func(c *certificate.Certificate) { c.Noise.NPG.Lipschitz.Tau *= 1 + 0x1p-20 },
		"another field": func(c *certificate.Certificate) {
			c.Noise.NPG.Lipschitz.Field = certificate.NewField([]float32{1, 1, 1})
		},
		"a short field": func(c *certificate.Certificate) { c.Noise.NPG.Lipschitz.Field = certificate.NewField([]float32{1, 1}) },
		"no field":      func(c *certificate.Certificate) { c.Noise.NPG.Lipschitz.Field = nil },
		"no scale":      func(c *certificate.Certificate) { c.Noise.NPG.Lipschitz = nil },
		"R":             func(c *certificate.Certificate) { c.Regions[0].R *= 1.001 },
		"a radius":      func(c *certificate.Certificate) { c.Radii.L2 *= 1.001 },
		"wider noise":   func(c *certificate.Certificate) { c.Noise.Lambda *= 2 },
		"deployed":      func(c *certificate.Certificate) { c.Guarantee = smooth.Deployed },
		"pinned":        func(c *certificate.Certificate) { c.Guarantee = smooth.Pinned },
		"another kind":  func(c *certificate.Certificate) { c.Noise.NPG.Kind = certificate.KindDataset },
		"no generator":  func(c *certificate.Certificate) { c.Noise.NPG = nil },
	}) {
		t.Run(name, func(t *testing.T) {
			c := samples(t)["lipschitz"]
			edit(c)
			if err := c.SetID(); err != nil {
				return // a number that JSON does not have
			}
			if findings, err := certificate.Check(c, nil); err != nil || len(findings) == 0 {
				t.Errorf("not found (%v)", err)
			}
		})
	}
}

// TestConstantNoiseIsNotLipschitz makes no certificate of noise whose rate was left out.
func TestConstantNoiseIsNotLipschitz(t *testing.T) {
	x := []float32{.25, .5, .75}
	constant := seal(t, "gaussian", family.L2, 0.25, 3, nil, following().Scale(following().Field.Values, 3))
	s := smoother(t, 3, halfSpace(x[0]-0.5))
	r, err := s.Certify(t.Context(), x, smooth.InputID(x), constant, smooth.FixedN{N0: 50, N: 200, Alpha: 0.001})
	if err != nil {
		t.Fatal(err)
	}
	for name, npg := range map[string]*certificate.NPG{
		"with its rate": {Kind: certificate.KindLipschitz, Spec: "bundle", Lipschitz: following()},
		"without":       {Kind: certificate.KindLipschitz, Spec: "bundle"},
	} {
		h := head(x, 1)
		h.Guarantee, h.NPG = smooth.ByLipschitz, npg
		if _, err := certificate.New(h, constant, r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
