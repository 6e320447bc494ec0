package report

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// newPanels makes the plot of the rows' own norm and those of the other measures.
func newPanels(series []Series, opt PlotOptions) ([]*plot.Plot, error) {
	if len(series) == 0 {
		return nil, fmt.Errorf("plot: %w; certify some inputs first", ErrEmpty)
	}
	for _, s := range series {
		if err := Uniform(s.Rows); err != nil {
			return nil, fmt.Errorf("curve %q: %w", s.Name, err)
		}
		if s.Rows[0].Norm != series[0].Rows[0].Norm {
			return nil, fmt.Errorf("plot: %w: curve %q is in %s, curve %q in %s; plot them apart", ErrMixed, series[0].Name, series[0].Rows[0].Norm, s.Name, s.Rows[0].Norm)
		}
	}
	first, err := newPlot(series, opt)
	if err != nil {
		return nil, err
	}
	norm := Measure(series[0].Rows[0].Norm)
	panels := []*plot.Plot{first}
	for _, m := range WithCapped(opt.Measures) {
		if m == norm || slices.ContainsFunc(series, func(s Series) bool { return !known(s.Rows, m) }) {
			continue
		}
		if m == ALMCapped && !slices.ContainsFunc(series, func(s Series) bool { return cappedShare(s.Rows) > 0 }) {
			continue // it is ALM
		}
		if !slices.ContainsFunc(series, func(s Series) bool { return !Equal(s.Rows, m) }) {
			first.X.Label.Text = fmt.Sprintf("%s = %s", m, first.X.Label.Text)
			continue
		}
		measured := make([]Series, len(series))
		for i, s := range series {
			measured[i] = Series{Name: s.Name, Rows: In(s.Rows, m)}
		}
		p, err := newPlot(measured, opt)
		if err != nil {
			return nil, err
		}
		p.Title.Text = fmt.Sprintf("%s: %s", m, m.meaning())
		panels = append(panels, p)
	}
	if len(panels) > 1 {
		first.Title.Text = fmt.Sprintf("%s: %s", norm, norm.meaning())
	}
	return panels, nil
}

// drawPanels draws panels side by side, under one title.
func drawPanels(c draw.Canvas, panels []*plot.Plot, title string) {
	const gap = 4 * vg.Millimeter
	if title != "" {
		style := sans(13)
		style.XAlign, style.YAlign = draw.XCenter, draw.YTop
		c.FillText(style, vg.Point{X: c.Center().X, Y: c.Max.Y - gap}, title)
		c = draw.Crop(c, 0, 0, 0, -style.Height(title)-2*gap)
	}
	width := (c.Max.X - c.Min.X) / vg.Length(len(panels))
	for i, p := range panels {
		left := width * vg.Length(i)
		right := left + width - (c.Max.X - c.Min.X)
		p.Draw(draw.Crop(c, left+gap, right-gap, gap, -gap))
	}
}

// ink is the colour of axes and texts.
func ink() color.Color { return color.NRGBA{R: 0x22, G: 0x22, B: 0x22, A: 0xff} }

// sans is the style of texts at a size in points.
func sans(points float64) text.Style {
	return text.Style{
		Color:   ink(),
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(points)},
		Handler: plot.DefaultTextHandler,
		XAlign:  text.XCenter,
	}
}
