package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"ucan/internal/audit"
	"ucan/internal/pipeline"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/sequential"
)

// checkEarlier checks the rows and certificates that a resumed run keeps: each must be true in itself and made under the
// terms of this run. Its record says that they are; but a record can be edited, and so can a row.
func (c *certification) checkEarlier(ctx context.Context) error {
	if !c.options.output.resume {
		return nil
	}
	rows := c.writer.Rows()
	if len(rows) > 0 {
		terms, err := c.rowTerms(ctx)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := terms.Check(row); err != nil {
				return checkf("resume %q: input %d: %w; the file or its record was altered, start anew under another name", c.options.output.outputs()[0], row.Index, err)
			}
		}
	}
	path := c.options.output.jsonl
	if path == "" {
		return nil
	}
	want, err := c.terms(ctx)
	if err != nil {
		return err
	}
	checker := audit.NewChecker(certificate.NewFolder(filepath.Dir(path)), buildName())
	return eachLine(ctx, path, func(line int, text []byte) error {
		stored, findings, err := checker.CheckLine(text)
		switch {
		case err != nil:
			return fmt.Errorf("resume %q: line %d: %w", path, line, err)
		case len(findings) > 0:
			return checkf("resume %q: line %d is false or altered: %s; \"ucan verify\" lists all such lines, start anew under another name", path, line, findings[0])
		}
		if got := termsOf(stored, c.fixedNoise()); stored.Status != certificate.Failed && got != want {
			return checkf("resume %q: line %d was made under other terms (%s) than this run (%s); the file or its record was altered, start anew under another name",
				path, line, got, want)
		}
		if f, other := c.otherInput(stored); other {
			return checkf("resume %q: line %d: %s is %s, and in this run %s; the file or its record was altered, start anew under another name", path, line, f.Field, f.Stored, f.Recomputed)
		}
		if line <= len(rows) {
			c.seen(stored) // later ones are certified again
			c.countVotes(stored)
		}
		if line <= len(rows) && !pipeline.RowOf(stored).Same(rows[line-1]) {
			return checkf("resume %q: line %d does not show what the table says of input %d; one of the files was altered, start anew under other names", path, line, rows[line-1].Index)
		}
		return nil
	})
}

// otherInput reports in what a certificate is not of this run's classifier, guarantee or data.
func (c *certification) otherInput(stored *certificate.Certificate) (certificate.Finding, bool) {
	if f, other := audit.OtherModel(stored.Model, c.certifier.Head.Model); other {
		return f, true
	}
	if want := c.certifier.Noise.Guarantee(); stored.Guarantee != want {
		return certificate.Finding{Field: "guarantee", Stored: string(stored.Guarantee), Recomputed: string(want)}, true
	}
	if stored.Input.Source != c.certifier.Source {
		return certificate.Finding{Field: "input.source", Stored: stored.Input.Source, Recomputed: c.certifier.Source}, true
	}
	return certificate.Finding{}, false
}

// rowTerms are the terms that rows of this run's table can be held to.
func (c *certification) rowTerms(ctx context.Context) (audit.RowTerms, error) {
	s := c.statistics
	terms := audit.RowTerms{
		Guarantee: string(c.certifier.Noise.Guarantee()), Norm: c.certifier.Noise.Norm.String(),
		Method: s.MethodName(), Bound: s.Bound, Alpha: s.Alpha, N: s.N,
	}
	var err error
	if c.fixedNoise() {
		if terms.Noise, err = c.certifier.Noise.Nominal(ctx); err != nil {
			return terms, err
		}
	}
	if s.Profile == nil {
		return terms, nil
	}
	if terms.Looks, err = s.Profile.Looks(); err != nil || terms.Noise == nil {
		return terms, err
	}
	plan, err := s.Plan(terms.Noise, sequential.NewTables())
	if err != nil {
		return terms, err
	}
	terms.Levels = plan.Levels()
	return terms, nil
}

// terms are what every certificate of this run must agree in, as text.
func (c *certification) terms(ctx context.Context) (string, error) {
	nominal, err := c.certifier.Noise.Nominal(ctx)
	if err != nil {
		return "", err
	}
	head := c.certifier.Head
	head.Guarantee = certificate.Deployed // New knows how noise is described; only that is looked at
	head.Input = certificate.Input{Shape: []int{nominal.Dim()}, Label: -1}
	sample, err := certificate.New(head, nominal, smooth.Certification{
		Abstained: true, Method: c.statistics.MethodName(), Alpha: c.statistics.Alpha, Bound: c.statistics.Bound,
	})
	if err != nil {
		return "", err
	}
	sample.Noise.NPG = c.certifier.Noise.NPG
	return termsOf(sample, c.fixedNoise()), nil
}

func (c *certification) fixedNoise() bool {
	return c.certifier.Noise.Guarantee() == certificate.Deployed
}

// termsOf lists the terms of a certificate: the model, the noise but for the fields, which may be made for each input, their
// generator, and the statistics but for what was counted. Noise made for each input may be quantised for it: only fixed noise has one
// scale.
func termsOf(c *certificate.Certificate, fixed bool) string {
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
		generator = ", " + g.Kind + " generator " + g.Spec
		for _, f := range g.Files {
			generator += fmt.Sprintf(" %.12s", f.SHA256)
		}
	}
	return fmt.Sprintf("model %.12s, %s, seed %d, %s %s in %s%s%s, %s, %s bound at alpha %v",
		c.Model.SHA256, c.Model.Decision, uint64(c.Run.Seed), c.Noise.Family, parameters, c.Noise.Norm, scale, generator,
		c.Noise.Arithmetic, c.Statistics.Method+" "+bound, float64(c.Statistics.Alpha))
}
