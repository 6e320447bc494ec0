package certificate

import (
	"errors"
	"fmt"
	"math"

	"ucan/smooth"
)

// Lipschitz is how a generator of kind "lipschitz" made the scales of an input: σ_i = τ·s̄_i
// rounded to float32, log τ being Lipschitz in ‖δ ⊘ s̄‖₂ (package smooth/lipschitz).
type Lipschitz struct {
	// Rate is the Lipschitz constant of log τ, positive.
	Rate Float `json:"rate"`
	// Tau is τ at the input, positive.
	Tau Float `json:"tau"`
	// Field is s̄, null for ones. It is the same for every input.
	Field *Field `json:"field"`
}

func (l *Lipschitz) validate() error {
	for name, v := range map[string]Float{"rate": l.Rate, "tau": l.Tau} {
		if !(v > 0) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("certificate: the scale's %s is %v; it must be positive and finite", name, float64(v))
		}
	}
	return nil
}

// Scale returns the scales of an input of dim coordinates: τ·s̄_i, rounded to float32. base is s̄,
// nil for ones.
func (l *Lipschitz) Scale(base []float32, dim int) []float32 {
	out := make([]float32, dim)
	for i := range out {
		out[i] = float32(l.Tau)
		if base != nil {
			out[i] = float32(float64(l.Tau) * float64(base[i]))
		}
	}
	return out
}

// RateHere is the Lipschitz constant of the logarithm of the scale in ‖δ ⊘ σ‖₂, σ being that of
// the input; 0 for nil.
func (l *Lipschitz) RateHere() float64 {
	if l == nil {
		return 0
	}
	return float64(l.Rate) * float64(l.Tau)
}

// lipschitz is the record of a scale that follows the input, nil without one.
func (n *NPG) lipschitz() *Lipschitz {
	if n == nil {
		return nil
	}
	return n.Lipschitz
}

// follows reports noise that does not have the scales that the generator's record gives it.
func (n *NPG) follows(noise *smooth.SealedNoise, load Loader) error {
	l := n.lipschitz()
	if n != nil && n.Kind == KindLipschitz && l == nil {
		return fmt.Errorf("certificate: noise of kind %q without its rate and scale", n.Kind)
	}
	if sealed := noise.Noise().Rate; sealed != l.RateHere() {
		return fmt.Errorf("certificate: noise whose scale has the rate %v, and the generator's is %v", sealed, l.RateHere())
	}
	if l == nil {
		return nil
	}
	base, err := loadField(l.Field, noise.Dim(), load)
	if err != nil {
		return err
	}
	if base != nil && len(base) != noise.Dim() {
		return fmt.Errorf("certificate: a field s̄ of %d values for noise of %d coordinates", len(base), noise.Dim())
	}
	sigma := noise.Noise().Sigma()
	if sigma == nil {
		return errors.New("certificate: noise whose scale follows the input, without a scale field")
	}
	for i, s := range l.Scale(base, noise.Dim()) {
		if s != sigma[i] {
			return fmt.Errorf("certificate: scale %v at coordinate %d, and τ times s̄ is %v", sigma[i], i, s)
		}
	}
	return nil
}
