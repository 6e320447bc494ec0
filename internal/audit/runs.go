package audit

import (
	"encoding/json"
	"fmt"
	"strings"

	"ucan/smooth"
	"ucan/smooth/certificate"
)

// Run is what certificates have in common whose results may be summed up in one curve: all but the
// inputs and their votes. Failed certificates have no statistics, and the same model and noise.
type Run struct {
	Model      string `json:"model"`
	SHA256     string `json:"sha256"`
	Source     string `json:"source"`
	Guarantee  string `json:"guarantee"`
	Noise      string `json:"noise"`
	Norm       string `json:"norm"`
	Arithmetic string `json:"arithmetic"`
	// Method names the statistics, with the profile and the bound where there are such.
	Method string            `json:"method"`
	Alpha  certificate.Float `json:"alpha"`
	// N is the number of estimation samples; of adaptive and two-stage runs the largest that was
	// allowed.
	N  int64 `json:"n"`
	N0 int64 `json:"n0"`

	Certificates int `json:"certificates"`
	// Inputs is the number of different inputs. Identical inputs share their noise, so that their
	// votes are one sample and not several: intervals take inputs as independent.
	Inputs    int `json:"inputs"`
	Certified int `json:"certified"`
	Abstained int `json:"abstained"`
	Failed    int `json:"failed"`
}

// runs numbers the terms of certificates.
type runs struct {
	number map[string]int
	terms  []Run
}

func newRuns() runs { return runs{number: map[string]int{}} }

// of returns the number of a certificate's run.
func (r *runs) of(c *certificate.Certificate) (int, error) {
	terms, key, err := termsOf(c)
	if err != nil {
		return 0, err
	}
	n, known := r.number[key]
	if !known {
		n = len(r.terms)
		r.number[key] = n
		r.terms = append(r.terms, terms)
	}
	return n, nil
}

// termsOf describes a certificate's run. The key tells runs apart that read the same.
func termsOf(c *certificate.Certificate) (Run, string, error) {
	s := c.Statistics
	if len(c.Stages) > 0 { // those of the set are none where the selector abstained
		alpha := s.Alpha
		s = *c.Stages[0].Statistics
		s.Alpha = alpha
	}
	terms := Run{
		Model: c.Model.Name, SHA256: c.Model.SHA256, Source: c.Input.Source, Guarantee: string(c.Guarantee),
		Noise: noiseText(&c.Noise), Norm: c.Noise.Norm, Arithmetic: c.Noise.Arithmetic,
		Method: s.Method, Alpha: s.Alpha, N: s.N, N0: s.N0,
	}
	switch {
	case s.AdaptiveStatistics != nil:
		terms.Method, terms.N = "adaptive "+s.Profile, s.Cap
		if s.LabelAware {
			terms.Method += ", label-aware"
		}
	case s.TwoStage != nil:
		terms.N = s.TwoStage.Cap
	case s.Bound != "":
		terms.Method += ", " + s.Bound + " bounds"
	}
	model := c.Model
	if len(c.Stages) > 0 {
		first := c.Stages[0]
		model = *first.Model
		terms.Model, terms.SHA256 = "selector "+model.Name, model.SHA256
		terms.Noise = fmt.Sprintf("one of %d, picked under %s", len(c.Stages[1].Sets), noiseText(first.Noise))
	}
	noise := any(nil)
	if c.Guarantee == smooth.Deployed || len(c.Stages) > 0 { // other noise has other fields for each input
		text, err := noiseKey(c)
		if err != nil {
			return Run{}, "", err
		}
		noise = text
	}
	var grid any
	if s.AdaptiveStatistics != nil && c.Guarantee != smooth.Pinned {
		grid = s.Grid
	}
	key, err := json.Marshal([]any{terms, noise, grid, s.TwoStage, model})
	if err != nil {
		return Run{}, "", fmt.Errorf("describe the run of a certificate: %w", err)
	}
	return terms, string(key), nil
}

// noiseText says in a few words what noise was drawn.
func noiseText(n *certificate.Noise) string {
	if n.Family == "" {
		return "none"
	}
	var out strings.Builder
	out.WriteString(n.Family)
	if len(n.Parameters) > 0 {
		if text, err := json.Marshal(n.Parameters); err == nil {
			out.Write(text)
		}
	}
	if n.Sigma != nil {
		fmt.Fprintf(&out, " σ %.6g", float64(*n.Sigma))
	} else {
		fmt.Fprintf(&out, " λ %.6g", float64(n.Lambda))
	}
	switch g := n.NPG; {
	case g != nil && strings.HasPrefix(g.Spec, patternPrefix):
		out.WriteString(", " + g.Spec)
	case g != nil:
		out.WriteString(", " + string(g.Kind) + " " + g.Spec)
	case n.SigmaField != nil || n.MuField != nil:
		out.WriteString(", fields")
	}
	return out.String()
}

