package attack

import (
	"context"
	"fmt"
	"slices"

	"ucan/internal/fault"
	"ucan/npg"
	"ucan/smooth"
)

// Derivative multiplies with the derivatives of a generator's fields; *infer.Derivative is one.
type Derivative interface {
	// Add adds Σ_i mu_i ∂μ_i/∂x + Σ_i sigma_i ∂s_i/∂x at x to dst.
	Add(ctx context.Context, dst []float64, x []float32, mu, sigma []float64) error
}

// Drift makes claims about a service that makes its noise anew from each request.
type Drift struct {
	Generator npg.Generator
	// Derivative is nil where the generator has none: ascents then follow the classifier alone.
	Derivative Derivative
}

// Recomputed changes a claim to the noise that the generator makes at each point, in the family, at
// the scale and in the arithmetic of the certificate. It refuses a generator that makes other noise
// at the certified input than the certificate stores.
func (d Drift) Recomputed(ctx context.Context, c *Claim) error {
	stored, err := c.Noise(ctx, c.X)
	if err != nil {
		return err
	}
	base := stored.Noise()
	c.Noise = func(ctx context.Context, y []float32) (*smooth.SealedNoise, error) {
		p, parametersErr := d.Generator.Parameters(ctx, y)
		if parametersErr != nil {
			return nil, parametersErr
		}
		n := base
		n.Fields = p.Fields
		return n.Seal(len(y))
	}
	made, err := c.Noise(ctx, c.X)
	if err != nil {
		return err
	}
	if !sameFields(stored.Noise().Fields, made.Noise().Fields) {
		return fault.Refusedf("the generator makes other noise from the certified input than the certificate stores; give the generator of the run, with its --floor, --ceiling and --fixed-mean")
	}
	if d.Derivative != nil {
		c.Through = d.through
	}
	return nil
}

// sameFields reports whether two fields are equal; nil stands for zeros of μ and ones of s.
func sameFields(a, b smooth.Fields) bool {
	same := func(x, y []float32, none float32) bool {
		if x == nil {
			x, y = y, x
		}
		if y == nil {
			return !slices.ContainsFunc(x, func(v float32) bool { return v != none })
		}
		return slices.Equal(x, y)
	}
	basis := func(f smooth.Fields) string {
		if u := f.Basis(); u != nil {
			return fmt.Sprint(u.Name(), u.Shape())
		}
		return ""
	}
	return same(a.Mu(), b.Mu(), 0) && same(a.Sigma(), b.Sigma(), 1) && basis(a) == basis(b)
}

// through is [Claim.Through] for noise μ(y) + U(λ·s(y) ⊙ ε). By μ the loss has the gradient by a
// shift of the rows; by s_k it has Σ_r (Uᵀg_r)_k·(λε_r)_k, and λε_r is the noise of row r in the
// basis over s.
func (d Drift) through(ctx context.Context, sum []float64, at Drawn) error {
	return d.Derivative.Add(ctx, sum, at.Y, slices.Clone(sum), at.ofSigma())
}

// ofSigma is the gradient of the loss by the scales.
func (at Drawn) ofSigma() []float64 {
	noise, rows, gradient := at.Noise.Noise(), at.Rows, at.Gradient
	mu, s, u := noise.Mu(), noise.Sigma(), noise.Basis()
	dim := len(at.Base)
	ofSigma := make([]float64, dim)
	drawn, g, buffer := make([]float64, dim), make([]float64, dim), make([]float64, dim)
	for r := range len(rows) / dim {
		for i := range dim {
			drawn[i] = float64(rows[r*dim+i]) - float64(at.Base[i])
			if mu != nil {
				drawn[i] -= float64(mu[i])
			}
			g[i] = float64(gradient[r*dim+i])
		}
		if u != nil {
			u.Coefficients(buffer, drawn)
			copy(drawn, buffer)
			u.Coefficients(buffer, g)
			copy(g, buffer)
		}
		for k := range dim {
			scale := 1.0
			if s != nil {
				scale = float64(s[k])
			}
			ofSigma[k] += g[k] * drawn[k] / scale
		}
	}
	return ofSigma
}
