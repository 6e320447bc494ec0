package fit_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/dataset"
	"ucan/internal/fault"
	"ucan/internal/npy"
	"ucan/models"
	"ucan/models/denoise"
	"ucan/npg"
	"ucan/runtime/onnx"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/train/denoiser"
	"ucan/train/fit"
)

// denoiserConfig is a short training on the digits of a bed.
func (b bed) denoiserConfig(t *testing.T, arch string) fit.DenoiserConfig {
	t.Helper()
	noise, err := smooth.Noise{Family: family.Gaussian{}, Norm: family.L2, Lambda: 0.5}.Seal(784)
	if err != nil {
		t.Fatal(err)
	}
	c := fit.DenoiserConfig{Arch: arch, Shape: []int{1, 28, 28}, Noise: noise, Model: b.model, Training: fit.DefaultDenoiserTraining()}
	c.Dir, c.Seed, c.Session.IntraOp = filepath.Join(t.TempDir(), "bundle"), seed(3), 1
	c.Data = fit.Data{Source: b.source, Selection: dataset.DefaultSelection(), Validation: b.source, ValidationSkip: b.inputs, ValidationMax: 40}
	c.Data.Selection.Max = b.inputs
	d := &c.Training
	d.Width, d.Depth, d.Batch, d.ValidationDraws = 4, 1, 20, 8
	d.Stages = []denoiser.Stage{{Objective: denoiser.MSE, Epochs: 1}, {Objective: denoiser.Stability, Epochs: 2}}
	return c
}

func (b bed) denoiser(t *testing.T, c fit.DenoiserConfig) *denoise.Record {
	t.Helper()
	r, err := fit.Denoiser(context.Background(), b.rt, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestDenoiserHelps trains a small denoiser for a classifier, and asks for more right answers under
// noise than without one, and no fewer than the filter that it starts from gives.
func TestDenoiserHelps(t *testing.T) {
	t.Parallel()
	b := newBed(t, 400)
	c := b.denoiserConfig(t, "unet")
	r := b.denoiser(t, c)
	v := r.Training.Validation
	if v == nil || v.Noisy < 0.5 {
		t.Fatalf("validation %+v", v)
	}
	if r.Training.Epochs != 3 || r.Training.Steps != 60 || r.Cost.Denoiser == 0 || r.Cost.Classifier == 0 || r.Filter != nil || len(r.Training.Surrogates) > 0 {
		t.Errorf("record %+v, cost %+v", r.Training, r.Cost)
	}
	stored, err := denoise.Read(c.Dir)
	if err != nil || stored.Training.Fingerprint != r.Training.Fingerprint {
		t.Fatalf("the bundle's record: %v, %+v", err, stored)
	}
	// A finished bundle is left alone; other settings are refused.
	c.Resume = true
	if again := b.denoiser(t, c); again.SHA256 != r.SHA256 {
		t.Error("a finished bundle was made anew")
	}
	c.Training.Width = 8
	if _, err = fit.Denoiser(context.Background(), b.rt, c); !fault.Is(err, fault.Wrong) || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("resumed with other settings: %v", err)
	}
}

// TestDenoiserThroughSurrogates: a classifier that gives labels only is refused by name, and
// trained for through another one, which the record names. The labels of stability are its own.
func TestDenoiserThroughSurrogates(t *testing.T) {
	t.Parallel()
	b := newBed(t, 100)
	labels := labelsOnly(t, b)
	c := b.denoiserConfig(t, "dncnn")
	c.Training.Depth = 2
	c.Model = labels
	if _, err := fit.Denoiser(context.Background(), b.rt, c); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "--surrogate") {
		t.Fatalf("a classifier of labels: %v", err)
	}
	if _, err := os.Stat(c.Dir); err == nil {
		t.Error("a refused training left its folder behind")
	}
	c.Training.Surrogates = []*models.Model{b.model, b.model}
	r := b.denoiser(t, c)
	if s := r.Training.Surrogates; len(s) != 2 || s[0].SHA256 != b.model.SHA256() {
		t.Errorf("surrogates %+v", r.Training.Surrogates)
	}
}

// labelsOnly tells by the scores of the bed's classifier whether an input is rather a 1 than a 0.
func labelsOnly(t *testing.T, b bed) *models.Model {
	t.Helper()
	m, err := b.model.Graph().WithOutputs(models.GraphScores)
	if err != nil {
		t.Fatal(err)
	}
	e := onnx.Extend(m)
	scores := e.Value(models.GraphScores) // an ArgMax would be taken off, and the scores found
	column := func(i int64) onnx.Value { return e.Gather(scores, e.Int64(i), 1) }
	label := e.Cast(e.Greater(column(1), column(0)), onnx.Int64)
	e.ClearOutputs()
	e.Output("label", label, onnx.Int64, onnx.Sym("N"))
	if m, err = e.Build(); err != nil {
		t.Fatal(err)
	}
	bytes, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var options models.Options
	options.SourceShape, options.SkipLoadTrial, options.Declared.Output.Classes = []int{1, 28, 28}, true, 10
	model, err := models.OpenBytes(context.Background(), b.rt, "labels", bytes, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { model.Close() })
	return model
}

