package data

import (
	"context"

	"ucan/npg"
	"ucan/smooth"
)

// FromGenerator shapes noise by a generator. What it makes before it sees any input is made once.
func FromGenerator(g npg.Generator) Shaper {
	var fixed *smooth.Fields
	return func(ctx context.Context, clean []float32) (smooth.Fields, error) {
		if fixed != nil {
			return *fixed, nil
		}
		p, err := g.Parameters(ctx, clean)
		if err != nil {
			return smooth.Fields{}, err
		}
		if g.Guarantee() == smooth.Deployed {
			fixed = &p.Fields
		}
		return p.Fields, nil
	}
}
