package matrix

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ucan/npg"
	"ucan/smooth/family"
)

// noise reads one entry, which stands for a setting for each of its scales and generators.
func (p *parser) noise(o object) []Setting {
	base := Setting{
		Family: strings.ToLower(get(o, "family", "gaussian")), Params: get[map[string]float64](o, "params", nil),
		Norm: get(o, "norm", ""), Arithmetic: get(o, "arithmetic", "float32"),
	}
	f, err := family.New(base.Family, base.Params)
	if err != nil {
		p.faults.add(lineOf("params", o), "%s; see \"ucan radius --list\"", err)
		return nil
	}
	if base.Params = f.Params(); len(base.Params) == 0 {
		base.Params = nil
	}
	if base.Norm == "" {
		base.Norm = f.Norms()[0].String()
	}
	scales := p.scales(o)
	generators := p.generators(o)
	var out []Setting
	for _, g := range generators {
		for _, scale := range scales {
			s := base
			s.NPG, s.Sigma, s.Lambda = g.npg, scale.sigma, scale.lambda
			s.Name = settingName(s, g.label, get(o, "name", ""), len(scales)*len(generators) > 1)
			out = append(out, s)
		}
	}
	return out
}

type scale struct{ sigma, lambda float64 }

func (p *parser) scales(o object) []scale {
	sigmas, lambdas := get[[]float64](o, "sigma", nil), get[[]float64](o, "lambda", nil)
	switch {
	case o.has("sigma") && o.has("lambda"):
		p.faults.add(o.lineOf("lambda"), "both sigma and lambda are given; give one")
	case !o.has("sigma") && !o.has("lambda") && o.has("npg"):
		return []scale{{sigma: 1}}
	case sigmas == nil && lambdas == nil:
		p.faults.add(o.line, "no noise scale is given; give sigma (standard deviation, on the data's scale) or lambda")
	}
	var out []scale
	for _, v := range sigmas {
		out = append(out, scale{sigma: v})
	}
	for _, v := range lambdas {
		out = append(out, scale{lambda: v})
	}
	return out
}

// generator is one generator with a short name.
type generator struct{ npg, label string }

func (p *parser) generators(o object) []generator {
	if !o.has("npg") {
		return []generator{{}}
	}
	line := o.lineOf("npg")
	var out []generator
	for _, text := range get[[]string](o, "npg", nil) {
		if strings.HasPrefix(text, "pattern:") {
			if _, err := npg.ParseFormula(text); err != nil {
				p.faults.add(line, "%s", err)
			}
			out = append(out, generator{npg: text, label: text})
			continue
		}
		var files, labels []string
		for name := range strings.SplitSeq(text, ",") {
			name = strings.TrimSpace(name)
			files = append(files, p.file(name, line))
			labels = append(labels, strings.TrimSuffix(filepath.Base(filepath.Clean(name)), filepath.Ext(name)))
		}
		out = append(out, generator{npg: strings.Join(files, ","), label: strings.Join(labels, "+")})
	}
	return out
}

// GeneratorPaths are the paths that the setting's generator names, none for a formula.
func (s Setting) GeneratorPaths() []string {
	if s.NPG == "" || strings.HasPrefix(s.NPG, "pattern:") {
		return nil
	}
	return strings.Split(s.NPG, ",")
}

// settingName names a setting: what the user gave, or family, norm, generator and scale.
func settingName(s Setting, generator, given string, several bool) string {
	scale := "s" + number(s.Sigma)
	if s.Sigma == 0 {
		scale = "l" + number(s.Lambda)
	}
	if given != "" && !several {
		return given
	}
	parts := []string{given}
	if given == "" {
		parts = []string{s.Family, s.Norm}
		if len(s.Params) > 0 {
			defaults := family.Defaults(s.Family)
			for _, name := range slices.Sorted(maps.Keys(s.Params)) {
				if v := s.Params[name]; v != defaults[name] {
					parts = append(parts, fmt.Sprintf("%s%s", name, number(v)))
				}
			}
		}
		if s.Arithmetic != "float32" {
			parts = append(parts, s.Arithmetic)
		}
	}
	if generator != "" {
		parts = append(parts, generator)
	}
	return strings.Join(append(parts, scale), "-")
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
