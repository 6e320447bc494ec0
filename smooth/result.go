package smooth

import (
	"fmt"
	"math"

	"ucan/smooth/family"
	"ucan/smooth/region"
	"ucan/smooth/sequential"
)

// Radii are the largest ℓ1, ℓ2 and ℓ∞ balls inside a certified set, rounded
// down.
type Radii struct{ L1, L2, LInf float64 }

// In returns the radius in norm n.
func (r Radii) In(n family.Norm) float64 {
	switch n {
	case family.L1:
		return r.L1
	case family.L2:
		return r.L2
	case family.LInf:
		return r.LInf
	}
	return 0
}

// Extent is the size of a certified set, every number rounded so that it never
// exceeds the true one.
type Extent struct {
	// Radii are the largest balls inside the set.
	Radii Radii
	// ALM is (∏s_i)^{1/d}·R, a measure of volume: not a radius.
	ALM float64
	// LogVolume is the natural logarithm of the volume, −Inf for an empty set.
	LogVolume float64
}

// ExtentOf measures an intersection of regions. With several of them, ALM and
// LogVolume are those of the smallest: upper estimates of the intersection's.
func ExtentOf(in region.Intersection) (Extent, error) {
	var e Extent
	var err error
	measure := func(dst *float64, f func() (float64, error)) {
		if err == nil {
			*dst, err = f()
		}
	}
	measure(&e.Radii.L1, func() (float64, error) { return in.Radius(family.L1) })
	measure(&e.Radii.L2, func() (float64, error) { return in.Radius(family.L2) })
	measure(&e.Radii.LInf, func() (float64, error) { return in.Radius(family.LInf) })
	measure(&e.ALM, in.ALM)
	measure(&e.LogVolume, in.LogVolume)
	if err != nil {
		return Extent{}, fmt.Errorf("smooth: measure region: %w", err)
	}
	return e, nil
}

// Method says how a certificate was estimated.
type Method string

// The methods of estimation.
const (
	// MethodFixed draws n0 samples to choose a class and n others to bound its
	// probability (Cohen, Rosenfeld and Kolter 2019, CERTIFY).
	MethodFixed Method = "fixed"
	// MethodAdaptive looks at growing samples with group-sequential boundaries.
	MethodAdaptive Method = "adaptive"
	// MethodTwoStage lets a pilot choose the class and the number of fresh samples.
	MethodTwoStage Method = "two-stage"
)

// Certification is what Certify found about one input.
type Certification struct {
	// Abstained is true when the lower bound on p_A is at most 1/2 (under TwoBounds:
	// at most PUpper): nothing is certified, and only the statistics below are meaningful.
	Abstained bool
	// Class is the class that the bound speaks of: chosen by the selection
	// samples (or given, in a label-aware run). When not Abstained, the smoothed
	// classifier answers Class on all of Regions with probability at least
	// 1 − Alpha over the samples. HasClass is false when no selection sample voted.
	Class    int
	HasClass bool

	Method Method
	// Bound says what was bounded beside p_A.
	Bound Bound
	// Alpha is the failure probability of the certificate, one-sided.
	Alpha float64
	// Selection and Estimation are the votes of the two phases; N and K of a
	// certificate are Estimation.N and Estimation.Votes(Class).
	Selection, Estimation Counts
	// PLower is the lower bound on p_A = P[f(x + μ + λ·s⊙ε) = Class], rounded
	// down and less the noise mass that the sampler cannot draw.
	PLower float64
	// PUpper is the upper bound on every other class's probability under
	// TwoBounds; 1 otherwise, meaning that only PLower was used.
	PUpper float64

	// R is the theorem's radius in Via at raw scale λ: the certified set is
	// {δ : ‖δ⊘s‖_Via ≤ R}. Zero when abstained.
	R   float64
	Via family.Norm
	// Norm is the norm asked for and Radius the certified radius in it;
	// Converted is true when it is that of the largest Norm ball in a Via region.
	Norm      family.Norm
	Radius    float64
	Converted bool
	// Regions intersect in the certified set; empty when abstained.
	Regions region.Intersection
	Extent  Extent

	// Adaptive is the record of an adaptive run, nil at a fixed number of samples.
	Adaptive *AdaptiveRecord
	// TwoStage holds the settings of a two-stage run, nil otherwise.
	TwoStage *sequential.TwoStage
	// Selector is the first stage of the guarantee [BySelector], nil otherwise ([Compose]);
	// StageAlpha is then the part of Alpha that the other stage had.
	Selector   *Certification
	StageAlpha float64
	// Warnings are remarks for the reader, each one sentence.
	Warnings []string
}

// abstention returns a certification that claims nothing yet.
func (s *SealedNoise) abstention(method Method, alpha float64) Certification {
	return Certification{
		Abstained: true, Method: method, Alpha: alpha, Bound: OneBound, PUpper: 1,
		Norm: s.noise.Norm, Via: s.via, Converted: s.via != s.noise.Norm,
		Extent: Extent{LogVolume: math.Inf(-1)},
	}
}

// withRegion returns c, certified on r.
func (c Certification) withRegion(r region.Region) (Certification, error) {
	var err error
	c.Regions = append(c.Regions, r)
	if c.Extent, err = ExtentOf(c.Regions); err != nil {
		return Certification{}, err
	}
	c.Abstained, c.R, c.Radius = false, r.R, c.Extent.Radii.In(c.Norm)
	return c, nil
}

// warnInvalid remarks on samples that voted for no class.
func (c *Certification) warnInvalid() {
	invalid, n := c.Selection.Invalid+c.Estimation.Invalid, c.Selection.N+c.Estimation.N
	if invalid > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%d of %d samples gave no vote (NaN or a tie); they count against the certificate", invalid, n))
	}
}

// Prediction is the answer of Predict.
type Prediction struct {
	// Abstained is true when the two leading classes cannot be told apart at
	// level Alpha, or no sample voted.
	Abstained bool
	// Class is the leading class, meaningful when HasClass.
	Class    int
	HasClass bool
	Alpha    float64
	// PValue is the two-sided exact binomial test of the leading class against
	// the runner-up (samples without a vote counting as one more class).
	PValue   float64
	Counts   Counts
	Warnings []string
}
