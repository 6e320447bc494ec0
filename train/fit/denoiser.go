package fit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"ucan/internal/fault"
	"ucan/models"
	nets "ucan/models/arch/denoise"
	"ucan/models/cost"
	"ucan/models/denoise"
	"ucan/npg"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/smooth"
	"ucan/train/spectrum"
	"ucan/train/validate"
	"ucan/train/wiener"
)

// Wiener is the architecture of denoisers in closed form (package wiener).
const Wiener = "wiener"

// Denoisers are the architectures of denoisers: wiener, and those that are trained.
func Denoisers() []string { return append([]string{Wiener}, nets.Names()...) }

// DenoiserConfig configures a denoiser.
type DenoiserConfig struct {
	// Run has the data: the inputs that are measured, and that a trained architecture learns from.
	// Wiener makes its bundle anew where Resume is set; it takes no Source for a prior, no seed and
	// nothing held out.
	Run
	// Arch is one of [Denoisers].
	Arch string
	// Shape is that of one input.
	Shape []int
	// Noise is what the denoiser is for; NPG is the generator's specification, for the record.
	Noise *smooth.SealedNoise
	NPG   string
	// Generator, where not nil, makes fields of its own for every input, and Seal the noise of an
	// input; Noise is then without fields. Trained architectures only.
	Generator npg.Generator
	Seal      validate.Noise
	// Model is the classifier that it will stand in front of, nil where none is named: wiener needs
	// it for the record of costs only.
	Model *models.Model
	// Training configures the training of the other architectures.
	Training DenoiserTraining
	// Environment is recorded and not compared.
	Environment map[string]any
}

// Denoiser makes a denoiser and writes its bundle.
func Denoiser(ctx context.Context, rt *runtime.Runtime, c DenoiserConfig) (_ *denoise.Record, err error) {
	defer func() { err = marked(err) }()
	if !slices.Contains(Denoisers(), c.Arch) {
		return nil, fault.Wrongf("make a denoiser: there is no architecture %q; there is %s", c.Arch, strings.Join(Denoisers(), ", "))
	}
	if err = c.CheckFolder(); err != nil {
		return nil, err
	}
	if c.Arch != Wiener {
		return trainDenoiser(ctx, rt, c)
	}
	if err = os.MkdirAll(c.Dir, 0o777); err != nil {
		return nil, fmt.Errorf("make the folder of the denoiser: %w", err)
	}
	moments, err := c.moments(ctx)
	if err != nil {
		return nil, err
	}
	filter, err := filterOf(moments, c.Noise)
	if err != nil {
		return nil, err
	}
	graph, err := filter.Graph()
	if err != nil {
		return nil, fmt.Errorf("write the denoiser as a graph: %w", err)
	}
	r := &denoise.Record{
		Architecture: c.Arch, Shape: c.Shape, Noise: denoise.NoiseOf(c.Noise, c.NPG),
		Filter:      &denoise.Filter{Basis: filter.Basis, Error: filter.Error, NoiseError: filter.Noise},
		Environment: c.Environment,
	}
	c.recordData(r, moments)
	if err = c.count(ctx, autodiff.OnRuntime(rt), graph, r); err != nil {
		return nil, err
	}
	b, err := graph.Marshal()
	if err != nil {
		return nil, fmt.Errorf("write the denoiser as a graph: %w", err)
	}
	return r, denoise.Write(c.Dir, b, r)
}

// filterOf makes the filter of a noise.
func filterOf(m *spectrum.Moments, noise *smooth.SealedNoise) (*wiener.Filter, error) {
	filter, err := wiener.Fit(m, noise)
	if errors.Is(err, wiener.ErrNoise) {
		err = fault.Mark(fault.Refused, err)
	}
	if err != nil {
		return nil, fmt.Errorf("make the denoiser: %w", err)
	}
	return filter, nil
}

// moments measures the data, or takes the prior.
func (c DenoiserConfig) moments(ctx context.Context) (*spectrum.Moments, error) {
	if c.Data.Source == nil {
		m, err := spectrum.Prior(c.Shape)
		return m, fault.Mark(fault.Wrong, err)
	}
	return c.measure(ctx)
}

func (c DenoiserConfig) recordData(r *denoise.Record, m *spectrum.Moments) {
	if c.Data.Source == nil {
		return
	}
	info, s := c.Data.Source.Info(), c.Data.Selection
	r.Data = &denoise.Data{
		Source: info.Name, Fingerprint: info.Fingerprint, Inputs: m.Inputs, Skipped: m.Skipped,
		Skip: s.Skip, Stride: s.Stride, Max: max(0, s.Max),
	}
}

// count records the multiply–adds.
func (c DenoiserConfig) count(ctx context.Context, engine autodiff.Engine, graph *onnx.Model, r *denoise.Record) (err error) {
	if r.Cost.Denoiser, err = cost.MultiplyAdds(ctx, engine, graph); err != nil || c.Model == nil {
		return err
	}
	if r.Cost.Classifier, err = cost.MultiplyAdds(ctx, engine, c.Model.Graph()); err != nil {
		c.Observer.warn("%s: %v; its cost is not recorded", c.Model.Name(), err)
	}
	return nil
}
