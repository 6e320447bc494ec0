package npg

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Formula is a generator whose fields follow from the shape of the inputs alone: [Pattern] or
// [Frequency].
type Formula interface {
	// Validate reports the first parameter that is out of range.
	Validate() error
	// Field evaluates the formula for inputs of the shape.
	Field(shape []int) (Parameters, error)
	// String is the specification, with every default written out.
	String() string
}

var (
	_ Formula = Pattern{}
	_ Formula = Frequency{}
)

// presets are formulas by name.
func presets() map[string]Formula {
	reference := func(norm string) Pattern {
		return Pattern{Norm: norm, Kappa: 0.2, Iota: 0.8, Span: ReferenceSpan, Limits: DefaultLimits()}
	}
	dct32 := DefaultFrequency()
	dct32.Kappa, dct32.Gamma = 32, 2
	dct256 := DefaultFrequency()
	dct256.Kappa, dct256.Gamma, dct256.Iota = 256, 4, 0.0625
	return map[string]Formula{
		// The numbers and the coordinates of the authors' certification_pattern_noise.py.
		"ucan-l1": reference("l1"), "ucan-l2": reference("l2"), "ucan-linf": reference("linf"),
		"dct16": DefaultFrequency(), "dct32": dct32, "dct256": dct256,
	}
}

// PresetNames lists the names that may stand first in a specification in place of a norm or "dct".
func PresetNames() []string { return slices.Sorted(maps.Keys(presets())) }

// ParseFormula reads a specification of a pattern:
//
//	pattern:l1|l2|linf,kappa=…,iota=…[,span=…]      σ(a,b) = κ‖(a,b)‖² + ι in pixels, coordinates on [−span, span]
//	pattern:dct,kappa=…,gamma=…,iota=…              s(u,v) = ι(1 + (κ−1) r^γ) in frequencies
//	pattern:PRESET[,…]                              one of [PresetNames], with numbers replaced
//
// each with [,floor=…][,ceiling=…]. What is left out keeps the value of [DefaultPattern],
// [DefaultFrequency] or the preset.
func ParseFormula(spec string) (Formula, error) {
	body, ok := strings.CutPrefix(spec, "pattern:")
	if !ok {
		return nil, fmt.Errorf("pattern %q: it must begin with \"pattern:\"", spec)
	}
	parts := strings.Split(body, ",")
	first := parts[0]
	if strings.Contains(first, "=") {
		first = "l2"
	} else {
		parts = parts[1:]
	}
	formula, err := formulaNamed(first)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", spec, err)
	}
	switch f := formula.(type) {
	case Pattern:
		err = assign(parts, map[string]*float64{"kappa": &f.Kappa, "iota": &f.Iota, "span": &f.Span, "floor": &f.Floor, "ceiling": &f.Ceiling})
		formula = f
	case Frequency:
		err = assign(parts, map[string]*float64{"kappa": &f.Kappa, "gamma": &f.Gamma, "iota": &f.Iota, "floor": &f.Floor, "ceiling": &f.Ceiling})
		formula = f
	}
	if err == nil {
		err = formula.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", spec, err)
	}
	return formula, nil
}

// formulaNamed returns the formula that a specification starts from.
func formulaNamed(name string) (Formula, error) {
	switch name {
	case "l1", "l2", "linf":
		p := DefaultPattern()
		p.Norm = name
		return p, nil
	case "dct":
		return DefaultFrequency(), nil
	}
	if f, ok := presets()[name]; ok {
		return f, nil
	}
	return nil, fmt.Errorf("unknown pattern %q: use l1, l2, linf, dct or a preset: %s", name, strings.Join(PresetNames(), ", "))
}

// assign reads name=value parts.
func assign(parts []string, fields map[string]*float64) error {
	for _, part := range parts {
		name, value, assigned := strings.Cut(part, "=")
		field, known := fields[name]
		if !known || !assigned {
			names := slices.Sorted(maps.Keys(fields))
			return fmt.Errorf("bad parameter %q: use one of %s=VALUE", part, strings.Join(names, "=, "))
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", value)
		}
		*field = v
	}
	return nil
}

// named is a parameter of a formula.
type named struct {
	name  string
	value float64
}

func (n named) finite() error {
	if math.IsNaN(n.value) || math.IsInf(n.value, 0) {
		return fmt.Errorf("pattern: %s is %v; it must be finite", n.name, n.value)
	}
	return nil
}

// numbers writes ",name=value" for each parameter.
func numbers(list ...named) string {
	var out strings.Builder
	for _, n := range list {
		out.WriteString("," + n.name + "=" + strconv.FormatFloat(n.value, 'g', -1, 64))
	}
	return out.String()
}

// String writes the limits as a specification does, "floor=0.1,ceiling=2"; no ceiling is left out.
func (l Limits) String() string { return l.spec()[1:] }

// spec is String after a comma.
func (l Limits) spec() string {
	list := []named{{"floor", l.Floor}}
	if !math.IsInf(l.Ceiling, 1) {
		list = append(list, named{"ceiling", l.Ceiling})
	}
	return numbers(list...)
}

// imageShape reads [C, H, W], [H, W] or a flat [d], which is taken as one row.
func imageShape(shape []int) (channels, height, width int, err error) {
	channels, height = 1, 1
	switch len(shape) {
	case 1:
		width = shape[0]
	case 2:
		height, width = shape[0], shape[1]
	case 3:
		channels, height, width = shape[0], shape[1], shape[2]
	default:
		return 0, 0, 0, fmt.Errorf("pattern: inputs of shape %v are not images; use a field from a .npy file", shape)
	}
	if channels < 1 || height < 1 || width < 1 {
		return 0, 0, 0, fmt.Errorf("pattern: the shape %v is empty", shape)
	}
	return channels, height, width, nil
}

// ParseLimits reads what [Limits.String] writes: "floor=0.1" or "floor=0.1,ceiling=2".
func ParseLimits(spec string) (Limits, error) {
	l := DefaultLimits()
	if err := assign(strings.Split(spec, ","), map[string]*float64{"floor": &l.Floor, "ceiling": &l.Ceiling}); err != nil {
		return Limits{}, fmt.Errorf("limits %q: %w", spec, err)
	}
	if err := l.Validate(); err != nil {
		return Limits{}, fmt.Errorf("limits %q: %w", spec, err)
	}
	return l, nil
}
