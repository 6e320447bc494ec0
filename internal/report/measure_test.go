package report

import (
	"bytes"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"

	"ucan/internal/results"
)

// sized gives rows other ALM than their radius.
func sized(rows []results.Row, factor float64) []results.Row {
	for i := range rows {
		rows[i].ALM = factor * rows[i].Radius
	}
	return rows
}

// ALM is summed up as the radius is: over all inputs, wrong ones as 0, with a grid of its own.
func TestSummaryByVolume(t *testing.T) {
	s, err := Summarise(sized(five(), 4), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Measures) != 1 || s.Measures[0].Measure != ALM || s.Measures[0].Equal {
		t.Fatalf("%+v", s.Measures)
	}
	alm := s.Measures[0]
	if math.Abs(alm.Mean-4*s.ACR) > 1e-12 || math.Abs(alm.MeanInterval.High-4*s.ACRInterval.High) > 1e-12 {
		t.Errorf("mean ALM %v %v beside ACR %v %v", alm.Mean, alm.MeanInterval, s.ACR, s.ACRInterval)
	}
	if last := alm.Curve[len(alm.Curve)-1]; last.Radius != 2 || last.CertifiedAccuracy != 0.2 {
		t.Errorf("the curve ends at %+v, want a fifth at 2", last)
	}
}

// Under isotropic noise both are one; on request others stand beside; what the rows do not tell is
// left out.
func TestMeasuresShown(t *testing.T) {
	equal, err := Summarise(sized(five(), 1), DefaultOptions())
	if err != nil || len(equal.Measures) != 1 || !equal.Measures[0].Equal {
		t.Errorf("isotropic: %+v, %v", equal.Measures, err)
	}
	rows := sized(five(), 1)
	for i := range rows {
		rows[i].L1, rows[i].LInf = 3*rows[i].Radius, rows[i].Radius/3
	}
	opt := DefaultOptions()
	opt.Measures = []Measure{L2, L1, LInf, ALM}
	all, err := Summarise(rows, opt)
	if err != nil || len(all.Measures) != 3 || all.Measures[0].Measure != L1 || math.Abs(all.Measures[0].Mean-3*all.ACR) > 1e-12 {
		t.Errorf("on request: %+v, %v", all.Measures, err)
	}
	cohen, err := Summarise(five(), DefaultOptions())
	if err != nil || len(cohen.Measures) != 0 {
		t.Errorf("rows without ALM: %+v, %v", cohen.Measures, err)
	}
}

// A measure that differs from the radius has a panel of its own, named for what it is.
func TestPanels(t *testing.T) {
	opt := DefaultPlotOptions()
	opt.Title, opt.Measures = "Two measures", []Measure{ALM}
	series := []Series{{"isotropic", sized(spread(50, 0.9, "deployed"), 1)}, {"pattern", sized(spread(50, 0.4, "deployed"), 5)}}
	var svg, picture bytes.Buffer
	if err := WritePlot(&svg, "svg", series, opt); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"Two measures", "ℓ2 radius: largest ball inside the region", "ALM: volume of the region, as a length", "isotropic: ACR", "pattern: mean ALM"} {
		if !strings.Contains(svg.String(), text) {
			t.Errorf("the SVG lacks %q", text)
		}
	}
	if err := WritePlot(&picture, "png", series, opt); err != nil {
		t.Fatal(err)
	}
	if img, err := png.Decode(&picture); err != nil || img.Bounds().Dx() != 2*2*opt.Width {
		t.Errorf("picture of %v, %v", img.Bounds(), err)
	}
	svg.Reset()
	if err := WritePlot(&svg, "svg", series[:1], opt); err != nil || !strings.Contains(svg.String(), "ALM = ℓ2 radius") || strings.Contains(svg.String(), "volume") {
		t.Errorf("isotropic noise alone: %v", err)
	}
}

// boxed gives rows a capped ALM and the share of axes at their cap.
func boxed(rows []results.Row, factor, share float64) []results.Row {
	for i := range rows {
		rows[i].Boxed, rows[i].ALMCapped, rows[i].CappedShare = true, factor*rows[i].ALM, share
	}
	return rows
}

// Capped ALM stands beside ALM without being asked for, with the share of axes at their cap; where
// no range is known it is left out, and a note says so.
func TestCappedBesideALM(t *testing.T) {
	s, err := Summarise(boxed(sized(five(), 4), 0.5, 0.25), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Measures) != 2 || s.Measures[1].Measure != ALMCapped || math.Abs(s.Mean(ALMCapped)-2*s.ACR) > 1e-12 {
		t.Fatalf("%+v beside ACR %v", s.Measures, s.ACR)
	}
	if m := s.Measures[1]; m.CappedShare == nil || *m.CappedShare != 0.25 || m.Uncapped() || s.Measures[0].CappedShare != nil {
		t.Errorf("%+v", s.Measures)
	}
	free, err := Summarise(boxed(sized(five(), 4), 1, 0), DefaultOptions())
	if err != nil || !free.Measures[1].Uncapped() {
		t.Errorf("no axis at the cap: %+v, %v", free.Measures, err)
	}
	mixed := boxed(sized(five(), 4), 0.5, 0.25)
	mixed[0].Boxed, mixed[0].Status = false, results.Certified
	for name, rows := range map[string][]results.Row{"no range": sized(five(), 4), "some": mixed} {
		none, err := Summarise(rows, DefaultOptions())
		if err != nil || len(none.Measures) != 1 || !strings.Contains(strings.Join(none.Notes, "; "), "no capped ALM") {
			t.Errorf("%s: %+v %v, %v", name, none.Measures, none.Notes, err)
		}
	}
	opt := DefaultPlotOptions()
	opt.Measures = []Measure{ALM}
	for share, shown := range map[float64]bool{0: false, 0.25: true} {
		var svg bytes.Buffer
		if err := WritePlot(&svg, "svg", []Series{{"field", boxed(sized(spread(50, 0.4, "deployed"), 5), 0.5, share)}}, opt); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(svg.String(), "capped") != shown {
			t.Errorf("share %v: a panel of capped ALM: %t, want %t", share, !shown, shown)
		}
	}
}

func TestWithCapped(t *testing.T) {
	for _, c := range []struct{ in, want []Measure }{
		{nil, nil}, {[]Measure{L2}, []Measure{L2}}, {[]Measure{ALM, L1}, []Measure{ALM, ALMCapped, L1}},
		{[]Measure{ALMCapped, ALM}, []Measure{ALMCapped, ALM}},
	} {
		if got := WithCapped(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.in, got, c.want)
		}
	}
}
