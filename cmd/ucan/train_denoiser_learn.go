package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"ucan/models"
	"ucan/models/declare"
	"ucan/models/denoise"
	"ucan/runtime"
	"ucan/train/denoiser"
	"ucan/train/fit"
)

// Where a trained denoiser starts.
const (
	startWiener   = "wiener"
	startIdentity = "identity"
)

// learnOptions are those of denoisers that are trained.
type learnOptions struct {
	width, depth int
	start        string
	surrogates   []string
	objectives   []string
	epochs       []string
	average      float64
	clip         float64
	stages       []denoiser.Stage
}

func (l *learnOptions) declareNet(o *options) {
	o.count(&l.width, "denoiser.width", "width", 0, 0, 1024, "channels of a layer; of unet, at its finest scale (0: 32 for dncnn, unet and conv1d, 64 for ffdnet, 128 for mlp)")
	o.count(&l.depth, "denoiser.depth", "depth", 0, 0, 64, "layers with weights; of unet, pairs of convolutions at each scale (0: 6 for dncnn, ffdnet and conv1d, 1 for unet, 3 for mlp)")
	o.text(&l.start, "denoiser.start", "start", startWiener, "what the net corrects: wiener, the linear denoiser in closed form, or identity, the noisy input").oneOf(startWiener, startIdentity)
	o.words(&l.surrogates, "denoiser.surrogate", "surrogate", nil, "models A.onnx,B.onnx that gradients go through in place of --model, where that has none (labels only, trees, int8)")
}

func (l *learnOptions) declareSteps(o *options, t *trainOptions) {
	o.in(trainingSection)
	o.words(&l.objectives, "denoiser.objective", "objective", nil, "what is minimised, one stage after another: mse, stability (towards what the classifier says of the clean input) or classification (towards labels) (default: mse,stability; without --model, mse)")
	o.words(&l.epochs, "denoiser.epochs", "epochs", nil, "passes over the data, E[,…] for each stage (default: 4 of mse, 16 of others)")
	usual := fit.DefaultDenoiserTraining()
	o.float(&l.average, "denoiser.ema", "ema", usual.Average, "decay of the moving average of weights, which is what is kept (0: none)")
	o.maybeFloat(&t.rate, "denoiser.lr", "lr", "learning rate at its peak (default: 0.001 for adamw, 0.05 for sgd)")
	o.float(&l.clip, "denoiser.clip", "clip", usual.Clip, "largest norm of all gradients together (0: any); those of later stages are hundreds of times larger than those of mse")
}

// check makes the stages.
func (l *learnOptions) check(f *faults, model string) {
	l.stages = nil
	if len(l.objectives) == 0 {
		l.objectives = []string{denoiser.MSE}
		if model != "" {
			l.objectives = append(l.objectives, denoiser.Stability)
		}
	}
	if n := len(l.epochs); n > 0 && n != len(l.objectives) {
		f.add(&l.epochs, "%d numbers of epochs for %d objectives (%s); give one for each", n, len(l.objectives), strings.Join(l.objectives, ", "))
		return
	}
	for i, name := range l.objectives {
		s := denoiser.Stage{Objective: name}
		if len(l.epochs) > 0 {
			n, err := strconv.Atoi(l.epochs[i])
			if err != nil || n < 1 || n > math.MaxInt32 {
				f.add(&l.epochs, "%q is not a number of epochs; give 1 or more", l.epochs[i])
				return
			}
			s.Epochs = n
		}
		l.stages = append(l.stages, s)
		switch {
		case !slices.Contains(denoiser.Objectives(), name):
			f.add(&l.objectives, "%w", unknown("objective", name, denoiser.Objectives()))
			return
		case name != denoiser.MSE && model == "":
			f.add(&l.objectives, "%s needs the classifier that the denoiser is for; name it by --model", name)
			return
		}
	}
	if !(l.clip >= 0) {
		f.add(&l.clip, "%v is out of range: give 0 for any, or more", l.clip)
	}
	if !(l.average >= 0 && l.average < 1) {
		f.add(&l.average, "%v is out of range: give 0 for none, or less than 1", l.average)
	}
}

