package certificate_test

import (
	"bytes"
	"math"
	"testing"

	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
)

// boxed is a certificate of data in [0, 1] with the given scales, far from the boundary.
func boxed(t *testing.T, sigma []float32, at float32) *certificate.Certificate {
	t.Helper()
	x := []float32{.25, .5, .75}
	noise := seal(t, "gaussian", family.L2, 0.5, 3, nil, sigma)
	s := smoother(t, 3, halfSpace(x[0]-at))
	r, err := s.Certify(t.Context(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 50, N: 2000, Alpha: 0.001})
	if err != nil {
		t.Fatal(err)
	}
	h := head(x, 1)
	if h.Input.Box, err = certificate.NewBox(0, 1); err != nil {
		t.Fatal(err)
	}
	c, err := certificate.New(h, noise, r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCappedALM(t *testing.T) {
	c := boxed(t, []float32{.25, 1, 64}, 4)
	r := float64(c.Regions[0].R)
	if !(r > 1 && r*.25 < 1) {
		t.Fatalf("R = %v is no example of two axes at the cap", r)
	}
	if want := math.Cbrt(r * .25); !near(float64(*c.ALMCapped), want, 1e-12) || float64(*c.ALMCapped) > want {
		t.Errorf("alm_capped %v, want %v rounded down", *c.ALMCapped, want)
	}
	if *c.CappedShare != 2./3 || *c.ALMCapped >= c.ALM {
		t.Errorf("share %v, capped %v of %v", *c.CappedShare, *c.ALMCapped, c.ALM)
	}
	isotropic := boxed(t, nil, .5)
	if *isotropic.ALMCapped != isotropic.ALM || *isotropic.CappedShare != 0 {
		t.Errorf("a ball inside the box: %v of %v, share %v", *isotropic.ALMCapped, isotropic.ALM, *isotropic.CappedShare)
	}
	if a := boxed(t, nil, 0); a.Status != certificate.Abstained || *a.ALMCapped != 0 || *a.CappedShare != 0 {
		t.Errorf("abstained: %v, %v, %v", a.Status, *a.ALMCapped, *a.CappedShare)
	}
	h := c.Input
	failed, err := certificate.NewFailed(certificate.Head{Guarantee: smooth.Deployed, Input: h, Model: c.Model}, family.L2, nil, "unreadable")
	if err != nil || *failed.ALMCapped != 0 || *failed.CappedShare != 0 {
		t.Errorf("failed: %+v, %v", failed, err)
	}
	for name, c := range map[string]*certificate.Certificate{"certified": c, "isotropic": isotropic, "failed": failed} {
		line, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := certificate.Parse(line)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if findings, err := certificate.NewChecker(nil, "").Check(back); err != nil || len(findings) > 0 {
			t.Errorf("%s: %v, %v", name, findings, err)
		}
	}
}

// What does not name a range claims no capped ALM, as certificates of earlier versions.
func TestWithoutABox(t *testing.T) {
	for name, c := range samples(t) {
		line, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if c.ALMCapped != nil || c.CappedShare != nil || bytes.Contains(line, []byte("capped")) || bytes.Contains(line, []byte("box")) {
			t.Errorf("%s: a capped ALM without a range", name)
		}
	}
}

func TestCappedForgeries(t *testing.T) {
	for name, row := range map[string]struct {
		field string
		alter func(*certificate.Certificate)
	}{
		"larger":           {"alm_capped", func(c *certificate.Certificate) { *c.ALMCapped *= 1 + 1e-9 }},
		"another share":    {"capped_share", func(c *certificate.Certificate) { *c.CappedShare = 1. / 3 }},
		"a wider box":      {"alm_capped", func(c *certificate.Certificate) { c.Input.Box[1] = 2 }},
		"no box":           {"alm_capped", func(c *certificate.Certificate) { c.Input.Box = nil }},
		"no alm_capped":    {"alm_capped", func(c *certificate.Certificate) { c.ALMCapped = nil }},
		"no share":         {"capped_share", func(c *certificate.Certificate) { c.CappedShare = nil }},
		"an inverted box":  {"statistics", func(c *certificate.Certificate) { *c.Input.Box = certificate.Box{1, 0} }},
		"an infinite box":  {"statistics", func(c *certificate.Certificate) { c.Input.Box[1] = certificate.Float(math.Inf(1)) }},
		"a box of no size": {"statistics", func(c *certificate.Certificate) { c.Input.Box[1] = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			c := boxed(t, []float32{.25, 1, 64}, 4)
			row.alter(c)
			if err := c.SetID(); err != nil {
				t.Fatal(err)
			}
			findings, err := certificate.NewChecker(nil, "").Check(c)
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, f := range findings {
				found = found || f.Field == row.field
			}
			if !found {
				t.Errorf("%v, want one of %s", findings, row.field)
			}
		})
	}
}

// The radius of another build may differ in its last digits, and an axis that ends at the range
// then lies on the other side of it. The share is counted with the radius beside it.
func TestShareOfAnotherBuild(t *testing.T) {
	c := boxed(t, []float32{1, 1, 64}, 4)
	c.Input.Box[1] = c.Regions[0].R // exactly at the cap here
	terms, err := certificate.FromCounts(c, certificate.Terms{}, nil)
	if err != nil || *terms.CappedShare != 1 {
		t.Fatalf("share %v, %v", *terms.CappedShare, err)
	}
	terms.Regions[0].R = certificate.Float(math.Nextafter(float64(c.Regions[0].R), 0)) // of another build: just below it
	*terms.CappedShare = 1. / 3
	if err := terms.SetID(); err != nil {
		t.Fatal(err)
	}
	if findings, err := certificate.NewChecker(nil, "this build").Check(terms); err != nil || len(findings) > 0 {
		t.Errorf("%v, %v", findings, err)
	}
}

// Other terms give the capped ALM of their own radius.
func TestCappedFromCounts(t *testing.T) {
	c := boxed(t, []float32{.25, 1, 64}, .5)
	got, err := certificate.FromCounts(c, certificate.Terms{Alpha: 1e-9}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !(got.ALM < c.ALM) || !(*got.ALMCapped < *c.ALMCapped) {
		t.Errorf("ALM %v of %v, capped %v of %v", got.ALM, c.ALM, *got.ALMCapped, *c.ALMCapped)
	}
	if findings, err := certificate.NewChecker(nil, "").Check(got); err != nil || len(findings) > 0 {
		t.Errorf("%v, %v", findings, err)
	}
}
