package fit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"ucan/internal/fault"
	"ucan/models"
	"ucan/models/denoise"
	"ucan/runtime/autodiff"
	"ucan/runtime/files"
	"ucan/train"
	"ucan/train/data"
	"ucan/train/denoiser"
	"ucan/train/validate"
)

// finished returns the record of a finished bundle, or refuses one that other settings made.
func (t *denoiserTraining) finished(stored *denoise.Record) (*denoise.Record, error) {
	b, err := files.Read(filepath.Join(t.Dir, denoise.ModelFile), files.MaxModel)
	if err != nil {
		return nil, fmt.Errorf("read the denoiser: %w", err)
	}
	sum := sha256.Sum256(b)
	if stored.Training == nil || stored.Training.Fingerprint != t.loop.Fingerprint || hex.EncodeToString(sum[:]) != stored.SHA256 {
		return nil, fault.Wrongf("resume %q: its denoiser was made with other settings; use the same ones, or another folder", t.Dir)
	}
	t.Observer.note("%s is finished; nothing to do", t.Dir)
	return stored, nil
}

// run trains, and writes denoiser and record.
func (t *denoiserTraining) run(ctx context.Context) (_ *denoise.Record, err error) {
	if t.Model != nil {
		f, openErr := t.Model.Classifier(ctx, t.physicalBatch(), t.Session.IntraOp)
		if openErr != nil {
			return nil, fmt.Errorf("open the classifier: %w", openErr)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		t.labeler = f
	}
	objective, err := t.objective(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, objective.Close()) }()
	release, err := t.lock() // makes the folder: what is refused leaves none behind
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	t.loop.Choices = map[string]string{choiceMode: string(objective.Mode()), choiceSeed: strconv.FormatUint(t.seed, 10)}
	result, err := t.train(ctx, objective)
	if err != nil {
		return nil, err
	}
	return t.write(ctx, objective, result)
}

// physicalBatch is the batch of the classifier that labels and validates.
func (t *denoiserTraining) physicalBatch() int {
	if n := t.Model.FixedBatch(); n > 0 {
		return n
	}
	return t.Training.Batch
}

func (t *denoiserTraining) objective(ctx context.Context) (*denoiser.Objective, error) {
	classifiers, err := t.classifiers()
	if err != nil {
		return nil, err
	}
	d := t.Training
	c := denoiser.Config{
		Net: t.net, Shape: t.Shape, Signal: t.signal, Classifiers: classifiers, Stages: d.Stages,
		Rows: d.Batch, Draws: d.Draws, Seed: t.seed, Momentum: 0.1, Mode: t.mode(), Session: t.Session,
	}
	if t.labeler != nil {
		c.Labeler = t.labeler
	}
	if d.Lowest > 0 {
		c.Levels = [2]float64{d.Lowest, 1}
	}
	o, err := denoiser.New(ctx, t.rt, c)
	if errors.Is(err, autodiff.ErrNotDifferentiable) && len(d.Surrogates) == 0 {
		return nil, fault.Refusedf("%w; name other models of the same classes with --surrogate, and gradients go through those", err)
	}
	return o, err
}

// train runs the training loop.
func (t *denoiserTraining) train(ctx context.Context, objective *denoiser.Objective) (_ train.Result, err error) {
	feed, err := data.NewFeed(t.set, t.feedConfig())
	if err != nil {
		return train.Result{}, err
	}
	defer func() { err = errors.Join(err, feed.Close()) }()
	var validator train.Validator
	if t.held != nil && t.labeler != nil {
		noise, err := t.validationNoise()
		if err != nil {
			return train.Result{}, err
		}
		held, err := t.asked(ctx)
		if err != nil {
			return train.Result{}, err
		}
		validator = &denoiser.Validator{
			Runtime: t.rt, Objective: objective, Classifier: t.labeler, Images: held,
			Noise: noise, Options: validate.Options{Samples: t.Training.ValidationDraws, Seed: t.seed, Classes: t.Model.Classes()},
		}
	}
	t.Observer.note("training on %d inputs of %s, seed %d", t.set.Len(), t.set.Info().Name, t.seed)
	return train.Run(ctx, t.loop, objective, validator, feed)
}

// decided are inputs whose labels are a classifier's decisions.
type decided struct {
	*data.Set
	labels []int
}

func (d decided) Label(i int) int { return d.labels[i] }

// asked are the held-out inputs with the labels that validations ask for.
func (t *denoiserTraining) asked(ctx context.Context) (validate.Images, error) {
	if !t.decisions {
		return t.held, nil
	}
	d := decided{t.held, nil}
	dim := t.held.Dim()
	input := t.labeler.Input()
	for from := 0; from < t.held.Len(); from += len(input) / dim {
		rows := min(len(input)/dim, t.held.Len()-from)
		for r := range rows {
			t.held.Read(from+r, input[r*dim:(r+1)*dim])
		}
		labels, err := t.labeler.Classify(ctx, rows)
		if err != nil {
			return nil, fmt.Errorf("classify the held-out inputs: %w", err)
		}
		for _, l := range labels[:rows] {
			d.labels = append(d.labels, int(l))
		}
	}
	return d, nil
}

// write writes the bundle.
func (t *denoiserTraining) write(ctx context.Context, objective *denoiser.Objective, result train.Result) (*denoise.Record, error) {
	graph, err := objective.Export()
	if err != nil {
		return nil, err
	}
	r := &denoise.Record{
		Architecture: t.Arch, Shape: t.Shape, Noise: denoise.NoiseOf(t.Noise, t.NPG), Environment: t.Environment,
		Training: &denoise.Training{
			Configuration: t.settings, Fingerprint: t.loop.Fingerprint, Surrogates: names(t.Training.Surrogates),
			Epochs: result.Epochs, Steps: result.Steps, Loss: result.Loss, BestEpoch: result.BestEpoch,
			Processors: result.Processors, Seconds: result.Seconds,
		},
	}
	if sigma, ok := t.Noise.Sigma(); ok && t.Training.Lowest > 0 {
		r.Training.SigmaRange = []float64{sigma * t.Training.Lowest, sigma}
	}
	if b := result.Best; b != nil {
		r.Training.Validation = &denoise.Validated{Clean: b.Clean, Noisy: b.Noisy, Radius: b.Score}
	}
	t.recordData(r, t.moments)
	if err = t.count(ctx, autodiff.OnRuntime(t.rt), graph, r); err != nil {
		return nil, err
	}
	b, err := graph.Marshal()
	if err != nil {
		return nil, fmt.Errorf("write the denoiser as a graph: %w", err)
	}
	return r, denoise.WriteLocked(t.Dir, b, r)
}

func names(all []*models.Model) []denoise.Classifier {
	var out []denoise.Classifier
	for _, m := range all {
		out = append(out, denoise.Classifier{Name: m.Name(), SHA256: m.SHA256()})
	}
	return out
}
