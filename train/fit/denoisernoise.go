package fit

import (
	"context"
	"errors"
	"fmt"
	"math"

	"ucan/internal/fault"
	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/train/data"
	"ucan/train/validate"
)

// typicalInputs is how many inputs are asked for their noise, where every one has its own.
const typicalInputs = 64

// typicalNoise is what the filter and the scales of the net's inputs are made for: the noise
// itself, or, where every input has its own, noise of the mean offset and the root mean square of
// the scales over some inputs.
func (t *denoiserTraining) typicalNoise(ctx context.Context) error {
	t.typical = t.Noise
	if t.Generator == nil {
		return nil
	}
	some := t.set.Spread(min(typicalInputs, t.set.Len()))
	d, n := some.Dim(), float64(some.Len())
	x, mu, square := make([]float32, d), make([]float64, d), make([]float64, d)
	var u *basis.Transform
	for i := range some.Len() {
		some.Read(i, x)
		p, err := t.Generator.Parameters(ctx, x)
		if err != nil {
			return fmt.Errorf("noise parameters of input %d: %w", some.Index(i), err)
		}
		if i > 0 && p.Basis() != u {
			return errors.New("train a denoiser: the generator's noise is in another basis for every input")
		}
		u = p.Basis()
		offset := make([]float32, d)
		p.AddMu(offset)
		scale := p.AppendSigma(nil)
		for k := range d {
			s := 1.0
			if len(scale) > 0 {
				s = float64(scale[k])
			}
			mu[k] += float64(offset[k]) / n
			square[k] += s * s / n
		}
	}
	mean, root := make([]float32, d), make([]float32, d)
	for k := range d {
		mean[k], root[k] = float32(mu[k]), float32(math.Sqrt(square[k]))
	}
	noise := t.Noise.Noise()
	var err error
	if noise.Fields, err = smooth.NewFields(d, mean, root, u); err == nil {
		t.typical, err = noise.Seal(d)
	}
	if err != nil {
		return fmt.Errorf("train a denoiser: the mean of the noise of %d inputs: %w", some.Len(), err)
	}
	return nil
}

// shaper gives the noise of a training input.
func (t *denoiserTraining) shaper() data.Shaper {
	if t.Generator != nil {
		return data.FromGenerator(t.Generator)
	}
	return data.Fixed(t.Noise.Noise().Fields)
}

// validationNoise is that of a held-out input: the denoiser's; of a range of scales, the middle.
func (t *denoiserTraining) validationNoise() (validate.Noise, error) {
	if t.Generator != nil {
		return t.Seal, nil
	}
	noise := t.Noise
	if t.Training.Lowest > 0 {
		n := noise.Noise()
		n.Lambda *= (1 + t.Training.Lowest) / 2
		var err error
		if noise, err = n.Seal(noise.Dim()); err != nil {
			return nil, fmt.Errorf("train a denoiser: %w", err)
		}
	}
	return func(context.Context, []float32) (*smooth.SealedNoise, error) { return noise, nil }, nil
}

// checkNoise refuses noise that cannot be trained for as asked.
func (t *denoiserTraining) checkNoise() error {
	lowest := t.Training.Lowest
	switch {
	case lowest == 0:
		return nil
	case !(lowest > 0 && lowest < 1):
		return fault.Wrongf("train a denoiser: noise scaled down to %v; give a factor between 0 and 1", lowest)
	case t.Generator != nil:
		return fault.Refusedf("train a denoiser for a range of σ: the generator makes other noise for every input; give noise that is fixed")
	case t.Noise.Noise().Mu() != nil:
		return fault.Refusedf("train a denoiser for a range of σ: the noise has an offset, which does not scale with it; give noise without")
	}
	return nil
}
