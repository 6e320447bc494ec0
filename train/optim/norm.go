package optim

import "math"

// Norm computes the ℓ2 norm of all gradients together, step after step without allocating.
type Norm struct {
	ps     []Parameter
	spans  []span
	values int
	sums   []float64
}

// NewNorm prepares for the parameters.
func NewNorm(ps []Parameter) *Norm {
	spans := split(ps)
	return &Norm{ps: ps, spans: spans, values: count(ps), sums: make([]float64, len(spans))}
}

// Of returns the norm of the present gradients; NaN or +Inf when one of them is. Squares are added
// in float64, in an order that the sizes alone fix.
func (n *Norm) Of() float64 {
	spread(len(n.spans), n.values, func(i int) {
		at := n.spans[i]
		n.sums[i] = squares(n.ps[at.parameter].Grad[at.from:at.to])
	})
	total := 0.0
	for _, s := range n.sums {
		total += s
	}
	return math.Sqrt(total)
}

// squares adds up the squares of x in four chains, which a processor runs side by side.
func squares(x []float32) float64 {
	var a, b, c, d float64
	for len(x) >= 4 {
		x0, x1, x2, x3 := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		a += float64(x0 * x0)
		b += float64(x1 * x1)
		c += float64(x2 * x2)
		d += float64(x3 * x3)
		x = x[4:]
	}
	for _, v := range x {
		a += float64(float64(v) * float64(v))
	}
	return (a + b) + (c + d)
}

// ClipScale returns what gradients of the given norm are multiplied by so that their norm is at
// most limit: 1 when it is already, or when limit is 0, which means no clipping (Pascanu, Mikolov,
// Bengio, 2013).
func ClipScale(norm, limit float64) float64 {
	if limit <= 0 || !(norm > limit) {
		return 1
	}
	return limit / norm
}
