package lattice

import (
	"math"
	"math/big"
)

// bigExp returns e^x for |x| below 2¹⁰, with a relative error below 2^(16−prec): the
// argument is halved until it is small, the exponential's series summed, and the
// result squared as often (each doubles the relative error).
func bigExp(x *big.Float, prec uint) *big.Float {
	const halvings = 20
	work := prec + halvings + 16
	z := new(big.Float).SetPrec(work).Set(x)
	z.SetMantExp(z, -halvings)
	sum := new(big.Float).SetPrec(work).SetInt64(1)
	term := new(big.Float).SetPrec(work).SetInt64(1)
	for n := int64(1); term.Sign() != 0; n++ {
		term.Mul(term, z)
		term.Quo(term, new(big.Float).SetInt64(n))
		sum.Add(sum, term)
		if term.MantExp(nil) < -int(work) {
			break
		}
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum.SetPrec(prec)
}

// bigLog returns ln x for x in (1, 2⁹⁰⁰), with an absolute error below 2^(16−prec),
// by Newton's iteration y ← y + x·e^(−y) − 1, which doubles the digits.
func bigLog(x *big.Float, prec uint) *big.Float {
	work := prec + 32
	v, _ := x.Float64()
	y := new(big.Float).SetPrec(work).SetFloat64(math.Log(v))
	one := big.NewFloat(1)
	for digits := uint(40); digits < 2*work; digits *= 2 {
		e := bigExp(new(big.Float).SetPrec(work).Neg(y), work)
		e.Sub(e.Mul(e, x), one)
		y.Add(y, e)
	}
	return y.SetPrec(prec)
}

// bigPi returns π by Machin's formula, 16 arctan(1/5) − 4 arctan(1/239).
func bigPi(prec uint) *big.Float {
	work := prec + 32
	arctan := func(n int64) *big.Float {
		x := new(big.Float).SetPrec(work).Quo(new(big.Float).SetPrec(work).SetInt64(1), new(big.Float).SetInt64(n))
		square := new(big.Float).SetInt64(n * n)
		sum := new(big.Float).SetPrec(work).Set(x)
		for k := int64(3); x.MantExp(nil) > -int(work); k += 2 {
			x.Quo(x, square)
			x.Neg(x)
			sum.Add(sum, new(big.Float).SetPrec(work).Quo(x, new(big.Float).SetInt64(k)))
		}
		return sum
	}
	a, b := arctan(5), arctan(239)
	a.Mul(a, big.NewFloat(16))
	b.Mul(b, big.NewFloat(4))
	return a.Sub(a, b).SetPrec(prec)
}
