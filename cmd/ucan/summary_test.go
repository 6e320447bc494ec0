package main

import (
	"strings"
	"testing"

	"ucan/internal/report"
)

// TestSummaryShowsRadiiExactly: no radius of the curve is rounded, since one that is rounded up
// would claim more than was certified.
func TestSummaryShowsRadiiExactly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		radii []float64
		want  []string
	}{
		{[]float64{0, 0.25, 0.75}, []string{"0.000", "0.250", "0.750"}},
		{[]float64{0, 0.0025, 0.0075}, []string{"0.0000", "0.0025", "0.0075"}},
		{[]float64{0, 0.1, 2.0 / 255 / 4}, []string{"0.000000000", "0.100000000", "0.001960784"}},
		{[]float64{0, 0.3, 0.6000000000000001, 300}, []string{"0.000", "0.300", "0.600", "300.000"}},
	} {
		s := report.Summary{Norm: "l2", Labelled: 1, Confidence: 0.95}
		for _, r := range tt.radii {
			s.Curve = append(s.Curve, report.Point{Radius: r})
		}
		var out strings.Builder
		if err := printSummary(&out, s); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out.String(), "\n")
		for i, want := range tt.want {
			if got := strings.Fields(lines[i+2])[0]; got != want {
				t.Errorf("radius %v is shown as %s, want %s", tt.radii[i], got, want)
			}
		}
	}
}
