package report

import (
	"bytes"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/results"
)

// spread makes n rows whose radii fall evenly from top to 0, every fifth wrong.
func spread(n int, top float64, guarantee string) []results.Row {
	var rows []results.Row
	for i := range n {
		r := certified(i, 1, 1, top*float64(n-i)/float64(n))
		if i%5 == 4 {
			r = without(i, 1, results.Abstained)
		}
		r.Guarantee = guarantee
		rows = append(rows, r)
	}
	return rows
}

func TestPlotFormats(t *testing.T) {
	series := []Series{{"isotropic", spread(120, 0.9, "deployed")}, {"pattern", spread(120, 1.3, "pinned")}}
	opt := DefaultPlotOptions()
	opt.Title = "Certified accuracy on digits"
	var b bytes.Buffer
	if err := WritePlot(&b, "png", series, opt); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil || img.Bounds().Dx() != 1600 || img.Bounds().Dy() != 1000 {
		t.Fatalf("picture of %v, %v; want 1600 × 1000", img.Bounds(), err)
	}
	// Curves are really drawn: their colours occur.
	for i := range 2 {
		if c := seriesColor(i); !slices.ContainsFunc(pixels(img.Bounds().Dx(), img.Bounds().Dy()), func(p [2]int) bool {
			r, g, b, _ := img.At(p[0], p[1]).RGBA()
			return uint8(r>>8) == c.R && uint8(g>>8) == c.G && uint8(b>>8) == c.B
		}) {
			t.Errorf("colour %v of curve %d does not occur", c, i)
		}
	}
	b.Reset()
	if err := WritePlot(&b, "svg", series, opt); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"Certified accuracy on digits", "isotropic [deployed]", "pattern [pinned]", "ℓ2 radius, in input units", "certified accuracy", "100 %", "95 %"} {
		if !strings.Contains(b.String(), text) {
			t.Errorf("the SVG lacks %q", text)
		}
	}
	var single bytes.Buffer
	if err := WritePlot(&single, "svg", series[1:], opt); err != nil || !strings.Contains(single.String(), "guarantee: pinned") {
		t.Errorf("one curve without its guarantee: %v", err)
	}
	var again bytes.Buffer
	if err := WritePlot(&again, "svg", series, opt); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("the same rows give another picture")
	}
}

func pixels(w, h int) [][2]int {
	var out [][2]int
	for y := 0; y < h; y += 2 {
		for x := 0; x < w; x += 2 {
			out = append(out, [2]int{x, y})
		}
	}
	return out
}

// Pictures name fonts that any viewer has; without a legend, something else names the curves by
// their colours.
func TestPlotBesideText(t *testing.T) {
	series := []Series{{Name: "wide", Rows: spread(50, 1, "deployed")}}
	opt := DefaultPlotOptions()
	var with, without bytes.Buffer
	if err := WritePlot(&with, "svg", series, opt); err != nil {
		t.Fatal(err)
	}
	opt.NoLegend = true
	if err := WritePlot(&without, "svg", series, opt); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(with.String(), "wide: ACR") || strings.Contains(without.String(), "wide") {
		t.Error("the legend is not where it was asked for")
	}
	if named := strings.Count(without.String(), "font-family:"); named == 0 || strings.Count(without.String(), "sans-serif;") != named {
		t.Error("a text depends on a font that the viewer may lack")
	}
	if first := SeriesColor(0); !strings.Contains(strings.ToLower(without.String()), first) || SeriesColor(7) != first || SeriesColor(1) == first {
		t.Errorf("the first curve is not %s", first)
	}
}

// The outline says what Curve says: constant up to each radius, then lower.
func TestSteps(t *testing.T) {
	rows := five() // right at 0.5 and at 0
	line, band, err := steps(rows, 1, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	want := [][2]float64{{0, 0.2}, {0.5, 0.2}, {0.5, 0}}
	if len(line) != len(want) || len(band) != 4 {
		t.Fatalf("outline %v, band %v", line, band)
	}
	for i, p := range line {
		if p.X != want[i][0] || p.Y != want[i][1] {
			t.Errorf("outline %v, want %v", line, want)
			break
		}
	}
	many, _, err := steps(spread(5000, 2, "deployed"), 2.1, 0.95)
	if err != nil || len(many) > 2*maxSteps+2 {
		t.Errorf("%d points for 5,000 rows, %v", len(many), err)
	}
	for i := 1; i < len(many); i++ {
		if many[i].X < many[i-1].X || many[i].Y > many[i-1].Y {
			t.Fatalf("the curve rises or turns back at point %d", i)
		}
	}
}

func TestPlotFaults(t *testing.T) {
	dir := t.TempDir()
	good := []Series{{"a", five()}}
	mixed := append(five(), spread(3, 1, "pinned")...)
	l1 := spread(3, 1, "deployed")
	for i := range l1 {
		l1[i].Norm = "l1"
	}
	for name, tc := range subtest.Rows(map[string]struct {
		path   string
		series []Series
		want   *regexp.Regexp
	}{
		"format": {"x.gif", good, regexp.MustCompile(`ending in \.png or \.svg`)},
		"none":   {"x.png", nil, regexp.MustCompile("no rows")},
		"empty":  {"x.png", []Series{{"a", nil}}, regexp.MustCompile("no rows")},
		"mixed":  {"x.svg", []Series{{"a", mixed}}, regexp.MustCompile("several guarantees")},
		"norms":  {"x.svg", append(good, Series{"b", l1}), regexp.MustCompile("plot them apart")},
		"folder": {"no/such/x.svg", good, regexp.MustCompile("folder exists")},
	}) {
		t.Run(name, func(t *testing.T) {
			if err := SavePlot(filepath.Join(dir, tc.path), tc.series, DefaultPlotOptions()); err == nil || !tc.want.MatchString(err.Error()) {
				t.Errorf("%s: %v, want %v", name, err, tc.want)
			}
		})
	}
	if err := SavePlot(filepath.Join(dir, "x.svg"), good, PlotOptions{Confidence: 0.95, Width: 10, Height: 10}); err == nil {
		t.Error("a plot of 10 × 10 pixels is accepted")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("failed plots left %v, %v", left, err)
	}
	// Nothing certified at all is still a plot, and files are replaced.
	path := filepath.Join(dir, "x.PNG")
	for range 2 {
		if err := SavePlot(path, []Series{{"", []results.Row{without(0, 1, results.Abstained)}}}, DefaultPlotOptions()); err != nil {
			t.Error(err)
		}
	}
	if err := WritePlot(&failing{}, "svg", good, DefaultPlotOptions()); !errors.Is(err, errFull) {
		t.Errorf("a failing writer: %v", err)
	}
}

var errFull = errors.New("full")

type failing struct{}

func (*failing) Write([]byte) (int, error) { return 0, errFull }
