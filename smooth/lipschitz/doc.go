// Package lipschitz certifies Gaussian noise whose scale follows the input slowly, for a service
// that recomputes the scale from every request (guarantee "lipschitz").
//
// # The service
//
// Noise at z is N(z + μ, σ(z)² diag(s̄)²): μ and s̄ > 0 are fixed, and log σ is r-Lipschitz,
//
//	|log σ(z) − log σ(z′)| ≤ r·‖(z − z′) ⊘ s̄‖₂.
//
// The smoothed classifier g answers at z with the class c that f gives most often under the noise
// of z. In coordinates y = (z − x) ⊘ (σ(x) s̄) the noise at x is P = N(0, I), that at x + δ is
// Q = N(v, κ²I) with b = ‖v‖ = ‖δ ⊘ s̄‖/σ(x) and |log κ| ≤ ρb, where ρ = r·σ(x). ([Theorem.Rate]
// is ρ.) The certificate claims: if f gives c with probability p under P, then more often than ½
// under Q for all b up to the radius and all κ that ρ allows.
//
// # Worst sets
//
// Let β(κ, b; p) be the least Q(A) of any set A with P(A) ≥ p. By the lemma of Neyman and Pearson
// it is that of a set where dQ/dP is at most a threshold. With D = κ² − 1,
//
//	2 log dQ/dP = ‖y‖² − ‖y − v‖²/κ² + const = (1 − 1/κ²) ‖y − m‖² + const,   m = −v/D.
//
// So A is a ball around m for κ > 1, the outside of one for κ < 1, and a half-space for κ = 1.
// Under P, ‖y − m‖² is noncentral χ² with d degrees of freedom and noncentrality λ₀ = b²/D². Under
// Q, ‖y − m‖²/κ² is that with λ₁ = κ²b²/D², since v − m = vκ²/D. Hence, F being its distribution
// function, β > ½ is equivalent to
//
//	κ < 1:  F(κ² M; λ₀) > 1 − p,   κ > 1:  F(κ² M; λ₀) < p,   M the median of F(·; λ₁).
//
// These are the formulas of Súkeník, Kuvshinov and Günnemann 2022 ("Intriguing properties of
// input-dependent randomized smoothing", arXiv 2110.05365) with the median on the other side.
//
// # Only two points need a look
//
// Claim: if β > ½ at (κ₋, b) and at (κ₊, b), κ₋ < 1 < κ₊, then β > ½ at (κ, b′) for every b′ ≤ b
// and κ in [κ₋, κ₊]. Taking κ± = e^{±ρb} covers all that the service can do up to b.
//
//  1. β decreases in b for fixed κ. Let A be worst for b. For κ > 1 it is a ball around m, on the
//     other side of 0 from v; a larger b moves the centre v of Q away from m, and the mass of a
//     ball under a symmetric unimodal law falls with the distance of the centres (Anderson
//     1955). For κ < 1, A is the outside of a ball around m = γv, γ = 1/(1 − κ²) > 1; a b′ in
//     [b, γb] moves the centre of Q towards m, and the mass of A falls; further b are reached in
//     several steps. For κ = 1, β = Φ(Φ⁻¹(p) − b). P(A) ≥ p does not depend on b, so β falls.
//  2. If β ≤ ½ at κ ≥ 1 and κ′ > κ, then β ≤ ½ at κ′. Let A be worst at κ: a ball, or a half-space
//     {y·v ≤ t}. Enlarge it, with the same centre, to A′ with Q(A′) = ½. A convex set of mass ½
//     contains the mean v: otherwise a hyperplane through v had it on one side, short of mass next
//     to v. So A′ is star-shaped around v, N(v, κ²I)(A′) falls in κ, and is at most ½ at κ′. Since
//     P(A′) ≥ p, so is β.
//  3. If β ≤ ½ at κ ≤ 1 and κ′ < κ, then β ≤ ½ at κ′. The complement of the worst set is a ball or
//     a half-space of mass at least ½ under Q; shrink it to K′ with mass ½. K′ contains v, is
//     star-shaped around it, and N(v, κ²I)(K′) grows as κ falls. So the complement of K′
//     has at most ½ at κ′, and P of it is at least p.
//
// By 2 and 3, β > ½ at (κ±, b) gives β > ½ at (κ, b) for all κ between; by 1 then at all b′ ≤ b. ∎
//
// # Rounding
//
// [NoncentralChiSquare] bounds F from both sides, whatever the rounding of float64. M is replaced
// by a point that these bounds place on the safe side, F grows in x and falls in λ, and every
// number that enters is rounded to the side that certifies less. κ± are moved outwards by
// [Theorem.Extra], which covers errors in log σ, and until λ₀ ≤ 1e8, which the claim allows.
//
// What a service draws is not exactly a multiple of s̄: scales are float32. [Theorem.Loss] bounds
// the total-variation distance t between what is drawn and the law above, at x and at x + δ: p is
// lowered by t and ½ raised by it. [Quantised] has both for scales that were rounded to float32.
package lipschitz
