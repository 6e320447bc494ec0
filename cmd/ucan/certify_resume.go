package main

import (
	"context"
	"fmt"

	"ucan/internal/audit"
	"ucan/internal/results"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/sequential"
)

// checkEarlier checks the rows and certificates that a resumed run keeps: each must be true in
// itself and made under the terms of this run.
func (c *certification) checkEarlier(ctx context.Context) error {
	if !c.options.output.resume {
		return nil
	}
	terms, err := c.terms(ctx)
	if err != nil {
		return err
	}
	rows := c.writer.Rows()
	if err = terms.CheckRows(rows); err != nil {
		return fmt.Errorf("resume %q: %w", c.options.output.outputs()[0], err)
	}
	path := c.options.output.jsonl
	if path == "" {
		return nil
	}
	err = terms.CheckFile(ctx, path, results.Beside(path), buildName(), func(line int, stored *certificate.Certificate) error {
		if line > len(rows) {
			return nil // certified again
		}
		c.count(stored)
		if !results.RowOf(stored).Same(rows[line-1]) {
			return checkf("line %d does not show what the table says of input %d; one of the files was altered, start anew under other names", line, rows[line-1].Index)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("resume %q: %w", path, err)
	}
	return nil
}

// terms are those that rows and certificates of this run have in common.
func (c *certification) terms(ctx context.Context) (audit.RunTerms, error) {
	s, noise := c.statistics, c.certifier.Noise
	terms := audit.RunTerms{
		Head: c.certifier.Head, Source: c.certifier.Source, Guarantee: c.certifier.Guarantee(), Norm: noise.Norm, NPG: noise.NPG,
		Method: s.MethodName(), Bound: s.Bound, Alpha: s.Alpha, N: s.N,
	}
	var err error
	if terms.Nominal, err = noise.Nominal(ctx); err != nil || s.Profile == nil || c.certifier.Chooser != nil {
		return terms, err
	}
	if terms.Looks, err = s.Profile.Looks(); err != nil || noise.Guarantee() != smooth.Deployed || len(c.writer.Rows()) == 0 {
		return terms, err
	}
	plan, err := s.Plan(terms.Nominal, sequential.NewTables())
	if err != nil {
		return terms, err
	}
	terms.Levels = plan.Levels()
	return terms, nil
}
