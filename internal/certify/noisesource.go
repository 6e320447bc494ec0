package certify

import (
	"context"
	"fmt"
	"io"
	"math"

	"ucan/internal/dataset"
	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
)

// NoiseSource makes the sealed noise of an input: once, from the clean input, before any sample is
// drawn. One goroutine at a time may use it.
type NoiseSource struct {
	// Generator makes the fields; nil stands for μ = 0 and s = 1.
	Generator npg.Generator
	// NPG is what certificates say of the generator; nil without one.
	NPG *certificate.NPG
	// Trained is a bundle's own record of its training; nil without one.
	Trained map[string]any
	// Note says what a field was measured on, and Warning what speaks against the noise; "" for
	// nothing.
	Note, Warning string
	// Family, Norm and Lambda are those of smooth.Noise.
	Family family.Family
	Norm   family.Norm
	Lambda float64
	// Arithmetic is how the noise is added; "" means smooth.Float32.
	Arithmetic smooth.Arithmetic
	// Dim is the number of coordinates of an input.
	Dim int

	fixed *inputNoise
}

// inputNoise is the noise of one input with what its certificate says of the generator.
type inputNoise struct {
	*smooth.SealedNoise
	npg *certificate.NPG
}

// Guarantee is what certificates with this noise hold for.
func (m *NoiseSource) Guarantee() smooth.Guarantee {
	if m.Generator == nil {
		return smooth.Deployed
	}
	return m.Generator.Guarantee()
}

// Seal returns the noise for the clean input x. Noise that does not depend on the input is sealed
// once, and x may then be nil.
func (m *NoiseSource) Seal(ctx context.Context, x []float32) (*smooth.SealedNoise, error) {
	noise, err := m.forInput(ctx, x)
	return noise.SealedNoise, err
}

// SealItem is [NoiseSource.Seal] for an input of a data source.
func (m *NoiseSource) SealItem(ctx context.Context, item dataset.Item) (*smooth.SealedNoise, error) {
	return m.Seal(ctx, item.X)
}

// forInput is Seal with the generator's record for this input.
func (m *NoiseSource) forInput(ctx context.Context, x []float32) (inputNoise, error) {
	if m.fixed != nil {
		return *m.fixed, nil
	}
	noise := m.noise()
	out := inputNoise{npg: m.NPG}
	if m.Generator != nil {
		parameters, err := m.Generator.Parameters(ctx, x)
		if err != nil {
			return inputNoise{}, fmt.Errorf("make the noise parameters: %w", err)
		}
		noise.Fields = parameters.Fields
		if m.NPG != nil {
			record := *m.NPG
			record.Floored, record.Ceiled = parameters.Floored, parameters.Ceiled
			out.npg = &record
		}
	}
	var err error
	if out.SealedNoise, err = noise.Seal(m.Dim); err != nil {
		return inputNoise{}, err
	}
	if m.Guarantee() == smooth.Deployed {
		m.fixed = &out
	}
	return out, nil
}

// Nominal returns noise to plan with before any input is seen: the noise itself where it is the
// same for all inputs, otherwise that of s = 1 and μ = 0.
func (m *NoiseSource) Nominal(ctx context.Context) (*smooth.SealedNoise, error) {
	if m.Guarantee() == smooth.Deployed {
		return m.Seal(ctx, nil)
	}
	return m.noise().Seal(m.Dim)
}

func (m *NoiseSource) noise() smooth.Noise {
	return smooth.Noise{Family: m.Family, Norm: m.Norm, Lambda: m.Lambda, Arithmetic: m.Arithmetic}
}

// Close releases what the generator runs on.
func (m *NoiseSource) Close() error {
	if c, ok := m.Generator.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// TrainedUnder names the noise that a bundle was trained under where that is other noise than the
// source's, or returns "".
func (m *NoiseSource) TrainedUnder() string {
	name, _ := m.Trained["noise"].(string)
	var lambda float64
	switch v := m.Trained["lambda"].(type) {
	case float64:
		lambda = v
	case int:
		lambda = float64(v)
	}
	same := name == m.Family.Name() && math.Abs(lambda-m.Lambda) <= 1e-6*m.Lambda
	if name == "" || !(lambda > 0) || same {
		return ""
	}
	return fmt.Sprintf("%s (λ = %g)", name, lambda)
}
