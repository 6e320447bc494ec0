package audit

import (
	"fmt"
	"math"
	"strings"

	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// patternPrefix begins the specification of a pattern, and of nothing else.
const patternPrefix = "pattern:"

// generator compares the noise of a certificate with what its generator's record says of it; nil
// when they agree.
func (x *checker) generator(c *certificate.Certificate) (*certificate.Finding, error) {
	g := c.Noise.NPG
	if g == nil {
		return nil, nil
	}
	if reason := misnamed(g); reason != "" {
		return &certificate.Finding{Field: "noise.npg", Stored: fmt.Sprintf("kind %q, spec %q, %d files", g.Kind, g.Spec, len(g.Files)), Recomputed: reason}, nil
	}
	if c.Status == certificate.Failed {
		return nil, nil // nothing is claimed, and the noise may never have been made
	}
	check := x.limited
	if g.Kind == npg.KindPattern {
		check = x.pattern
	}
	key := fmt.Sprint(g.Kind, g.Spec, g.Floored, g.Ceiled, c.Noise.Arithmetic, c.Noise.Lambda, c.Input.Shape, c.Noise.MuField.Digest(), c.Noise.SigmaField.Digest())
	if x.proved[key] {
		return nil, nil
	}
	reason, err := check(c)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return &certificate.Finding{Field: "noise.npg.spec", Stored: g.Spec, Recomputed: reason}, nil
	}
	if g.Kind != npg.KindCertification && g.Kind != npg.KindPerInput { // those have other fields each time
		x.proved[key] = true
	}
	return nil, nil
}

// isBundle reports whether the record is of a bundle.
func isBundle(g *certificate.NPG) bool {
	return g != nil && len(g.Files) == 1 && g.Files[0].Name == bundle.ManifestName
}

// misnamed reports a record that no generator of its kind has: the kind decides which files there
// are, and mostly the specification.
func misnamed(g *certificate.NPG) string {
	bundled := isBundle(g)
	if strings.HasPrefix(g.Spec, patternPrefix) != (g.Kind == npg.KindPattern) {
		return fmt.Sprintf("the kind pattern, and no other, has a formula that begins with %q", patternPrefix)
	}
	switch g.Kind {
	case npg.KindPattern:
		if len(g.Files) > 0 {
			return "a formula has no files"
		}
		return ""
	case npg.KindField:
		if len(g.Files) != 1 || !strings.HasSuffix(g.Files[0].Name, ".npy") {
			return "a field has one .npy file"
		}
	case npg.KindCertification:
		if bundled {
			break
		}
		if len(g.Files) < 1 || len(g.Files) > 2 {
			return "networks are a bundle, or one or two .onnx files"
		}
		for _, f := range g.Files {
			if !strings.HasSuffix(f.Name, ".onnx") {
				return "networks are a bundle, or one or two .onnx files"
			}
		}
	default:
		if !bundled {
			return "it is a bundle, whose one file is " + bundle.ManifestName
		}
	}
	if bundled {
		if g.Spec == "" || strings.ContainsAny(g.Spec, "/\\") {
			return "the specification of a bundle is its name, without a folder"
		}
		return ""
	}
	if _, _, ok := limitsOf(g); !ok {
		return "the specification of files is their names, and the limits of the scale as floor=…[,ceiling=…]"
	}
	return ""
}

// limitsOf reads the specification of a generator given as files: their names, the limits, and
// whether the offset was left out. ok is false where it is none.
func limitsOf(g *certificate.NPG) (limits npg.Limits, fixedMean, ok bool) {
	rest := g.Spec
	for _, f := range g.Files {
		if rest, ok = strings.CutPrefix(rest, f.Name+","); !ok {
			return limits, false, false
		}
	}
	if g.Kind == npg.KindCertification {
		rest, fixedMean = strings.CutSuffix(rest, ",fixed-mean")
	}
	limits, err := npg.ParseLimits(rest)
	return limits, fixedMean, err == nil && limits.String() == rest
}

