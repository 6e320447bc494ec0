package optim

import "math"

// adamW is Adam with decoupled weight decay (Loshchilov, Hutter 2019, algorithm 2; Kingma, Ba
// 2015), as PyTorch's:
//
//	w ← w·(1 − rate·decay);  m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;
//	w ← w − rate/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε).
type adamW struct {
	config        Config
	ps            []Parameter
	spans         []span
	values        int
	first, second [][]float32
}

func newAdamW(c Config, ps []Parameter) *adamW {
	return &adamW{config: c, ps: ps, spans: split(ps), values: count(ps), first: memory(ps), second: memory(ps)}
}

// State returns both moments.
func (a *adamW) State() []Tensor {
	return append(tensors("moment1/", a.ps, a.first), tensors("moment2/", a.ps, a.second)...)
}

// Update takes one step.
func (a *adamW) Update(u Update) {
	c := adamStep{
		scale:  float32(u.Scale),
		keep1:  float32(a.config.Beta1),
		take1:  float32(1 - a.config.Beta1),
		keep2:  float32(a.config.Beta2),
		take2:  float32(1 - a.config.Beta2),
		unbias: float32(1 / math.Sqrt(1-math.Pow(a.config.Beta2, float64(u.Step)))),
		eps:    float32(a.config.Epsilon),
	}
	unbias1 := 1 - math.Pow(a.config.Beta1, float64(u.Step))
	spread(len(a.spans), a.values, func(i int) {
		at := a.spans[i]
		p := &a.ps[at.parameter]
		s := c
		rate := u.Rate * p.Rate
		s.size, s.shrink = float32(rate/unbias1), 1
		if p.Decay {
			s.shrink = float32(1 - rate*a.config.WeightDecay)
		}
		s.apply(p.Values[at.from:at.to], p.Grad[at.from:at.to],
			a.first[at.parameter][at.from:at.to], a.second[at.parameter][at.from:at.to])
	})
}

// adamStep holds a step's numbers for one parameter. applyVector reads its fields
// by their places.
type adamStep struct {
	scale, keep1, take1, keep2, take2, unbias, eps, size, shrink float32
}

// apply updates slices of equal length.
func (s *adamStep) apply(w, g, m, v []float32) {
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	done := 0
	if vector && len(w) >= 8 {
		done = len(w) &^ 7
		applyVector(s, &w[0], &g[0], &m[0], &v[0], done)
	}
	s.scalar(w[done:], g[done:], m[done:], v[done:])
}

// scalar is apply, value by value. Products are rounded before sums (the conversions forbid fused
// arithmetic), so that all processors agree.
func (s *adamStep) scalar(w, g, m, v []float32) {
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	for i := range w {
		gi := s.scale * g[i]
		mi := float32(s.keep1*m[i]) + float32(s.take1*gi)
		vi := float32(s.keep2*v[i]) + float32(s.take2*float32(gi*gi))
		m[i], v[i] = mi, vi
		root := float32(math.Sqrt(float64(vi)))
		w[i] = float32(s.shrink*w[i]) - float32(s.size*mi)/(float32(root*s.unbias)+s.eps)
	}
}
