package denoiser

import (
	"context"
	"errors"
	"fmt"

	"ucan/runtime"
	"ucan/smooth"
	"ucan/train"
	"ucan/train/validate"
)

// Validator measures the present denoiser in front of a classifier on held-out inputs, as both
// would be certified.
type Validator struct {
	Runtime   *runtime.Runtime
	Objective *Objective
	// Classifier is f. The caller closes it.
	Classifier smooth.Classifier
	// Images are the held-out inputs.
	Images validate.Images
	Noise  validate.Noise
	// Options configure how much is measured.
	Options validate.Options
}

var _ train.Validator = (*Validator)(nil)

// Validate exports the denoiser and measures it.
func (v *Validator) Validate(ctx context.Context) (_ train.Validation, err error) {
	m, err := v.Objective.Export()
	if err != nil {
		return train.Validation{}, err
	}
	b, err := m.Marshal()
	if err != nil {
		return train.Validation{}, err
	}
	c := v.Objective.config
	dims, dim := []int64{0}, 1
	for _, n := range c.Shape {
		dims, dim = append(dims, int64(n)), dim*n
	}
	dims[0] = int64(len(v.Classifier.Input()) / dim)
	options := c.Session
	options.Outputs = nil
	s, err := v.Runtime.NewFloatSession(ctx, b, options, func(runtime.IO, bool) ([]int64, error) { return dims, nil })
	if err != nil {
		return train.Validation{}, fmt.Errorf("open the denoiser: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return validate.Run(ctx, []smooth.Classifier{&denoised{s, v.Classifier}}, v.Images, dim, v.Noise, v.Options)
}

// denoised is a classifier behind a denoiser.
type denoised struct {
	denoiser   *runtime.FloatSession
	classifier smooth.Classifier
}

var _ smooth.Classifier = (*denoised)(nil)

// Input returns the batch to fill.
func (d *denoised) Input() []float32 { return d.denoiser.In[0] }

// Classify denoises and classifies the first rows of it.
func (d *denoised) Classify(ctx context.Context, rows int) ([]int32, error) {
	if err := d.denoiser.Run(ctx); err != nil {
		return nil, err
	}
	copy(d.classifier.Input(), d.denoiser.Out[0])
	return d.classifier.Classify(ctx, rows)
}
