package lattice

import (
	"fmt"
	"math"
	"math/big"

	"ucan/smooth/family"
)

// law computes upper tails of a symmetric law on the line at scale 1.
type law interface {
	// tail returns P[ε > x] for x > 0 with an absolute error below 2^(20−prec), or
	// exact: a multiple of 2⁻⁶⁰, plus 2⁻⁶¹ when there is a remainder.
	tail(x *big.Rat, prec uint, c *constants) (p *big.Float, exact bool)
}

// lawOf returns the law of a coordinate, or an error for a family whose coordinates
// are not independent or have no such function here.
func lawOf(f family.Family) (law, error) {
	if f == nil {
		return nil, fmt.Errorf("lattice arithmetic without a noise family: %w", family.ErrDomain)
	}
	switch f.Name() {
	case "gaussian":
		return gaussian{}, nil
	case "laplace":
		return laplace{}, nil
	case "uniform":
		return uniform{}, nil
	case "pareto":
		return pareto{f.Params()["a"]}, nil
	}
	return nil, fmt.Errorf("lattice arithmetic with noise family %s: it is defined for gaussian, laplace, uniform and pareto; use one of them or --arithmetic float32: %w", f.Name(), family.ErrDomain)
}

type (
	gaussian struct{}
	laplace  struct{}
	uniform  struct{}
	pareto   struct{ a float64 }
)

// constants keeps √(2π) at the precision last asked for.
type constants struct{ root *big.Float }

func (c *constants) rootTwoPi(prec uint) *big.Float {
	if c.root == nil || c.root.Prec() != prec {
		pi := bigPi(prec)
		c.root = pi.Sqrt(pi.Mul(pi, big.NewFloat(2)))
	}
	return c.root
}

// guard is the number of bits computed beyond those asked for: room for a thousand
// operations.
const guard = 16

func float(x *big.Rat, prec uint) *big.Float { return new(big.Float).SetPrec(prec).SetRat(x) }

// none is a positive number below every threshold's unit, for tails so thin that
// they need not be computed.
func none() *big.Float { return new(big.Float).SetMantExp(big.NewFloat(1), -100) }

// tail is that of the standard normal law,
// ½ − φ(x)(x + x³/3 + x⁵/(3·5) + …), beyond 12 below 2⁻¹⁰⁰.
func (gaussian) tail(x *big.Rat, prec uint, c *constants) (*big.Float, bool) {
	if v, _ := x.Float64(); v > 12 {
		return none(), false
	}
	prec += guard
	z := float(x, prec)
	z2 := new(big.Float).SetPrec(prec).Mul(z, z)
	sum := new(big.Float).SetPrec(prec).Set(z)
	term := new(big.Float).SetPrec(prec).Set(z)
	for n := int64(3); ; n += 2 {
		term.Mul(term, z2)
		term.Quo(term, new(big.Float).SetInt64(n))
		sum.Add(sum, term)
		if term.MantExp(nil) < sum.MantExp(nil)-int(prec) {
			break
		}
	}
	// φ(x) = e^(−x²/2)/√(2π)
	half := big.NewFloat(0.5)
	e := bigExp(z2.Neg(z2.Mul(z2, half)), prec)
	sum.Mul(sum, e.Quo(e, c.rootTwoPi(prec)))
	return new(big.Float).SetPrec(prec).Sub(half, sum), false
}

// tail is e^(−x)/2.
func (laplace) tail(x *big.Rat, prec uint, _ *constants) (*big.Float, bool) {
	if v, _ := x.Float64(); v > 100 {
		return none(), false
	}
	z := float(x, prec+guard)
	p := bigExp(z.Neg(z), prec+guard)
	return p.Mul(p, big.NewFloat(0.5)), false
}

// tail is (1−x)/2, in rational arithmetic.
func (uniform) tail(x *big.Rat, _ uint, _ *constants) (*big.Float, bool) {
	one := big.NewRat(1, 1)
	if x.Cmp(one) >= 0 {
		return new(big.Float), true
	}
	// ⌊2⁶¹(1−x)/2·…⌋ as an integer, with a last bit that says whether more follows.
	r := new(big.Rat).Sub(one, x)
	n := new(big.Int).Lsh(r.Num(), drawBits)
	d := new(big.Int).Lsh(r.Denom(), 1)
	q, rest := new(big.Int).QuoRem(n, d, new(big.Int))
	p := new(big.Float).SetPrec(128).SetInt(q)
	if rest.Sign() != 0 {
		p.Add(p, big.NewFloat(0.5))
	}
	return p.SetMantExp(p, -drawBits), true
}

// tail is (1+x)^(−a)/2.
func (l pareto) tail(x *big.Rat, prec uint, _ *constants) (*big.Float, bool) {
	v, _ := x.Float64()
	if l.a*math.Log1p(v) > 100 {
		return none(), false
	}
	_, exp := math.Frexp(l.a) // the logarithm's error is multiplied by a
	prec += guard + uint(max(0, exp))
	z := float(x, prec)
	z.Add(z, big.NewFloat(1))
	e := bigLog(z, prec)
	e.Mul(e, big.NewFloat(-l.a))
	p := bigExp(e, prec)
	return p.Mul(p, big.NewFloat(0.5)), false
}
