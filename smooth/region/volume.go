package region

import (
	"math"

	"ucan/smooth/family"
)

// ALM returns the alternative Lebesgue measure (∏σ_i)^(1/d)·R, rounded down by
// less than 1e-13 relative. It measures volume; it is the radius of no ball inside the
// region, and is not to be compared with certified radii. Source: UCAN (arXiv 2510.19977),
// which compares anisotropic with isotropic certificates by it.
func (r Region) ALM() (float64, error) {
	if err := r.Check(); err != nil {
		return 0, err
	}
	if r.R == 0 {
		return 0, nil
	}
	log, abs := r.sumLog()
	mean := log / float64(r.Dim)
	// The exponent's error is that of the logarithms (one ulp each) and of the mean.
	margin := 0x1p-51 * (abs/float64(r.Dim) + 4)
	return down(math.Exp(mean) * r.R * (1 - margin)), nil
}

// LogVolume returns the natural logarithm of the region's volume,
//
//	d ln 2R + d lnΓ(1+1/p) − lnΓ(1+d/p) + Σ ln σ_i,
//
// rounded down by less than 1e-14 of the sum of the sizes of its terms; −Inf for
// R = 0. It works in logarithms, so no dimension is too large. Source: Dirichlet's
// formula for the volume of ℓp balls; an orthonormal basis changes no volume.
func (r Region) LogVolume() (float64, error) {
	if err := r.Check(); err != nil {
		return 0, err
	}
	if r.R == 0 {
		return math.Inf(-1), nil
	}
	d := float64(r.Dim)
	log, abs := r.sumLog()
	var total sum
	total.add(log)
	term := func(x float64) {
		total.add(x)
		abs += math.Abs(x)
	}
	term(d * math.Log(2*r.R))
	switch r.Norm {
	case family.L1: // Γ(2) = 1
		term(-lgamma(1 + d))
	case family.L2: // Γ(3/2) = √π/2
		term(d * (0.5*math.Log(math.Pi) - math.Ln2))
		term(-lgamma(1 + d/2))
	}
	if abs == 0 {
		return 0, nil // every term is exactly zero: a box with sides of length 1
	}
	return math.Nextafter(total.value()-0x1p-50*abs, math.Inf(-1)), nil
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// sumLog returns Σ ln σ_i and Σ |ln σ_i|.
func (r Region) sumLog() (total, abs float64) {
	if r.isotropic() {
		return 0, 0
	}
	var s sum
	for i := range r.Dim {
		x := math.Log(r.sigma(i))
		s.add(x)
		abs += math.Abs(x)
	}
	return s.value(), abs
}
