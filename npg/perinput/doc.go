// Package perinput optimises the scale field of the noise for one input at a time: ANCER (Eiras,
// Alfarra, Torr, Kumar, Dokania, Ghanem and Bibi, "ANCER: Anisotropic Certification via Sample-wise
// Volume Maximization", 2021, arXiv 2107.04570), with a start that needs no other tool.
//
// # Start
//
// Of the isotropic scales on a grid, the one with the largest estimate of the certified radius is
// taken: n noisy copies vote, the leading class's probability p gets a Clopper–Pearson lower bound,
// and the estimate is σ·R₁(p). The class of the best scale is the class from then on. The label is
// never used.
//
// # Objective
//
// With t = log σ, the copies x + λσ⊙ε (or x + U(λσ⊙ε) in a basis U), p_A and p_B the mean soft
// probabilities of the class and of the leading other class, Adam ascends
//
//	G(p_A, p_B) · ((∏σ_i)^{1/d} + κ·min σ_i)
//
// through the reparametrised noise, by gradients of the frozen classifier. For Gaussian noise in ℓ2
// G = λ(Φ⁻¹(p_A) − Φ⁻¹(p_B))/2, as in the paper; for the other families, which have a theorem for
// p_A alone, G = λR₁(p_A). The first term is the proxy of the ALM, the second (the authors'
// relaxation, κ = 2 in their code) keeps the inscribed ball in view. Steps are taken in log σ,
// where they are relative, rather than in σ as the authors take them.
//
// # Bounds
//
// After every step σ is brought back to [σ₀, ceiling], σ₀ being the isotropic start: no coordinate
// is ever below it, so that at equal p_A the region contains the start's ball. It is not a promise
// about radii: wider noise lowers p_A, and the ℓ2 radius σ₀·R₁(p_A) with it.
//
// Last, the field is judged by votes on fresh noise, together with fields between it and the start
// (σ₀^{1−θ}σ^θ), and the one with the largest estimate of the certified ALM wins. The start is
// among them: on that noise, the result's estimate is never below the start's.
//
// # What it is worth
//
// The noise depends on the input, so certificates are pinned: they hold for a verifier who replays
// that noise, not for a service that optimises anew for what it is sent. All noise comes from
// stream phase NPG, so that nothing seen here is counted in a certificate.
package perinput
