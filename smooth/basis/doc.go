// Package basis holds orthonormal transforms U of an input, in which noise can be
// shaped: noise μ + U diag(s) ε with independent ε has the scale s_k along the
// k-th basis vector U e_k instead of along the k-th coordinate.
//
// For Gaussian ε the classifier smoothed by that noise is constant on
// {δ : ‖diag(1/s) Uᵀδ‖₂ ≤ R}, R being the isotropic radius: z ↦ f(U diag(s) z + μ)
// is itself a classifier, smoothed by isotropic noise (UCAN, arXiv 2510.19977,
// Theorem 2, with Σ = U diag(s)). Package region measures such sets.
//
// # Exactness
//
// U is the real matrix, orthonormal by a theorem and not by measurement. What is
// computed differs from it in two ways, and both are bounded here, so that users
// can round against themselves: coefficients in float64 (Resolution), and the
// float32 matrices that noise is drawn with (Defect). The rounding of the float32
// sums themselves is part of what every float32 certificate assumes away.
package basis
