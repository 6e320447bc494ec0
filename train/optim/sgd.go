package optim

import "gonum.org/v1/gonum/blas/blas32"

// sgd is stochastic gradient descent with momentum, in the form that PyTorch uses:
//
//	g ← scale·grad + decay·w;  v ← momentum·v + g;  w ← w − rate·v, or w − rate·(g + momentum·v) after Nesterov.
type sgd struct {
	config   Config
	ps       []Parameter
	spans    []span
	values   int
	velocity [][]float32 // nil without momentum
}

func newSGD(c Config, ps []Parameter) *sgd {
	s := &sgd{config: c, ps: ps, spans: split(ps), values: count(ps)}
	if c.Momentum > 0 {
		s.velocity = memory(ps)
	}
	return s
}

// State returns the velocities.
func (s *sgd) State() []Tensor {
	if s.velocity == nil {
		return nil
	}
	return tensors("velocity/", s.ps, s.velocity)
}

// Update takes one step.
func (s *sgd) Update(u Update) {
	spread(len(s.spans), s.values, func(i int) { s.update(u, s.spans[i]) })
}

func (s *sgd) update(u Update, at span) {
	p := &s.ps[at.parameter]
	rate, momentum, decay := u.Rate*p.Rate, float32(s.config.Momentum), s.config.WeightDecay
	if !p.Decay {
		decay = 0
	}
	vector := func(data []float32) blas32.Vector {
		return blas32.Vector{N: at.to - at.from, Inc: 1, Data: data[at.from:at.to]}
	}
	w, g := vector(p.Values), vector(p.Grad)
	// Without v the step is −rate·g; the shrinking of w comes last, so that it does not see its own
	// step.
	direct := s.velocity == nil || s.config.Nesterov
	if s.velocity != nil {
		v := vector(s.velocity[at.parameter])
		blas32.Scal(momentum, v)
		blas32.Axpy(float32(u.Scale), g, v)
		if decay > 0 {
			blas32.Axpy(float32(decay), w, v)
		}
		along := rate
		if s.config.Nesterov {
			along *= s.config.Momentum
		}
		if direct && decay > 0 {
			blas32.Scal(float32(1-rate*decay), w)
		}
		blas32.Axpy(float32(-along), v, w)
	} else if decay > 0 {
		blas32.Scal(float32(1-rate*decay), w)
	}
	if direct {
		blas32.Axpy(float32(-rate*u.Scale), g, w)
	}
}
