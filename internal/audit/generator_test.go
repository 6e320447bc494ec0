package audit

import (
	"testing"

	"ucan/fixtures/subtest"
	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// TestForgedGenerators names generators that did not make the noise, in the normal form of their
// specification.
func TestForgedGenerators(t *testing.T) {
	const other = "pattern:linf,kappa=0.75,iota=0.5,span=1,floor=0.5"
	lattice := func(spec string) recipe {
		r := formula(t, spec)
		r.arithmetic = smooth.Lattice
		return r
	}
	field := recipe{sigma: []float32{.5, .5, 1, 1.5, 2, 2.5}, at: 0.5, label: 1, npg: &certificate.NPG{
		Kind: npg.KindField, Spec: "s.npy,floor=0.5", Files: []certificate.File{specimenFile("s.npy")}, Floored: 2,
	}}
	for name, c := range subtest.Rows(map[string]struct {
		recipe recipe
		edit   func(*certificate.NPG)
		found  bool
	}{
		"honest on the lattice":     {lattice("pattern:l2,kappa=0.5,iota=0.25,floor=0.5"), func(*certificate.NPG) {}, false},
		"honest field":              {field, func(*certificate.NPG) {}, false},
		"another on the lattice":    {lattice("pattern:l2,kappa=0.5,iota=0.25,floor=0.5"), func(g *certificate.NPG) { g.Spec, g.Floored = other, 0 }, true},
		"another pattern":           {formula(t, "pattern:l2,kappa=0.5,iota=0.25,floor=0.5"), func(g *certificate.NPG) { g.Spec, g.Floored = other, 0 }, true},
		"a pattern as a field":      {formula(t, "pattern:l1"), func(g *certificate.NPG) { g.Kind = npg.KindField }, true},
		"a pattern as a dataset":    {formula(t, "pattern:l1"), func(g *certificate.NPG) { g.Kind = npg.KindDataset }, true},
		"a field as a pattern":      {field, func(g *certificate.NPG) { *g = certificate.NPG{Kind: npg.KindPattern, Spec: "l2"} }, true},
		"a field with a formula":    {field, func(g *certificate.NPG) { g.Spec = other }, true},
		"a floor that is not there": {field, func(g *certificate.NPG) { g.Spec = "s.npy,floor=0.25" }, true},
		"a floor above scales":      {field, func(g *certificate.NPG) { g.Spec = "s.npy,floor=1" }, true},
		"more at the floor":         {field, func(g *certificate.NPG) { g.Floored = 5 }, true},
		"999 at the floor":          {lattice("pattern:l2,kappa=0.5,iota=0.25,floor=0.5"), func(g *certificate.NPG) { g.Floored = 999 }, true},
		"7 at no ceiling":           {lattice("pattern:l2,kappa=0.5,iota=0.25,floor=0.5"), func(g *certificate.NPG) { g.Ceiled = 7 }, true},
	}) {
		t.Run(name, func(t *testing.T) {
			forged := c.recipe.certify(t, 1)
			copied := *forged.Noise.NPG
			c.edit(&copied)
			forged.Noise.NPG = &copied
			if err := forged.SetID(); err != nil {
				t.Fatal(err)
			}
			findings, err := newChecker(nil, build).check(forged)
			if err != nil || (len(findings) > 0) != c.found {
				t.Errorf("findings %v, %v", findings, err)
			}
		})
	}
}
