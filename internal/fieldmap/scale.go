package fieldmap

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/palette/moreland"
)

// Scale maps values to colours, the same for every map it draws.
type Scale struct {
	// Low and High are the values at the ends. Values beyond them get the colour of the end.
	Low, High float64
	// Log spaces colours by ratios; Low must then be positive.
	Log bool
	// Diverging paints two colours away from the middle, which stands for 0; otherwise brightness
	// rises with the value.
	Diverging bool

	colours []color.RGBA
}

// shades is the number of colours of a scale.
const shades = 256

// logFrom is the ratio of the ends from which a scale of positive values is logarithmic.
const logFrom = 8

// sameFrom is the relative difference below which values are drawn as one: a scale fitted to
// rounding errors would show a pattern that is not there.
const sameFrom = 1e-3

// Sequential returns a scale for positive values such as σ, from their least to their largest:
// perceptually even, and logarithmic where they span more than a factor of 8.
func Sequential(planes ...Plane) (*Scale, error) {
	low, high := extremes(planes)
	if !(low > 0) || math.IsInf(high, 0) {
		return nil, fmt.Errorf("draw a map: values run from %v to %v; they must be positive and finite", low, high)
	}
	s := &Scale{Low: low, High: high, Log: high > logFrom*low}
	if high-low < sameFrom*high { // one value: put it in the middle
		s.Low, s.High = low*0.9, high*1.1
	}
	m, err := moreland.NewLuminance(viridis())
	if err != nil {
		return nil, fmt.Errorf("draw a map: %w", err)
	}
	return s, s.fill(m)
}

// Symmetric returns a diverging scale for values of both signs such as μ, from −m to m, m being the
// largest size.
func Symmetric(planes ...Plane) (*Scale, error) {
	low, high := extremes(planes)
	m := max(math.Abs(low), math.Abs(high))
	if math.IsNaN(m) || math.IsInf(m, 0) {
		return nil, errors.New("draw a map: there is a value that is not finite")
	}
	if m == 0 {
		m = 1
	}
	s := &Scale{Low: -m, High: m, Diverging: true}
	return s, s.fill(moreland.SmoothBlueRed())
}

func extremes(planes []Plane) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, p := range planes {
		for _, v := range p.Values {
			if math.IsNaN(v) {
				return math.NaN(), math.NaN()
			}
			low, high = min(low, v), max(high, v)
		}
	}
	return low, high
}

// viridis are colours of matplotlib's map of that name (van der Walt and Smith, public domain),
// dark to bright.
func viridis() []color.Color {
	return []color.Color{
		color.NRGBA{0x44, 0x01, 0x54, 0xff}, color.NRGBA{0x41, 0x44, 0x87, 0xff}, color.NRGBA{0x2a, 0x78, 0x8e, 0xff},
		color.NRGBA{0x22, 0xa8, 0x84, 0xff}, color.NRGBA{0x7a, 0xd1, 0x51, 0xff}, color.NRGBA{0xfd, 0xe7, 0x25, 0xff},
	}
}

// fill samples a colour map.
func (s *Scale) fill(m palette.ColorMap) error {
	m.SetMin(0)
	m.SetMax(1)
	s.colours = make([]color.RGBA, shades)
	for i := range s.colours {
		c, err := m.At(float64(i) / (shades - 1))
		if err != nil {
			return fmt.Errorf("draw a map: %w", err)
		}
		s.colours[i], _ = color.RGBAModel.Convert(c).(color.RGBA)
	}
	return nil
}

// at places a value on [0, 1].
func (s *Scale) at(v float64) float64 {
	low, high := s.Low, s.High
	if s.Log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return min(max((v-low)/(high-low), 0), 1)
}

// colour of a value.
func (s *Scale) colour(v float64) color.RGBA {
	return s.colours[int(math.Round(s.at(v)*(shades-1)))]
}

// Draw paints a plane, a pixel a value.
func (s *Scale) Draw(p Plane) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i, v := range p.Values {
		out.SetRGBA(i%p.Width, i/p.Width, s.colour(v))
	}
	return out
}

// Bar paints the legend, low to the left, one pixel high.
func (s *Scale) Bar() image.Image {
	out := image.NewRGBA(image.Rect(0, 0, shades, 1))
	for i, c := range s.colours {
		out.SetRGBA(i, 0, c)
	}
	return out
}

// Tick is a labelled place of the legend, At from 0 (left) to 1.
type Tick struct {
	At    float64
	Label string
}

// Ticks labels the ends and the middle.
func (s *Scale) Ticks() []Tick {
	middle := (s.Low + s.High) / 2
	if s.Log {
		middle = math.Sqrt(s.Low * s.High)
	}
	return []Tick{{0, number(s.Low)}, {0.5, number(middle)}, {1, number(s.High)}}
}

// number writes three digits.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
