package attack

import (
	"context"
	"fmt"
	"math"

	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/lattice"
	"ucan/smooth/region"
)

// Claim is what a certificate promises of one input.
type Claim struct {
	// X is the certified input and ID its id (smooth.InputID).
	X  []float32
	ID [32]byte
	// Class is the certified class, Alpha the probability that the certificate is false.
	Class int
	Alpha float64
	// Regions are the certified ones; Contains decides exactly whether a point lies in all of them.
	Regions  region.Intersection
	Contains func(y []float32) (bool, error)
	// Noise is that of the smoothed classifier at a point.
	Noise func(ctx context.Context, y []float32) (*smooth.SealedNoise, error)
	// Through adds to sum, the gradient by a shift of the noisy rows, what the loss changes
	// through the noise that depends on the point, or puts another direction to follow in its
	// place. nil for noise that does not depend on the point.
	Through func(ctx context.Context, sum []float64, d Drawn) error
	// Still lets the classifier see X whatever the point is, which then changes the noise alone.
	Still bool
	// Rank says of a point's votes how good it is for the certificate: the attack wants the least.
	// nil ranks by the margin of Class.
	Rank func(ctx context.Context, y []float32, votes smooth.Counts) (float64, error)
	// Low and High bound the values of a point, nil for no bound.
	Low, High *float64
	// Lattice says that only 8-bit images are inside.
	Lattice bool
}

// Drawn are noisy rows whose noise was made at a point.
type Drawn struct {
	// Y is the point, Base the input that Noise was added to: the point, or a claim's X.
	Y, Base []float32
	Noise   *smooth.SealedNoise
	// Rows are the noisy inputs, Gradient that of the loss by them.
	Rows, Gradient []float32
	// Ascent numbers the ascents of an input.
	Ascent int
}

// OfCertificate is the claim of a certified certificate about its input x, under its own noise.
func OfCertificate(c *certificate.Certificate, x []float32, id [32]byte, load certificate.Loader) (Claim, error) {
	regions, err := c.Intersection(load)
	if err != nil {
		return Claim{}, err
	}
	noise, err := c.SealedNoise(load)
	if err != nil {
		return Claim{}, err
	}
	return Claim{
		X: x, ID: id, Class: c.Predict, Alpha: float64(c.Statistics.Alpha), Regions: regions,
		Contains: func(y []float32) (bool, error) { return c.ContainsPoint(x, y, load) },
		Noise:    func(context.Context, []float32) (*smooth.SealedNoise, error) { return noise, nil },
		Lattice:  noise.Arithmetic() == smooth.Lattice,
	}, nil
}

// shrinks is how often a point is moved towards x until it is inside: the k-th time by 2^(k−26).
const shrinks = 26

// place returns the input x + δ as a float32 one, or an 8-bit image, that is certainly inside the
// regions: δ is scaled down to them, values are rounded towards x, and the point moves towards x
// until exact membership holds. The zero perturbation always does.
func (c Claim) place(delta []float64) ([]float32, error) {
	reach, err := c.Regions.MaxScale(delta)
	if err != nil {
		return nil, err
	}
	share := min(1, reach)
	y := make([]float32, len(c.X))
	for k := range shrinks + 1 {
		for i, v := range c.X {
			y[i] = c.value(v, share*delta[i])
		}
		inside, err := c.Contains(y)
		if err != nil {
			return nil, fmt.Errorf("place a perturbation inside the region: %w", err)
		}
		if inside {
			return y, nil
		}
		share *= 1 - math.Ldexp(1, k-shrinks)
	}
	copy(y, c.X) // the last factor is 0
	return y, nil
}

// value is x + δ of one coordinate, rounded towards x.
func (c Claim) value(x float32, delta float64) float32 {
	if c.Lattice {
		from := math.Round(float64(x) * lattice.Steps)
		to := min(max(from+math.Trunc(delta*lattice.Steps), 0), lattice.Steps)
		return lattice.Value(int(to))
	}
	to := float64(x) + delta
	if c.Low != nil {
		to = max(to, min(*c.Low, float64(x)))
	}
	if c.High != nil {
		to = min(to, max(*c.High, float64(x)))
	}
	y := float32(to)
	if math.Abs(float64(y)-float64(x)) > math.Abs(delta) {
		y = math.Nextafter32(y, x)
	}
	return y
}
