package report

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"ucan/internal/atomicfile"
)

// PlotFormats lists the formats that plots are drawn in.
func PlotFormats() []string { return []string{"png", "svg"} }

// Save writes a plot to a file, whose name ends in .png or .svg, in one step.
func Save(path string, write func(w io.Writer, format string) error) error {
	format := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	if !slices.Contains(PlotFormats(), format) {
		return fmt.Errorf("cannot plot to %q: use a name ending in .%s", path, strings.Join(PlotFormats(), " or ."))
	}
	err := atomicfile.Write(path, func(w io.Writer) error { return write(w, format) })
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	return nil
}

// Draw draws plots side by side, under one title, in a format of [PlotFormats].
func Draw(w io.Writer, format string, panels []*plot.Plot, title string, width, height vg.Length) error {
	switch format {
	case "svg":
		c := vgsvg.New(width, height)
		drawPanels(draw.New(c), panels, title)
		_, err := c.WriteTo(fontWriter{w})
		return err
	case "png":
		c := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(192))}
		drawPanels(draw.New(c), panels, title)
		_, err := c.WriteTo(w)
		return err
	}
	return fmt.Errorf("unknown plot format %q: use %s", format, strings.Join(PlotFormats(), " or "))
}

// fontWriter names fonts of the same widths for viewers without ours, so that texts keep clear of
// what stands beside them.
type fontWriter struct{ w io.Writer }

func (f fontWriter) Write(p []byte) (int, error) {
	// The canvas writes attribute by attribute: a name is never split.
	named := bytes.ReplaceAll(p, []byte("font-family:Liberation Sans;"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
	if _, err := f.w.Write(named); err != nil {
		return 0, err
	}
	return len(p), nil
}

// NewPlot returns an empty plot with a grid, its texts in the style of all plots.
func NewPlot() *plot.Plot {
	p := plot.New()
	p.Title.TextStyle = sans(13)
	p.Title.Padding = vg.Points(8)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Label.TextStyle.Color = sans(11).Font, ink()
		a.Tick.Label.Font, a.Tick.Label.Color = sans(10).Font, ink()
		a.Label.Padding = vg.Points(5)
		a.Color, a.Tick.Color = ink(), ink()
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color = color.NRGBA{R: 0xe4, G: 0xe4, B: 0xe4, A: 0xff}
	grid.Horizontal.Color = grid.Vertical.Color
	p.Add(grid)
	p.Legend.TextStyle.Font, p.Legend.TextStyle.Color = sans(10).Font, ink()
	p.Legend.Top, p.Legend.Left = true, false
	return p
}
