package pipeline

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"ucan/internal/dataset"
	"ucan/internal/results"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// Method certifies one input: fixed-n certification is smooth.Smoother.Certify with its statistics bound.
type Method func(ctx context.Context, x []float32, id [32]byte, noise *smooth.SealedNoise, label int) (smooth.Certification, error)

// Certifier turns inputs into rows and certificates.
type Certifier struct {
	Method Method
	Noise  *NoiseMaker
	// Head holds what all certificates of the run have in common; Input, NPG and Run.Seconds are filled in for each.
	Head certificate.Head
	// Source names the data source in certificates.
	Source string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Certify certifies one usable input.
func (c *Certifier) Certify(ctx context.Context, item dataset.Item) (results.Row, *certificate.Certificate, error) {
	begin := c.now()
	made, err := c.Noise.Make(ctx, item.X)
	if err != nil {
		return results.Row{}, nil, fmt.Errorf("certify input %d of %s: %w", item.Index, c.Source, err)
	}
	noise := made.Noise
	result, err := c.Method(ctx, item.X, item.SHA256, noise, item.Label)
	if err != nil {
		return results.Row{}, nil, fmt.Errorf("certify input %d of %s: %w", item.Index, c.Source, err)
	}
	seconds := c.now().Sub(begin).Seconds()
	head := c.head(item, seconds)
	head.NPG = made.NPG
	cert, err := certificate.New(head, noise, result)
	if err != nil {
		return results.Row{}, nil, fmt.Errorf("certify input %d of %s: %w", item.Index, c.Source, err)
	}
	return RowOf(cert), cert, nil
}

// Fail records an input that could not be used. Its certificate says why and claims nothing.
func (c *Certifier) Fail(item dataset.Item, reason error) (results.Row, *certificate.Certificate, error) {
	head := c.head(item, 0)
	var noise *smooth.SealedNoise
	if made := c.Noise.fixed; made != nil {
		noise, head.NPG = made.Noise, made.NPG
	}
	cert, err := certificate.NewFailed(head, noise, reason.Error())
	if err != nil {
		return results.Row{}, nil, fmt.Errorf("record input %d of %s as failed: %w", item.Index, c.Source, err)
	}
	r := RowOf(cert)
	r.Norm = c.Noise.Norm.String()
	return r, cert, nil
}

func (c *Certifier) head(item dataset.Item, seconds float64) certificate.Head {
	head := c.Head
	head.Guarantee, head.NPG = c.Noise.Guarantee(), c.Noise.NPG
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
