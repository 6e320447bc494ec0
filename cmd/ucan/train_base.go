package main

import (
	"context"
	"fmt"
	"math"
	goruntime "runtime"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/certify"
	"ucan/internal/report"
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

	selectorOf []string // runs that a selector chooses among
	measure    string   // by which it does

	objective    string
	attackRadius *float64 // nil for twice the standard deviation of the noise
	attackSteps  int
}

// What train base can minimise.
const (
	gaussianObjective    = "gaussian"
	consistencyObjective = "consistency"
	smoothAdvObjective   = "smoothadv"
)

func baseObjectives() []string {
	return []string{gaussianObjective, consistencyObjective, smoothAdvObjective}
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
	o.in(trainingSection)
	o.words(&t.selectorOf, "train.selector_of", "selector-of", nil, "train a selector: the label of an input is the number of that of these runs (tables or certificates of the training inputs) that certifies it best; others are left out")
	o.text(&t.measure, "train.selector_measure", "selector-measure", string(report.L2), "by which size of regions --selector-of compares").oneOf(measureNames()...)
	o.text(&t.objective, "train.objective", "objective", gaussianObjective, "what is minimised: gaussian, the cross-entropy under noise; consistency, the same and how far the draws of an image are apart; smoothadv, the cross-entropy of images moved to where the smoothed classifier likes their labels least").oneOf(baseObjectives()...)
	o.maybeFloat(&t.attackRadius, "train.attack_radius", "attack-radius", "with smoothadv, how far images are moved: the R of regions (default: twice the standard deviation of the noise)")
	o.count(&t.attackSteps, "train.attack_steps", "attack-steps", 2, 1, 1000, "with smoothadv, steps of gradient ascent; each costs about as much as a step of training")
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
	t.checkObjective(f)
	t.checkSelector(f)
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

// usualConsistency is the weight that Jeong and Shin (2020) take for noise of 0.5 and 1.
const usualConsistency = 10

// checkObjective fills in what an objective usually has.
func (t *trainBaseOptions) checkObjective(f *faults) {
	switch t.objective {
	case consistencyObjective:
		if !f.changed(&t.consistency) {
			t.consistency = usualConsistency
		}
		if !f.changed(&t.loop.Draws) {
			t.loop.Draws = 2
		}
		if t.loop.Draws < 2 {
			f.add(&t.loop.Draws, "consistency compares the draws of an image; give 2 or more")
		}
	case smoothAdvObjective:
		if !f.changed(&t.loop.Draws) {
			t.loop.Draws = 2
		}
		if t.noise.name != "gaussian" {
			f.add(&t.objective, "smoothadv moves images within ℓ2 balls, which are what gaussian noise certifies; the noise is %s", t.noise.name)
		}
	default:
		if f.changed(&t.attackSteps) {
			f.add(&t.attackSteps, "it is for --objective %s", smoothAdvObjective)
		}
	}
	if t.attackRadius == nil {
		return
	}
	switch {
	case t.objective != smoothAdvObjective:
		f.add(&t.attackRadius, "it is for --objective %s", smoothAdvObjective)
	case !(*t.attackRadius > 0) || math.IsInf(*t.attackRadius, 0):
		f.add(&t.attackRadius, "%v is out of range: give a number above 0", *t.attackRadius)
	}
}

// checkSelector checks what a selector is trained on.
func (t *trainBaseOptions) checkSelector(f *faults) {
	switch {
	case len(t.selectorOf) == 1:
		f.add(&t.selectorOf, "a selector chooses among two runs and more")
	case len(t.selectorOf) > 0 && t.validation != "":
		f.add(&t.validation, "runs give the labels of a selector, and other data have none; leave --val out and give --hold-out")
	case len(t.selectorOf) == 0 && f.changed(&t.measure):
		f.add(&t.measure, "it is for --selector-of")
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
  ucan train base --arch resnet20 --data zip:train.zip --sigma 0.5 --selector-of small.tsv,large.tsv --out selector
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
		Smoothing: o.smoothing, Consistency: o.consistency,
	}
	if o.consistency > 0 { // the option stands beside the consistency term, and the loss's weight within it
		c.Entropy = o.entropy / o.consistency
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
	if len(o.selectorOf) > 0 {
		var notes []string
		if c.Data.Relabel, notes, err = selectorLabels(ctx, o.selectorOf, report.Measure(o.measure)); err != nil {
			return err
		}
		for _, note := range notes {
			a.note("%s", note)
		}
	} else if err = a.matchClasses(&c.Data, c.Init); err != nil {
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
	if o.objective == smoothAdvObjective {
		c.AttackSteps, c.AttackRadius = o.attackSteps, 2*maker.Lambda
		if o.attackRadius != nil {
			c.AttackRadius = *o.attackRadius
		}
	}
	c.LabelMap = o.data.labels()
	if r := c.Data.Relabel; r != nil {
		c.LabelMap = r.Origin
	}
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
