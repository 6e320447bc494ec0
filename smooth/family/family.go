// Package family holds the isotropic noise families of randomized smoothing: how
// to sample them and which radius a bound on p_A certifies.
//
// # Conventions
//
// A family's noise is λ·ε in dimension d, where ε has the density written in the
// family's file, at raw scale 1. Everything in this package is at λ = 1: samplers
// yield ε, and a radius at scale λ is λ times the radius returned. λ₁
// ([Scaler]) is the raw scale at which every coordinate has standard deviation
// 1, so that σ (always the standard deviation of one coordinate) is λ/λ₁; it
// depends on the dimension for every family that does not factorise.
//
// # Guarantee of a radius
//
// Let f be any (measurable) classifier, A a class with P[f(x+ε) = A] ≥ pLower.
// Then for every δ with ‖δ‖ < Radius(norm, d, pLower), A is the class that
// f(x+δ+ε) takes with probability above 1/2. The probability of error of a
// certificate is only that of pLower itself. Radii are rounded toward zero:
// never above the exact value of the formula in the family's file.
//
// # Sources
//
// Every family names the source of its theorems:
//
//   - Cohen et al. 2019: Cohen, Rosenfeld, Kolter, "Certified adversarial robustness
//     via randomized smoothing", ICML 2019, arXiv 1902.02918;
//   - Teng et al. 2020: Teng, Lee, Yuan, "ℓ1 adversarial robustness certificates: a
//     randomized smoothing approach", 2020;
//   - Yang et al. 2020: Yang, Duan, Hu, Salman, Razenshteyn, Li, "Randomized
//     smoothing of all shapes and sizes", ICML 2020, arXiv 2002.08118. Its two methods
//     are cited by their names, "level-set method" (levelset.go) and "differential
//     method" (bounds.go).
//
// The formulas were derived anew; see the documentation of each family.
//
// # Interfaces
//
// The transform to anisotropic noise (package smooth) asks for [Family], [Sampler] and
// [Theorem], so any isotropic certificate can be brought along by implementing
// those; see the package example. The rest is optional, and what a family lacks
// is replaced by the careful choice:
//
//   - [Lossy]: what the sampler cannot draw; otherwise 1e-12 a coordinate is subtracted;
//   - [Numeric]: needed when radii come from tables or a search; otherwise a certificate
//     of another version is refused for a difference in the last digit;
//   - [Scaler]: σ in place of λ; [TwoBounds]: a radius from p_A and p_B;
//   - [Sized]: parameters that default by dimension;
//   - [Methodical]: more than one theorem for a norm; [Inverter]: a fast p_A of a radius;
//   - [AffineSampler]: a faster sampler.
//
// Families of New have all of the first three, [Scaler] and [Lossy], and [Numeric] where
// their radii are not closed forms; the tests of this package hold them to it.
package family

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"ucan/smooth/stream"
)

// Family names an isotropic noise distribution and its parameters.
type Family interface {
	// Name is the lower-case name that New takes, and certificates record.
	Name() string
	// Params returns the parameters by name, as New takes them: a fresh map,
	// empty for a family without parameters.
	Params() map[string]float64
	// Norms lists the norms the family has a theorem for, the default first.
	Norms() []Norm
}

// Sampler draws noise.
type Sampler interface {
	// Sample fills dst with one draw of ε at raw scale 1 in dimension len(dst).
	// It is a function of src's state only, allocates nothing, and may be called
	// from any number of goroutines with sources of their own.
	Sample(dst []float32, src *stream.Source)
}

// Theorem turns a bound on p_A into a radius.
type Theorem interface {
	// Radius returns the certified radius at raw scale 1 in dimension dim when
	// the class has probability at least pLower and nothing is known of the
	// others. It is 0 for pLower ≤ 1/2, never negative, and rounded toward zero.
	// Errors: a norm without a theorem (ErrNoTheorem), dim < 1 or one the
	// parameters do not allow (ErrDomain), pLower NaN or outside [0, 1]. At
	// pLower = 1 the radius is that of the largest float64 below 1.
	Radius(n Norm, dim int, pLower float64) (float64, error)
}

// Scaler relates the raw scale to the standard deviation.
type Scaler interface {
	// Lambda1 returns λ₁, the raw scale at which each coordinate of the noise has
	// standard deviation 1 in dimension dim. Errors: ErrInfiniteVariance, or
	// ErrDomain for a dimension that the parameters do not allow.
	Lambda1(dim int) (float64, error)
}

// Isotropic is what New returns: a family with its sampler, theorem and scale.
type Isotropic interface {
	Family
	Sampler
	Theorem
	Scaler
}

// Errors that callers tell apart with errors.Is.
var (
	// ErrDomain marks a parameter, or a dimension for given parameters, outside
	// the domain of a family or of its theorem: wrong usage.
	ErrDomain = errors.New("outside the family's domain")
	// ErrNoTheorem marks a norm in which the family certifies nothing directly.
	ErrNoTheorem = errors.New("no theorem for this norm")
	// ErrInfiniteVariance marks noise without a standard deviation, whose scale
	// can only be given as λ.
	ErrInfiniteVariance = errors.New("the variance is infinite")
)

