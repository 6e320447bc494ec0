package basis

import (
	"math"
	"math/big"
)

// maxPrecise bounds the multiplications of PreciseCoefficients: half a second of them.
const maxPrecise = 1 << 22

// Precise reports whether PreciseCoefficients is affordable for inputs of this size:
// for 3×64×64 it is, for 3×224×224 it is not.
func (t *Transform) Precise() bool { return t.Dim()*(t.rows.n+t.columns.n) <= maxPrecise }

// PreciseCoefficients returns Uᵀx in multiple precision: the error in ℓ2 is below
// 2^(48−prec)·‖x‖₂. It takes a tenth of a second for 3×32×32 values; see Precise.
func (t *Transform) PreciseCoefficients(x []*big.Float, prec uint) []*big.Float {
	h, w, n := t.rows.n, t.columns.n, t.plane()
	rowEntry, columnEntry := preciseDCT(h, prec), preciseDCT(w, prec)
	out := make([]*big.Float, 0, t.Dim())
	for c := range t.channels {
		plane := x[c*n : (c+1)*n]
		half := make([]*big.Float, n) // half[y][v] = Σ_x plane[y][x] W[v][x]
		for y := range h {
			for v := range w {
				half[y*w+v] = dot(w, prec, func(i int) (a, b *big.Float) { return plane[y*w+i], columnEntry(v, i) })
			}
		}
		for u := range h {
			for v := range w {
				out = append(out, dot(h, prec, func(i int) (a, b *big.Float) { return half[i*w+v], rowEntry(u, i) }))
			}
		}
	}
	return out
}

func dot(n int, prec uint, terms func(i int) (a, b *big.Float)) *big.Float {
	sum, product := new(big.Float).SetPrec(prec), new(big.Float).SetPrec(prec)
	for i := range n {
		a, b := terms(i)
		sum.Add(sum, product.Mul(a, b))
	}
	return sum
}

// preciseDCT returns the entries A[u][x] of the n×n DCT-II in multiple precision.
func preciseDCT(n int, prec uint) func(u, x int) *big.Float {
	number := func(v int64) *big.Float { return new(big.Float).SetPrec(prec).SetInt64(v) }
	cosines := preciseCosines(n, prec)
	norm := number(2)
	norm.Sqrt(norm.Quo(norm, number(int64(n))))
	entries := make([]*big.Float, n+1) // √(2/n) cos(πq/2n)
	for q, c := range cosines {
		entries[q] = number(0).Mul(norm, c)
	}
	constant := number(1)
	constant.Sqrt(constant.Quo(constant, number(int64(n))))
	negative := make([]*big.Float, n+1)
	for q, e := range entries {
		negative[q] = number(0).Neg(e)
	}
	return func(u, x int) *big.Float {
		if u == 0 {
			return constant
		}
		m := (2*x + 1) * u % (4 * n)
		if m > 2*n {
			m = 4*n - m
		}
		if m > n {
			return negative[2*n-m]
		}
		return entries[m]
	}
}

// preciseCosines returns cos(πq/2n) for q = 0 … n. With x = cos(π/2n), the largest root
// of the Chebyshev polynomial T_n, these are T_q(x); the root is found by Newton's
// iteration, whose slope is n U_{n−1}(x). The recurrence T_{q+1} = 2x T_q − T_{q−1}
// multiplies roundings by q² at most.
func preciseCosines(n int, prec uint) []*big.Float {
	number := func() *big.Float { return new(big.Float).SetPrec(prec) }
	if n == 1 {
		return []*big.Float{number().SetInt64(1), number()}
	}
	x := number().SetFloat64(math.Cos(math.Pi / float64(2*n)))
	for digits := uint(40); digits < 2*prec; digits *= 2 {
		t := chebyshev(x, n, number().SetInt64(1), number().Set(x), number)
		// U_0 = 1 and U_1 = 2x follow the same recurrence.
		u := chebyshev(x, n-1, number().SetInt64(1), number().Add(x, x), number)
		slope := u[n-1].Mul(u[n-1], number().SetInt64(int64(n)))
		x.Sub(x, t[n].Quo(t[n], slope))
	}
	return chebyshev(x, n, number().SetInt64(1), number().Set(x), number)
}

// chebyshev returns p_0 … p_n of p_{q+1} = 2x p_q − p_{q−1}.
func chebyshev(x *big.Float, n int, p0, p1 *big.Float, number func() *big.Float) []*big.Float {
	twice := number().Add(x, x)
	p := []*big.Float{p0, p1}
	for q := 1; q < n; q++ {
		next := number().Mul(twice, p[q])
		p = append(p, next.Sub(next, p[q-1]))
	}
	return p
}
