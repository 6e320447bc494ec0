package fit

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"ucan/models"
	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/npg/diagnose"
	"ucan/npg/infer"
	"ucan/npg/net"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/train"
	"ucan/train/generator"
)

// write turns the trained weights into a bundle, examines it and writes it.
func (t *generatorTraining) write(ctx context.Context, trained train.Result) (GeneratorResult, error) {
	b, err := t.bundle(ctx)
	if err != nil {
		return GeneratorResult{}, err
	}
	report, err := t.diagnose(ctx, b)
	if err != nil {
		return GeneratorResult{}, err
	}
	b.Training["steps"], b.Training["epochs_done"] = trained.Steps, trained.Epochs
	b.Training["loss"], b.Training["noisy_accuracy"] = trained.Loss, trained.Noisy
	if v := trained.Best; v != nil {
		b.Training["validation"] = map[string]any{"score": v.Score, "clean_accuracy": v.Clean, "noisy_accuracy": v.Noisy, "epoch": trained.BestEpoch}
	}
	if err := bundle.Write(t.Dir, b); err != nil {
		return GeneratorResult{}, err
	}
	return GeneratorResult{Seed: t.seed, Training: trained, Bundle: b, Report: report}, nil
}

// bundle makes the bundle of the present weights.
func (t *generatorTraining) bundle(ctx context.Context) (_ *bundle.Bundle, err error) {
	b := &bundle.Bundle{
		Kind: t.Net.Kind, Shape: t.Net.Shape, Limits: npg.Limits{Floor: t.Net.Floor, Ceiling: t.Net.Ceiling},
		FixedMean: t.Net.MuScale == 0, MuScale: t.Net.MuScale, Graphs: map[bundle.Role][]byte{}, Training: t.record(),
	}
	graph, err := t.net.Export(t.objective.Generator())
	if err != nil {
		return nil, err
	}
	bytes, err := graph.Marshal()
	if err != nil {
		return nil, fmt.Errorf("export the generator: %w", err)
	}
	role := bundle.Joint
	if b.FixedMean {
		role = bundle.Sigma
	}
	b.Graphs[role] = bytes
	if b.Kind.Guarantee() == smooth.Deployed {
		if err = t.constant(ctx, b); err != nil {
			return nil, err
		}
	}
	if t.Joint {
		if b.Graphs[bundle.Base], err = t.classifier(ctx); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// constant evaluates a generator that does not look at its input, for the fields that a service
// deploys.
func (t *generatorTraining) constant(ctx context.Context, b *bundle.Bundle) (err error) {
	if t.Net.Basis == net.DCT {
		transform, basisErr := basis.DCT2(t.Net.Shape)
		if basisErr != nil {
			return basisErr
		}
		b.Basis = transform.Name()
	}
	g, err := openGraphs(ctx, t.rt, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
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
func (t *generatorTraining) classifier(ctx context.Context) ([]byte, error) {
	base, err := generator.JointBaseOf(ctx, autodiff.OnRuntime(t.rt), t.Model, t.JointRate)
	if err != nil {
		return nil, err
	}
	m, err := base.Graph.WithFloats(t.objective.Classifier())
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

// record is the training record of the bundle.
func (t *generatorTraining) record() map[string]any {
	optimizer, loss := t.optimizer(), t.Loss
	out := describe(t.Model, t.set, t.noise(), map[string]any{
		"epochs": t.Epochs, "batch": t.Batch, "draws": t.Draws, "learning_rate": t.LearningRate, "schedule": t.Schedule,
		"optimizer": optimizer.Name, "weight_decay": optimizer.WeightDecay,
		"volume": map[string]any{"min": loss.Volume.Min, "mean": loss.Volume.Mean, "logmean": loss.Volume.LogMean, "area": loss.Volume.Area},
		"reg":    loss.Reg, "label_smoothing": loss.Smoothing, "consistency": loss.Consistency,
		"start": t.Net.Start, "hold": string(t.Net.Hold), "seed": strconv.FormatUint(t.seed, 10), "joint": t.Joint,
		"floor": t.Net.Floor, "ceiling": t.Net.Ceiling, "mu_scale": t.Net.MuScale, "kind": string(t.Net.Kind), "basis": string(t.Net.Basis),
	})
	if t.held != nil {
		out["held_out"] = t.held.Len()
	}
	if t.Joint {
		out["joint_rate"] = t.JointRate
	}
	return out
}

func (t *generatorTraining) noise() smooth.Noise {
	return smooth.Noise{Family: t.Family, Norm: t.Norm, Lambda: t.Lambda}
}

// diagnose examines the generator with the classifier it was trained for, or with.
func (t *generatorTraining) diagnose(ctx context.Context, b *bundle.Bundle) (_ diagnose.Report, err error) {
	e := examination{
		model: t.Model, batch: 32, threads: t.Session.IntraOp, set: t.set, inputs: t.DiagnosisInputs, noise: t.noise(), seed: t.seed,
		ceiling: t.Net.Ceiling, muCap: t.Net.MuScale,
	}
	if t.held != nil {
		e.set = t.held
	}
	if text := b.Graphs[bundle.Base]; text != nil {
		if e.model, err = models.OpenBytes(ctx, t.rt, t.Model.Name(), text, models.Options{
			SourceShape: t.Model.InputShape(), SkipLoadTrial: true,
			Declared: models.Declaration{Input: models.InputDeclaration{Name: "x"}, Output: models.OutputDeclaration{Decision: t.Model.Decision().String()}},
		}); err != nil {
			return diagnose.Report{}, err
		}
		defer func() { err = errors.Join(err, e.model.Close()) }()
	}
	g, err := infer.Open(ctx, t.rt, b, runtime.SessionOptions{IntraOp: 1})
	if err != nil {
		return diagnose.Report{}, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	e.generator = g
	return e.examine(ctx, b)
}
