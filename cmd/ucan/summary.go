package main

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"ucan/internal/report"
	"ucan/internal/table"
	"ucan/smooth"
)

// printSummary writes what a run amounts to as text.
func printSummary(w io.Writer, s report.Summary) error {
	if s.Labelled > 0 {
		if err := printCurve(w, report.Measure(s.Norm), s.Curve, s.Confidence); err != nil {
			return err
		}
		for _, m := range s.Measures {
			if m.Equal || m.Uncapped() {
				continue
			}
			if err := printCurve(w, m.Measure, m.Curve, s.Confidence); err != nil {
				return err
			}
		}
	}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-16s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("inputs", "%d: %d certified, %d abstained, %d failed", s.Inputs, s.Certified, s.Abstained, s.Failed)
	if s.Labelled > 0 {
		line("accuracy", "%.4f (%d right, whatever the radius), %s", s.Accuracy, s.Correct, interval(&s.AccuracyInterval))
		line("average radius", "%.4f, %s (ACR: wrong, abstained and failed inputs count 0)", s.ACR, interval(s.ACRInterval))
		for _, m := range s.Measures {
			note := ""
			if m.Equal {
				note = ": equal to the radius, as under isotropic noise"
			}
			if m.CappedShare != nil {
				note = fmt.Sprintf(": %.1f %% of the axes of certified regions reach the data's range", 100**m.CappedShare)
			}
			line("average "+m.Measure.String(), "%.4f, %s%s", m.Mean, interval(m.MeanInterval), note)
		}
	}
	line("samples", "%d in %.1f s, %.0f a second", s.Samples, s.Seconds, s.SamplesPerSecond)
	line("guarantee", "%s", guaranteeText(s.Guarantee))
	for _, note := range s.Notes {
		line("note", "%s", note)
	}
	return nil
}

// printCurve writes certified accuracies at sizes of the regions.
func printCurve(w io.Writer, m report.Measure, points []report.Point, confidence float64) error {
	t := table.New(">"+m.String(), ">certified accuracy", fmt.Sprintf("%g %% interval", 100*confidence))
	digits := radiusDigits(points)
	for _, p := range points {
		t.Row(strconv.FormatFloat(p.Radius, 'f', digits, 64), fmt.Sprintf("%.4f", p.CertifiedAccuracy), interval(&p.Interval))
	}
	if _, err := t.WriteTo(w); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// radiusDigits is the number of decimals, 3 to 9, that shows the curve's radii without rounding:
// a radius that is rounded up would claim more than was certified.
func radiusDigits(curve []report.Point) int {
	const least, most = 3, 9
	digits := least
	for _, p := range curve {
		for scale := math.Pow10(digits); digits < most && math.Abs(p.Radius*scale-math.Round(p.Radius*scale)) > 1e-6; scale *= 10 {
			digits++
		}
	}
	return digits
}

func interval(i *report.Interval) string {
	if i == nil {
		return "–"
	}
	return fmt.Sprintf("[%.4f, %.4f]", i.Low, i.High)
}

// guaranteeText says in a sentence what certificates of the guarantee hold for.
func guaranteeText(guarantee string) string {
	if sentence := smooth.Guarantee(guarantee).Sentence(); sentence != "" {
		return guarantee + ": " + sentence
	}
	return guarantee
}
