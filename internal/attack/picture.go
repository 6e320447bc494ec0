package attack

import (
	"fmt"
	"image"
	"io"

	"ucan/internal/fieldmap"
)

// Picture is an input beside a perturbed one.
type Picture struct {
	Title, Note string
	// Lines stand beside the pictures.
	Lines []string
	// Shape is that of an input in the source's layout; X and Y are the two inputs.
	Shape []int
	X, Y  []float32
}

// Write draws the input, the perturbed one and their difference, in a format png or svg.
func (p Picture) Write(w io.Writer, format string) error {
	g, err := fieldmap.GeometryOf(p.Shape)
	if err != nil {
		return err
	}
	if g.Dim() != len(p.X) || len(p.X) != len(p.Y) {
		return fmt.Errorf("draw a perturbation: inputs of %d and %d values for the shape %v", len(p.X), len(p.Y), p.Shape)
	}
	difference := make([]float32, len(p.X))
	for i := range difference {
		difference[i] = p.Y[i] - p.X[i]
	}
	plane := g.Plane(difference, fieldmap.Mean)
	scale, err := fieldmap.Symmetric(plane)
	if err != nil {
		return err
	}
	heading := "difference"
	if g.Channels > 1 {
		heading += "\nmean of the channels"
	}
	return fieldmap.Sheet{
		Title: p.Title, Note: p.Note,
		Columns: []fieldmap.Column{{Heading: "input"}, {Heading: "perturbed"}, {Heading: heading, Scale: scale}},
		Rows:    []fieldmap.Row{{Lines: p.Lines, Cells: []image.Image{g.Image(p.X), g.Image(p.Y), scale.Draw(plane)}}},
	}.Write(w, format)
}
