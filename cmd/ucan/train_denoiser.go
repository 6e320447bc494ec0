package main

import (
	"context"
	"fmt"
	"math"
	goruntime "runtime"
	"slices"

	"github.com/spf13/cobra"

	"ucan/internal/certify"
	"ucan/internal/progress"
	"ucan/models"
	"ucan/models/declare"
	"ucan/models/denoise"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/train/fit"
)

// trainDenoiserOptions are those of train denoiser.
type trainDenoiserOptions struct {
	trainOptions
	model      modelOptions
	noise      noiseOptions
	arch       string
	sigmaRange []float64
	learn      learnOptions
}

func (t *trainDenoiserOptions) declare(o *options) {
	t.model.declare(o)
	o.drop(&t.model.declared.Denoiser)
	o.in(modelSection)
	o.text(&t.arch, "denoiser.arch", "arch", fit.Wiener, "architecture: wiener, the best linear denoiser in closed form, or one that is trained: dncnn, ffdnet or unet for images, conv1d for series, mlp for tables").oneOf(fit.Denoisers()...)
	t.learn.declareNet(o)
	t.trainOptions.declare(o)
	o.drop(&t.data.labelMap, &t.smoothing, &t.consistency, &t.entropy, &t.loop.Epochs, &t.loop.Average, &t.loop.Clip, &t.rate)
	t.learn.declareSteps(o, &t.trainOptions)
	t.noise.declare(o)
	o.drop(&t.noise.norm, &t.noise.arithmetic)
	o.in(noiseSection)
	o.floats(&t.sigmaRange, "denoiser.sigma_range", "sigma-range", "least and largest standard deviation, LO,HI: one denoiser for all in between, instead of --sigma")
}

func (t *trainDenoiserOptions) check(f *faults) {
	t.model.file = declare.ModelPath(t.model.file)
	t.model.checkDeclared(f)
	t.checkRange(f)
	t.noise.check(f)
	if t.arch == fit.Wiener {
		t.checkWiener(f)
		return
	}
	t.trainOptions.check(f)
	t.learn.check(f, t.model.file)
}

// checkRange takes the larger end of a range for the noise.
func (t *trainDenoiserOptions) checkRange(f *faults) {
	if len(t.sigmaRange) == 0 {
		return
	}
	r := t.sigmaRange
	switch {
	case t.arch == fit.Wiener:
		f.add(&t.sigmaRange, "wiener is for one noise; take a trained architecture")
	case t.noise.sigma != nil || t.noise.lambda != nil:
		f.add(&t.sigmaRange, "both a range and one scale of the noise are given; give one")
	case len(r) != 2 || !(r[0] > 0 && r[0] < r[1]) || math.IsInf(r[1], 0):
		f.add(&t.sigmaRange, "%v is not a range; give two positive numbers, the smaller one first", r)
	default:
		t.noise.sigma = &r[1]
	}
}

func (t *trainDenoiserOptions) checkWiener(f *faults) {
	if t.data.spec != "" {
		t.data.check(f)
	} else if t.model.file == "" {
		f.add(&t.data.spec, "no data given; name a source to measure, or a --model whose inputs are images, for the statistics of photographs")
	}
	t.session.check(f)
	if t.run.Dir == "" {
		f.add(&t.run.Dir, "no bundle to write is given; name a folder")
	}
	l := &t.learn
	trained := func(given bool, into any) {
		if given {
			f.add(into, "%s is not trained; take another --arch for it", fit.Wiener)
		}
	}
	trained(l.width > 0, &l.width)
	trained(l.depth > 0, &l.depth)
	trained(l.start != startWiener, &l.start)
	trained(len(l.surrogates) > 0, &l.surrogates)
	trained(len(l.objectives) > 0, &l.objectives)
	trained(len(l.epochs) > 0, &l.epochs)
	trained(t.validation != "", &t.validation)
	trained(t.run.Data.HoldOut > 0, &t.run.Data.HoldOut)
}

