package fit

import (
	"context"
	"errors"
	"fmt"
	"math"

	"ucan/internal/fault"
	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/train/spectral"
)

// SpectralConfig configures noise that is shaped to the data in closed form (package spectral).
type SpectralConfig struct {
	// Run has the folder and the data. Resume makes the bundle anew where there is one; no seed is
	// used and nothing is held out.
	Run
	// Shape says what the noise may do.
	Shape spectral.Config
}

// SpectralResult is noise in closed form.
type SpectralResult struct {
	Bundle *bundle.Bundle
	// Noise is what was found, GeometricMean the geometric mean of its scales.
	Noise         *spectral.Noise
	GeometricMean float64
	// Inputs were measured.
	Inputs int
}

// Spectral measures the data, makes the noise of largest volume at the configured loss, and writes
// it as the bundle of a dataset-wise generator in the DCT basis.
func Spectral(ctx context.Context, c SpectralConfig) (*SpectralResult, error) {
	if err := c.CheckFolder(); err != nil {
		return nil, err
	}
	info := c.Data.Source.Info()
	if len(info.Shape) < 2 {
		return nil, fault.Refusedf("shape noise to the spectrum of %s: its inputs have the shape %v, and no frequencies; take images or series, or learn a field without --method spectral", info.Name, info.Shape)
	}
	m, err := c.measure(ctx)
	if err != nil {
		return nil, err
	}
	transform, power, err := m.DCT()
	if err != nil {
		return nil, err
	}
	n, err := spectral.Shape(power, c.Shape)
	if errors.Is(err, spectral.ErrConfig) {
		err = fault.Mark(fault.Wrong, err)
	}
	if err != nil {
		return nil, fmt.Errorf("shape noise to the spectrum of %s: %w", info.Name, err)
	}
	sigma, logs := make([]float32, len(n.Scales)), 0.0
	for k, s := range n.Scales {
		sigma[k] = float32(s)
		logs += math.Log(s)
	}
	s := c.Data.Selection
	b := &bundle.Bundle{
		Kind: npg.KindDataset, Basis: transform.Name(), Shape: m.Shape, FixedMean: true,
		Limits: npg.Limits{Floor: c.Shape.Floor, Ceiling: c.Shape.Ceiling},
		Sigma:  sigma,
		Training: map[string]any{
			"method": "spectral", "noise": "gaussian", "lambda": 1.0, "distortion": c.Shape.Distortion, "lost": n.Lost,
			"at_ceiling": n.Capped, "data": info.Name, "fingerprint": info.Fingerprint, "inputs": m.Inputs,
			"skip": s.Skip, "stride": s.Stride,
		},
	}
	r := &SpectralResult{Bundle: b, Noise: n, GeometricMean: math.Exp(logs / float64(len(sigma))), Inputs: m.Inputs}
	return r, bundle.Write(c.Dir, b)
}
