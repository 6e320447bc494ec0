package smooth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Compose joins the certificate of a selector with that of the noise it chose, for the same input:
// the certificate of a service that picks one of K fixed noises for each request (guarantee
// [BySelector]).
//
// # The service
//
// A selector S is a classifier with K classes, smoothed with noise fixed beforehand; k(z) is the
// class that it answers with most often under that noise. For every k there is a noise θ_k and a
// base classifier f_k, fixed beforehand too; g_k(z) is the smoothed classifier of f_k under θ_k.
// The service answers
//
//	h(z) = g_{k(z)}(z).
//
// # Why the certificate holds
//
//  1. The selector's certificate: with probability at least 1 − α₁ over its samples, either
//     it abstains, or k(x + δ) = k for every δ in its regions A, k being its class (Certify).
//  2. The certificate of the chosen noise: for every fixed k, with probability at least
//     1 − α₂ over its own samples, either it abstains, or g_k(x + δ) = c for every δ in its
//     regions B_k.
//  3. The two stages draw from disjoint streams ([SelectorID]). Given the samples of the
//     first, and with them k, 2 therefore holds still for that k: no sample of the second
//     stage chose it.
//  4. By the union bound both hold with probability at least 1 − (α₁ + α₂). Then for every δ
//     in A ∩ B_k: k(x + δ) = k by 1, and h(x + δ) = g_k(x + δ) = c by 2.
//
// The classifiers f_k and noises θ_k may be anything that Certify takes, and need not have
// anything in common: only θ_k of the chosen k enters. Nothing follows outside A, where the
// selector may pick another noise. An answer of the running service is Monte Carlo as well: it
// is Predict of the selector at α₁ and of the noise that it picks at α₂, which abstains if
// either does, and is wrong about h with probability at most α₁ + α₂ by the same argument.
//
// Source: Dual Randomized Smoothing (arXiv 2512.01782) for isotropic noise; the argument needs
// nothing of the noise but 1 and 2.
//
// The result has the class, the votes and the bounds of chosen; Alpha is the sum, rounded up, and
// Selector holds the first stage. Regions are those of chosen and then those of the selector. It
// abstains if either does; chosen is then what was found, which may be nothing. It is an error
// where a stage has several selectors or the regions do not fit together.
func Compose(selector, chosen Certification) (Certification, error) {
	if selector.Selector != nil || chosen.Selector != nil {
		return Certification{}, errors.New("smooth: compose: a stage has a selector of its own; there are two stages")
	}
	c := chosen
	c.Selector, c.StageAlpha = &selector, chosen.Alpha
	c.Alpha = SumUp(selector.Alpha, chosen.Alpha)
	if c.Alpha >= 1 {
		return Certification{}, fmt.Errorf("smooth: compose: alphas of %v and %v leave nothing to hold", selector.Alpha, chosen.Alpha)
	}
	c.Warnings = nil
	for _, w := range selector.Warnings {
		c.Warnings = append(c.Warnings, "selector: "+w)
	}
	c.Warnings = append(c.Warnings, chosen.Warnings...)
	if selector.Abstained || chosen.Abstained {
		if selector.Abstained {
			c.Warnings = append(c.Warnings, "the selector abstained")
		}
		c.Abstained, c.R, c.Radius, c.Regions = true, 0, 0, nil
		c.Extent = Extent{LogVolume: math.Inf(-1)}
		return c, nil
	}
	c.Regions = slices.Concat(chosen.Regions, selector.Regions)
	var err error
	if c.Extent, err = ExtentOf(c.Regions); err != nil {
		return Certification{}, fmt.Errorf("smooth: compose: %w", err)
	}
	c.Radius = c.Extent.Radii.In(c.Norm)
	return c, nil
}

// SelectorID returns the id that keys the noise of a selector for the input with the given id, so
// that its samples of every phase are others than those of the noise that it chooses.
func SelectorID(id [32]byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("ucan: selector\x00")) // a hash never returns an error
	h.Write(id[:])
	return [32]byte(h.Sum(nil))
}

// SumUp returns a + b, rounded up where it is not exact.
func SumUp(a, b float64) float64 {
	s := a + b
	// The error of a sum of floats is a float (Knuth's two-sum).
	t := s - a
	if (a-(s-t))+(b-t) > 0 {
		return math.Nextafter(s, math.Inf(1))
	}
	return s
}

// Unsampled returns the certification of an input of which no sample was drawn: an abstention. It
// stands for the second stage where a selector abstained.
func (s *SealedNoise) Unsampled(classes int, alpha float64) Certification {
	c := s.abstention(MethodFixed, alpha)
	c.Selection, c.Estimation = newCounts(classes), newCounts(classes)
	return c
}