func newTrainDenoiserCommand(a *app) *cobra.Command {
	o := &trainDenoiserOptions{}
	cmd := &cobra.Command{
		Use:   "denoiser",
		Short: "Make a denoiser for a classifier that was never trained under noise",
		Long: `Denoiser makes what --denoiser puts in front of a classifier, which itself stays as it is: the smoothed classifier is
then that of f(D(x + noise)), and its certificates hold for that.

wiener is the best linear denoiser in closed form. It takes the mean and the power spectrum of the data, without labels,
in one pass, and the variance of the noise at each frequency (or coordinate): nothing is trained. Measure training data,
never the inputs that will be certified. Without data it takes the statistics of photographs.

The other architectures learn to correct that filter (--start identity: the noisy input itself). --objective names what
they minimise: mse, the distance from the clean input; stability, the classifier's entropy against what it says of the
clean input, for which it must be differentiable or have --surrogate models in its place; classification, the same
against labels. Several follow one another, each from the weights of the one before. Hold inputs out (--val or
--hold-out) to keep the best weights. A run killed at any point continues with --resume and ends with the same bytes.

The bundle, a folder, holds denoiser.onnx and denoiser.yaml: the noise it is for, the data, and its cost in
multiply–adds beside the classifier's (with --model); of a trained one also train.jsonl (a line an epoch) and
checkpoint/. Under other noise it works, and worse; runs warn of it.`,
		Example: `  ucan train denoiser --data zip:train.zip --sigma 0.25 --out wiener025
  ucan train denoiser --model net.onnx --data folder:images --npg pattern:dct,kappa=256,gamma=4,iota=0.0625 --out wiener-dct
  ucan train denoiser --model net.onnx --data zip:train.zip --hold-out 500 --sigma 0.25 --arch ffdnet --objective mse,stability --epochs 4,16 --out ffdnet025
  ucan certify --model net.onnx --denoiser wiener025 --data cifar10:test_batch.bin --sigma 0.25`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runTrainDenoiser(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

func runTrainDenoiser(ctx context.Context, a *app, o *trainDenoiserOptions) (err error) {
	rt, err := runtime.Open(ctx, o.session.runtime)
	if err != nil {
		return err
	}
	a.onClose(rt.Close)
	c := fit.DenoiserConfig{Run: o.run, Arch: o.arch, NPG: o.noise.NPG, Training: fit.DefaultDenoiserTraining()}
	c.Session, c.Processor = trainSession(&o.session), a.processor
	c.Environment = map[string]any{
		"ucan": buildVersion(), "onnxruntime": rt.Version(), "provider": o.session.providers[0].Name,
		"platform": goruntime.GOOS + "/" + goruntime.GOARCH, cpuKey: a.processor,
	}
	c.Observer.Warn = func(text string) { a.warn("%s", text) }
	c.Observer.Note = func(text string) { a.note("%s", text) }
	c.Observer.Reading = func(inputs int) (read, done func()) {
		bar := progress.New(a.progressWriter(), progress.DefaultOptions(a.progressWriter(), int64(inputs), "inputs measured"))
		return func() { bar.Add(1) }, bar.Close
	}
	if err = o.openInputs(ctx, a, rt, &c); err != nil {
		return err
	}
	if err = o.openNoise(ctx, a, rt, &c); err != nil {
		return err
	}
	done := func() {}
	if o.arch != fit.Wiener {
		if err = o.openTraining(ctx, a, rt, &c); err != nil {
			return err
		}
		c.Observer.Step, done = a.trainingProgress(c.Training.Batch)
		a.resumable = true
	}
	r, err := fit.Denoiser(ctx, rt, c)
	done()
	if err != nil {
		return err
	}
	return a.presentDenoiser(c.Dir, r)
}

// openInputs opens the data and the model, and finds the shape of an input.
func (t *trainDenoiserOptions) openInputs(ctx context.Context, a *app, rt *runtime.Runtime, c *fit.DenoiserConfig) error {
	options := models.Options{Declared: t.model.declared, Session: t.session.options(), CacheDir: cacheFolder()}
	if t.data.spec != "" {
		prepare := t.data.options
		if t.model.file != "" {
			declared, _, err := declare.Resolve(t.model.file, t.model.declared)
			if err != nil {
				return modelError(fmt.Errorf("open model %w", err))
			}
			prepare = certify.PrepareFor(declared, prepare)
		}
		source, err := a.openSource(ctx, t.data.spec, prepare)
		if err != nil {
			return err
		}
		c.Data.Source, c.Data.Selection = source, t.data.selection
		c.Shape = source.Info().Shape
		options.SourceShape = c.Shape
	}
	if t.model.file == "" {
		return nil
	}
	m, err := models.Open(ctx, rt, t.model.file, options)
	if err != nil {
		return modelError(fmt.Errorf("open model %w", err))
	}
	a.onClose(m.Close)
	c.Model = m
	if c.Shape == nil {
		c.Shape = m.InputShape()
	}
	return nil
}

// openNoise opens the noise: fixed, or, for what is trained, made anew for every input.
func (t *trainDenoiserOptions) openNoise(ctx context.Context, a *app, rt *runtime.Runtime, c *fit.DenoiserConfig) error {
	maker, err := certify.OpenNoise(ctx, t.noise.Noise, certify.NoiseTarget{Shape: c.Shape, Source: c.Data.Source, Runtime: rt, Session: t.session.options()})
	if err != nil {
		return err
	}
	a.onClose(maker.Close)
	if maker.Guarantee() != smooth.Deployed {
		if t.arch == fit.Wiener {
			return refusef("make a denoiser in closed form: the generator %s makes other noise for every input; give noise that is fixed, or train another --arch", t.noise.NPG)
		}
		c.Generator, c.Seal = maker.Generator, maker.Seal
	}
	c.Noise, err = maker.Nominal(ctx)
	return usage(err)
}

func (a *app) presentDenoiser(out string, r *denoise.Record) error {
	if a.json() {
		return writeJSON(a.stdout, denoiserResultOf(out, r))
	}
	measured := "the statistics of photographs (no data given)"
	if d := r.Data; d != nil {
		measured = fmt.Sprintf("%d inputs of %s", d.Inputs, d.Source)
	}
	cost := fmt.Sprintf("%s multiply–adds a row", thousands(r.Cost.Denoiser))
	if n := r.Cost.Classifier; n > 0 {
		cost += fmt.Sprintf("; the classifier %s", thousands(n))
	}
	form, facts := "", ""
	if f := r.Filter; f != nil {
		form = ", in the basis " + f.Basis
		facts = fmt.Sprintf("error        %.3g a value is expected behind it, of %.3g in front (mean squares)\n", f.Error, f.NoiseError)
	}
	if t := r.Training; t != nil {
		facts = trainingFacts(t)
	}
	_, err := fmt.Fprintf(a.stdout, "bundle       %s\ndenoiser     %s%s, from %s\nnoise        %s\n%scost         %s\nsha256       %s\n",
		out, r.Architecture, form, measured, r.Noise, facts, cost, r.SHA256)
	return err
}

func inputsOf(r *denoise.Record) int {
	if r.Data == nil {
		return 0
	}
	return r.Data.Inputs
}

// thousands writes a count with its thousands apart.
func thousands(n int64) string {
	digits := []byte(fmt.Sprint(n))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = slices.Insert(digits, i, ',')
	}
	return string(digits)
}
