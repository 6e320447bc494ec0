package npg

import (
	"fmt"
	"math"
	"slices"
)

// Pattern is the pattern-wise generator (UCAN, Eq. 12): on centred, scaled pixel coordinates (a,
// b),
//
//	σ(a, b) = κ ‖(a, b)‖² + ι,   μ = 0,
//
// low in the centre of an image, where the object is, and high at its border. It is a formula of
// the position alone, so certificates are [smooth.Deployed].
type Pattern struct {
	// Norm is the norm ‖·‖ of the position: "l1", "l2" or "linf".
	Norm string
	// Kappa κ is the growth towards the border; ι + κ‖(a,b)‖² must be positive everywhere.
	Kappa float64
	// Iota ι is the scale in the centre.
	Iota float64
	// Span is the coordinate of the outermost pixel centres: rows and columns run over [−Span,
	// Span]. The paper's formula means 1; its published code divides so that [ReferenceSpan] comes
	// out.
	Span float64
	// Limits are the floor and the ceiling of σ.
	Limits
}

// ReferenceSpan is the span of the authors' code, which computes a/(SIZE−1)/2 for a centred pixel
// number a up to (SIZE−1)/2.
const ReferenceSpan = 0.25

// DefaultPattern returns κ = 1, ι = 0.5 in the ℓ2 norm on [−1, 1], within [DefaultLimits].
func DefaultPattern() Pattern {
	return Pattern{Norm: "l2", Kappa: 1, Iota: 0.5, Span: 1, Limits: DefaultLimits()}
}

// Validate reports the first parameter that is out of range.
func (p Pattern) Validate() error {
	if p.Norm != "l1" && p.Norm != "l2" && p.Norm != "linf" {
		return fmt.Errorf("pattern: norm %q is unknown; use l1, l2 or linf", p.Norm)
	}
	for _, v := range []named{{"kappa", p.Kappa}, {"iota", p.Iota}, {"span", p.Span}} {
		if err := v.finite(); err != nil {
			return err
		}
	}
	if !(p.Span > 0) {
		return fmt.Errorf("pattern: span is %v; it must be positive", p.Span)
	}
	if err := p.Limits.Validate(); err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	return nil
}

// Field evaluates the pattern for images of the shape: [C, H, W], [H, W] or a flat [d] that is
// taken as one row. All channels share one map.
func (p Pattern) Field(shape []int) (Parameters, error) {
	if err := p.Validate(); err != nil {
		return Parameters{}, err
	}
	channels, height, width, err := imageShape(shape)
	if err != nil {
		return Parameters{}, err
	}
	plane := make([]float32, 0, height*width)
	for y := range height {
		for x := range width {
			r := p.norm(Coordinate(y, height, p.Span), Coordinate(x, width, p.Span))
			plane = append(plane, float32(p.Kappa*r*r+p.Iota))
		}
	}
	sigma := slices.Repeat(plane, channels)
	return p.Apply(nil, len(sigma), nil, sigma)
}

// Coordinate places pixel i of n on [−span, span]; a single pixel is the centre.
func Coordinate(i, n int, span float64) float64 {
	if n == 1 {
		return 0
	}
	return span * (2*float64(i)/float64(n-1) - 1)
}

func (p Pattern) norm(a, b float64) float64 {
	a, b = math.Abs(a), math.Abs(b)
	switch p.Norm {
	case "l1":
		return a + b
	case "l2":
		return math.Hypot(a, b)
	default:
		return max(a, b)
	}
}

// String returns the specification that [ParseFormula] reads back.
func (p Pattern) String() string {
	return "pattern:" + p.Norm + numbers(named{"kappa", p.Kappa}, named{"iota", p.Iota}, named{"span", p.Span}) + p.spec()
}
