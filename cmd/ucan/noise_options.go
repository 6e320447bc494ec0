package main

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"ucan/internal/certify"
	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/family"
)

// familyOptions name an isotropic family of noise, its scale and the norm of the radius.
type familyOptions struct {
	name          string
	norm          string
	sigma, lambda *float64 // nil where not given
	pairs         []string // parameters, NAME=NUMBER
}

func (n *familyOptions) declare(o *options) {
	o.in(noiseSection)
	o.text(&n.name, "noise.family", "noise", "gaussian", "noise family").offers(family.Names)
	o.text(&n.norm, "noise.norm", "norm", "", "norm of the reported radius: l1, l2 or linf (default: the family's own)").offers(normNames)
	o.maybeFloat(&n.sigma, "noise.sigma", "sigma", "standard deviation of the noise per coordinate, on the data's scale").as("s")
	o.maybeFloat(&n.lambda, "noise.lambda", "lambda", "raw scale of the family, instead of --sigma")
	o.words(&n.pairs, "noise.param", "param", nil, "parameters of the family, k=1,j=0")
}

func normNames() []string { return []string{"l1", "l2", "linf"} }

func (n *familyOptions) check(f *faults) {
	for _, scale := range []**float64{&n.sigma, &n.lambda} {
		if v := *scale; v != nil && (!(*v > 0) || math.IsInf(*v, 0)) {
			f.add(scale, "%v is out of range: give a positive, finite number", *v)
		}
	}
	if n.sigma != nil && n.lambda != nil {
		f.add(&n.sigma, "both --sigma and --lambda are given; give one")
	}
}

// family is the family by its name and parameters; nil when one of them is wrong.
func (n *familyOptions) family(f *faults) family.Isotropic {
	name := strings.ToLower(n.name)
	if !slices.Contains(family.Names(), name) {
		f.add(&n.name, "%w", unknown("noise family", n.name, family.Names()))
		return nil
	}
	made, err := family.New(name, n.parameters(f))
	if err != nil {
		f.add(&n.name, "%w", err)
		return nil
	}
	return made
}

// parameters reads the parameters of the family.
func (n *familyOptions) parameters(f *faults) map[string]float64 {
	parameters := map[string]float64{}
	for _, pair := range n.pairs {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		v, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			f.add(&n.pairs, "%q is not NAME=NUMBER", pair)
			continue
		}
		parameters[name] = v
	}
	return parameters
}

// noiseOptions say what noise is drawn.
type noiseOptions struct {
	familyOptions
	certify.Noise

	floor, ceiling *float64 // nil where not given
	arithmetic     string
	scaled         bool // what the scale is for has one of its own
}

func (n *noiseOptions) declare(o *options) {
	n.familyOptions.declare(o)
	o.text(&n.arithmetic, "noise.arithmetic", "arithmetic", string(smooth.Float32), "float32, which assumes real arithmetic; or lattice, exact for 8-bit images (gaussian, laplace, uniform, pareto)").oneOf(string(smooth.Float32), string(smooth.Lattice))
	o.text(&n.SigmaField, "noise.sigma_field", "sigma-field", "", ".npy file with one scale per coordinate; or std, the standard deviation of each column of a table")
	o.text(&n.MuField, "noise.mu_field", "mu-field", "", ".npy file with one offset per coordinate")
	o.text(&n.NPG, "noise.npg", "npg", "", "noise parameter generator: pattern:l2,kappa=1,iota=0.5 (pixels), pattern:dct,kappa=16,gamma=3,iota=0.25 (frequencies), a bundle's folder, a .npy field, an .onnx file, or MU.onnx,SIGMA.onnx").offers(patternNames).orFiles()
	o.maybeFloat(&n.floor, "noise.floor", "floor", "least scale of a generator given as .npy or .onnx files (default 0.001)")
	o.maybeFloat(&n.ceiling, "noise.ceiling", "ceiling", "largest scale of a generator given as .npy or .onnx files (default: none)")
	o.on(&n.FixedMean, "noise.fixed_mean", "fixed-mean", "no offset (μ = 0) from a generator given as .onnx files")
}

func patternNames() []string {
	names := npg.PresetNames()
	for i, name := range names {
		names[i] = "pattern:" + name
	}
	return names
}

func (n *noiseOptions) check(f *faults) {
	n.familyOptions.check(f)
	n.Arithmetic = smooth.Arithmetic(n.arithmetic)
	n.checkLimits(f)
	if n.NPG != "" && (n.SigmaField != "" || n.MuField != "") {
		f.add(&n.NPG, "a generator and fields are given; give one of the two")
	}
	if n.Family = n.family(f); n.Family == nil {
		return
	}
	n.Norm = n.Family.Norms()[0]
	if n.norm != "" {
		var err error
		if n.Norm, err = family.ParseNorm(n.norm); err != nil {
			f.add(&n.norm, "%w", err)
		}
	}
	switch {
	case n.sigma != nil:
		n.Sigma = *n.sigma
	case n.lambda != nil:
		n.Lambda = *n.lambda
	case n.SigmaField != "" || n.NPG != "" || n.scaled:
		n.Sigma = 1
	default:
		f.add(&n.sigma, "no noise scale given; give --sigma (standard deviation, on the data's scale) or --lambda")
	}
}

// checkLimits sets the floor and the ceiling of a generator where one of them is given.
func (n *noiseOptions) checkLimits(f *faults) {
	if n.floor == nil && n.ceiling == nil {
		return
	}
	n.Limits = npg.DefaultLimits()
	if n.floor != nil {
		n.Limits.Floor = *n.floor
	}
	if n.ceiling != nil {
		n.Limits.Ceiling = *n.ceiling
	}
	if err := n.Limits.Validate(); err != nil {
		f.add(&n.floor, "%w", err)
	}
}
