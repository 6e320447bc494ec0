package report

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"ucan/internal/results"
)

// Series is one curve of a plot.
type Series struct {
	// Name stands in the legend; empty for the guarantee alone.
	Name string
	// Rows are of one guarantee and norm.
	Rows []results.Row
}

// PlotOptions configures a plot. Start from [DefaultPlotOptions].
type PlotOptions struct {
	// Title stands above the plot; empty for none.
	Title string
	// Confidence is that of the band, in (0, 1).
	Confidence float64
	// NoBand leaves the bands out, where many curves would hide each other.
	NoBand bool
	// NoLegend leaves the legend out, where something beside the plot names the colours of
	// [SeriesColor].
	NoLegend bool
	// Measures are drawn in panels beside that of the rows' own norm, but for those that would show
	// the same curves. Nil draws the norm alone.
	Measures []Measure
	// Width and Height of a panel are in pixels at 96 to the inch; a PNG has twice as many,
	// for sharp screens.
	Width, Height int
}

// DefaultPlotOptions is a plot of 800 × 500 pixels with a 95 % band.
func DefaultPlotOptions() PlotOptions {
	return PlotOptions{Confidence: 0.95, Width: 800, Height: 500}
}

// maxSteps is how many steps of a curve are drawn one by one; beyond it the
// curve is drawn on an even grid finer than a pixel.
const maxSteps = 1500

// SavePlot draws the certified-accuracy curves into a file, whose name ends in
// .png or .svg and decides the format. It replaces the file in one step.
func SavePlot(path string, series []Series, opt PlotOptions) error {
	return Save(path, func(w io.Writer, format string) error { return WritePlot(w, format, series, opt) })
}

// WritePlot draws the certified-accuracy curves in a format of [PlotFormats].
// All series must have radii in one norm; each must have one guarantee, which
// the plot names. Errors match [ErrEmpty] or [ErrMixed] for unfit rows.
func WritePlot(w io.Writer, format string, series []Series, opt PlotOptions) error {
	if opt.Width < 200 || opt.Height < 150 || opt.Width > 10000 || opt.Height > 10000 {
		return fmt.Errorf("a plot of %d × %d pixels; want 200 × 150 to 10000 × 10000", opt.Width, opt.Height)
	}
	panels, err := newPanels(series, opt)
	if err != nil {
		return err
	}
	const pixel = vg.Inch / 96
	return Draw(w, format, panels, opt.Title, vg.Length(opt.Width*len(panels))*pixel, vg.Length(opt.Height)*pixel)
}

func newPlot(series []Series, opt PlotOptions) (*plot.Plot, error) {
	p := NewPlot()
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Padding = 0
	}
	p.Y.Tick.Marker = plot.ConstantTicks{
		{Value: 0, Label: "0 %"}, {Value: 0.2, Label: "20 %"}, {Value: 0.4, Label: "40 %"},
		{Value: 0.6, Label: "60 %"}, {Value: 0.8, Label: "80 %"}, {Value: 1, Label: "100 %"},
	}
	p.Legend.YOffs, p.Legend.XOffs = vg.Points(-4), vg.Points(-4)
	p.Legend.ThumbnailWidth, p.Legend.Padding = vg.Points(22), vg.Points(3)
	right := 0.0
	guarantees := map[string]bool{}
	for _, s := range series {
		guarantees[s.Rows[0].Guarantee] = true
		right = math.Max(right, largestRadius(s.Rows))
	}
	if right == 0 {
		right = 1
	}
	right *= 1.05
	crowded, err := addSeries(p, series, right, len(guarantees) > 1, opt)
	if err != nil {
		return nil, err
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, right, 0, 1
	if opt.NoLegend {
		p.Legend = plot.NewLegend()
	} else if share := legendShare(len(series), opt); crowded(1 - share) {
		p.Y.Max = 1 / (1 - share)
	}
	p.Y.Label.Text = "certified accuracy"
	p.X.Tick.Marker = radiusTicks(right)
	p.X.Label.Text = Measure(series[0].Rows[0].Norm).String() + ", in input units"
	if len(guarantees) == 1 {
		p.X.Label.Text += " (guarantee: " + series[0].Rows[0].Guarantee + ")"
	}
	if !opt.NoBand {
		p.X.Label.Text += fmt.Sprintf("\nband: exact %g %% interval for each radius alone", 100*opt.Confidence)
	}
	return p, nil
}

