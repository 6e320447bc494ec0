package harden

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"ucan/internal/atomicfile"
	"ucan/internal/compare"
	"ucan/internal/report"
	"ucan/internal/results"
)

// The two sides of the table and the curve, which name the files of their certificates too.
const (
	before = "before"
	after  = "after"
)

// present writes the table and the curve.
func (h *Hardening) present(ctx context.Context) error {
	c, err := h.Compared(ctx)
	if err != nil {
		return err
	}
	if err = atomicfile.WriteBytes(filepath.Join(h.Dir, TableFile), table(c)); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	var series []report.Series
	for _, side := range []string{before, after} {
		read, rerr := results.ReadFile(filepath.Join(h.Dir, side+".tsv"))
		if rerr != nil {
			return rerr
		}
		series = append(series, report.Series{Name: side, Rows: read.Rows})
	}
	opt := report.DefaultPlotOptions()
	opt.Title, opt.Measures = "Certified accuracy before and after", []report.Measure{report.L2, report.ALM, report.ALMCapped}
	if err = report.SavePlot(filepath.Join(h.Dir, CurveFile), series, opt); err != nil {
		return fmt.Errorf("draw the curve: %w", err)
	}
	return nil
}

// Compared sets the certificates of the model before and after beside each other.
func (h *Hardening) Compared(ctx context.Context) (compare.Comparison, error) {
	var arms []*compare.Arm
	for _, side := range []string{before, after} {
		arm, err := compare.Read(ctx, side, filepath.Join(h.Dir, side+".jsonl"), nil)
		if err != nil {
			return compare.Comparison{}, err
		}
		arms = append(arms, arm)
	}
	return compare.Compare(arms, compare.Options{Confidence: 0.95})
}

// table is a line for each measure and radius: the certified accuracy before and after, and the
// difference in its 95 % interval.
func table(c compare.Comparison) []byte {
	var b bytes.Buffer
	b.WriteString("measure\tradius\tbefore\tafter\tdifference\tlow\thigh\n")
	for _, m := range c.Measures {
		for _, p := range m.Pairs {
			fmt.Fprintf(&b, "%s\t%g\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\n", m.Name, p.Radius, at(m, before, p.Radius), at(m, after, p.Radius), p.Difference, p.DifferenceInterval.Low, p.DifferenceInterval.High)
		}
	}
	return b.Bytes()
}

// at is the certified accuracy of a side at a radius of its curve.
func at(m compare.Measure, name string, radius float64) float64 {
	for _, c := range m.Curves {
		for _, p := range c.Points {
			if c.Name == name && p.Radius == radius {
				return p.CertifiedAccuracy
			}
		}
	}
	return 0
}
