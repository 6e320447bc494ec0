package main

import (
	"fmt"
	"math"
	"strings"

	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// fixedNoise holds the certificates of a file to what "deployed" means, which one alone does not show: noise that was
// fixed before any input was seen is the same for all inputs of a run, and that of a pattern is the pattern's.
type fixedNoise struct {
	load   certificate.Loader
	seen   map[string]noiseFields // by what else decides the noise
	proved map[string]bool        // fields that are those of their pattern
}

// noiseFields are the digests of μ and s, and the line where they stand.
type noiseFields struct {
	mu, sigma string
	line      int
}

func newFixedNoise(load certificate.Loader) *fixedNoise {
	return &fixedNoise{load: load, seen: map[string]noiseFields{}, proved: map[string]bool{}}
}

// check lists what contradicts the guarantee of a certificate that is true in itself.
func (n *fixedNoise) check(line int, c *certificate.Certificate) ([]certificate.Finding, error) {
	g := c.Noise.NPG
	if c.Guarantee != certificate.Deployed || c.Status == certificate.Failed || g == nil {
		return nil, nil
	}
	here := noiseFields{digest(c.Noise.MuField), digest(c.Noise.SigmaField), line}
	if g.Kind == string(bundle.Pattern) && strings.HasPrefix(g.Spec, "pattern:") && c.Noise.Arithmetic != string(smooth.Lattice) {
		return n.checkPattern(c, here)
	}
	// A field's own file is not here to be compared, and the lattice rounds scales to levels of its own.
	key := fmt.Sprint(termsOf(c, true), c.Input.Shape)
	first, known := n.seen[key]
	if !known {
		n.seen[key] = here
	} else if first.mu != here.mu || first.sigma != here.sigma {
		return []certificate.Finding{{
			Field: "guarantee", Stored: string(c.Guarantee),
			Recomputed: fmt.Sprintf("other noise than on line %d by the same generator; deployed noise is the same for all inputs", first.line),
		}}, nil
	}
	return nil, nil
}

func (n *fixedNoise) checkPattern(c *certificate.Certificate, here noiseFields) ([]certificate.Finding, error) {
	key := fmt.Sprint(c.Noise.NPG.Spec, c.Input.Shape, here.mu, here.sigma)
	if n.proved[key] {
		return nil, nil
	}
	reason, err := n.unlike(c)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return []certificate.Finding{{Field: "noise.npg.spec", Stored: c.Noise.NPG.Spec, Recomputed: reason}}, nil
	}
	n.proved[key] = true
	return nil, nil
}

func digest(f *certificate.Field) string {
	if f == nil {
		return ""
	}
	return f.SHA256
}

// patternDigits is what the scales of a pattern may be off by, relative: powers differ in the last bits from platform to
// platform.
const patternDigits = 1e-6

// unlike says in what the noise of a certificate is not that of its pattern; "" in nothing.
func (n *fixedNoise) unlike(c *certificate.Certificate) (string, error) {
	formula, err := npg.ParseFormula(c.Noise.NPG.Spec)
	if err != nil {
		return "no pattern: " + err.Error(), nil //nolint:nilerr // a finding
	}
	made, err := formula.Field(c.Input.Shape)
	if err != nil {
		return "a pattern that inputs of this shape do not have: " + err.Error(), nil //nolint:nilerr // a finding
	}
	name := ""
	if made.Basis() != nil {
		name = made.Basis().Name()
	}
	stored := ""
	if c.Noise.Basis != nil {
		stored = *c.Noise.Basis
	}
	switch {
	case name != stored:
		return fmt.Sprintf("the basis of the pattern is %q, that of the noise %q", name, stored), nil
	case c.Noise.MuField != nil:
		return "the pattern has no offset, and the noise has", nil
	case c.Noise.SigmaField == nil:
		return "the pattern has scales, and the noise has none", nil
	}
	want, got := made.Sigma(), c.Noise.SigmaField.Values
	if got == nil {
		if got, err = n.load.Load(c.Noise.SigmaField, c.Input.Dim()); err != nil {
			return "", err
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("the pattern has %d scales, the noise %d", len(want), len(got)), nil
	}
	for i, s := range want {
		if !(math.Abs(float64(got[i])-float64(s)) <= patternDigits*float64(s)) {
			return fmt.Sprintf("the pattern's scale is %v at coordinate %d, that of the noise %v", s, i, got[i]), nil
		}
	}
	return "", nil
}
