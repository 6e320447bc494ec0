package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"ucan/internal/report"
)

// summary prints what the arms are.
func summary(w io.Writer, arms []arm) {
	_, _ = fmt.Fprintf(w, "%d inputs.\n\n| noise | guarantee | mean σ | largest σ | accuracy | ACR (ℓ2) | mean ALM radius | samples | seconds |\n|---|---|---|---|---|---|---|---|---|\n", len(arms[0].rows))
	for i := range arms {
		a := &arms[i]
		var right, acr, alm, seconds float64
		var samples int64
		for j, r := range a.rows {
			samples, seconds = samples+r.N, seconds+r.Seconds
			if r.Correct {
				right, acr, alm = right+1, acr+a.sizes[j].l2, alm+a.sizes[j].alm
			}
		}
		n := float64(len(a.rows))
		_, _ = fmt.Fprintf(w, "| %s | %s | %.3f | %.3f | %.1f | %.3f | %.3f | %d | %.0f |\n", a.name, a.guarantee, a.meanSigma, a.largest, 100*right/n, acr/n, alm/n, samples, seconds)
	}
}

// curves prints the certified accuracy of all arms at each radius, the envelope of the isotropic ones, and by how much
// each other arm exceeds it.
func curves(w io.Writer, arms []arm, m measure, s settings) error {
	header := "\nCertified accuracy in % (95 % interval) at " + m.name + ":\n\n| noise |"
	for _, r := range s.radii {
		header += fmt.Sprintf(" %g |", r)
	}
	_, _ = fmt.Fprintf(w, "%s\n|---|%s\n", header, strings.Repeat("---|", len(s.radii)))
	envelope := make([]float64, len(s.radii))
	best := make([]report.Point, len(s.radii))
	var others []string
	for i := range arms {
		points, err := report.Curve(m.of(&arms[i]), s.radii, 0.95)
		if err != nil {
			return err
		}
		line := "| " + arms[i].name + " |"
		for j, p := range points {
			line += cell(p)
			if arms[i].isotropic && p.CertifiedAccuracy >= envelope[j] {
				envelope[j], best[j] = p.CertifiedAccuracy, p
			}
		}
		_, _ = fmt.Fprintln(w, line)
		if !arms[i].isotropic {
			others = append(others, ratios(arms[i].name, points, envelope, s))
		}
	}
	if len(s.isotropic) == 0 {
		return nil
	}
	line := "| **envelope** |"
	for _, p := range best {
		line += cell(p)
	}
	_, _ = fmt.Fprintf(w, "%s\n\n%s", line, strings.Join(others, ""))
	return nil
}

func cell(p report.Point) string {
	return fmt.Sprintf(" %.1f (%.1f–%.1f) |", 100*p.CertifiedAccuracy, 100*p.Interval.Low, 100*p.Interval.High)
}

// ratios says where an arm exceeds the envelope by most, among radii at which the envelope certifies enough, and how
// much it loses where it loses most.
func ratios(name string, points []report.Point, envelope []float64, s settings) string {
	ratio, at, loss, lossAt := 0.0, 0.0, math.Inf(-1), 0.0
	for j, p := range points {
		if envelope[j] >= s.share {
			if r := p.CertifiedAccuracy / envelope[j]; r > ratio {
				ratio, at = r, s.radii[j]
			}
		}
		if l := envelope[j] - p.CertifiedAccuracy; l > loss {
			loss, lossAt = l, s.radii[j]
		}
	}
	return fmt.Sprintf("- %s: at most %.2f times the envelope (at %g), at worst %.1f points below it (at %g)\n", name, ratio, at, 100*loss, lossAt)
}
