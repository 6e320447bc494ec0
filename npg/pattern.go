package npg

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Pattern is the pattern-wise generator (UCAN, Eq. 12): on centred, scaled pixel coordinates (a, b),
//
//	σ(a, b) = κ ‖(a, b)‖² + ι,   μ = 0,
//
// low in the centre of an image, where the object is, and high at its border. It is a formula of the position alone,
// so certificates are [Deployed].
type Pattern struct {
	// Norm is the norm ‖·‖ of the position: "l1", "l2" or "linf".
	Norm string
	// Kappa κ is the growth towards the border; ι + κ‖(a,b)‖² must be positive everywhere.
	Kappa float64
	// Iota ι is the scale in the centre.
	Iota float64
	// Span is the coordinate of the outermost pixel centres: rows and columns run over [−Span, Span]. The paper's formula
	// means 1; its published code divides so that 0.25 comes out.
	Span float64
	// Floor σ_min is the least scale: smaller values are raised to it and counted in [Parameters.Floored].
	Floor float64
}

// DefaultPattern returns κ = 1, ι = 0.5 in the ℓ2 norm on [−1, 1], with a floor of 1e-3.
func DefaultPattern() Pattern {
	return Pattern{Norm: "l2", Kappa: 1, Iota: 0.5, Span: 1, Floor: 1e-3}
}

// Validate reports the first parameter that is out of range.
func (p Pattern) Validate() error {
	if p.Norm != "l1" && p.Norm != "l2" && p.Norm != "linf" {
		return fmt.Errorf("pattern: norm %q is unknown; use l1, l2 or linf", p.Norm)
	}
	for _, v := range []struct {
		name  string
		value float64
	}{{"kappa", p.Kappa}, {"iota", p.Iota}, {"span", p.Span}, {"floor", p.Floor}} {
		if math.IsNaN(v.value) || math.IsInf(v.value, 0) {
			return fmt.Errorf("pattern: %s is %v; it must be finite", v.name, v.value)
		}
	}
	if !(p.Span > 0) {
		return fmt.Errorf("pattern: span is %v; it must be positive", p.Span)
	}
	if !(p.Floor > 0) {
		return fmt.Errorf("pattern: floor is %v; it must be positive, since the scale field must be invertible", p.Floor)
	}
	return nil
}

// Field evaluates the pattern for images of the shape: [C, H, W], [H, W] or a flat [d] that is taken as one row. All
// channels share one map.
func (p Pattern) Field(shape []int) (Parameters, error) {
	if err := p.Validate(); err != nil {
		return Parameters{}, err
	}
	channels, height := 1, 1
	var width int
	switch len(shape) {
	case 1:
		width = shape[0]
	case 2:
		height, width = shape[0], shape[1]
	case 3:
		channels, height, width = shape[0], shape[1], shape[2]
	default:
		return Parameters{}, fmt.Errorf("pattern: inputs of shape %v are no images; use a field from a .npy file", shape)
	}
	if channels < 1 || height < 1 || width < 1 {
		return Parameters{}, fmt.Errorf("pattern: the shape %v is empty", shape)
	}
	plane := make([]float32, height*width)
	floored := 0
	for y := range height {
		for x := range width {
			r := p.norm(coordinate(y, height, p.Span), coordinate(x, width, p.Span))
			s := p.Kappa*r*r + p.Iota
			if s < p.Floor {
				s = p.Floor
				floored += channels
			}
			plane[y*width+x] = float32(s)
		}
	}
	sigma := make([]float32, 0, channels*len(plane))
	for range channels {
		sigma = append(sigma, plane...)
	}
	sealed, err := Seal(len(sigma), nil, sigma)
	sealed.floored = floored
	return sealed, err
}

// coordinate places pixel i of n on [−span, span]; a single pixel is the centre.
func coordinate(i, n int, span float64) float64 {
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

// String returns the specification that [ParsePattern] reads back.
func (p Pattern) String() string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	return "pattern:" + p.Norm + ",kappa=" + number(p.Kappa) + ",iota=" + number(p.Iota) +
		",span=" + number(p.Span) + ",floor=" + number(p.Floor)
}

// ParsePattern reads "pattern:NORM,kappa=…,iota=…[,span=…][,floor=…]"; what is left out keeps [DefaultPattern]'s value.
func ParsePattern(spec string) (Pattern, error) {
	p := DefaultPattern()
	body, ok := strings.CutPrefix(spec, "pattern:")
	if !ok {
		return p, fmt.Errorf("pattern %q: it must begin with \"pattern:\"", spec)
	}
	fields := map[string]*float64{"kappa": &p.Kappa, "iota": &p.Iota, "span": &p.Span, "floor": &p.Floor}
	for i, part := range strings.Split(body, ",") {
		name, value, assigned := strings.Cut(part, "=")
		if !assigned && i == 0 && part != "" {
			p.Norm = part
			continue
		}
		field, known := fields[name]
		if !known || !assigned {
			return p, fmt.Errorf("pattern %q: %q is none of kappa=, iota=, span=, floor=", spec, part)
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return p, fmt.Errorf("pattern %q: %q is not a number", spec, value)
		}
		*field = v
	}
	if err := p.Validate(); err != nil {
		return p, fmt.Errorf("%q: %w", spec, err)
	}
	return p, nil
}