// addSeries draws the bands, then the curves over all of them, and enters them
// into the legend. The function it returns tells whether a band reaches above a
// height in the right part of the plot, where the legend stands.
func addSeries(p *plot.Plot, series []Series, right float64, nameGuarantee bool, opt PlotOptions) (crowded func(height float64) bool, err error) {
	var curves []*plotter.Line
	tallest := 0.0
	for i, s := range series {
		line, band, err := steps(s.Rows, right, opt.Confidence)
		if err != nil {
			return nil, err
		}
		outline := band
		if opt.NoBand {
			outline = line
		}
		for _, pt := range outline {
			if pt.X > 0.35*right {
				tallest = math.Max(tallest, pt.Y)
			}
		}
		c := seriesColor(i)
		if !opt.NoBand {
			area, e := plotter.NewPolygon(band)
			if e != nil {
				return nil, fmt.Errorf("plot: %w", e)
			}
			area.Color = color.NRGBA{R: c.R, G: c.G, B: c.B, A: 40}
			area.Width = 0
			p.Add(area)
		}
		curve, err := plotter.NewLine(line)
		if err != nil {
			return nil, fmt.Errorf("plot: %w", err)
		}
		curve.Color, curve.Width = c, vg.Points(1.8)
		if i >= len(palette()) {
			curve.Dashes = []vg.Length{vg.Points(6), vg.Points(3)}
		}
		curves = append(curves, curve)
		p.Legend.Add(legendText(s, nameGuarantee, opt), curve)
	}
	for _, c := range curves {
		p.Add(c)
	}
	return func(height float64) bool { return tallest > height-0.03 }, nil
}

func legendText(s Series, nameGuarantee bool, opt PlotOptions) string {
	label := s.Name
	if nameGuarantee || label == "" {
		label = strings.TrimSpace(label + " [" + s.Rows[0].Guarantee + "]")
	}
	acr, _ := meanRadius(s.Rows, opt.Confidence)
	digits := results.FormatTruncated(acr)
	mean := "ACR"
	if m := Measure(s.Rows[0].Norm); m == ALM || m == ALMCapped {
		mean = "mean " + m.String()
	}
	return fmt.Sprintf("%s: %s %s, %d inputs", label, mean, strings.TrimSuffix(digits, digits[max(len(digits)-3, 0):]), len(s.Rows))
}

// legendShare is about the share of the plot's height that n legend lines take.
func legendShare(n int, opt PlotOptions) float64 {
	height := float64(opt.Height)*0.75 - 100 // points left for the plot itself
	return math.Min((14.5*float64(n)+8)/math.Max(height, 1), 0.45)
}

// radiusTicks are about ten labelled round radii.
func radiusTicks(right float64) plot.ConstantTicks {
	step := niceStep(right / 7)
	var ticks plot.ConstantTicks
	for k := 0; float64(k)*step <= right; k++ {
		v := roundTo(float64(k)*step, step)
		ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', -1, 64)})
	}
	return ticks
}

// largestRadius is the largest finite radius of a row that is right.
func largestRadius(rows []results.Row) float64 {
	largest := 0.0
	for _, r := range certifiedRadii(rows) {
		if !math.IsInf(r, 0) {
			largest = r
		}
	}
	return largest
}

// steps gives the outline of the curve and the closed outline of its band. The
// certified accuracy is constant up to and including each radius that occurs,
// and falls right after it; the curve ends where it reaches 0.
func steps(rows []results.Row, right, confidence float64) (line, band plotter.XYs, err error) {
	radii := slices.Compact(certifiedRadii(rows))
	if len(radii) > maxSteps {
		end := radii[len(radii)-1]
		radii = radii[:maxSteps]
		for i := range radii {
			radii[i] = end * float64(i+1) / maxSteps
		}
		radii[maxSteps-1] = end
	}
	if len(radii) > 0 && radii[0] == 0 {
		radii = radii[1:] // a step of no width
	}
	if len(radii) == 0 {
		radii = []float64{right}
	}
	points, err := Curve(rows, radii, confidence)
	if err != nil {
		return nil, nil, err
	}
	from := 0.0
	var low plotter.XYs
	for _, pt := range points {
		to := math.Min(pt.Radius, right)
		line = append(line, plotter.XY{X: from, Y: pt.CertifiedAccuracy}, plotter.XY{X: to, Y: pt.CertifiedAccuracy})
		band = append(band, plotter.XY{X: from, Y: pt.Interval.High}, plotter.XY{X: to, Y: pt.Interval.High})
		low = append(low, plotter.XY{X: from, Y: pt.Interval.Low}, plotter.XY{X: to, Y: pt.Interval.Low})
		from = to
	}
	if from < right {
		line = append(line, plotter.XY{X: from, Y: 0})
	}
	slices.Reverse(low)
	return line, append(band, low...), nil
}

// palette is Okabe and Ito's set of colours that the colour-blind tell apart,
// the darkest first.
func palette() []color.NRGBA {
	return []color.NRGBA{
		{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, {R: 0xd5, G: 0x5e, B: 0x00, A: 0xff},
		{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}, {R: 0xcc, G: 0x79, B: 0xa7, A: 0xff},
		{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}, {R: 0x56, G: 0xb4, B: 0xe9, A: 0xff},
		{R: 0x33, G: 0x33, B: 0x33, A: 0xff},
	}
}

func seriesColor(i int) color.NRGBA {
	p := palette()
	return p[i%len(p)]
}

// SeriesColor is the colour of the i-th curve, from 0, as HTML writes it, such as #0072b2. After
// the seventh the colours come again, for dashed curves.
func SeriesColor(i int) string {
	c := seriesColor(i)
	return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)
}
