// Package fieldmap draws noise parameters: sheets of inputs beside the maps of their offsets and
// scales, every column on one colour scale with a legend.
package fieldmap

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Column is one kind of picture on a sheet.
type Column struct {
	// Heading stands above it; further lines are smaller.
	Heading string
	// Scale is that of its maps, drawn as the legend below; nil for photographs.
	Scale *Scale
}

// Row is one input of a sheet.
type Row struct {
	// Lines stand at the left, the first one bold.
	Lines []string
	// Cells has one picture a column; nil leaves a gap.
	Cells []image.Image
}

// Sheet is a page of rows.
type Sheet struct {
	// Title stands above all; Note, in small letters and as many lines as it takes, below it.
	Title, Note string
	Columns     []Column
	Rows        []Row
}

// The measures of a sheet, in dots.
const (
	dpi        = 144
	cellDots   = 180 // an image is enlarged to about this side
	gap        = 22
	marginDots = 28
	labelDots  = 250
	legendDots = 64
	letterDots = 8  // a letter of the note, on average, with some room
	titleDots  = 13 // one of the title
)

// layout is where things lie, in dots from the top left.
type layout struct {
	left, top     int // of the first cell
	cellW, cellH  int
	width, height int
	note          []string // its lines
}

// wrap breaks a text between words into lines of at most n letters, where words allow.
func wrap(note string, n int) []string {
	var lines []string
	for word := range strings.FieldsSeq(note) {
		if k := len(lines) - 1; k >= 0 && len([]rune(lines[k]))+1+len([]rune(word)) <= n {
			lines[k] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

func (s Sheet) layout() (layout, error) {
	if len(s.Columns) == 0 || len(s.Rows) == 0 {
		return layout{}, errors.New("draw a sheet: it has no rows or columns")
	}
	var l layout
	for _, r := range s.Rows {
		for _, c := range r.Cells {
			if c == nil {
				continue
			}
			side := max(c.Bounds().Dx(), c.Bounds().Dy())
			times := max(1, cellDots/side)
			l.cellW, l.cellH = max(l.cellW, times*c.Bounds().Dx()), max(l.cellH, times*c.Bounds().Dy())
		}
	}
	if l.cellW == 0 {
		return layout{}, errors.New("draw a sheet: it has no pictures")
	}
	lines := 1
	for _, c := range s.Columns {
		lines = max(lines, strings.Count(c.Heading, "\n")+1)
	}
	l.left = marginDots + labelDots
	l.width = max(l.left+len(s.Columns)*(l.cellW+gap)+marginDots, 2*marginDots+titleDots*len([]rune(s.Title)))
	l.note = wrap(s.Note, (l.width-2*marginDots)/letterDots)
	l.top = marginDots + 34 + 26*len(l.note) + 24*lines + 18
	l.height = l.top + len(s.Rows)*(l.cellH+gap) + legendDots + marginDots
	return l, nil
}

// WritePNG draws the sheet.
func (s Sheet) WritePNG(w io.Writer) error { return s.Write(w, "png") }

// Write draws the sheet in a format, png or svg.
func (s Sheet) Write(w io.Writer, format string) error {
	l, err := s.layout()
	if err != nil {
		return err
	}
	points := func(dots int) vg.Length { return vg.Length(dots) * vg.Inch / dpi }
	var c vg.CanvasWriterTo
	switch format {
	case "png":
		c = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(points(l.width), points(l.height)), vgimg.UseDPI(dpi))}
	case "svg":
		c = vgsvg.New(points(l.width), points(l.height))
	default:
		return fmt.Errorf("draw a sheet: unknown format %q: use png or svg", format)
	}
	s.draw(draw.NewCanvas(c, points(l.width), points(l.height)), l)
	if _, err = c.WriteTo(w); err != nil {
		return fmt.Errorf("draw a sheet: %w", err)
	}
	return nil
}

// draw draws the sheet on a canvas of the layout's size.
func (s Sheet) draw(c draw.Canvas, l layout) {
	p := pen{Canvas: c, height: l.height}
	p.write(marginDots, marginDots, s.Title, 11, true)
	for i, line := range l.note {
		p.write(marginDots, marginDots+36+26*i, line, 8, false)
	}
	for i, column := range s.Columns {
		x := l.left + i*(l.cellW+gap)
		lines := strings.Split(column.Heading, "\n")
		for k, line := range lines {
			p.write(x, l.top-14-24*(len(lines)-k), line, 8, k == 0)
		}
		if column.Scale != nil {
			p.legend(column.Scale, x, l.top+len(s.Rows)*(l.cellH+gap), l.cellW)
		}
	}
	for i, row := range s.Rows {
		y := l.top + i*(l.cellH+gap)
		for k, line := range row.Lines {
			p.write(marginDots, y+4+23*k, line, 8, k == 0)
		}
		for k, cell := range row.Cells {
			if cell != nil && k < len(s.Columns) {
				p.image(l.left+k*(l.cellW+gap), y, enlarge(cell, max(1, cellDots/max(cell.Bounds().Dx(), cell.Bounds().Dy()))))
			}
		}
	}
}

// enlarge repeats every pixel, so that none is blurred.
func enlarge(m image.Image, times int) image.Image {
	b := m.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx()*times, b.Dy()*times))
	for y := range b.Dy() * times {
		for x := range b.Dx() * times {
			out.Set(x, y, m.At(b.Min.X+x/times, b.Min.Y+y/times))
		}
	}
	return out
}

// pen draws at dots from the top left.
type pen struct {
	draw.Canvas
	height int
}

func (p pen) point(x, y int) vg.Point {
	return vg.Point{X: vg.Length(x) * vg.Inch / dpi, Y: vg.Length(p.height-y) * vg.Inch / dpi}
}

// write puts a line of text with its top left corner at the dots.
func (p pen) write(x, y int, line string, size float64, bold bool) {
	p.text(x, y, line, size, bold, text.XLeft)
}

func (p pen) text(x, y int, line string, size float64, bold bool, align text.XAlignment) {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	if bold {
		f.Weight = xfont.WeightBold
	}
	style := text.Style{
		Color: color.NRGBA{0x22, 0x22, 0x22, 0xff}, Font: f, XAlign: align, YAlign: text.YTop, Handler: plot.DefaultTextHandler,
	}
	p.FillText(style, p.point(x, y), line)
}

func (p pen) image(x, y int, m image.Image) {
	p.DrawImage(vg.Rectangle{Min: p.point(x, y+m.Bounds().Dy()), Max: p.point(x+m.Bounds().Dx(), y)}, m)
}

// legend draws the colour bar with its numbers.
func (p pen) legend(s *Scale, x, y, width int) {
	const height = 14
	bar := image.NewRGBA(image.Rect(0, 0, width, height))
	source := s.Bar()
	for i := range width {
		for k := range height {
			bar.Set(i, k, source.At(i*shades/width, 0))
		}
	}
	p.image(x, y, bar)
	aligns := []text.XAlignment{text.XLeft, text.XCenter, text.XRight}
	for i, t := range s.Ticks() {
		p.text(x+int(t.At*float64(width)), y+height+6, t.Label, 7.5, false, aligns[min(i, 2)])
	}
	if s.Log {
		p.text(x+width/2, y+height+26, "logarithmic", 6.5, false, text.XCenter)
	}
}
