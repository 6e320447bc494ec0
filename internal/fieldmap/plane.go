package fieldmap

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"ucan/smooth/basis"
)

// Plane is a map of numbers, row by row.
type Plane struct {
	Width, Height int
	Values        []float64
}

// Geometry is the layout of a field.
type Geometry struct{ Channels, Height, Width int }

// GeometryOf reads a shape: [C, H, W] and [H, W] are images; anything else is folded, value after
// value, into a map that is nearly square.
func GeometryOf(shape []int) (Geometry, error) {
	dim := 1
	for _, n := range shape {
		if n < 1 {
			return Geometry{}, fmt.Errorf("draw a map: the shape %v is empty", shape)
		}
		dim *= n
	}
	switch len(shape) {
	case 2:
		return Geometry{1, shape[0], shape[1]}, nil
	case 3:
		return Geometry{shape[0], shape[1], shape[2]}, nil
	}
	width := int(math.Ceil(math.Sqrt(float64(dim))))
	for dim%width != 0 {
		width++
	}
	return Geometry{1, dim / width, width}, nil
}

// Dim is the number of values.
func (g Geometry) Dim() int { return g.Channels * g.Height * g.Width }

// Join makes one map of the channels of a field.
type Join int

// The joins.
const (
	// Mean is the mean of the channels, for offsets.
	Mean Join = iota
	// RMS is their root mean square, for scales.
	RMS
)

// Plane joins the channels of a field of the geometry.
func (g Geometry) Plane(field []float32, how Join) Plane {
	p := Plane{Width: g.Width, Height: g.Height, Values: make([]float64, g.Height*g.Width)}
	n := len(p.Values)
	for i, v := range field {
		x := float64(v)
		if how == RMS {
			x *= x
		}
		p.Values[i%n] += x / float64(g.Channels)
	}
	if how == RMS {
		for i, v := range p.Values {
			p.Values[i] = math.Sqrt(v)
		}
	}
	return p
}

// Image shows an input in [0, 1]: three channels as colours, any other number as the grey of their
// mean. Values beyond are cut.
func (g Geometry) Image(x []float32) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, g.Width, g.Height))
	level := func(v float64) uint8 { return uint8(math.Round(255 * min(max(v, 0), 1))) }
	n := g.Height * g.Width
	grey := g.Plane(x, Mean)
	for i := range n {
		v := level(grey.Values[i])
		c := color.RGBA{v, v, v, 0xff}
		if g.Channels == 3 {
			c = color.RGBA{level(float64(x[i])), level(float64(x[n+i])), level(float64(x[2*n+i])), 0xff}
		}
		out.SetRGBA(i%g.Width, i/g.Width, c)
	}
	return out
}

// Deviation returns the standard deviation of every value of the noise U diag(s) ε, ε being
// independent of unit variance: √(Σ_k U_ik² s_k²). With a nil t it is s itself.
func Deviation(t *basis.Transform, s []float32) []float32 {
	if t == nil {
		return s
	}
	shape := t.Shape()
	h, w := t.Matrices() // row u of h is the u-th basis vector of a column
	height, width := shape[1], shape[2]
	out := make([]float32, len(s))
	half := make([]float64, height*width) // Σ_v w[v][x]² s[u][v]²
	for c := range shape[0] {
		plane := s[c*height*width : (c+1)*height*width]
		clear(half)
		for u := range height {
			for v := range width {
				s2 := float64(plane[u*width+v]) * float64(plane[u*width+v])
				for x := range width {
					e := float64(w[v*width+x])
					half[u*width+x] += e * e * s2
				}
			}
		}
		for y := range height {
			for x := range width {
				sum := 0.0
				for u := range height {
					e := float64(h[u*height+y])
					sum += e * e * half[u*width+x]
				}
				out[c*height*width+y*width+x] = float32(math.Sqrt(sum))
			}
		}
	}
	return out
}
