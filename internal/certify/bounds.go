package certify

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"ucan/internal/fault"
	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/npg/diagnose"
	"ucan/runtime/onnx"
)

// Bounds are what a generator's fields cannot leave; 0 stands for unknown or none.
type Bounds struct {
	// Floor and Ceiling bound σ, MuCap bounds |μ_i|.
	Floor, Ceiling, MuCap float64
}

// Bounds returns the bounds of the generator that o names: those it declares and those that the
// last operators of its networks set, whichever are tighter.
func (o Noise) Bounds() (Bounds, error) {
	switch {
	case strings.HasPrefix(o.NPG, "pattern:"):
		f, err := npg.ParseFormula(o.NPG)
		if err != nil {
			return Bounds{}, fault.Wrongf("read the generator: %w", err)
		}
		switch f := f.(type) {
		case npg.Pattern:
			return boundsOf(f.Limits), nil
		case npg.Frequency:
			return boundsOf(f.Limits), nil
		}
		return Bounds{}, nil
	case strings.HasSuffix(o.NPG, ".npy"):
		return boundsOf(o.limits()), nil
	case strings.HasSuffix(o.NPG, ".onnx"):
		made, _, err := o.networks(nil)
		if err != nil {
			return Bounds{}, err
		}
		return bundleBounds(made)
	}
	made, err := bundle.Read(o.NPG)
	if err != nil {
		return Bounds{}, fmt.Errorf("read the generator %q: %w", filepath.Base(o.NPG), err)
	}
	return bundleBounds(made)
}

func boundsOf(l npg.Limits) Bounds { return Bounds{Floor: l.Floor, Ceiling: finiteOrNone(l.Ceiling)} }

func finiteOrNone(v float64) float64 {
	if math.IsInf(v, 0) {
		return 0
	}
	return v
}

// bundleBounds joins a bundle's limits with what its networks can say.
func bundleBounds(b *bundle.Bundle) (Bounds, error) {
	out := boundsOf(b.Limits)
	scaleCap, offsetCap := math.Inf(1), math.Inf(1)
	for role, data := range b.Graphs {
		if role == bundle.Base {
			continue
		}
		m, err := onnx.Parse(data)
		if err != nil {
			return Bounds{}, fmt.Errorf("read the generator: the graph %s: %w", role, err)
		}
		switch role {
		case bundle.Mu:
			offsetCap = diagnose.OutputBound(m, "")
		case bundle.Sigma:
			scaleCap = diagnose.OutputBound(m, "")
		case bundle.Joint:
			scale := "sigma"
			if _, named := m.Output(scale); !named {
				scale = ""
			}
			scaleCap = diagnose.OutputBound(m, scale)
			if _, named := m.Output("mu"); named {
				offsetCap = diagnose.OutputBound(m, "mu")
			}
		case bundle.Base:
		}
	}
	if b.Kind == npg.KindCertification {
		out.Ceiling = finiteOrNone(math.Min(scaleCap, b.Limits.Ceiling))
		if !b.FixedMean {
			out.MuCap = finiteOrNone(math.Abs(b.MuScale) * offsetCap)
		}
	}
	return out, nil
}
