package npg

import (
	"fmt"
	"math"
	"slices"

	"ucan/smooth/basis"
)

// Frequency is the pattern-wise idea in the orthonormal two-dimensional DCT basis of each channel:
// the noise has the scale
//
//	s(u, v) = ι (1 + (κ − 1) r^γ),   r = ‖(u, v)‖₂ / ‖(u_max, v_max)‖₂,   μ = 0,
//
// along the basis vector of the vertical frequency u and the horizontal frequency v: ι on the mean
// of a channel, κι on the highest frequency. For κ > 1 there is little noise on the low
// frequencies, which tell classes apart, and much on the high ones. It is a formula of the position
// alone, so certificates are [smooth.Deployed]. It is sampled from Gaussian noise only.
type Frequency struct {
	// Kappa κ > 0 is the ratio of the scale of the highest frequency to that of the mean.
	Kappa float64
	// Gamma γ > 0 says how late the scale rises.
	Gamma float64
	// Iota ι > 0 is the scale of the mean.
	Iota float64
	// Limits are the floor and the ceiling of s.
	Limits
}

// DefaultFrequency returns κ = 16, γ = 3, ι = 0.25 within [DefaultLimits].
func DefaultFrequency() Frequency {
	return Frequency{Kappa: 16, Gamma: 3, Iota: 0.25, Limits: DefaultLimits()}
}

// Validate reports the first parameter that is out of range.
func (f Frequency) Validate() error {
	for _, v := range []named{{"kappa", f.Kappa}, {"gamma", f.Gamma}, {"iota", f.Iota}} {
		if err := v.finite(); err != nil {
			return err
		}
		if !(v.value > 0) {
			return fmt.Errorf("pattern: %s is %v; it must be positive", v.name, v.value)
		}
	}
	if err := f.Limits.Validate(); err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	return nil
}

// Field evaluates the pattern for images of the shape: [C, H, W], [H, W] or a flat [d] that is
// taken as one row. All channels share one map.
func (f Frequency) Field(shape []int) (Parameters, error) {
	if err := f.Validate(); err != nil {
		return Parameters{}, err
	}
	channels, height, width, err := imageShape(shape)
	if err != nil {
		return Parameters{}, err
	}
	u, err := basis.DCT2([]int{channels, height, width})
	if err != nil {
		return Parameters{}, fmt.Errorf("pattern: %w", err)
	}
	top := max(math.Hypot(float64(height-1), float64(width-1)), 1)
	plane := make([]float32, 0, height*width)
	for a := range height {
		for b := range width {
			r := math.Hypot(float64(a), float64(b)) / top
			plane = append(plane, float32(f.Iota*(1+(f.Kappa-1)*math.Pow(r, f.Gamma))))
		}
	}
	sigma := slices.Repeat(plane, channels)
	return f.Apply(u, len(sigma), nil, sigma)
}

// String returns the specification that [ParseFormula] reads back.
func (f Frequency) String() string {
	return "pattern:dct" + numbers(named{"kappa", f.Kappa}, named{"gamma", f.Gamma}, named{"iota", f.Iota}) + f.spec()
}
