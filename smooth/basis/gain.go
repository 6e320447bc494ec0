package basis

import (
	"math"
	"slices"
)

// slack is the relative room, upward, for the rounding of the sums of squares below:
// entries err by entryError each, a sum of at most maxAxis positive terms by that many
// half-ulps, 2⁻⁴³, and there are two in a row.
const slack = 0x1p-40

// VertexGain returns max_i ‖diag(1/s) Uᵀe_i‖₂ over the input's coordinates i, rounded
// up by less than 2e-12 relative: the largest value that ‖diag(1/s) Uᵀδ‖₂ takes on
// ‖δ‖₁ ≤ 1. s gives the positive scales, Dim of them.
//
// Source: a convex function on a polytope is largest at one of its vertices.
//
// U being separable, (Uᵀe_i)_{uv} = H[u][y] W[v][x] for i = (c, y, x), so the squares
// of all columns' norms are one more pair of products, with squared matrices.
func (t *Transform) VertexGain(s func(i int) float64) float64 {
	h, w, n := t.rows.n, t.columns.n, t.plane()
	squareH, squareW := squares(t.rows.exactT), squares(t.columns.exact)
	weights, half, full := make([]float64, n), make([]float64, n), make([]float64, n)
	largest := 0.0
	for c := range t.channels {
		for k := range weights {
			inverse := 1 / s(c*n+k)
			weights[k] = inverse * inverse
		}
		times(half, weights, squareW, h, w, w)
		times(full, squareH, half, h, h, w)
		largest = max(largest, slices.Max(full))
	}
	return math.Sqrt(largest) * (1 + slack)
}

func squares(a []float64) []float64 {
	out := make([]float64, len(a))
	for i, v := range a {
		out[i] = v * v
	}
	return out
}

// CubeGain returns an upper bound on ‖diag(1/s) Uᵀδ‖₂ over ‖δ‖_∞ ≤ 1 (which is NP-hard
// to find exactly for general U), rounded up. s gives the positive scales, Dim of them.
//
// Proof. Write t_k = ⟨U e_k, δ⟩² for the coefficients of one channel, of n values. By
// Hölder's inequality t_k ≤ ‖U e_k‖₁², and by Parseval's identity Σ_k t_k = ‖δ‖₂² ≤ n.
// The channel's share Σ_k t_k/s_k² of the square is hence at most the optimum of the
// linear program max Σ t_k/s_k² under 0 ≤ t_k ≤ ‖U e_k‖₁², Σ t_k ≤ n: a fractional
// knapsack, which is filled greedily from the smallest s_k on. Channels are
// independent, so their optima add up.
//
// The bound is attained, and the ℓ∞ radius exact, when in every channel the smallest
// scale is that of a vector of equal absolute entries: for the DCT, of the constant one
// (0, 0), as in every pattern that rises with frequency: δ = ±1 puts all of n on it.
func (t *Transform) CubeGain(s func(i int) float64) float64 {
	h, w, n := t.rows.n, t.columns.n, t.plane()
	oneH, oneW := t.rows.absoluteSums(), t.columns.absoluteSums()
	order := make([]int, n)
	total := 0.0
	for c := range t.channels {
		for k := range order {
			order[k] = k
		}
		slices.SortFunc(order, func(a, b int) int {
			switch x, y := s(c*n+a), s(c*n+b); {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return a - b
		})
		left := float64(h * w)
		for _, k := range order {
			norm := oneH[k/w] * oneW[k%w]
			share := min(left, norm*norm*(1+slack))
			inverse := 1 / s(c*n+k)
			total += share * inverse * inverse
			if left -= share; left <= 0 {
				break
			}
		}
	}
	// The subtractions leave the budget wrong by at most a rounding each, of at most n.
	return math.Sqrt(total) * (1 + roundingMargin(t.Dim()))
}

// roundingMargin bounds the relative rounding of a sum of n positive terms and of what
// is done to each of them, with a factor of two to spare.
func roundingMargin(n int) float64 { return float64(n+64) * 0x1p-52 }

// absoluteSums returns ‖row u‖₁ of A, rounded up.
func (a *axis) absoluteSums() []float64 {
	out := make([]float64, a.n)
	for u := range out {
		for _, v := range a.exact[u*a.n : (u+1)*a.n] {
			out[u] += math.Abs(v)
		}
		out[u] *= 1 + entryError + roundingMargin(a.n)
	}
	return out
}
