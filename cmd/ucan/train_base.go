package main

import (
	"context"
	"fmt"
	goruntime "runtime"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/certify"
	"ucan/models"
	"ucan/models/arch"
	"ucan/models/declare"
	"ucan/train/base"
	"ucan/train/fit"
)

// trainBaseOptions are those of train base.
type trainBaseOptions struct {
	trainOptions
	noise     noiseOptions
	model     modelOptions // of --init; mean and std are those of --arch too
	arch      string
	init      string
	batchNorm bool
}

func (t *trainBaseOptions) declare(o *options) {
	o.in(modelSection)
	o.text(&t.arch, "train.arch", "arch", "", "architecture to train from new weights: mnist-cnn, resnet20, resnet110, vit-tiny or mlp").oneOf(arch.Names()...)
	o.text(&t.init, "train.init", "init", "", "ONNX file or bundle to begin with instead: fine-tune its weights")
	o.on(&t.batchNorm, "train.batch_norm", "batch-norm", "with --init, train with batch normalisations behind the convolutions, folded away at the end: for noise unlike that which the model knows")
	m := &t.model
	m.declare(o)
	o.drop(&m.file, &m.declared.Denoiser)
	t.trainOptions.declare(o)
	n := &t.noise
	n.declare(o)
	o.drop(&n.norm, &n.arithmetic, &n.floor, &n.ceiling, &n.FixedMean)
}

func (t *trainBaseOptions) check(f *faults) {
	t.trainOptions.check(f)
	t.noise.check(f)
	switch {
	case t.arch == "" && t.init == "":
		f.add(&t.arch, "no network given; name one of %s, or an ONNX file with --init", strings.Join(arch.Names(), ", "))
	case t.arch != "" && t.init != "":
		f.add(&t.arch, "both --arch and --init are given; give one")
	}
	if t.batchNorm && t.init == "" {
		f.add(&t.batchNorm, "it is for --init only: each network of --arch has its own normalisation")
	}
	t.model.checkDeclared(f)
	in, out := &t.model.declared.Input, &t.model.declared.Output
	if t.arch == "" {
		return
	}
	if (len(in.Mean) == 0) != (len(in.Std) == 0) {
		f.add(&in.Mean, "give --mean and --std together")
	}
	const own = "it is for --init only: a network of --arch is made for the data"
	for _, option := range []struct {
		into  any
		given bool
	}{
		{&in.Scale, in.Scale != nil}, {&t.model.layout, t.model.layout != ""}, {&t.model.channels, t.model.channels != ""},
		{&in.Name, in.Name != ""}, {&t.model.fix, len(t.model.fix) > 0}, {&out.Name, out.Name != ""}, {&out.Decision, out.Decision != ""},
	} {
		if option.given {
			f.add(option.into, own)
		}
	}
}

func newTrainBaseCommand(a *app) *cobra.Command {
	o := &trainBaseOptions{}
	cmd := &cobra.Command{
		Use:   "base",
		Short: "Train a base classifier under noise, or fine-tune an ONNX file",
		Long: `Base trains a classifier to withstand the noise that it will be certified under: a built-in architecture from new
weights (--arch), or any ONNX classifier (--init). The bundle it writes, a folder, is what --model takes: model.onnx,
model.yaml, train.yaml (what made it), train.jsonl (a line an epoch) and checkpoint/.

A run killed at any point continues with --resume and ends with the same bytes. --resume on a bundle that is
not there begins it; on a finished one it does nothing.`,
		Example: `  ucan train base --arch mnist-cnn --data mnist:DIR --max 8000 --hold-out 500 --sigma 0.25 --epochs 20 --out mnist025
  ucan train base --arch resnet20 --data zip:train.zip --sigma 0.25 --epochs 60 --out cifar025 --resume
  ucan train base --init model.onnx --data folder:images --npg pattern:l2,kappa=1,iota=0.25 --epochs 3 --out tuned
  ucan certify --model cifar025 --data cifar10:test_batch.bin --sigma 0.25`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runTrainBase(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

func runTrainBase(ctx context.Context, a *app, o *trainBaseOptions) error {
	rt, err := a.openTraining(ctx, &o.trainOptions)
	if err != nil {
		return err
	}
	c := fit.BaseConfig{
		Run: o.run, Loop: o.loop, Arch: o.arch, BatchNorm: o.batchNorm, Mean: o.model.declared.Input.Mean, Std: o.model.declared.Input.Std,
		Smoothing: o.smoothing, Consistency: o.consistency, Entropy: o.entropy,
	}
	if o.init != "" {
		c.Init, err = models.Open(ctx, rt, declare.ModelPath(o.init), models.Options{
			Declared: o.model.declared, SourceShape: c.Data.Source.Info().Shape, Session: o.session.options(), CacheDir: cacheFolder(),
		})
		if err != nil {
			return modelError(fmt.Errorf("open model %w", err))
		}
		a.onClose(c.Init.Close)
	}
	if err = a.matchClasses(&c.Data, c.Init); err != nil {
		return err
	}
	maker, err := certify.OpenNoise(ctx, o.noise.Noise, certify.NoiseTarget{Shape: c.Data.Source.Info().Shape, Source: c.Data.Source, Runtime: rt})
	if err != nil {
		return err
	}
	a.onClose(maker.Close)
	c.Noise = fit.Noise{
		Family: maker.Family, Lambda: maker.Lambda, Generator: maker.Generator, Seal: maker.Seal,
		NPG: o.noise.NPG, Fields: o.noise.SigmaField != "" || o.noise.MuField != "",
	}
	c.LabelMap = o.data.labels()
	c.Environment = map[string]any{
		"ucan": buildVersion(), "onnxruntime": rt.Version(), "provider": o.session.providers[0].Name,
		"platform": goruntime.GOOS + "/" + goruntime.GOARCH, cpuKey: a.processor,
	}
	step, done := a.trainingProgress(c.Batch)
	c.Observer.Step = step
	a.resumable = true
	outcome, err := fit.Base(ctx, rt, c)
	done()
	if err != nil {
		return err
	}
	return a.presentBase(c.Dir, outcome)
}

func (a *app) presentBase(out string, o base.Outcome) error {
	if a.json() {
		return writeJSON(a.stdout, struct {
			Out string `json:"out"`
			base.Outcome
		}{out, o})
	}
	fmt.Fprintf(a.stdout, "bundle       %s\nepochs       %d\nloss         %.4f\nnoisy        %.4f (training batches of the last epoch)\n", out, o.Epochs, o.Loss, o.Noisy)
	if v := o.Validation; v != nil {
		fmt.Fprintf(a.stdout, "held out     %.4f clean, %.4f noisy, average radius about %.4f (epoch %d)\n", v.Clean, v.Noisy, v.Radius, o.BestEpoch)
	}
	fmt.Fprintf(a.stdout, "model        sha256 %s\nseconds      %.1f\n", o.Model, o.Seconds)
	return nil
}
