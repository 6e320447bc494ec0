package smooth

import (
	"fmt"
	"math"
	"strconv"

	"ucan/smooth/family"
	"ucan/smooth/stats"
)

// Grid is the ladder of radii that adaptive certification climbs, for one
// SealedNoise.
type Grid struct {
	// Radii are in the noise's norm, strictly ascending.
	Radii []float64
	// Levels are the bounds on p_A that certify them: Radius(Levels[j]) ≥ Radii[j].
	Levels []float64
}

// defaultGridTop is the last z of the default grid, in steps of a half: the
// largest that 100,000 samples reach with some certainty at α = 0.001.
const defaultGridTop = 3.5

// DefaultGrid returns the radii that the noise certifies at p_A = Φ(0), Φ(0.5),
// Φ(1), … Φ(3.5). For Gaussian noise these are the multiples of σ/2 (times min s)
// up to 3.5σ. They are exact: the rounding of λ and of Φ moves a radius a little away
// from a number of six digits, and the grid takes that number instead.
func (s *SealedNoise) DefaultGrid() (Grid, error) {
	var levels []float64
	for z := 0.0; z <= defaultGridTop; z += 0.5 {
		p := 0.5
		if z > 0 {
			p = stats.NormalCDFUpper(z)
		}
		levels = append(levels, p)
	}
	g, err := s.GridOf(levels)
	if err != nil {
		return Grid{}, err
	}
	for j, r := range g.Radii {
		plain := sixDigits(r)
		if plain == r || math.Abs(plain-r) > snap*r {
			continue
		}
		p, err := s.level(plain)
		if err != nil {
			return Grid{}, fmt.Errorf("smooth: grid radius %v: %w", plain, err)
		}
		g.Radii[j], g.Levels[j] = plain, p
	}
	return g, nil
}

// snap covers the rounding of λ to float32, which is below 2⁻²⁴.
const snap = 1e-7

// sixDigits rounds r to six significant decimal digits.
func sixDigits(r float64) float64 {
	v, err := strconv.ParseFloat(strconv.FormatFloat(r, 'e', 5, 64), 64)
	if err != nil {
		return r // cannot be: it was just formatted
	}
	return v
}

// GridOf returns the grid of given bounds on p_A, each in [1/2, 1) and strictly
// ascending. Bounds that certify no larger radius than the one before are left
// out.
func (s *SealedNoise) GridOf(levels []float64) (Grid, error) {
	var g Grid
	for _, p := range levels {
		if !(p >= 0.5 && p < 1) {
			return Grid{}, fmt.Errorf("smooth: grid level %v is outside [1/2, 1)", p)
		}
		r, err := s.Radius(p)
		if err != nil {
			return Grid{}, err
		}
		if n := len(g.Radii); n > 0 && !(r > g.Radii[n-1]) {
			continue
		}
		g.Radii, g.Levels = append(g.Radii, r), append(g.Levels, p)
	}
	return g, nil
}

// NewGrid returns the grid of given radii in the noise's norm, finite, not
// negative and strictly ascending; 0 stands for p_A > 1/2. Each level is the
// smallest float64 whose certified radius reaches the radius. A radius that no
// bound below 1 certifies is an error.
func (s *SealedNoise) NewGrid(radii []float64) (Grid, error) {
	if len(radii) == 0 {
		return Grid{}, fmt.Errorf("smooth: empty grid; give at least one radius")
	}
	g := Grid{Radii: radii}
	for i, r := range radii {
		if math.IsNaN(r) || math.IsInf(r, 0) || r < 0 {
			return Grid{}, fmt.Errorf("smooth: grid radius %v; radii must be finite and not negative", r)
		}
		if i > 0 && !(r > radii[i-1]) {
			return Grid{}, fmt.Errorf("smooth: grid radius %v after %v; radii must ascend", r, radii[i-1])
		}
		p, err := s.level(r)
		if err != nil {
			return Grid{}, fmt.Errorf("smooth: grid radius %v: %w", r, err)
		}
		g.Levels = append(g.Levels, p)
	}
	return g, nil
}

// ReachableGrid is NewGrid of those radii that some bound below 1 certifies. They
// depend on the noise alone, so noise that is made for each input may be tested
// at the radii that it can reach.
func (s *SealedNoise) ReachableGrid(radii []float64) (Grid, error) {
	top, err := s.Radius(math.Nextafter(1, 0))
	if err != nil {
		return Grid{}, err
	}
	n := len(radii)
	for n > 1 && radii[n-1] > top {
		n--
	}
	return s.NewGrid(radii[:n])
}

// level returns the smallest bound on p_A whose Radius is at least r.
func (s *SealedNoise) level(r float64) (float64, error) {
	if r == 0 {
		return 0.5, nil
	}
	unit := r / (s.noise.Lambda * s.unit)
	p, err := family.LevelProbability(s.theorem, s.via, s.dim, unit)
	if err != nil {
		return 0, err
	}
	// The divisions above and the roundings of Radius may leave p a little short.
	for range 64 {
		got, err := s.Radius(p)
		if err != nil {
			return 0, err
		}
		if got >= r {
			return p, nil
		}
		unit *= 1 + 1e-15
		if p, err = family.LevelProbability(s.theorem, s.via, s.dim, unit); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("no bound on p_A found that certifies it")
}