// count counts the certificates of each run, in order of appearance. Those that failed belong to
// the run of the same model and noise where there is exactly one.
func (r *runs) count(entries []entry) []Run {
	out := append([]Run(nil), r.terms...)
	inputs := make([]map[string]bool, len(out))
	home := r.homes()
	for _, e := range entries {
		n := e.run
		if e.status == certificate.Failed {
			n = home[n]
		}
		run := &out[n]
		if inputs[n] == nil {
			inputs[n] = map[string]bool{}
		}
		run.Certificates++
		switch e.status {
		case certificate.Certified:
			run.Certified++
		case certificate.Abstained:
			run.Abstained++
		case certificate.Failed:
			run.Failed++
			if e.input == "" { // it could not be read, so nothing tells whether it is another's twin
				run.Inputs++
				continue
			}
		}
		if !inputs[n][e.input] {
			inputs[n][e.input] = true
			run.Inputs++
		}
	}
	kept := out[:0]
	for _, run := range out {
		if run.Certificates > 0 {
			kept = append(kept, run)
		}
	}
	return kept
}

// homes maps the terms of failed certificates to the one run that they can belong to, and every
// other to itself.
func (r *runs) homes() []int {
	home := make([]int, len(r.terms))
	for i, t := range r.terms {
		home[i] = i
		if t.Method != "" {
			continue
		}
		found := 0
		for j, other := range r.terms {
			if other.Method != "" && (other.SHA256 == t.SHA256 || t.Guarantee == string(smooth.BySelector)) && other.Source == t.Source && other.Guarantee == t.Guarantee && (t.Noise == "none" || t.Noise == other.Noise) {
				home[i] = j
				found++
			}
		}
		if found != 1 {
			home[i] = i
		}
	}
	return home
}

// RunsOf lists the runs of certificates, in order of appearance.
func RunsOf(certificates []*certificate.Certificate) ([]Run, error) {
	r := newRuns()
	var entries []entry
	for _, c := range certificates {
		n, err := r.of(c)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{run: n, input: c.Input.SHA256, status: c.Status})
	}
	return r.count(entries), nil
}

// Caveats says what a reader of one curve over all these runs must know; nil where there is
// nothing.
func Caveats(runs []Run) []string {
	var out []string
	if parts := Differences(runs); len(parts) > 0 {
		out = append(out, fmt.Sprintf("%d runs that differ in %s: one curve mixes them", len(runs), strings.Join(parts, ", ")))
	}
	twins := 0
	for _, r := range runs {
		twins += r.Certificates - r.Inputs
	}
	if twins > 0 {
		out = append(out, TwinNote(twins))
	}
	return out
}

// TwinNote says what identical inputs mean for intervals.
func TwinNote(twins int) string {
	return fmt.Sprintf("inputs that are identical to another one: %d; they share its noise, and intervals, which take inputs as independent, are too narrow", twins)
}

// Differences names what several runs differ in; nil for one.
func Differences(runs []Run) []string {
	if len(runs) < 2 {
		return nil
	}
	var out []string
	for _, part := range []struct {
		name string
		of   func(Run) any
	}{
		{"model", func(r Run) any { return r.SHA256 }},
		{"data", func(r Run) any { return r.Source }},
		{"guarantee", func(r Run) any { return r.Guarantee }},
		{"noise", func(r Run) any { return r.Noise }},
		{"norm", func(r Run) any { return r.Norm }},
		{"arithmetic", func(r Run) any { return r.Arithmetic }},
		{"method", func(r Run) any { return r.Method }},
		{"alpha", func(r Run) any { return r.Alpha }},
		{"n", func(r Run) any { return r.N }},
		{"n0", func(r Run) any { return r.N0 }},
	} {
		for _, r := range runs[1:] {
			if part.of(r) != part.of(runs[0]) {
				out = append(out, part.name)
				break
			}
		}
	}
	if len(out) == 0 {
		out = []string{"noise fields, grids or preprocessing"}
	}
	return out
}
