package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"ucan/smooth"
	"ucan/smooth/certificate"
)

// Noise under the guarantee deployed belongs to a running service, so it may not change from input
// to input. One certificate cannot show that, and of several only the noise itself is proof: seeds,
// α, methods, specifications and kinds can be written at will. So this package compares the noise
// of all certificates of one model, dimension and arithmetic. Where there are several noises, as in
// the export of a zoo, each must have been tried on the same inputs (or on a part of those, while a
// run has not ended): the inputs of one must contain those of the next. Noise made from the input
// has other inputs under each.

// service identifies what noises are compared among.
type service struct {
	model, arithmetic string
	dim               int
}

// setting is one noise of a service, and the inputs under it.
type setting struct {
	first int // line
	// guarantee is that of the certificates.
	guarantee string
	inputs    map[string]bool
	lines     []place
}

// place is where a certificate stands.
type place struct {
	line  int
	index int64
}

// services collects the deployed noise of a file. What a selector chooses among is noise of that
// kind: the whole list of it.
type services map[service]map[string]*setting

// add notes a certificate that is true in itself.
func (s services) add(line int, c *certificate.Certificate) error {
	if (c.Guarantee != smooth.Deployed && c.Guarantee != smooth.BySelector) || c.Status == certificate.Failed {
		return nil
	}
	key := service{c.Model.SHA256, c.Noise.Arithmetic, c.Input.Dim()}
	if len(c.Stages) > 0 {
		key.model = "selector " + c.Stages[0].Model.SHA256 // the model is the chosen set's
	}
	noise, err := noiseKey(c)
	if err != nil {
		return err
	}
	if s[key] == nil {
		s[key] = map[string]*setting{}
	}
	at := s[key][noise]
	if at == nil {
		at = &setting{first: line, guarantee: string(c.Guarantee), inputs: map[string]bool{}}
		s[key][noise] = at
	}
	at.inputs[c.Input.SHA256] = true
	at.lines = append(at.lines, place{line, c.Input.Index})
	return nil
}

// noiseKey is what is sampled: the noise and nothing that names it.
func noiseKey(c *certificate.Certificate) (string, error) {
	n := c.Noise
	if len(c.Stages) > 0 {
		n = *c.Stages[0].Noise
	}
	key, err := json.Marshal([]any{setsOf(c), n.Family, n.Parameters, n.Lambda, n.Basis, n.MuField.Digest(), n.SigmaField.Digest()})
	if err != nil {
		return "", fmt.Errorf("compare noise: %w", err)
	}
	return string(key), nil
}

// setsOf are what a selector chooses among, nil under other guarantees.
func setsOf(c *certificate.Certificate) []certificate.Set {
	if len(c.Stages) == 0 {
		return nil
	}
	return c.Stages[1].Sets
}

// findings lists the certificates whose noise changed with the input.
func (s services) findings() []Finding {
	var out []Finding
	for _, noises := range s {
		// From the most inputs to the fewest: each must lie within the one before.
		ordered := slices.SortedFunc(maps.Values(noises), func(a, b *setting) int {
			return cmp.Or(cmp.Compare(len(b.inputs), len(a.inputs)), cmp.Compare(a.first, b.first))
		})
		widest := ordered[0]
		for _, n := range ordered[1:] {
			if within(n.inputs, widest.inputs) {
				widest = n
				continue
			}
			for _, p := range n.lines {
				out = append(out, Finding{p.line, p.index, certificate.Finding{
					Field: "guarantee", Stored: n.guarantee,
					Recomputed: fmt.Sprintf("other noise than on line %d, for other inputs; such noise is the same for all inputs (of runs with several noises give all inputs under each, or check the files apart)", widest.first),
				}})
			}
		}
	}
	return out
}

func within(part, all map[string]bool) bool {
	for input := range part {
		if !all[input] {
			return false
		}
	}
	return true
}
