package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"ucan/internal/results"
	"ucan/internal/workbench"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/stats"
)

// checkEarlier holds what a resumed run finds to the terms of this run. Its record says that they are the same; but a
// record can be edited, and rows under another alpha or other noise would then stand beside the new ones unnoticed.
func (c *certification) checkEarlier(ctx context.Context) error {
	for _, row := range c.writer.Rows() {
		if err := checkEarlierRow(row, c.statistics, c.certifier.Noise.Norm.String()); err != nil {
			return checkf("resume %q: input %d: %w; the file or its record was altered, start anew under another name", c.options.output.outputs()[0], row.Index, err)
		}
	}
	path := c.options.output.jsonl
	if path == "" || !c.options.output.resume {
		return nil
	}
	want, err := c.terms(ctx)
	if err != nil {
		return err
	}
	return eachLine(ctx, path, func(line int, text []byte) error {
		stored, err := certificate.Parse(text)
		if err != nil {
			return checkf("resume %q: line %d: %w; run \"ucan verify\" on it", path, line, err)
		}
		if got := termsOf(stored, c.fixedNoise()); stored.Status != certificate.Failed && got != want {
			return checkf("resume %q: line %d was made under other terms (%s) than this run (%s); the file or its record was altered, start anew under another name",
				path, line, got, want)
		}
		return nil
	})
}

// tableDigits is what the six truncated decimals of a table may be off by.
const tableDigits = 2e-6

// checkEarlierRow recomputes the bound of a row of fixed-n certification from its votes.
func checkEarlierRow(row results.Row, s workbench.Statistics, norm string) error {
	if row.Status == results.Failed || s.Profile != nil || s.Kappa > 0 || s.Bound != smooth.OneBound {
		return nil
	}
	if row.N != s.N || row.Norm != norm {
		return fmt.Errorf("%d samples and a radius in %s where this run has %d and %s", row.N, row.Norm, s.N, norm)
	}
	p, err := stats.ClopperPearsonLower(row.K, row.N, s.Alpha)
	if err != nil {
		return err
	}
	if math.Abs(row.PLower-p) > tableDigits {
		return fmt.Errorf("p_lower %v where %d votes of %d give %s at alpha %g", row.PLower, row.K, row.N, results.FormatTruncated(p), s.Alpha)
	}
	return nil
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
