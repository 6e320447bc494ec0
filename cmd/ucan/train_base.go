package main

import (
	"context"
	"fmt"
	goruntime "runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/certify"
	"ucan/models"
	"ucan/models/arch"
	"ucan/models/declare"
	"ucan/train/base"
	"ucan/train/fit"
)

func newTrainBaseCommand(a *app) *cobra.Command {
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
		RunE: func(cmd *cobra.Command, _ []string) error { return runTrainBase(cmd.Context(), a) },
	}
	addSettings(cmd.Flags(), slices.Concat(baseTrainKeys, []string{
		"train.arch", "train.init", "train.batch_norm", "model.mean", "model.std",
		"data.source", "data.skip", "data.stride", "data.max", "data.shard", "data.resize", "data.crop", "data.label_map",
		"noise.family", "noise.sigma", "noise.lambda", "noise.param", "noise.sigma_field", "noise.mu_field", "noise.npg",
	})...)
	return cmd
}

func runTrainBase(ctx context.Context, a *app) error {
	r := a.values()
	session, err := a.sessionOptions(r)
	if err != nil {
		return err
	}
	data, noise, init := a.dataOptions(r), a.noiseOptions(r), r.text("train.init")
	c := readBase(r)
	a.readRun(r, session, &c.Run)
	if err = r.err(); err != nil {
		return err
	}
	rt, err := a.openTraining(ctx, session, data, &c.Run)
	if err != nil {
		return err
	}
	if init != "" {
		c.Init, err = models.Open(ctx, rt, declare.ModelPath(init), models.Options{SourceShape: c.Data.Source.Info().Shape, Session: session.options(), CacheDir: cacheFolder()})
		if err != nil {
			return modelError(fmt.Errorf("open model %w", err))
		}
		a.onClose(c.Init.Close)
	}
	maker, err := certify.OpenNoise(ctx, noise, certify.NoiseTarget{Shape: c.Data.Source.Info().Shape, Runtime: rt})
	if err != nil {
		return err
	}
	a.onClose(maker.Close)
	c.Noise = fit.Noise{
		Family: maker.Family, Lambda: maker.Lambda, Generator: maker.Generator, Seal: maker.Seal,
		NPG: noise.NPG, Fields: noise.SigmaField != "" || noise.MuField != "",
	}
	c.LabelMap = data.labels()
	c.Environment = map[string]any{
		"ucan": buildVersion(), "onnxruntime": rt.Version(), "provider": session.providers[0].Name,
		"platform": goruntime.GOOS + "/" + goruntime.GOARCH, cpuKey: a.processor,
	}
	step, done := a.trainingProgress(c.Batch)
	c.Observer.Step = step
	outcome, err := fit.Base(ctx, rt, c)
	done()
	if err != nil {
		return err
	}
	return a.presentBase(c.Dir, outcome)
}

// readBase reads the settings of base classifiers alone.
func readBase(r *values) fit.BaseConfig {
	c := fit.BaseConfig{
		Loop: fit.DefaultLoop(), Arch: r.text("train.arch"), BatchNorm: r.flag("train.batch_norm"),
		Mean: r.floats("model.mean"), Std: r.floats("model.std"),
		Smoothing: r.float("train.smoothing"), Consistency: r.float("train.consistency"), Entropy: r.float("train.consistency_entropy"),
	}
	readLoop(r, &c.Loop)
	init := r.text("train.init")
	switch {
	case c.Arch == "" && init == "":
		r.fault("train.arch", "no network given; name one of %s, or an ONNX file with --init", strings.Join(arch.Names(), ", "))
	case c.Arch != "" && init != "":
		r.fault("train.arch", "both --arch and --init are given; give one")
	case c.Arch != "" && !slices.Contains(arch.Names(), c.Arch):
		r.fault("train.arch", "%q is unknown; use %s", c.Arch, strings.Join(arch.Names(), ", "))
	}
	if c.BatchNorm && init == "" {
		r.fault("train.batch_norm", "it is for --init only: each network of --arch has its own normalisation")
	}
	if (len(c.Mean) == 0) != (len(c.Std) == 0) {
		r.fault("model.mean", "give --mean and --std together")
	}
	return c
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
