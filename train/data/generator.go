package data

import (
	"context"

	"ucan/npg"
	"ucan/smooth"
)

// FromGenerator shapes noise by a generator. What it makes before it sees any input is made once.
func FromGenerator(g npg.Generator) Shaper {
	var fixed *Shape
	return func(ctx context.Context, clean []float32) (Shape, error) {
		if fixed != nil {
			return *fixed, nil
		}
		p, err := g.Parameters(ctx, clean)
		if err != nil {
			return Shape{}, err
		}
		s := Shape{Mu: p.Mu(), Sigma: p.Sigma(), Basis: p.Basis()}
		if g.Guarantee() == smooth.Deployed {
			fixed = &s
		}
		return s, nil
	}
}
