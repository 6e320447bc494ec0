package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"ucan/internal/certify"
	"ucan/internal/dataset"
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
	model   modelOptions
	data    dataOptions
	noise   noiseOptions
	session sessionOptions
	arch    string
	out     string
	resume  bool
}

func (t *trainDenoiserOptions) declare(o *options) {
	t.model.declare(o)
	o.drop(&t.model.declared.Denoiser)
	o.in(modelSection)
	o.text(&t.arch, "denoiser.arch", "arch", fit.Wiener, "architecture: wiener, the best linear denoiser in closed form").oneOf(fit.Denoisers()...)
	t.data.declare(o)
	o.drop(&t.data.maxFailures, &t.data.force, &t.data.labelMap)
	t.noise.declare(o)
	o.drop(&t.noise.norm, &t.noise.arithmetic)
	t.session.declare(o)
	o.in(outputSection)
	o.text(&t.out, "denoiser.out", "out", "", "bundle to write: a folder with the denoiser and its record").as("o").output()
	o.on(&t.resume, "denoiser.resume", "resume", "make the denoiser of the bundle anew where there is one")
}

func (t *trainDenoiserOptions) check(f *faults) {
	t.model.file = declare.ModelPath(t.model.file)
	t.model.checkDeclared(f)
	if t.data.spec != "" {
		t.data.check(f)
	} else if t.model.file == "" {
		f.add(&t.data.spec, "no data given; name a source to measure, or a --model whose inputs are images, for the statistics of photographs")
	}
	t.noise.check(f)
	t.session.check(f)
	if t.out == "" {
		f.add(&t.out, "no bundle to write is given; name a folder")
	}
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

The bundle, a folder, holds denoiser.onnx and denoiser.yaml: the noise it is for, the data, and its cost in
multiply–adds beside the classifier's (with --model). Under other noise it works, and worse; runs warn of it.`,
		Example: `  ucan train denoiser --data zip:train.zip --sigma 0.25 --out wiener025
  ucan train denoiser --model net.onnx --data folder:images --npg pattern:dct,kappa=256,gamma=4,iota=0.0625 --out wiener-dct
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
	c := fit.DenoiserConfig{Dir: o.out, Resume: o.resume, Arch: o.arch, NPG: o.noise.NPG}
	c.Environment = map[string]any{"ucan": buildVersion(), "onnxruntime": rt.Version(), cpuKey: a.processor}
	c.Observer.Warn = func(text string) { a.warn("%s", text) }
	c.Observer.Reading = func(inputs int) (read, done func()) {
		bar := progress.New(a.progressWriter(), progress.DefaultOptions(a.progressWriter(), int64(inputs), "inputs measured"))
		return func() { bar.Add(1) }, bar.Close
	}
	if err = o.openInputs(ctx, a, rt, &c); err != nil {
		return err
	}
	if c.Noise, err = o.sealNoise(ctx, a, rt, c); err != nil {
		return err
	}
	r, err := fit.Denoiser(ctx, rt, c)
	if err != nil {
		return err
	}
	return a.presentDenoiser(o.out, r)
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
		c.Data = fit.Data{Source: source, Selection: t.data.selection}
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

// sealNoise makes the noise, which must be the same for every input.
func (t *trainDenoiserOptions) sealNoise(ctx context.Context, a *app, rt *runtime.Runtime, c fit.DenoiserConfig) (*smooth.SealedNoise, error) {
	var source *dataset.Source
	if c.Data.Source != nil {
		source = c.Data.Source
	}
	maker, err := certify.OpenNoise(ctx, t.noise.Noise, certify.NoiseTarget{Shape: c.Shape, Source: source, Runtime: rt, Session: t.session.options()})
	if err != nil {
		return nil, err
	}
	a.onClose(maker.Close)
	if maker.Guarantee() != smooth.Deployed {
		return nil, refusef("make a denoiser in closed form: the generator %s makes other noise for every input; give noise that is fixed", t.noise.NPG)
	}
	sealed, err := maker.Seal(ctx, nil)
	return sealed, usage(err)
}

func (a *app) presentDenoiser(out string, r *denoise.Record) error {
	if a.json() {
		return writeJSON(a.stdout, struct {
			Out        string  `json:"out"`
			SHA256     string  `json:"sha256"`
			Arch       string  `json:"architecture"`
			Noise      string  `json:"noise"`
			Basis      string  `json:"basis"`
			Error      float64 `json:"expected_error"`
			NoiseError float64 `json:"noise_variance"`
			Inputs     int     `json:"inputs"`
			Denoiser   int64   `json:"multiply_adds"`
			Classifier int64   `json:"classifier_multiply_adds,omitempty"`
		}{out, r.SHA256, r.Architecture, r.Noise.String(), r.Filter.Basis, r.Filter.Error, r.Filter.NoiseError, inputsOf(r), r.Cost.Denoiser, r.Cost.Classifier})
	}
	measured := "the statistics of photographs (no data given)"
	if d := r.Data; d != nil {
		measured = fmt.Sprintf("%d inputs of %s", d.Inputs, d.Source)
	}
	cost := fmt.Sprintf("%s multiply–adds a row", thousands(r.Cost.Denoiser))
	if n := r.Cost.Classifier; n > 0 {
		cost += fmt.Sprintf("; the classifier %s", thousands(n))
	}
	_, err := fmt.Fprintf(a.stdout, "bundle       %s\ndenoiser     %s, in the basis %s, from %s\nnoise        %s\nerror        %.3g a value is expected behind it, of %.3g in front (mean squares)\ncost         %s\nsha256       %s\n",
		out, r.Architecture, r.Filter.Basis, measured, r.Noise, r.Filter.Error, r.Filter.NoiseError, cost, r.SHA256)
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