// limited compares the scales with the limits that a specification names, and the offset with what
// the kind has.
func (x *checker) limited(c *certificate.Certificate) (string, error) {
	g := c.Noise.NPG
	if isBundle(g) {
		return "", nil // a bundle's limits lie in the bundle
	}
	limits, fixedMean, _ := limitsOf(g)
	if (g.Kind == npg.KindField || fixedMean) && c.Noise.MuField != nil {
		return "the generator has no offset, and the noise has", nil
	}
	if c.Noise.Arithmetic == string(smooth.Lattice) {
		return "", nil // the lattice rounded the scales
	}
	sigma, err := x.scales(c)
	if err != nil {
		return "", err
	}
	again, err := limits.Apply(nil, c.Input.Dim(), nil, sigma)
	if err != nil {
		return err.Error(), nil //nolint:nilerr // a finding
	}
	for i, s := range again.Sigma() {
		if s != sigma[i] {
			return fmt.Sprintf("the scale %v at coordinate %d is beyond the generator's limits", sigma[i], i), nil
		}
	}
	return counted(g, again), nil
}

// counted compares the numbers of scales at the floor and the ceiling.
func counted(g *certificate.NPG, made npg.Parameters) string {
	if g.Floored == made.Floored && g.Ceiled == made.Ceiled {
		return ""
	}
	return fmt.Sprintf("%d scales at the floor and %d at the ceiling, stored %d and %d", made.Floored, made.Ceiled, g.Floored, g.Ceiled)
}

// scales returns the scale field of a certificate, nil for none.
func (x *checker) scales(c *certificate.Certificate) ([]float32, error) {
	f := c.Noise.SigmaField
	switch {
	case f == nil:
		return nil, nil
	case f.Values != nil:
		return f.Values, nil
	}
	return x.load.Load(f, c.Input.Dim())
}

// pattern reports in what the noise of a certificate is not that of its formula.
func (x *checker) pattern(c *certificate.Certificate) (string, error) {
	g := c.Noise.NPG
	formula, err := npg.ParseFormula(g.Spec)
	if err != nil {
		return "no pattern: " + err.Error(), nil //nolint:nilerr // a finding
	}
	if normal := formula.String(); normal != g.Spec {
		return fmt.Sprintf("with every parameter written out this pattern is %q", normal), nil
	}
	made, err := formula.Field(c.Input.Shape)
	if err != nil {
		return "a pattern that inputs of this shape do not have: " + err.Error(), nil //nolint:nilerr // a finding
	}
	name, stored := "", ""
	if made.Basis() != nil {
		name = made.Basis().Name()
	}
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
	got, err := x.scales(c)
	if err != nil {
		return "", err
	}
	raw := made.Sigma()
	want := raw
	if c.Noise.Arithmetic == string(smooth.Lattice) {
		if want, err = onLattice(c, raw); err != nil {
			return err.Error(), nil //nolint:nilerr // a finding
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("the pattern has %d scales, the noise %d", len(want), len(got)), nil
	}
	for i := range want {
		if !sameScale(got[i], want[i], raw[i]) {
			return fmt.Sprintf("the pattern's scale is %v at coordinate %d, that of the noise %v", want[i], i, got[i]), nil
		}
	}
	return counted(g, made), nil
}

// onLattice rounds the scales of a pattern as noise on the lattice does.
func onLattice(c *certificate.Certificate, sigma []float32) ([]float32, error) {
	rounded := *c
	rounded.Noise.SigmaField = certificate.NewField(sigma)
	sealed, err := rounded.SealedNoise(nil)
	if err != nil {
		return nil, err
	}
	return sealed.Noise().Sigma(), nil
}

// patternDigits is what the scales of a pattern may be off by, relative: powers differ in the last
// bits from platform to platform.
const patternDigits = 1e-6

// sameScale reports whether got is the scale want. On the lattice a formula's raw value may lie
// half-way between two levels, and the last bits decide which of them it takes.
func sameScale(got, want, raw float32) bool {
	g, w, r := float64(got), float64(want), float64(raw)
	if math.Abs(g-w) <= patternDigits*w {
		return true
	}
	return w != r && math.Abs(math.Log(g*w/(r*r))) <= patternDigits
}
