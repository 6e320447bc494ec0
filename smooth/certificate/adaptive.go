package certificate

import (
	"errors"
	"fmt"

	"ucan/smooth"
	"ucan/smooth/sequential"
)

// AdaptiveStatistics are the members that adaptive runs add to Statistics: what
// the boundaries depend on, and the counts at which each level was rejected.
type AdaptiveStatistics struct {
	// Profile is "strict", "default" or "fast", with the parameters of that name but for
	// the cap, or CustomProfile.
	Profile string `json:"profile"`
	// Cap is the largest number of estimation samples, B the unit of the looks,
	// Growth their distance as a share of the samples seen, Rho the exponent of
	// the spending function.
	Cap    int64 `json:"cap"`
	B      int64 `json:"b"`
	Growth Float `json:"growth"`
	Rho    Float `json:"rho"`
	// Gamma is the futility threshold; no claim depends on it.
	Gamma Float `json:"gamma"`
	// Grid holds the radii, in the asked norm, and Levels the bounds on p_A that
	// certify them.
	Grid   []Float `json:"grid"`
	Levels []Float `json:"levels"`
	// LabelAware marks a run that tested the label.
	LabelAware bool `json:"label_aware"`
	// Rejected lists the rejected levels in order, each with the number of samples
	// n_k at the look that rejected it and the failures among them.
	Rejected []sequential.Rejection `json:"rejected"`
}

// Limits of what a stored adaptive run may ask to recompute.
const (
	maxCap    = 10_000_000
	maxLevels = 256
)

func (a *AdaptiveStatistics) validate() error {
	switch {
	case a.Cap < 1 || a.Cap > maxCap:
		return fmt.Errorf("certificate: cap %d is outside 1 … %d", a.Cap, maxCap)
	case a.B < 1 || a.B > a.Cap:
		return fmt.Errorf("certificate: look unit b %d is outside 1 … cap", a.B)
	case len(a.Grid) == 0 || len(a.Grid) > maxLevels || len(a.Levels) != len(a.Grid):
		return fmt.Errorf("certificate: grid of %d radii and %d levels", len(a.Grid), len(a.Levels))
	case len(a.Rejected) > len(a.Levels):
		return fmt.Errorf("certificate: %d rejected levels of %d", len(a.Rejected), len(a.Levels))
	}
	return checkProfile(a.profile())
}

// profile is the profile that the members describe.
func (a *AdaptiveStatistics) profile() sequential.Profile {
	return sequential.Profile{
		Name: a.Profile, Gamma: float64(a.Gamma),
		Schedule: sequential.Schedule{Cap: a.Cap, Batch: a.B, Growth: float64(a.Growth), Rho: float64(a.Rho)},
	}
}

// CustomProfile is the name of profiles that are none of package sequential's.
const CustomProfile = "custom"

// checkProfile reports a profile under another name than its parameters. The cap is
// the user's to choose under every name.
func checkProfile(p sequential.Profile) error {
	for _, known := range []sequential.Profile{sequential.Strict(), sequential.Default(), sequential.Fast()} {
		same := known.WithCap(p.Cap)
		same.Name = p.Name
		switch {
		case known.Name == p.Name && same != p:
			return fmt.Errorf("certificate: the parameters (b %d, growth %v, rho %v, gamma %v) are not those of the profile %q", p.Batch, p.Growth, p.Rho, p.Gamma, p.Name)
		case known.Name == p.Name:
			return nil
		case same == p:
			return fmt.Errorf("certificate: profile %.60q has the parameters of %q", p.Name, known.Name)
		}
	}
	if p.Name != CustomProfile {
		return fmt.Errorf("certificate: unknown profile %.60q; other parameters than those of strict, default and fast are called %q", p.Name, CustomProfile)
	}
	return nil
}

func describeAdaptive(r *smooth.AdaptiveRecord) *AdaptiveStatistics {
	if r == nil {
		return nil
	}
	a := &AdaptiveStatistics{
		Profile: r.Profile.Name, Cap: r.Profile.Cap, B: r.Profile.Batch,
		Growth: Float(r.Profile.Growth), Rho: Float(r.Profile.Rho), Gamma: Float(r.Profile.Gamma),
		Grid: []Float{}, Levels: []Float{}, LabelAware: r.LabelAware,
		Rejected: append([]sequential.Rejection{}, r.Rejected...),
	}
	for j := range r.Grid.Radii {
		a.Grid = append(a.Grid, Float(r.Grid.Radii[j]))
		a.Levels = append(a.Levels, Float(r.Grid.Levels[j]))
	}
	return a
}

// concludeAdaptive repeats the statistics of a stored adaptive run. The radii of
// the grid are those that its levels certify.
func (s *Statistics) concludeAdaptive(noise *smooth.SealedNoise, selection, estimation smooth.Counts, label int, tables *sequential.Tables) (smooth.Certification, error) {
	var none smooth.Certification
	a := s.AdaptiveStatistics
	grid := smooth.Grid{}
	for _, p := range a.Levels {
		r, err := noise.Radius(float64(p))
		if err != nil {
			return none, err
		}
		grid.Radii, grid.Levels = append(grid.Radii, r), append(grid.Levels, float64(p))
	}
	plan, err := noise.NewAdaptive(smooth.AdaptiveN{
		N0: s.N0, Alpha: float64(s.Alpha), Grid: grid, LabelAware: a.LabelAware,
		Profile: a.profile(),
	}, tables)
	if err != nil {
		return none, err
	}
	class := -1
	switch {
	case a.LabelAware && label < 0:
		return none, errors.New("a label-aware run of an input without a label")
	case a.LabelAware:
		class = label
	case s.N0 == 0 && s.Selected != nil: // the class that the levels were rejected for
		class = *s.Selected
	}
	return plan.Conclude(selection, estimation, class, a.Rejected)
}
