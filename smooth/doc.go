// Package smooth certifies classifiers by randomized smoothing with
// anisotropic noise, whatever runs the classifier.
//
// The smoothed classifier of a base classifier f is
//
//	g(x) = the class c that maximises P[f(x + μ + λ·s⊙ε) = c],
//
// ε being isotropic noise of a family (package family) at unit scale, λ its raw
// scale, and (μ, s) an offset and a positive scale for every input coordinate.
// If the family certifies ‖δ‖_p ≤ R at scale λ for every classifier whose
// top-class probability is at least p_A, then g is constant on
//
//	{x + δ : ‖δ ⊘ s‖_p ≤ R(p_A)},
//
// because z ↦ f(s⊙z + μ) is itself a classifier, smoothed by isotropic noise
// (UCAN, arXiv 2510.19977, Theorem 2, the universal transform). Gaussian noise may be shaped in an
// orthonormal basis U instead, μ + λ·U(s⊙ε), and g is then constant on
//
//	{x + δ : ‖(Uᵀδ) ⊘ s‖₂ ≤ R(p_A)},
//
// for the same reason (package basis). The package draws the noise,
// counts votes, bounds p_A from below with confidence 1 − α and reports that
// region with its ℓ1, ℓ2 and ℓ∞ radii. It imports neither a runtime nor a file
// format: the classifier is the two-method interface Classifier.
//
// # Reading order
//
// The files follow the proof, and no step looks back:
//
//	noise      fields.go, noise.go   μ, s and U; the noise of a smoothed classifier
//	           seal.go, rounding.go  Noise.Seal checks it and rounds it to what is sampled
//	votes      counts.go             Counts; worker.go and smoother.go draw them
//	class      certify.go            Conclude, the algorithm CERTIFY on one screen
//	p_lower    radius.go             lowerBound, from stats.ClopperPearsonLower
//	R          radius.go             TheoremRadius = λ·Radius of the family (smooth/family)
//	region     radius.go             Region; package region measures it
//	result     result.go             Certification, with the ℓ1, ℓ2 and ℓ∞ radii
//
// Beside them stand Predict (predict.go) and two ways to draw fewer samples, which end in the same
// steps: CertifyAdaptive (adaptive.go, grid.go, package sequential) and CertifyTwoStage
// (twostage.go).
//
// # Guarantee
//
// A certificate of Certify holds with probability at least 1 − α over its own
// samples. It speaks of the classifier smoothed by exactly the (λ, μ, s) of its
// SealedNoise: when those were chosen before the input was seen, that is the
// classifier in service; when they were made from the input, it is not (see
// Guarantee).
//
// # Arithmetic
//
// Theorems assume real arithmetic; noise is added in float32. Every quantity
// that can be is rounded so that the certificate shrinks: sampled scales up,
// bounds on p_A, radii and regions down. What remains is the rounding of
// x + μ + λ·s⊙ε itself, which no plain float sampler excludes; see Lattice for
// arithmetic that does, on 8-bit images.
package smooth
