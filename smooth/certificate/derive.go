package certificate

import (
	"fmt"
	"maps"
	"slices"

	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/smooth/family"
	"ucan/smooth/region"
)

// Head is what a certificate says that no computation gives.
type Head struct {
	Guarantee smooth.Guarantee
	Input     Input
	Model     Model
	// NPG describes the generator of the noise fields, nil when there was none.
	NPG *NPG
	// Selection describes the selector of the guarantee "selector" and what it chose; nil under
	// others. Model and NPG are then those of the chosen set.
	Selection *Selection
	Run       Run
}

// New returns the certificate of a result for the given noise. The
// result must have been made with that noise.
//
// It returns an error for a guarantee that a smoothed classifier does not have, for an unknown
// decision, for an input whose shape is not the noise's dimension, and for a
// result whose class is outside the model's.
//
// Adaptive results of a profile with other parameters than those of package sequential
// must call it CustomProfile.
func New(head Head, noise *smooth.SealedNoise, result smooth.Certification) (*Certificate, error) {
	if !known(head.Guarantee) {
		return nil, fmt.Errorf("certificate: guarantee %q is not made by a smoothed classifier", head.Guarantee)
	}
	if (head.Guarantee == smooth.BySelector) != (head.Selection != nil) || (head.Selection != nil) != (result.Selector != nil) {
		return nil, fmt.Errorf("certificate: guarantee %q, and the two stages of a selector are not both there or both absent", head.Guarantee)
	}
	if !knownDecision(head.Model.Decision) {
		return nil, fmt.Errorf("certificate: decision %.60q; it must be %s", head.Model.Decision, decisions)
	}
	if d := head.Input.Dim(); d != noise.Dim() {
		return nil, fmt.Errorf("certificate: input of shape %v with noise of %d coordinates", head.Input.Shape, noise.Dim())
	}
	if result.HasClass && result.Class >= head.Model.Classes {
		return nil, fmt.Errorf("certificate: class %d of a model with %d", result.Class, head.Model.Classes)
	}
	if err := head.NPG.suits(head.Guarantee); err != nil {
		return nil, err
	}
	if err := head.NPG.follows(noise, nil); err != nil {
		return nil, err
	}
	if a := result.Adaptive; a != nil {
		if err := checkProfile(a.Profile); err != nil {
			return nil, err
		}
	}
	c := newCertificate(head)
	c.Noise = describeNoise(noise, head.NPG)
	c.Statistics = describeStatistics(noise, result)
	if head.Selection != nil {
		if err := head.Selection.validate(head.Input.Dim(), head.Model, &c.Noise); err != nil {
			return nil, err
		}
		c.Stages = head.Selection.stages(result)
	}
	if err := c.conclude(result, result.Regions); err != nil {
		return nil, err
	}
	return c, c.SetID()
}

// known reports whether this version makes and checks certificates of the guarantee.
func known(g smooth.Guarantee) bool {
	return g == smooth.Deployed || g == smooth.Pinned || g == smooth.BySelector || g == smooth.ByLipschitz
}

// NewFailed returns the certificate of an input that could not be
// certified, with the reason. norm is the one that the radius was asked in;
// noise may be nil when there is none.
func NewFailed(head Head, norm family.Norm, noise *smooth.SealedNoise, reason string) (*Certificate, error) {
	c := newFailed(head, norm.String(), reason)
	if noise != nil {
		c.Noise = describeNoise(noise, head.NPG)
	}
	return c, c.SetID()
}

// newFailed is a failed certificate without noise, not sealed.
func newFailed(head Head, norm, reason string) *Certificate {
	c := newCertificate(head)
	c.Status, c.Error = Failed, reason
	c.Statistics.Counts = map[int]int64{}
	c.Noise = Noise{Norm: norm, Parameters: map[string]Float{}, NPG: head.NPG, Arithmetic: string(smooth.Float32)}
	c.nothing()
	return c
}

func newCertificate(head Head) *Certificate {
	c := &Certificate{
		Schema: Schema, Guarantee: head.Guarantee,
		Input: head.Input, Model: head.Model, Run: head.Run,
	}
	if c.Model.Preprocessing == nil {
		c.Model.Preprocessing = []byte("{}")
	}
	if c.Input.Shape == nil {
		c.Input.Shape = []int{}
	}
	return c
}

// nothing sets every claim to that of an input for which nothing is certified.
func (c *Certificate) nothing() {
	c.Predict, c.Correct = -1, nil
	if c.Input.Label >= 0 {
		c.Correct = new(bool)
	}
	c.Regions, c.Radii, c.ALM, c.LogVolume = []Region{}, Radii{}, 0, negInf
	c.ALMCapped, c.CappedShare = nil, nil
	if c.Input.Box != nil {
		c.ALMCapped, c.CappedShare = new(Float), new(Float)
	}
}

// conclude sets the claims that follow from a result. The capped measures are those of the given
// regions.
func (c *Certificate) conclude(result smooth.Certification, capped region.Intersection) error {
	c.nothing()
	c.Status, c.Warnings = Abstained, result.Warnings
	c.ConvertedFrom = ""
	if result.Converted {
		c.ConvertedFrom = result.Via.String()
	}
	if result.Abstained {
		return nil
	}
	c.Status, c.Predict = Certified, result.Class
	if c.Input.Label >= 0 {
		correct := result.Class == c.Input.Label
		c.Correct = &correct
	}
	for _, r := range result.Regions {
		c.Regions = append(c.Regions, Region{
			Norm: r.Norm.String(), R: Float(r.R), SigmaField: sameField(c.Noise.SigmaField, r.Sigma), Basis: basisName(r.Basis),
		})
	}
	e := result.Extent
	c.Radii = Radii{L1: Float(e.Radii.L1), L2: Float(e.Radii.L2), LInf: Float(e.Radii.LInf)}
	c.ALM, c.LogVolume = Float(e.ALM), Float(e.LogVolume)
	c.UpperEstimate = len(result.Regions) > 1
	return c.capVolume(capped)
}

