package infer

import (
	"context"
	"errors"
	"fmt"

	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/basis"
)

// Network runs one graph.
type Network interface {
	// Evaluate returns the graph's outputs for one input in source layout, each of as many values.
	// They are the caller's to change. It is safe for concurrent use.
	Evaluate(ctx context.Context, x []float32) ([][]float32, error)
}

// Config describes a certification-wise generator.
type Config struct {
	// Dim is the number of coordinates of an input.
	Dim int
	// Basis is that of the scale field; nil stands for the input's own coordinates.
	Basis *basis.Transform
	// Limits are the floor and the ceiling of s.
	Limits npg.Limits
	// MuScale is c, finite.
	MuScale float64
	// Mu is G₁, whose first output is μ/c; nil stands for μ = 0.
	Mu Network
	// Sigma is G₂, whose first output is s, up to sign, for the input x + μ.
	Sigma Network
	// Joint takes the place of both and reads x: its outputs are s, and μ/c after it when there are
	// two. One of Sigma and Joint must be nil.
	Joint Network
	// FixedMean sets μ = 0 whatever the networks say.
	FixedMean bool
}

// Generator is a certification-wise generator; see [Config].
type Generator struct{ cfg Config }

var _ npg.Generator = (*Generator)(nil)

// NewGenerator checks the configuration.
func NewGenerator(c Config) (*Generator, error) {
	if err := c.Limits.Validate(); err != nil {
		return nil, err
	}
	switch {
	case (c.Sigma == nil) == (c.Joint == nil):
		return nil, errors.New("a certification-wise generator needs one network for sigma, alone or with mu")
	case c.Joint != nil && c.Mu != nil:
		return nil, errors.New("a network for mu beside one that gives both; leave one out")
	}
	return &Generator{c}, nil
}

// Parameters runs the networks on the clean input.
func (g *Generator) Parameters(ctx context.Context, x []float32) (npg.Parameters, error) {
	if len(x) != g.cfg.Dim {
		return npg.Parameters{}, fmt.Errorf("an input of %d values for a generator of %d", len(x), g.cfg.Dim)
	}
	mu, sigma, err := g.fields(ctx, x)
	if err != nil {
		return npg.Parameters{}, err
	}
	for i, s := range sigma {
		if s < 0 {
			sigma[i] = -s
		}
	}
	return g.cfg.Limits.Apply(g.cfg.Basis, g.cfg.Dim, mu, sigma)
}

// fields returns μ and the signed s.
func (g *Generator) fields(ctx context.Context, x []float32) (mu, sigma []float32, err error) {
	if g.cfg.Joint != nil {
		out, jointErr := g.cfg.Joint.Evaluate(ctx, x)
		if jointErr != nil || len(out) == 1 || g.cfg.FixedMean {
			return nil, first(out), jointErr
		}
		return g.scaled(out[1]), out[0], nil
	}
	if g.cfg.Mu != nil && !g.cfg.FixedMean {
		out, muErr := g.cfg.Mu.Evaluate(ctx, x)
		if muErr != nil {
			return nil, nil, muErr
		}
		mu = g.scaled(out[0])
		shifted := make([]float32, len(x))
		for i := range x {
			shifted[i] = x[i] + mu[i]
		}
		x = shifted
	}
	out, err := g.cfg.Sigma.Evaluate(ctx, x)
	return mu, first(out), err
}

func first(out [][]float32) []float32 {
	if len(out) == 0 {
		return nil
	}
	return out[0]
}

// scaled multiplies by c.
func (g *Generator) scaled(mu []float32) []float32 {
	for i := range mu {
		mu[i] *= float32(g.cfg.MuScale)
	}
	return mu
}

// Guarantee returns [smooth.Pinned].
func (*Generator) Guarantee() smooth.Guarantee { return smooth.Pinned }