// TestDenoiserForARange trains under many scales, and records them.
func TestDenoiserForARange(t *testing.T) {
	t.Parallel()
	b := newBed(t, 100)
	c := b.denoiserConfig(t, "ffdnet")
	c.Training.Depth, c.Training.Lowest = 2, 0.25
	r := b.denoiser(t, c)
	if !slices.Equal(r.Training.SigmaRange, []float64{0.125, 0.5}) {
		t.Errorf("range %v", r.Training.SigmaRange)
	}
}

// wandering makes noise that grows with the mean of its input, around an offset.
type wandering struct{}

func (wandering) Guarantee() smooth.Guarantee { return smooth.Pinned }

func (wandering) Parameters(_ context.Context, x []float32) (npg.Parameters, error) {
	mean := float32(0)
	for _, v := range x {
		mean += v / float32(len(x))
	}
	mu, sigma := make([]float32, len(x)), make([]float32, len(x))
	for i := range x {
		mu[i], sigma[i] = 0.25, 0.5+mean
	}
	fields, err := smooth.NewFields(len(x), mu, sigma, nil)
	return npg.Parameters{Fields: fields}, err
}

// TestDenoiserUnderNoiseOfEveryInput trains and validates under noise that differs by input, which
// a range of scales does not go with.
func TestDenoiserUnderNoiseOfEveryInput(t *testing.T) {
	t.Parallel()
	b := newBed(t, 100)
	c := b.denoiserConfig(t, "unet")
	c.Generator = wandering{}
	c.Seal = func(ctx context.Context, x []float32) (*smooth.SealedNoise, error) {
		p, err := wandering{}.Parameters(ctx, x)
		if err != nil {
			return nil, err
		}
		return smooth.Noise{Family: family.Gaussian{}, Norm: family.L2, Lambda: 0.5, Fields: p.Fields}.Seal(784)
	}
	if r := b.denoiser(t, c); r.Training.Validation == nil || r.Training.Validation.Noisy < 0.5 {
		t.Errorf("validation %+v", r.Training.Validation)
	}
	c.Dir = filepath.Join(t.TempDir(), "range")
	c.Training.Lowest = 0.5
	if _, err := fit.Denoiser(context.Background(), b.rt, c); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "every input") {
		t.Errorf("a range of scales: %v", err)
	}
}

// TestDenoiserWithoutLabels: stability needs none; what is validated is the classifier's decision.
func TestDenoiserWithoutLabels(t *testing.T) {
	t.Parallel()
	b := newBed(t, 100)
	dir := t.TempDir()
	const n = 120
	values := make([]float32, 0, n*784)
	for i := range n {
		item, err := b.source.At(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, item.X...)
	}
	path := filepath.Join(dir, "x.npy")
	if err := os.WriteFile(path, npy.Encode(values, []int{n, 1, 28, 28}), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := dataset.Open(context.Background(), "npy:"+path, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	c := b.denoiserConfig(t, "unet")
	c.Data = fit.Data{Source: source, Selection: dataset.DefaultSelection(), HoldOut: 20}
	if r := b.denoiser(t, c); r.Training.Validation == nil || r.Training.Validation.Clean < 0.5 {
		t.Errorf("validation %+v", r.Training.Validation)
	}
	c = b.denoiserConfig(t, "unet")
	c.Data = fit.Data{Source: source, Selection: dataset.DefaultSelection()}
	c.Training.Stages = []denoiser.Stage{{Objective: denoiser.Classification, Epochs: 1}}
	if _, err = fit.Denoiser(context.Background(), b.rt, c); err == nil || !strings.Contains(err.Error(), "label") {
		t.Errorf("classification without labels: %v", err)
	}
}

func TestDenoiserRefusals(t *testing.T) {
	t.Parallel()
	b := newBed(t, 40)
	for name, c := range subtest.Rows(map[string]struct {
		change func(*fit.DenoiserConfig)
		kind   fault.Kind
		says   string
	}{
		"no data":   {func(c *fit.DenoiserConfig) { c.Data.Source = nil }, fault.Wrong, "no data"},
		"no model":  {func(c *fit.DenoiserConfig) { c.Model = nil }, fault.Wrong, "needs the classifier"},
		"batch":     {func(c *fit.DenoiserConfig) { c.Training.Batch = 41 }, fault.Wrong, "batch"},
		"shape":     {func(c *fit.DenoiserConfig) { c.Arch = "conv1d" }, fault.Wrong, "takes no inputs of shape"},
		"range":     {func(c *fit.DenoiserConfig) { c.Training.Lowest = 2 }, fault.Wrong, "factor between 0 and 1"},
		"unknown":   {func(c *fit.DenoiserConfig) { c.Arch = "drunet" }, fault.Wrong, "no architecture"},
		"objective": {func(c *fit.DenoiserConfig) { c.Training.Stages[0].Objective = "vae" }, fault.Wrong, "no objective is called"},
	}) {
		t.Run(name, func(t *testing.T) {
			config := b.denoiserConfig(t, "unet")
			c.change(&config)
			if _, err := fit.Denoiser(context.Background(), b.rt, config); !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %q", err, c.says)
			}
		})
	}
}
