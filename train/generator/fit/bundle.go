package fit

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/npg/diagnose"
	"ucan/npg/net"
	"ucan/smooth/basis"
	"ucan/train"
	"ucan/train/generator"
)

// conclude turns the trained weights into a bundle, examines it and writes it.
func (r *run) conclude(ctx context.Context, trained train.Result) (Result, error) {
	b, err := r.bundle(ctx)
	if err != nil {
		return Result{}, err
	}
	report, err := r.diagnose(ctx, b)
	if err != nil {
		return Result{}, fmt.Errorf("examine the generator: %w", err)
	}
	for _, d := range report.Diagnoses {
		text := d.Text
		if d.Found && d.Knob != "" {
			text += "; " + d.Knob
		}
		b.Diagnoses = append(b.Diagnoses, bundle.Diagnosis{Name: d.Name, Value: d.Value, Threshold: d.Threshold, Found: d.Found, Text: text})
	}
	b.Training["steps"], b.Training["epochs_done"] = trained.Steps, trained.Epochs
	b.Training["loss"], b.Training["noisy_accuracy"] = trained.Loss, trained.Noisy
	if v := trained.Best; v != nil {
		b.Training["validation"] = map[string]any{"score": v.Score, "clean_accuracy": v.Clean, "noisy_accuracy": v.Noisy, "epoch": trained.BestEpoch}
	}
	if err := bundle.Write(r.config.Loop.Dir, b); err != nil {
		return Result{}, err
	}
	return Result{Seed: r.config.Seed, Training: trained, Bundle: b, Report: report}, nil
}

// bundle makes the bundle of the present weights.
func (r *run) bundle(ctx context.Context) (_ *bundle.Bundle, err error) {
	c := r.config
	b := &bundle.Bundle{
		Kind: bundle.Kind(c.Net.Kind), Shape: c.Net.Shape, Limits: npg.Limits{Floor: c.Net.Floor, Ceiling: c.Net.Ceiling},
		FixedMean: c.Net.MuScale == 0, MuScale: c.Net.MuScale, Graphs: map[bundle.Role][]byte{}, Training: r.record(),
	}
	graph, err := r.net.Export(r.objective.Generator())
	if err != nil {
		return nil, err
	}
	bytes, err := graph.Marshal()
	if err != nil {
		return nil, fmt.Errorf("export the generator: %w", err)
	}
	switch {
	case b.FixedMean:
		b.Graphs[bundle.Sigma] = bytes
	default:
		b.Graphs[bundle.Joint] = bytes
	}
	if b.Kind.Guarantee() == npg.Deployed {
		if err = r.constant(ctx, b, bytes); err != nil {
			return nil, err
		}
	}
	if c.Joint {
		if b.Graphs[bundle.Base], err = r.classifier(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// constant evaluates a generator that does not look at its input, for the fields that a service deploys.
func (r *run) constant(ctx context.Context, b *bundle.Bundle, graph []byte) (err error) {
	if r.config.Net.Basis == net.DCT {
		t, terr := basis.DCT2(r.config.Net.Shape)
		if terr != nil {
			return terr
		}
		b.Basis = t.Name()
	}
	g, err := newGenerator(ctx, r.rt, graph, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.close()) }()
	p, err := g.Parameters(ctx, make([]float32, b.Dim()))
	if err != nil {
		return err
	}
	b.Sigma = p.Sigma()
	if !b.FixedMean {
		b.Mu = p.Mu()
	}
	return nil
}

// classifier is the jointly trained classifier with its preprocessing inside.
func (r *run) classifier() ([]byte, error) {
	base, err := generator.BaseOf(r.model, false, 1)
	if err != nil {
		return nil, err
	}
	m, err := generator.WithWeights(base.Graph, r.objective.Classifier())
	if err != nil {
		return nil, err
	}
	// Behind a prefix no inner name is in the way.
	const prefix = "f."
	m = m.Prefixed(prefix)
	if m, err = m.Renamed(map[string]string{prefix + base.Input: "x", prefix + base.Scores: "logits"}); err != nil {
		return nil, fmt.Errorf("export the classifier: %w", err)
	}
	return m.Marshal()
}

// record is what the bundle keeps of how it came about. It holds no path and no time.
func (r *run) record() map[string]any {
	c := r.config
	volume := map[string]any{"min": c.Loss.Volume.Min, "mean": c.Loss.Volume.Mean, "logmean": c.Loss.Volume.LogMean, "area": c.Loss.Volume.Area}
	out := map[string]any{
		"model": r.model.Name(), "model_sha256": r.model.SHA256(), "data": r.set.Info().Name, "inputs": r.set.Len(), "joint": c.Joint,
		"noise": c.Family.Name(), "parameters": c.Family.Params(), "lambda": c.Lambda, "norm": c.Norm.String(),
		"epochs": c.Loop.Epochs, "batch": c.Batch, "draws": c.Draws, "learning_rate": c.LearningRate, "schedule": c.Schedule,
		"optimizer": c.Optimizer.Name, "weight_decay": c.Optimizer.WeightDecay, "volume": volume, "reg": c.Loss.Reg,
		"label_smoothing": c.Loss.Smoothing, "consistency": c.Loss.Consistency, "start": c.Net.Start, "hold": string(c.Net.Hold),
		"seed":  strconv.FormatUint(c.Seed, 10),
		"floor": c.Net.Floor, "ceiling": c.Net.Ceiling, "mu_scale": c.Net.MuScale, "kind": string(c.Net.Kind), "basis": string(c.Net.Basis),
	}
	if r.held != nil {
		out["held_out"] = r.held.Len()
	}
	if c.Joint {
		out["joint_rate"] = c.JointRate
	}
	for k, v := range c.Record {
		out[k] = v
	}
	return out
}

// diagnose examines the generator with the classifier it was trained for, or with.
func (r *run) diagnose(ctx context.Context, b *bundle.Bundle) (_ diagnose.Report, err error) {
	e, err := r.examination(ctx, b)
	if err != nil {
		return diagnose.Report{}, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	options := diagnose.DefaultOptions()
	options.Seed = r.config.Seed
	return diagnose.Run(ctx, e.subject, e.inputs, options)
}
