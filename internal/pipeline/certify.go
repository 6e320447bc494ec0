package pipeline

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"ucan/internal/dataset"
	"ucan/internal/results"
	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
)

// Method certifies one input: fixed-n certification is smooth.Smoother.Certify with its statistics bound.
type Method func(ctx context.Context, x []float32, id [32]byte, noise *smooth.SealedNoise, label int) (smooth.Certification, error)

// NoiseMaker makes the sealed noise of an input: once, from the clean input, before any sample is drawn.
type NoiseMaker struct {
	// Generator makes the fields; nil stands for μ = 0 and s = 1.
	Generator npg.Generator
	// Family, Norm and Lambda are those of smooth.Noise.
	Family family.Family
	Norm   family.Norm
	Lambda float64
	// Arithmetic is how the noise is added; "" means smooth.Float32.
	Arithmetic smooth.Arithmetic
	// Dim is the number of coordinates of an input.
	Dim int

	fixed *smooth.SealedNoise
}

// Guarantee is what certificates with this noise hold for.
func (m *NoiseMaker) Guarantee() certificate.Guarantee {
	if m.Generator == nil {
		return certificate.Deployed
	}
	return certificate.Guarantee(m.Generator.Guarantee())
}

// Seal returns the noise for the clean input x. Noise that does not depend on the input is sealed once.
func (m *NoiseMaker) Seal(ctx context.Context, x []float32) (*smooth.SealedNoise, error) {
	if m.fixed != nil {
		return m.fixed, nil
	}
	noise := smooth.Noise{Family: m.Family, Norm: m.Norm, Lambda: m.Lambda, Arithmetic: m.Arithmetic}
	if m.Generator != nil {
		parameters, err := m.Generator.Parameters(ctx, x)
		if err != nil {
			return nil, fmt.Errorf("make the noise parameters: %w", err)
		}
		noise.Mu, noise.Sigma = parameters.Mu(), parameters.Sigma()
	}
	sealed, err := noise.Seal(m.Dim)
	if err != nil {
		return nil, err
	}
	if m.Generator == nil || m.Generator.Guarantee() == npg.Deployed {
		m.fixed = sealed
	}
	return sealed, nil
}

// Certifier turns inputs into rows and certificates.
type Certifier struct {
	Method Method
	Noise  *NoiseMaker
	// Head holds what all certificates of the run have in common; Input and Run.Seconds are filled in for each.
	Head certificate.Head
	// Source names the data source in certificates.
	Source string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Certify certifies one usable input.
func (c *Certifier) Certify(ctx context.Context, item dataset.Item) (results.Row, *certificate.Certificate, error) {
	begin := c.now()
	noise, err := c.Noise.Seal(ctx, item.X)
	if err != nil {
		return results.Row{}, nil, fmt.Errorf("certify input %d of %s: %w", item.Index, c.Source, err)
	}
	result, err := c.Method(ctx, item.X, item.SHA256, noise, item.Label)
	if err != nil {
		return results.Row{}, nil, fmt.Errorf("certify input %d of %s: %w", item.Index, c.Source, err)
	}
	seconds := c.now().Sub(begin).Seconds()
	cert, err := certificate.New(c.head(item, seconds), noise, result)
	if err != nil {
		return results.Row{}, nil, fmt.Errorf("certify input %d of %s: %w", item.Index, c.Source, err)
	}
	return RowOf(cert), cert, nil
}

// Fail records an input that could not be used. Its certificate says why and claims nothing.
func (c *Certifier) Fail(item dataset.Item, reason error) (results.Row, *certificate.Certificate, error) {
	cert, err := certificate.NewFailed(c.head(item, 0), c.Noise.fixed, reason.Error())
	if err != nil {
		return results.Row{}, nil, fmt.Errorf("record input %d of %s as failed: %w", item.Index, c.Source, err)
	}
	r := RowOf(cert)
	r.Norm = c.Noise.Norm.String()
	return r, cert, nil
}

func (c *Certifier) head(item dataset.Item, seconds float64) certificate.Head {
	head := c.Head
	head.Guarantee = c.Noise.Guarantee()
	head.Input = certificate.Input{Source: c.Source, Index: int64(item.Index), Shape: item.Shape, Label: item.Label}
	if item.X != nil {
		head.Input.SHA256 = hex.EncodeToString(item.SHA256[:])
	}
	head.Run.Seconds = certificate.Float(seconds)
	return head
}

func (c *Certifier) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// RowOf is the table's view of a certificate.
func RowOf(c *certificate.Certificate) results.Row {
	r := results.Row{
		Index: int(c.Input.Index), Label: c.Input.Label, Predict: c.Predict, Seconds: float64(c.Run.Seconds),
		Norm: c.Noise.Norm, PLower: float64(c.Statistics.PLower), K: c.Statistics.K, N: c.Statistics.N,
		Guarantee: string(c.Guarantee), Status: results.Status(c.Status),
		Correct: c.Correct != nil && *c.Correct,
	}
	if c.Status != certificate.Certified {
		return r
	}
	r.L1, r.L2, r.LInf, r.ALM = float64(c.Radii.L1), float64(c.Radii.L2), float64(c.Radii.LInf), float64(c.ALM)
	r.Radius = map[string]float64{"l1": r.L1, "l2": r.L2, "linf": r.LInf}[c.Noise.Norm]
	return r
}
