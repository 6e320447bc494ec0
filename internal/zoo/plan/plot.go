package plan

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"ucan/internal/report"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// SavePlot draws makespans over the number of workers, on logarithmic scales, into a .png or .svg
// file.
func SavePlot(path string, s Scenario, outcomes []Outcome) error {
	if len(outcomes) == 0 {
		return fmt.Errorf("plot %q: no simulation to draw", path)
	}
	p, err := newPlot(s, outcomes)
	if err != nil {
		return fmt.Errorf("plot %q: %w", path, err)
	}
	return report.Save(path, func(w io.Writer, format string) error {
		return report.Draw(w, format, []*plot.Plot{p}, "", 8*vg.Inch, 5*vg.Inch)
	})
}

func newPlot(s Scenario, outcomes []Outcome) (*plot.Plot, error) {
	p := report.NewPlot()
	p.Title.Text = "Simulated time of the run"
	p.Legend.ThumbnailWidth, p.Legend.Padding = vg.Points(26), vg.Points(3)
	p.X.Label.Text, p.Y.Label.Text = "workers", "makespan"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	var makespan, ideal, limit plotter.XYs
	for _, o := range outcomes {
		x := float64(o.Workers)
		makespan = append(makespan, plotter.XY{X: x, Y: math.Max(o.Makespan, 1e-6)})
		ideal = append(ideal, plotter.XY{X: x, Y: math.Max(o.Work/x, 1e-6)})
		if s.Rate > 0 {
			limit = append(limit, plotter.XY{X: x, Y: math.Max(float64(o.Shards)/s.Rate, 1e-6)})
		}
	}
	blue, grey, red := color.NRGBA{G: 0x72, B: 0xb2, A: 0xff}, color.NRGBA{R: 0x77, G: 0x77, B: 0x77, A: 0xff}, color.NRGBA{R: 0xd5, G: 0x5e, A: 0xff}
	if err := addLine(p, "work / workers", ideal, grey, true); err != nil {
		return nil, err
	}
	if limit != nil {
		if err := addLine(p, fmt.Sprintf("database limit (%g shards/s)", s.Rate), limit, red, true); err != nil {
			return nil, err
		}
	}
	if err := addLine(p, "simulated", makespan, blue, false); err != nil {
		return nil, err
	}
	points, err := plotter.NewScatter(makespan)
	if err != nil {
		return nil, err
	}
	points.Color, points.Shape, points.Radius = blue, draw.CircleGlyph{}, vg.Points(3)
	p.Add(points)
	p.X.Tick.Marker = decades(outcomes)
	low, high := math.Inf(1), 0.0
	for _, xy := range append(makespan, ideal...) {
		low, high = math.Min(low, xy.Y), math.Max(high, xy.Y)
	}
	p.Y.Min, p.Y.Max = low/1.5, high*1.5
	p.Y.Tick.Marker = times(p.Y.Min, p.Y.Max)
	if len(outcomes) == 1 {
		p.X.Min, p.X.Max = makespan[0].X/2, makespan[0].X*2
	}
	return p, nil
}

func addLine(p *plot.Plot, name string, xys plotter.XYs, c color.Color, dashed bool) error {
	line, err := plotter.NewLine(xys)
	if err != nil {
		return err
	}
	line.Color, line.Width = c, vg.Points(1.6)
	if dashed {
		line.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
	}
	p.Add(line)
	p.Legend.Add(name, line)
	return nil
}

// decades labels the numbers of workers.
func decades(outcomes []Outcome) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, o := range outcomes {
		ticks = append(ticks, plot.Tick{Value: float64(o.Workers), Label: fmt.Sprint(o.Workers)})
	}
	return ticks
}

// times labels round times within the range.
func times(low, high float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, t := range []struct {
		seconds float64
		label   string
	}{
		{1e-3, "1 ms"}, {1e-2, "10 ms"}, {0.1, "0.1 s"}, {1, "1 s"}, {10, "10 s"}, {60, "1 min"}, {600, "10 min"}, {3600, "1 h"},
		{36000, "10 h"}, {86400, "1 day"}, {864000, "10 days"}, {8640000, "100 days"}, {86400000, "1000 days"},
	} {
		if t.seconds >= low && t.seconds <= high {
			ticks = append(ticks, plot.Tick{Value: t.seconds, Label: t.label})
		}
	}
	return ticks
}