// sameField returns f when it holds the given values, and hashes them otherwise.
func sameField(f *Field, values []float32) *Field {
	if f != nil && slices.Equal(f.Values, values) {
		return f
	}
	return NewField(values)
}

// basisName is a basis as certificates name it, nil for none.
func basisName(b *basis.Transform) *string {
	if b == nil {
		return nil
	}
	name := b.Name()
	return &name
}

// parseBasis is the inverse of basisName.
func parseBasis(name *string) (*basis.Transform, error) {
	if name == nil {
		return nil, nil
	}
	b, err := basis.Parse(*name)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return b, nil
}

func describeNoise(s *smooth.SealedNoise, npg *NPG) Noise {
	n := s.Noise()
	d := Noise{
		Family: n.Family.Name(), Norm: n.Norm.String(), Parameters: map[string]Float{},
		Lambda: Float(n.Lambda), SigmaField: NewField(n.Sigma()), MuField: NewField(n.Mu()),
		Basis: basisName(n.Basis()), NPG: npg, Arithmetic: string(s.Arithmetic()),
	}
	for name, v := range n.Family.Params() {
		d.Parameters[name] = Float(v)
	}
	if sigma, ok := s.Sigma(); ok {
		f := Float(sigma)
		d.Sigma = &f
	}
	return d
}

func describeStatistics(s *smooth.SealedNoise, r smooth.Certification) Statistics {
	d := Statistics{
		Method: string(r.Method), Alpha: Float(r.Alpha),
		N0: r.Selection.N, N: r.Estimation.N,
		Counts: Votes(r.Estimation.PerClass), Invalid: r.Estimation.Invalid,
		Bound: boundText(r.Bound), PLower: Float(r.PLower), LostMass: Float(s.LostMass()),
	}
	d.AdaptiveStatistics = describeAdaptive(r.Adaptive)
	if r.TwoStage != nil {
		d.TwoStage = &TwoStage{Kappa: Float(r.TwoStage.Kappa), Cap: r.TwoStage.Cap}
	}
	if r.Bound == smooth.TwoBounds {
		upper := Float(r.PUpper)
		d.PUpper = &upper
	}
	if r.Selection.N > 0 {
		d.Selection = Votes(r.Selection.PerClass)
	}
	if r.HasClass {
		class := r.Class
		d.Selected, d.K = &class, r.Estimation.Votes(class)
	}
	return d
}

// boundText leaves the usual bound out of the certificate.
func boundText(b smooth.Bound) string {
	if b == smooth.OneBound {
		return ""
	}
	return b.String()
}

// Votes are the votes by class, classes without one left out.
func Votes(perClass []int64) map[int]int64 {
	m := map[int]int64{}
	for class, votes := range perClass {
		if votes > 0 {
			m[class] = votes
		}
	}
	return m
}

// counts is the inverse of Votes, for a model with the given classes.
func counts(m map[int]int64, invalid int64, classes int) (smooth.Counts, error) {
	if invalid < 0 || invalid > maxExact {
		return smooth.Counts{}, fmt.Errorf("%d invalid samples", invalid)
	}
	c := smooth.Counts{PerClass: make([]int64, classes), Invalid: invalid, N: invalid}
	for _, class := range slices.Sorted(maps.Keys(m)) {
		votes := m[class]
		if class < 0 || class >= classes {
			return smooth.Counts{}, fmt.Errorf("class %d of %d", class, classes)
		}
		if votes < 1 || votes > maxExact-c.N { // the sum must not wrap around
			return smooth.Counts{}, fmt.Errorf("%d votes for class %d", votes, class)
		}
		c.PerClass[class] = votes
		c.N += votes
	}
	return c, nil
}

// family returns the family with the parameters that a certificate names.
func (n *Noise) family() (family.Isotropic, error) {
	params := make(map[string]float64, len(n.Parameters))
	for name, v := range n.Parameters {
		params[name] = float64(v)
	}
	return family.New(n.Family, params)
}

// sealNoise rebuilds the noise that a certificate describes.
func sealNoise(n Noise, dim int, load Loader) (*smooth.SealedNoise, error) {
	f, err := n.family()
	if err != nil {
		return nil, err
	}
	norm, err := family.ParseNorm(n.Norm)
	if err != nil {
		return nil, err
	}
	mu, err := loadField(n.MuField, dim, load)
	if err != nil {
		return nil, err
	}
	sigma, err := loadField(n.SigmaField, dim, load)
	if err != nil {
		return nil, err
	}
	u, err := parseBasis(n.Basis)
	if err != nil {
		return nil, err
	}
	arithmetic, err := smooth.ParseArithmetic(n.Arithmetic)
	if err != nil {
		return nil, err
	}
	fields, err := smooth.NewFields(dim, mu, sigma, u)
	if err != nil {
		return nil, err
	}
	return smooth.Noise{Family: f, Norm: norm, Lambda: float64(n.Lambda), Fields: fields, Arithmetic: arithmetic, Rate: n.NPG.lipschitz().RateHere()}.Seal(dim)
}

func loadField(f *Field, dim int, load Loader) ([]float32, error) {
	switch {
	case f == nil:
		return nil, nil
	case f.Values != nil:
		return f.Values, nil
	case load == nil:
		return nil, fmt.Errorf("certificate: field %s lies outside the certificate; say in which folder: %w", f.File, ErrUncheckable)
	}
	return load.Load(f, dim)
}
