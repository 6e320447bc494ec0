package certify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ucan/internal/dataset"
	"ucan/internal/fault"
	"ucan/npg"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/smooth/family"
)

// Noise configures what noise is drawn. Exactly one of Sigma and Lambda is positive.
type Noise struct {
	Family family.Isotropic
	Norm   family.Norm
	// Sigma is the standard deviation a coordinate, on the data's scale; Lambda the family's raw
	// scale.
	Sigma, Lambda float64
	// SigmaField and MuField are .npy files in the inputs' shape (SigmaField also
	// [dataset.StdField]), NPG a generator's specification; "" for none. Fields and a generator
	// exclude each other.
	SigmaField, MuField, NPG string
	// Limits are the floor and the ceiling of a generator given as .npy or ONNX files; bundles and
	// patterns have their own. The zero value stands for [npg.DefaultLimits].
	Limits npg.Limits
	// FixedMean sets μ = 0 for a generator given as ONNX files.
	FixedMean  bool
	Arithmetic smooth.Arithmetic
}

// NoiseTarget is the inputs that noise is made for, and what a generator's networks run on.
type NoiseTarget struct {
	// Shape is that of one input.
	Shape []int
	// Source has the inputs, for noise in units of their columns; nil where there are none.
	Source  *dataset.Source
	Runtime *runtime.Runtime
	Session runtime.SessionOptions
}

// NoiseSource opens the noise for inputs of the setup. Close it after use.
func (s *Setup) NoiseSource(ctx context.Context, o Noise) (*NoiseSource, error) {
	return OpenNoise(ctx, o, NoiseTarget{Shape: s.Info.Shape, Source: s.Source, Runtime: s.Runtime, Session: s.Session})
}

// OpenNoise opens the noise for inputs of the target. Close it after use.
func OpenNoise(ctx context.Context, o Noise, t NoiseTarget) (*NoiseSource, error) {
	dim := 1
	for _, n := range t.Shape {
		dim *= n
	}
	noise, err := family.ForDim(o.Family, dim)
	if err != nil {
		return nil, fault.Mark(fault.Wrong, err)
	}
	lambda := o.Lambda
	if lambda == 0 {
		if lambda, err = smooth.LambdaFor(noise, dim, o.Sigma); err != nil {
			return nil, fault.Mark(fault.Wrong, err)
		}
	}
	source := &NoiseSource{Family: noise, Norm: o.Norm, Lambda: lambda, Arithmetic: o.Arithmetic, Dim: dim}
	switch {
	case o.NPG != "":
		if source.Generator, source.NPG, source.Trained, err = t.generator(ctx, o); err != nil {
			return nil, err
		}
	case o.SigmaField != "" || o.MuField != "":
		if source.Generator, source.Note, err = t.fixedFields(ctx, o, dim); err != nil {
			return nil, err
		}
	case t.Source != nil:
		if source.Warning, err = t.Source.UnevenColumns(ctx); err != nil {
			return nil, err
		}
	}
	return source, nil
}

// fixedFields reads the fields of noise that is the same for every input of dim coordinates; the
// note is that of [NoiseTarget.sigmaField].
func (t NoiseTarget) fixedFields(ctx context.Context, o Noise, dim int) (_ npg.Generator, note string, err error) {
	sigma, note, err := t.sigmaField(ctx, o.SigmaField)
	if err != nil {
		return nil, "", err
	}
	mu, err := readField(ctx, o.MuField, t.Shape)
	if err != nil {
		return nil, "", err
	}
	fields, err := smooth.NewFields(dim, mu, sigma, nil)
	if err != nil {
		return nil, "", fault.Wrongf("read the noise fields: %w", err)
	}
	return npg.NewField(npg.Parameters{Fields: fields}), note, nil
}

// sigmaField is the field of scales: that of a file, or, for the word std, the standard deviation
// of each column, with a note on what it was measured.
func (t NoiseTarget) sigmaField(ctx context.Context, name string) (field []float32, note string, err error) {
	if name != dataset.StdField {
		field, err = readField(ctx, name, t.Shape)
		return field, "", err
	}
	if t.Source == nil {
		return nil, "", fault.Wrongf("measure the noise field %q: there are no data; give them, or a .npy file", name)
	}
	spread, err := t.Source.Spread(ctx)
	if err == nil {
		field, err = spread.Field()
	}
	if errors.Is(err, dataset.ErrSpec) {
		err = fault.Mark(fault.Wrong, err)
	}
	if err != nil {
		return nil, "", fmt.Errorf("measure the noise field %q: %w", name, err)
	}
	return field, spread.String(), nil
}

// readField reads a .npy field in the source's shape; "" gives nil.
func readField(ctx context.Context, path string, shape []int) ([]float32, error) {
	if path == "" {
		return nil, nil
	}
	values, got, err := dataset.ReadField(ctx, path)
	if err != nil {
		return nil, fault.Wrongf("read the noise field %q: %w", path, err)
	}
	if !slices.Equal(got, shape) {
		return nil, fault.Wrongf("read the noise field %q: its shape is %v and the inputs' %v; store one value per coordinate, in the source's layout", path, got, shape)
	}
	return values, nil
}
