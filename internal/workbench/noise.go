package workbench

import (
	"context"
	"slices"

	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/family"
)

// Noise says what noise is drawn. Exactly one of Sigma and Lambda is positive.
type Noise struct {
	Family family.Isotropic
	Norm   family.Norm
	// Sigma is the standard deviation a coordinate, on the data's scale; Lambda the family's raw scale.
	Sigma, Lambda float64
	// SigmaField and MuField are .npy files in the inputs' shape, NPG a generator's specification; "" for none. Fields
	// and a generator exclude each other.
	SigmaField, MuField, NPG string
	// Limits are the floor and the ceiling of a generator given as .npy or ONNX files; bundles and patterns have their
	// own. The zero value stands for [npg.DefaultLimits].
	Limits npg.Limits
	// FixedMean sets μ = 0 for a generator given as ONNX files.
	FixedMean  bool
	Arithmetic smooth.Arithmetic
}

// NoiseMaker builds the noise that o describes, for inputs of the bench, which needs no model. Whoever asked for it closes it.
func (b *Bench) NoiseMaker(ctx context.Context, o Noise) (*pipeline.NoiseMaker, error) {
	dim := 1
	for _, n := range b.Info.Shape {
		dim *= n
	}
	noise, err := family.ForDim(o.Family, dim)
	if err != nil {
		return nil, option(err)
	}
	lambda := o.Lambda
	if lambda == 0 {
		if lambda, err = smooth.LambdaFor(noise, dim, o.Sigma); err != nil {
			return nil, option(err)
		}
	}
	maker := &pipeline.NoiseMaker{Family: noise, Norm: o.Norm, Lambda: lambda, Arithmetic: o.Arithmetic, Dim: dim}
	switch {
	case o.NPG != "":
		if maker.Generator, maker.NPG, maker.Trained, err = b.generator(ctx, o); err != nil {
			return nil, err
		}
	case o.SigmaField != "" || o.MuField != "":
		sigma, err := readField(ctx, o.SigmaField, b.Info.Shape)
		if err != nil {
			return nil, err
		}
		mu, err := readField(ctx, o.MuField, b.Info.Shape)
		if err != nil {
			return nil, err
		}
		fields, err := smooth.NewFields(dim, mu, sigma, nil)
		if err != nil {
			return nil, optionf("read the noise fields: %w", err)
		}
		maker.Generator = npg.NewField(npg.Parameters{Fields: fields})
	}
	return maker, nil
}

// readField reads a .npy field in the source's shape; "" gives nil.
func readField(ctx context.Context, path string, shape []int) ([]float32, error) {
	if path == "" {
		return nil, nil
	}
	values, got, err := dataset.ReadField(ctx, path)
	if err != nil {
		return nil, optionf("read the noise field %q: %w", path, err)
	}
	if !slices.Equal(got, shape) {
		return nil, optionf("read the noise field %q: its shape is %v and the inputs' %v; store one value per coordinate, in the source's layout", path, got, shape)
	}
	return values, nil
}
