// Package infer runs certification-wise noise parameter generators: networks that make (μ, s) from
// a clean input, once.
//
//	two networks   μ = c·G₁(x), s = |G₂(x + μ)|      (UCAN, and the authors' code)
//	one network    μ = c·mu(x), s = |sigma(x)|, mu being optional
//
// s is then brought within floor and ceiling and sealed. Certificates are pinned: they hold for a
// verifier who replays x + δ with exactly these parameters, not for a service that recomputes them
// from each request.
package infer