// openTraining opens what a trained denoiser needs beside data, noise and model.
func (t *trainDenoiserOptions) openTraining(ctx context.Context, a *app, rt *runtime.Runtime, c *fit.DenoiserConfig) (err error) {
	l := &t.learn
	d := &c.Training
	d.Loop = t.loop
	d.Average, d.Clip = l.average, l.clip
	d.Width, d.Depth, d.Identity, d.Stages = l.width, l.depth, l.start == startIdentity, l.stages
	if len(t.sigmaRange) == 2 {
		d.Lowest = t.sigmaRange[0] / t.sigmaRange[1]
	}
	if t.validation != "" {
		if c.Data.Validation, err = a.openSource(ctx, t.validation, t.data.options); err != nil {
			return err
		}
	}
	for _, path := range l.surrogates {
		m, err := models.Open(ctx, rt, declare.ModelPath(path), models.Options{SourceShape: c.Shape, Session: t.session.options(), CacheDir: cacheFolder()})
		if err != nil {
			return modelError(fmt.Errorf("open surrogate %w", err))
		}
		a.onClose(m.Close)
		if c.Model != nil && m.Classes() != c.Model.Classes() {
			return refusef("train through %s: it has %d classes and %s %d; name surrogates of the same classes", m.Name(), m.Classes(), c.Model.Name(), c.Model.Classes())
		}
		d.Surrogates = append(d.Surrogates, m)
	}
	return a.matchClasses(&c.Data, c.Model)
}

// trainingFacts are the lines about a training.
func trainingFacts(t *denoise.Training) string {
	s := fmt.Sprintf("epochs       %d\nloss         %.4f\n", t.Epochs, t.Loss)
	if v := t.Validation; v != nil {
		s += fmt.Sprintf("held out     %.4f clean, %.4f noisy, average radius about %.4f (epoch %d)\n", v.Clean, v.Noisy, v.Radius, t.BestEpoch)
	}
	if len(t.Surrogates) > 0 {
		var names []string
		for _, m := range t.Surrogates {
			names = append(names, m.Name)
		}
		s += fmt.Sprintf("surrogates   %s (gradients went through them)\n", strings.Join(names, ", "))
	}
	return s + fmt.Sprintf("seconds      %.1f\n", t.Seconds)
}

// denoiserResult is what --format json prints.
type denoiserResult struct {
	Out        string            `json:"out"`
	SHA256     string            `json:"sha256"`
	Arch       string            `json:"architecture"`
	Noise      string            `json:"noise"`
	Basis      string            `json:"basis,omitempty"`
	Error      *float64          `json:"expected_error,omitempty"`
	NoiseError *float64          `json:"noise_variance,omitempty"`
	Inputs     int               `json:"inputs"`
	Denoiser   int64             `json:"multiply_adds"`
	Classifier int64             `json:"classifier_multiply_adds,omitempty"`
	Training   *denoiserTraining `json:"training,omitempty"`
}

// denoiserTraining is the part of it that is about a training.
type denoiserTraining struct {
	Epochs    int      `json:"epochs"`
	Steps     int64    `json:"steps"`
	Loss      float64  `json:"loss"`
	BestEpoch int      `json:"best_epoch,omitempty"`
	Clean     *float64 `json:"clean_accuracy,omitempty"`
	Noisy     *float64 `json:"noisy_accuracy,omitempty"`
	Radius    *float64 `json:"average_radius,omitempty"`
	Seconds   float64  `json:"seconds"`
}

func denoiserResultOf(out string, r *denoise.Record) denoiserResult {
	d := denoiserResult{
		Out: out, SHA256: r.SHA256, Arch: r.Architecture, Noise: r.Noise.String(), Inputs: inputsOf(r),
		Denoiser: r.Cost.Denoiser, Classifier: r.Cost.Classifier,
	}
	if f := r.Filter; f != nil {
		d.Basis, d.Error, d.NoiseError = f.Basis, &f.Error, &f.NoiseError
	}
	if t := r.Training; t != nil {
		d.Training = &denoiserTraining{Epochs: t.Epochs, Steps: t.Steps, Loss: t.Loss, BestEpoch: t.BestEpoch, Seconds: t.Seconds}
		if v := t.Validation; v != nil {
			d.Training.Clean, d.Training.Noisy, d.Training.Radius = &v.Clean, &v.Noisy, &v.Radius
		}
	}
	return d
}