// spec describes a family to New: its parameters with their defaults (NaN: the
// default depends on the dimension) and its constructor, which gets all of them.
type spec struct {
	name     string
	defaults map[string]float64
	make     func(p map[string]float64) (Isotropic, error)
}

// defaults holds the default values of a family's parameters.
type defaults = map[string]float64

// isotropic keeps a nil pointer out of the interface when a constructor fails.
func isotropic[F Isotropic](f F, err error) (Isotropic, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// specs lists the built-in families in the order of the documentation.
func specs() []spec {
	return []spec{
		{"gaussian", nil, func(map[string]float64) (Isotropic, error) { return Gaussian{}, nil }},
		{"laplace", nil, func(map[string]float64) (Isotropic, error) { return Laplace{}, nil }},
		{"uniform", nil, func(map[string]float64) (Isotropic, error) { return Uniform{}, nil }},
		{"pareto", defaults{"a": 3}, func(p map[string]float64) (Isotropic, error) { return isotropic(NewPareto(p["a"])) }},
		{"ball", nil, func(map[string]float64) (Isotropic, error) { return Ball{}, nil }},
		{"expinf", defaults{"k": 1, "j": 0}, func(p map[string]float64) (Isotropic, error) {
			return isotropic(NewExpInf(p["k"], p["j"]))
		}},
		{"powinf", defaults{"a": math.NaN()}, func(p map[string]float64) (Isotropic, error) { return isotropic(NewPowInf(p["a"])) }},
		{"exp2", defaults{"k": 1, "j": 0}, func(p map[string]float64) (Isotropic, error) {
			return isotropic(NewExp2(p["k"], p["j"]))
		}},
		{"pow2", defaults{"k": 2, "a": math.NaN()}, func(p map[string]float64) (Isotropic, error) {
			return isotropic(NewPow2(p["k"], p["a"]))
		}},
		{"exp1", defaults{"k": 1}, func(p map[string]float64) (Isotropic, error) { return isotropic(NewExp1(p["k"])) }},
		{"expp", defaults{"p": 1}, func(p map[string]float64) (Isotropic, error) { return isotropic(NewExpp(p["p"])) }},
	}
}

// Names returns the names that New knows, in the order of the documentation.
func Names() []string {
	s := specs()
	names := make([]string, len(s))
	for i := range s {
		names[i] = s[i].name
	}
	return names
}

// Defaults returns the parameters of a family with their default values; NaN
// stands for a default that depends on the dimension. It returns nil for an
// unknown name.
func Defaults(name string) map[string]float64 {
	for _, s := range specs() {
		if s.name == name {
			p := maps.Clone(s.defaults)
			if p == nil {
				p = map[string]float64{}
			}
			return p
		}
	}
	return nil
}

// New returns the family of that name. Parameters not given have their defaults.
// It returns an error wrapping ErrDomain for an unknown family, an unknown
// parameter, or a value outside its domain.
func New(name string, params map[string]float64) (Isotropic, error) {
	for _, s := range specs() {
		if s.name != name {
			continue
		}
		p := Defaults(name)
		for _, k := range slices.Sorted(maps.Keys(params)) {
			if _, known := p[k]; !known {
				return nil, fmt.Errorf("noise family %s has no parameter %q; it has %s: %w", name, k, list(p), ErrDomain)
			}
			if v := params[k]; math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("parameter %s of noise family %s is %v; give a finite number: %w", k, name, v, ErrDomain)
			}
			p[k] = params[k]
		}
		return s.make(p)
	}
	return nil, fmt.Errorf("unknown noise family %q: use one of %s: %w", name, strings.Join(Names(), ", "), ErrDomain)
}

func list(p map[string]float64) string {
	if len(p) == 0 {
		return "none"
	}
	return fmt.Sprint(slices.Sorted(maps.Keys(p)))
}

// checkRadius validates the arguments that all theorems share, and returns
// done = true with the answer 0 when pLower does not exceed 1/2.
func checkRadius(f Family, n Norm, dim int, pLower float64) (done bool, err error) {
	if !slices.Contains(f.Norms(), n) {
		return true, fmt.Errorf("noise family %s in %s: %w; it has one for %v", f.Name(), n, ErrNoTheorem, f.Norms())
	}
	if err = checkDim(f, dim); err != nil {
		return true, err
	}
	if math.IsNaN(pLower) || pLower < 0 || pLower > 1 {
		return true, fmt.Errorf("radius of noise family %s: probability %v is outside [0, 1]", f.Name(), pLower)
	}
	return pLower <= 0.5, nil
}

func checkDim(f Family, dim int) error {
	if dim < 1 {
		return fmt.Errorf("noise family %s in dimension %d; it must be at least 1: %w", f.Name(), dim, ErrDomain)
	}
	return nil
}

// topProbability stands for a bound of exactly 1, which no sample can give.
const topProbability = 1 - 0x1p-53

// below returns x ≥ 0 lowered by a relative margin that covers the rounding of
// the computation it comes from, and by one unit in the last place.
func below(x, margin float64) float64 {
	if !(x > 0) {
		return 0
	}
	return math.Nextafter(x*(1-margin), 0)
}
