package audit

import (
	"context"
	"encoding/json"
	"fmt"

	"ucan/internal/fault"
	"ucan/internal/results"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
)

// RunTerms are the terms of a run, to which what a resumed run keeps is held. Its record says that
// they are the same; but a record can be edited, and so can a row.
type RunTerms struct {
	// Head holds what all certificates of the run have in common, Source is the name of their data.
	Head   certificate.Head
	Source string
	// Guarantee and Norm are those of the run's noise.
	Guarantee smooth.Guarantee
	Norm      family.Norm
	// Nominal is the noise before any input is seen, NPG what certificates say of its generator.
	Nominal *smooth.SealedNoise
	NPG     *certificate.NPG
	// Method, Bound, Alpha and N are the statistics; N is the largest number of estimation samples.
	Method smooth.Method
	Bound  smooth.Bound
	Alpha  float64
	N      int64
	// Looks are the numbers of samples at which an adaptive run may end, Levels the bounds on p_A
	// that it tests; nil where they depend on the input.
	Looks  []int64
	Levels []float64
}

// chooses reports whether a selector picks the noise of each input.
func (t RunTerms) chooses() bool { return t.Head.Selection != nil }

// fixed reports whether all inputs have the same noise.
func (t RunTerms) fixed() bool { return t.Guarantee == smooth.Deployed }

// CheckRows holds the rows of the run's table to its terms.
func (t RunTerms) CheckRows(rows []results.Row) error {
	for _, row := range rows {
		if err := t.checkRow(row); err != nil {
			return fault.Falsef("input %d: %w; the file or its record was altered, start anew under another name", row.Index, err)
		}
	}
	return nil
}

// CheckFile holds the certificates of a file to the terms, each of which must be true in itself,
// and calls f for each.
func (t RunTerms) CheckFile(ctx context.Context, path string, load certificate.Loader, build string, f func(line int, c *certificate.Certificate) error) error {
	want, err := t.text()
	if err != nil {
		return err
	}
	return TrueLines(ctx, path, load, build, func(line int, _ []byte, stored *certificate.Certificate) error {
		if got := termsText(stored, t.fixed()); stored.Status != certificate.Failed && got != want {
			return fault.Falsef("line %d was made under other terms (%s) than this run (%s); the file or its record was altered, start anew under another name",
				line, got, want)
		}
		if d, other := t.otherInput(stored); other {
			return fault.Falsef("line %d: %s is %s, and in this run %s; the file or its record was altered, start anew under another name",
				line, d.Field, d.Stored, d.Recomputed)
		}
		return f(line, stored)
	})
}

// otherInput reports in what a certificate is not of the run's classifier, guarantee or data.
func (t RunTerms) otherInput(stored *certificate.Certificate) (certificate.Finding, bool) {
	// Which set's model it is, the sets of the terms say.
	if f, other := OtherModel(stored.Model, t.Head.Model); other && !t.chooses() {
		return f, true
	}
	if stored.Guarantee != t.Guarantee {
		return certificate.Finding{Field: "guarantee", Stored: string(stored.Guarantee), Recomputed: string(t.Guarantee)}, true
	}
	if stored.Input.Source != t.Source {
		return certificate.Finding{Field: "input.source", Stored: stored.Input.Source, Recomputed: t.Source}, true
	}
	return certificate.Finding{}, false
}

// text is what every certificate of the run must agree in.
func (t RunTerms) text() (string, error) {
	if t.chooses() {
		return t.selectorText()
	}
	head := t.Head
	head.Guarantee = smooth.Deployed // New knows how noise is described; only that is looked at
	head.Input = certificate.Input{Shape: []int{t.Nominal.Dim()}, Label: -1}
	sample, err := certificate.New(head, t.Nominal, smooth.Certification{
		Abstained: true, Method: t.Method, Alpha: t.Alpha, Bound: t.Bound,
	})
	if err != nil {
		return "", err
	}
	sample.Noise.NPG = t.NPG
	return termsText(sample, t.fixed()), nil
}

// termsText lists the terms of a certificate: the model, the noise but for the fields, which may be
// made for each input, their generator, and the statistics but for what was counted. Noise made for
// each input may be quantised for it: only fixed noise has one scale.
func termsText(c *certificate.Certificate, fixed bool) string {
	if len(c.Stages) > 0 {
		return selectorTerms(c)
	}
	scale := ""
	if fixed {
		scale = fmt.Sprintf(", lambda %v", float64(c.Noise.Lambda))
	}
	parameters, err := json.Marshal(c.Noise.Parameters) // sorted by name
	if err != nil {
		parameters = []byte("?")
	}
	bound := c.Statistics.Bound
	if bound == "" {
		bound = smooth.OneBound.String()
	}
	generator := ""
	if g := c.Noise.NPG; g != nil {
		generator = ", " + string(g.Kind) + " generator " + g.Spec
		for _, f := range g.Files {
			generator += fmt.Sprintf(" %.12s", f.SHA256)
		}
	}
	return fmt.Sprintf("model %.12s, %s, seed %d, %s %s in %s%s%s, %s, %s bound at alpha %v",
		c.Model.SHA256, c.Model.Decision, uint64(c.Run.Seed), c.Noise.Family, parameters, c.Noise.Norm, scale, generator,
		c.Noise.Arithmetic, c.Statistics.Method+" "+bound, float64(c.Statistics.Alpha))
}
