// Package lattice samples noise on the lattice of 8-bit images, so that a
// certificate holds in the arithmetic that really runs.
//
// # Why
//
// A theorem speaks of x + ε in real numbers. In floating point the set of values
// that x + ε can take depends on x: the low bits of a noisy value tell where it
// came from, and a classifier that reads them can be certified at radii where it is
// attacked with ease (Voráček, Hein, "Sound randomized smoothing in floating-point
// arithmetics", 2023). See the attack in this package's tests.
//
// # How
//
// Let Q round to the nearest multiple of 1/255 and clip to the image's range. For an
// 8-bit x, Q(x + ε) = clip(x + Q(ε)), and Q(ε) is a whole number N of steps with
// P[N ≤ i] = F((2i+1)/(510 λs)). N is drawn exactly: a 60-bit uniform number U is
// compared with the thresholds ⌊2⁶⁰P[N ≤ i]⌋, computed with as many bits as it
// takes. When U equals a threshold the draw can't be decided by 60 bits; such a
// sample is reported as uncertain, and counts against the certificate. Integers are
// added and clipped as integers, and a table turns the sum into one float32 per
// lattice point. So the base classifier only ever sees f∘Q at x + ε with exactly
// distributed real noise, and the theorem for f∘Q applies as it stands.
//
// A certificate made this way holds for every x + δ that is again an 8-bit image,
// and says so. No mass is lost.
//
// The offset μ is first rounded to whole steps and the field s to at most 64
// levels; the rounded values are those that are sampled and must be certified.
package lattice

import (
	"fmt"
	"math"

	"ucan/smooth/family"
	"ucan/smooth/stream"
)

// Steps is the number of lattice steps between 0 and 1.
const Steps = 255

// maxLevels bounds the number of distinct scales of a field.
const maxLevels = 64

// maxReach bounds the noise in steps that thresholds are tabulated for.
const maxReach = 1 << 15

// Config describes noise μ + λ·s⊙ε on the lattice.
type Config struct {
	// Family is gaussian, laplace, uniform or pareto: a product of laws whose
	// distribution function is computed to any precision.
	Family family.Family
	// Dim is the input's dimension.
	Dim int
	// Lambda is the raw scale λ, positive and finite, in units of the input
	// space [0, 1].
	Lambda float64
	// Mu is the offset in the same units, of length Dim; nil stands for zeros.
	Mu []float32
	// Sigma is the scale field s, positive and finite, of length Dim; nil stands
	// for ones.
	Sigma []float32
}

// Noise samples on the lattice. It is immutable and safe for concurrent use.
type Noise struct {
	mu     []int32 // steps; nil for zeros
	muf    []float32
	sigma  []float32
	level  []uint8 // index into tables; nil for a single level
	tables []*table
	values [Steps + 1]float32 // float32 of each lattice point
}

// New quantises the noise and tabulates its thresholds, which takes a few
// milliseconds a level. Errors: a family that is not supported (wrapping
// family.ErrDomain), fields of another length, values that are not finite, scales
// that are not positive, an offset of more than 30,000 steps.
func New(c Config) (*Noise, error) {
	law, err := lawOf(c.Family)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Dim < 1:
		return nil, fmt.Errorf("lattice noise in dimension %d; it must be at least 1", c.Dim)
	case !(c.Lambda > 0) || math.IsInf(c.Lambda, 1):
		return nil, fmt.Errorf("lattice noise with lambda %v; it must be positive and finite", c.Lambda)
	case c.Mu != nil && len(c.Mu) != c.Dim, c.Sigma != nil && len(c.Sigma) != c.Dim:
		return nil, fmt.Errorf("lattice noise with fields of %d and %d values in dimension %d; give one a coordinate", len(c.Mu), len(c.Sigma), c.Dim)
	}
	n := new(Noise)
	most, err := n.quantiseMu(c.Mu)
	if err != nil {
		return nil, err
	}
	levels, err := n.quantiseSigma(c.Sigma)
	if err != nil {
		return nil, err
	}
	// Noise beyond reach is clipped wherever it starts from.
	reach := Steps + most
	for _, s := range levels {
		t, err := newTable(law, c.Lambda, s, reach)
		if err != nil {
			return nil, err
		}
		n.tables = append(n.tables, t)
	}
	for i := range n.values {
		n.values[i] = Value(i)
	}
	return n, nil
}

// Value is the float32 that stands for k lattice steps.
func Value(k int) float32 { return float32(float64(k) / Steps) }

// Mu returns the offset that is sampled, whole steps as float32; nil for zeros. It
// must not be changed.
func (n *Noise) Mu() []float32 { return n.muf }

// Sigma returns the scale field that is sampled, and that the region must be made
// of; nil for ones. It must not be changed.
func (n *Noise) Sigma() []float32 { return n.sigma }

// Pixels turns an input into lattice points. It fails for a value that is not the
// float32 nearest to k/255 (or its neighbour) for a whole k from 0 to 255: such an
// input is no 8-bit image, and needs real arithmetic.
func Pixels(x []float32) ([]uint8, error) {
	out := make([]uint8, len(x))
	for i, v := range x {
		k := math.Round(float64(v) * Steps)
		if !(k >= 0 && k <= Steps) {
			return nil, fmt.Errorf("value %v at coordinate %d is outside [0, 1]; lattice arithmetic needs 8-bit images", v, i)
		}
		w := Value(int(k))
		if v != w && v != math.Nextafter32(w, 2) && v != math.Nextafter32(w, -1) {
			return nil, fmt.Errorf("value %v at coordinate %d is not a multiple of 1/255; lattice arithmetic needs 8-bit images, use --arithmetic float32", v, i)
		}
		out[i] = uint8(k)
	}
	return out, nil
}

// Sample fills dst with one noisy copy of the 8-bit image x, clip(x + μ + N) as
// float32, from 60 random bits a coordinate. It reports whether every draw was
// decided: a sample that was not must count against the certificate, whatever the
// classifier says. dst and x must have the noise's dimension. It allocates nothing.
func (n *Noise) Sample(dst []float32, x []uint8, src *stream.Source) (certain bool) {
	x = x[:len(dst)]
	t := n.tables[0]
	undecided := false
	for i := range dst {
		if n.level != nil {
			t = n.tables[n.level[i]]
		}
		step, tie := t.draw(src.Uint64() >> 4)
		undecided = undecided || tie
		k := int32(x[i]) + step
		if n.mu != nil {
			k += n.mu[i]
		}
		dst[i] = n.values[min(max(k, 0), Steps)]
	}
	return !undecided
}
