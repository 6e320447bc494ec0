package spectrum

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"ucan/smooth/basis"
)

// Names of bases.
const (
	Values    = "values"     // the input's own coordinates
	DCT       = "dct"        // the two-dimensional DCT-II of each channel
	ColourDCT = "colour+dct" // the same of rotated channels
)

// Basis is an orthonormal basis U of the inputs: a rotation of the channels, then a transform of
// each of them.
type Basis struct {
	// Name is one of [Values], [DCT] and [ColourDCT].
	Name string
	// Colour is the rotation of the C channels, C × C, row-major; row j is the j-th mixture. Nil
	// where channels stay what they are.
	Colour []float64
	// Transform is the transform of each channel; nil for the input's own coordinates.
	Transform *basis.Transform
}

// Bases are those in which the moments know the power: the input's coordinates, for images the DCT,
// and for images of two to four channels the DCT of the channels' principal components.
func (m *Moments) Bases() []Basis {
	all := []Basis{{Name: Values}}
	if m.dct == nil {
		return all
	}
	all = append(all, Basis{Name: DCT, Transform: m.dct})
	if channels, _ := m.channels(); channels > 1 && channels <= maxChannels {
		all = append(all, Basis{Name: ColourDCT, Transform: m.dct, Colour: m.principal(channels)})
	}
	return all
}

// DCT returns the power of each coefficient of the DCT, in the layout of the inputs. It is an error
// for tables, which have none.
func (m *Moments) DCT() (*basis.Transform, []float64, error) {
	if m.dct == nil {
		return nil, nil, fmt.Errorf("inputs of shape %v have no frequencies; give images or series", m.Shape)
	}
	return m.dct, m.Power(Basis{Name: DCT, Transform: m.dct}), nil
}

// Power is P, the mean square of each coefficient of x − m in one of the [Moments.Bases].
func (m *Moments) Power(b Basis) []float64 {
	out := make([]float64, m.Dim())
	if b.Transform == nil {
		copy(out, m.values)
		return out
	}
	m.eachPair(func(i, j int, at []float64) {
		plane := len(at)
		if b.Colour == nil {
			if i == j {
				copy(out[i*plane:], at)
			}
			return
		}
		channels := m.Dim() / plane
		for row := range channels {
			f := b.Colour[row*channels+i] * b.Colour[row*channels+j]
			if i != j {
				f *= 2
			}
			for k, v := range at {
				out[row*plane+k] += f * v
			}
		}
	})
	for k, v := range out {
		out[k] = max(0, v)
	}
	return out
}

// Covariance is that of the columns of a table, d × d, row-major; nil for other inputs and for
// tables of more than [MaxColumns] columns.
func (m *Moments) Covariance() []float64 { return m.covariance }

// principal are the principal components of the channels over all frequencies, the strongest
// first. The largest entry of each is positive, so that the same data give the same bytes.
func (m *Moments) principal(channels int) []float64 {
	sum := mat.NewSymDense(channels, nil)
	m.eachPair(func(a, b int, at []float64) {
		total := 0.0
		for _, v := range at {
			total += v
		}
		sum.SetSym(a, b, total)
	})
	var eigen mat.EigenSym
	out := make([]float64, channels*channels)
	if !eigen.Factorize(sum, true) {
		for i := range channels {
			out[i*channels+i] = 1
		}
		return out
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	for row := range channels {
		largest := 0.0
		for i := range channels {
			v := vectors.At(i, channels-1-row) // eigenvalues rise
			out[row*channels+i] = v
			if math.Abs(v) > math.Abs(largest)+1e-9 {
				largest = v
			}
		}
		if largest < 0 {
			for i := range channels {
				out[row*channels+i] *= -1
			}
		}
	}
	return out
}

// Rotate returns the variances of noise along the vectors of b. The noise is given by its variances
// along those of the transform from, nil for the input's coordinates, in which it is uncorrelated.
//
// For orthonormal A and B the variance along row k of B is Σ_i ⟨b_k, a_i⟩² v_i.
func (b Basis) Rotate(variances []float64, from *basis.Transform) []float64 {
	out := make([]float64, len(variances))
	switch {
	case from == nil && b.Transform != nil:
		b.Transform.Squared(out, variances)
	case from != nil && b.Transform == nil:
		from.SquaredInverse(out, variances)
	default: // both are the same, since there is one transform of a shape
		copy(out, variances)
	}
	if b.Colour == nil {
		return out
	}
	channels := b.Transform.Shape()[0]
	plane := len(out) / channels
	mixed := make([]float64, len(out))
	for row := range channels {
		for i := range channels {
			f := b.Colour[row*channels+i]
			for k := range plane {
				mixed[row*plane+k] += f * f * out[i*plane+k]
			}
		}
	}
	return mixed
}
