package certificate

import (
	"errors"
	"fmt"

	"ucan/smooth"
	"ucan/smooth/family"
)

// Terms are what FromCounts may change about a certificate.
type Terms struct {
	// Alpha is the new failure probability, in (0, 1); 0 keeps the certificate's.
	Alpha float64
	// Norm is the new norm of the radius; 0 keeps the certificate's.
	Norm family.Norm
	// Bound is the new bound; nil keeps the certificate's.
	Bound *smooth.Bound
}

// FromCounts derives the certificate that the stored votes of c support under
// other terms, without the model. c itself is not changed.
//
// Choosing among several derived certificates of one input after looking at them
// multiplies the failure probability by their number; the norm alone may be
// chosen freely, since every norm follows from the same bound on p_A.
//
// It returns an error when c cannot be rebuilt, when it is an adaptive one and
// Alpha or Bound would change (its looks were taken at its own α), and when the
// family has no theorem for the terms. A failed certificate comes back as it is.
func FromCounts(c *Certificate, terms Terms, load Loader) (*Certificate, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Status == Failed {
		clone := *c
		return &clone, nil
	}
	clone := *c
	clone.Regions = nil // their radii are those of the old terms
	if terms.Norm != 0 {
		clone.Noise.Norm = terms.Norm.String()
	}
	if terms.Alpha != 0 || terms.Bound != nil {
		if c.Statistics.AdaptiveStatistics != nil || adaptiveStage(c.Stages) {
			return nil, errors.New("certificate: adaptive samples were looked at with boundaries for their own alpha; only the norm can be changed")
		}
	}
	if terms.Bound != nil && *terms.Bound != smooth.OneBound && c.Statistics.Method != string(smooth.MethodFixed) {
		return nil, fmt.Errorf("certificate: method %q has one bound; only fixed-n votes can be given two", c.Statistics.Method)
	}
	if terms.Alpha != 0 {
		if !(terms.Alpha > 0 && terms.Alpha < 1) {
			return nil, fmt.Errorf("certificate: alpha is %v; it must lie strictly between 0 and 1", terms.Alpha)
		}
		clone.Statistics.Alpha = Float(terms.Alpha)
		clone.Stages = shareAlpha(c.Stages, terms.Alpha)
	}
	if terms.Bound != nil {
		clone.Statistics.Bound = boundText(*terms.Bound)
	}
	w, err := clone.rederive(NewChecker(load, ""))
	if err != nil {
		return nil, err
	}
	return w, w.SetID()
}
