package workbench

import (
	"context"
	"slices"
	"strings"

	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/certificate"
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
	Arithmetic               smooth.Arithmetic
}

// NoiseMaker builds the noise that o describes, for inputs of the bench, and what certificates say of its generator. The
// bench needs no model.
func (b *Bench) NoiseMaker(ctx context.Context, o Noise) (*pipeline.NoiseMaker, *certificate.NPG, error) {
	dim := 1
	for _, n := range b.Info.Shape {
		dim *= n
	}
	noise, err := family.ForDim(o.Family, dim)
	if err != nil {
		return nil, nil, option(err)
	}
	lambda := o.Lambda
	if lambda == 0 {
		if lambda, err = smooth.LambdaFor(noise, dim, o.Sigma); err != nil {
			return nil, nil, option(err)
		}
	}
	maker := &pipeline.NoiseMaker{Family: noise, Norm: o.Norm, Lambda: lambda, Arithmetic: o.Arithmetic, Dim: dim}
	var record *certificate.NPG
	switch {
	case o.NPG != "":
		parameters, spec, err := generate(ctx, o.NPG, b.Info.Shape)
		if err != nil {
			return nil, nil, err
		}
		maker.Generator = npg.NewField(parameters)
		record = &certificate.NPG{Kind: "pattern", Spec: spec}
	case o.SigmaField != "" || o.MuField != "":
		sigma, err := readField(ctx, o.SigmaField, b.Info.Shape)
		if err != nil {
			return nil, nil, err
		}
		mu, err := readField(ctx, o.MuField, b.Info.Shape)
		if err != nil {
			return nil, nil, err
		}
		parameters, err := npg.Seal(dim, mu, sigma)
		if err != nil {
			return nil, nil, optionf("read the noise fields: %w", err)
		}
		maker.Generator = npg.NewField(parameters)
	}
	return maker, record, nil
}

// generate evaluates the generator spec for inputs of the shape and returns the spec with its defaults filled in.
func generate(_ context.Context, spec string, shape []int) (npg.Parameters, string, error) {
	if !strings.HasPrefix(spec, "pattern:") {
		return npg.Parameters{}, "", optionf("read --npg: %q is no generator; use pattern:l1|l2|linf,kappa=…,iota=…", spec)
	}
	pattern, err := npg.ParsePattern(spec)
	if err != nil {
		return npg.Parameters{}, "", optionf("read --npg: %w", err)
	}
	parameters, err := pattern.Field(shape)
	if err != nil {
		return npg.Parameters{}, "", optionf("read --npg: %w", err)
	}
	return parameters, pattern.String(), nil
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
		return nil, optionf("read the noise field %q: its shape is %v and the inputs' %v; store one value a coordinate, in the source's layout", path, got, shape)
	}
	return values, nil
}
