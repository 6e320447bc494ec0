package fit

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"ucan/models"
	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/npg/diagnose"
	"ucan/npg/infer"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/train/data"
)

// examination is how a bundle is examined before it is written.
type examination struct {
	generator npg.Generator
	model     *models.Model
	// batch is the physical batch of the classifier, unless the model's is fixed; threads are those
	// of its session.
	batch, threads int
	// inputs is the number of inputs of the set to look at.
	set    *data.Set
	inputs int
	noise  smooth.Noise
	seed   uint64
	// ceiling is 0 for none, muCap the largest offset of a coordinate.
	ceiling, muCap float64
}

// examine diagnoses the generator of a bundle, and adds the diagnoses to the bundle.
func (e examination) examine(ctx context.Context, b *bundle.Bundle) (report diagnose.Report, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("examine the generator: %w", err)
		}
	}()
	if fixed := e.model.FixedBatch(); fixed > 0 {
		e.batch = fixed
	}
	classifier, err := e.model.Classifier(ctx, e.batch, e.threads)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, classifier.Close()) }()
	sampler, err := smooth.New([]smooth.Classifier{classifier}, smooth.Config{Dim: e.model.Dim(), Classes: e.model.Classes(), Seed: e.seed})
	if err != nil {
		return report, err
	}
	var inputs []diagnose.Input
	for i := range min(e.set.Len(), e.inputs) {
		x := make([]float32, e.set.Dim())
		e.set.Read(i, x)
		inputs = append(inputs, diagnose.Input{X: x, ID: smooth.InputID(x), Label: e.set.Label(i)})
	}
	options := diagnose.DefaultOptions()
	options.Seed = e.seed
	report, err = diagnose.Run(ctx, diagnose.Subject{
		Generator: e.generator, Sampler: sampler, Noise: e.noise, Floor: b.Limits.Floor, Ceiling: e.ceiling, MuCap: e.muCap,
	}, inputs, options)
	for _, d := range report.Diagnoses {
		text := d.Text
		if d.Knob != "" {
			text += "; " + d.Knob
		}
		b.Diagnoses = append(b.Diagnoses, bundle.Diagnosis{Name: d.Name, Value: d.Value, Threshold: d.Threshold, Found: d.Found, Text: text})
	}
	return report, err
}

// openGraphs opens the graphs of a bundle, whatever its kind: those of a constant field give the
// field.
func openGraphs(ctx context.Context, rt *runtime.Runtime, b *bundle.Bundle) (*infer.Opened, error) {
	graphs := *b
	graphs.Kind, graphs.Mu, graphs.Sigma = npg.KindCertification, nil, nil
	g, err := infer.Open(ctx, rt, &graphs, runtime.SessionOptions{IntraOp: 1})
	if err != nil {
		return nil, fmt.Errorf("open the generator: %w", err)
	}
	return g, nil
}

// describe is what every bundle of a generator keeps of how it came about. It holds no path and no
// time.
func describe(m *models.Model, set *data.Set, noise smooth.Noise, more map[string]any) map[string]any {
	out := map[string]any{
		"model": m.Name(), "model_sha256": m.SHA256(), "data": set.Info().Name, "inputs": set.Len(),
		"noise": noise.Family.Name(), "parameters": noise.Family.Params(), "lambda": noise.Lambda, "norm": noise.Norm.String(),
	}
	maps.Copy(out, more)
	return out
}
