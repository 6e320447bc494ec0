package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/fault"
	"ucan/internal/pipeline"
	"ucan/internal/workbench"
	"ucan/models"
	"ucan/models/arch"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/smooth/family"
	"ucan/train"
	"ucan/train/base"
	"ucan/train/data"
	"ucan/train/optim"
	"ucan/train/validate"
)

func newTrainBaseCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "base",
		Short: "Train a base classifier under noise, or fine-tune an ONNX file",
		Long: `Base trains a classifier to withstand the noise that it will be certified under: a built-in architecture from new
weights (--arch), or any ONNX classifier (--init). The bundle it writes, a folder, is what --model takes: model.onnx,
model.yaml, train.yaml (what made it), train.jsonl (a line an epoch) and checkpoint/.

A run that was stopped, however rudely, goes on with --resume and ends with the same bytes. --resume on a bundle that is
not there begins it; on a finished one it does nothing.

` + exitCodesHelp,
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

// baseTraining is one run of the command.
type baseTraining struct {
	a         *app
	train     trainOptions
	data      dataOptions
	noise     workbench.Noise
	arch      string
	init      string
	batchNorm bool
	mean, std []float64
	session   sessionOptions

	rt        *runtime.Runtime
	set, held *data.Set
	maker     *pipeline.NoiseMaker
	record    base.Record
	stored    *base.Record // of the run that is resumed
	labels    []string
	net       *base.Net
}

func runTrainBase(ctx context.Context, a *app) error {
	t, err := newBaseTraining(a)
	if err != nil {
		return err
	}
	done, err := t.begin()
	if err != nil || done {
		return err
	}
	if err = t.open(ctx); err != nil {
		return err
	}
	return t.run(ctx)
}

func newBaseTraining(a *app) (*baseTraining, error) {
	r := a.values()
	session, err := a.sessionOptions(r)
	if err != nil {
		return nil, err
	}
	t := &baseTraining{
		a: a, session: session, train: a.trainOptions(r), data: a.dataOptions(r), noise: a.noiseOptions(r),
		arch: r.text("train.arch"), init: r.text("train.init"), batchNorm: r.flag("train.batch_norm"),
		mean: r.floats("model.mean"), std: r.floats("model.std"),
	}
	switch {
	case t.arch == "" && t.init == "":
		r.fault("train.arch", "no network given; name one of %s, or an ONNX file with --init", strings.Join(arch.Names(), ", "))
	case t.arch != "" && t.init != "":
		r.fault("train.arch", "both --arch and --init are given; give one")
	case t.arch != "" && !slices.Contains(arch.Names(), t.arch):
		r.fault("train.arch", "%q is unknown; use %s", t.arch, strings.Join(arch.Names(), ", "))
	}
	if t.batchNorm && t.init == "" {
		r.fault("train.batch_norm", "only --init has use for it; the networks of --arch say themselves what they normalise")
	}
	if (len(t.mean) == 0) != (len(t.std) == 0) {
		r.fault("model.mean", "give --mean and --std together")
	}
	return t, r.err()
}

// begin looks at what lies in the bundle's folder; done means that there is nothing left to do.
func (t *baseTraining) begin() (done bool, err error) {
	exists, err := base.Exists(t.train.out)
	if err != nil {
		return false, err
	}
	if exists && !t.train.resume {
		return false, usagef("train into %q: there is a training already; pass --resume to go on with it, or name another folder", t.train.out)
	}
	if err = os.MkdirAll(t.train.out, 0o755); err != nil {
		return false, fmt.Errorf("make the bundle: %w", err)
	}
	stored, err := base.ReadRecord(t.train.out)
	switch {
	case err == nil:
		t.stored = &stored
	case errors.Is(err, base.ErrRecord):
		t.a.warn("%v; going on by its checkpoints", err)
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	return false, t.settleSeed()
}

// settleSeed takes the seed given, that of the run resumed, from its record or its checkpoints, or a new one.
func (t *baseTraining) settleSeed() error {
	if t.train.seeded {
		return nil
	}
	text := ""
	if t.train.resume {
		choices, _ := train.Stored(t.train.out)
		text = choices["seed"]
	}
	if t.stored != nil {
		text, _ = t.stored.Configuration["seed"].(string)
	}
	if text == "" {
		t.train.seed = randomSeed()
		return nil
	}
	var err error
	if t.train.seed, err = strconv.ParseUint(text, 10, 64); err != nil {
		return fmt.Errorf("resume %q: its seed %q is damaged; pass it with --seed", t.train.out, text)
	}
	return nil
}

// open reads the data, makes the noise and writes the record.
func (t *baseTraining) open(ctx context.Context) error {
	var err error
	if t.rt, err = runtime.Open(ctx, t.session.runtime); err != nil {
		return err
	}
	t.a.onClose(t.rt.Close)
	if t.set, t.held, err = t.a.openSets(ctx, t.data, t.train, 0); err != nil {
		return err
	}
	if t.held != nil && t.held.Dim() != t.set.Dim() {
		return refusef("validate on %s: its inputs have %d values and those of %s %d; take data of one shape", t.held.Info().Name, t.held.Dim(), t.set.Info().Name, t.set.Dim())
	}
	t.labels = t.set.Info().Labels
	b := workbench.Bench{Runtime: t.rt, Info: t.set.Info()}
	if t.maker, err = b.NoiseMaker(ctx, t.noise); err != nil {
		return noiseError(err)
	}
	t.a.onClose(t.maker.Close)
	return nil
}

// noiseError marks faults of the noise's settings as faults of usage.
func noiseError(err error) error {
	var bad *workbench.OptionError
	if errors.As(err, &bad) {
		return usage(err)
	}
	return err
}

// network makes or reads what is trained.
func (t *baseTraining) network(ctx context.Context) (*base.Net, map[string]any, error) {
	if t.init != "" {
		return t.initial(ctx)
	}
	mean, std := t.mean, t.std
	if len(mean) == 0 {
		mean, std = t.set.Moments()
	}
	info := t.set.Info()
	c := arch.Config{Name: t.arch, Input: info.Shape, Classes: t.set.Classes(), Mean: mean, Std: std, Seed: t.train.seed}
	n, err := arch.New(c)
	if err != nil {
		return nil, nil, usagef("train %s on %s: %w", t.arch, info.Name, err)
	}
	return base.FromArch(n), map[string]any{"arch": t.arch, "classes": c.Classes, "mean": mean, "std": std}, nil
}

// initial opens the classifier to fine-tune.
func (t *baseTraining) initial(ctx context.Context) (*base.Net, map[string]any, error) {
	path := base.ModelPath(t.init)
	m, err := models.Open(ctx, t.rt, path, models.Options{SourceShape: t.set.Info().Shape, Session: t.session.options(), CacheDir: cacheFolder()})
	if err != nil {
		return nil, nil, modelError(fmt.Errorf("open model %w", err))
	}
	t.a.onClose(m.Close)
	if n := t.set.Classes(); n > m.Classes() {
		return nil, nil, refusef("fine-tune %s on %s: the model has %d classes and the data %d; give a label map, or another model", path, t.set.Info().Name, m.Classes(), n)
	}
	if len(m.Labels()) > 0 {
		t.labels = m.Labels()
	}
	net, err := base.FromModel(m)
	if errors.Is(err, autodiff.ErrNotDifferentiable) {
		return nil, nil, fault.Mark(fault.Refused, err)
	}
	description := map[string]any{"init": m.SHA256(), "classes": m.Classes()}
	if err == nil && t.batchNorm {
		description["batch_norm"] = true
		err = t.renormalise(ctx, net)
	}
	return net, description, err
}

// renormalise puts batch normalisations into the classifier, by the moments of images of the training set, as many as
// make a million values, 256 at most.
func (t *baseTraining) renormalise(ctx context.Context, net *base.Net) error {
	some := t.set.Spread(min(256, max(8, 1<<20/t.set.Dim())))
	images := make([]float32, some.Len()*some.Dim())
	for i := range some.Len() {
		some.Read(i, images[i*some.Dim():(i+1)*some.Dim()])
	}
	err := net.Renormalise(ctx, autodiff.OnRuntime(t.rt), images, some.Len())
	if errors.Is(err, arch.ErrNoRenormalisation) {
		return refusef("fine-tune %s with --batch-norm: %w; train without", t.init, err)
	}
	return err
}

// run trains and writes the model.
func (t *baseTraining) run(ctx context.Context) error {
	net, description, err := t.network(ctx)
	if err != nil {
		return err
	}
	t.net = net
	config, err := t.configure(net, description)
	if err != nil {
		return err
	}
	if err = t.compare(); err != nil {
		return err
	}
	if t.stored != nil && t.train.resume && t.stored.Finished(t.train.out) {
		t.a.note("%s is finished; nothing to do", t.train.out)
		return t.present(*t.stored.Result)
	}
	if err = t.record.Write(t.train.out); err != nil {
		return err
	}
	objective, err := base.New(ctx, t.rt, net, t.objectiveConfig())
	switch {
	case errors.Is(err, autodiff.ErrNotDifferentiable):
		return fault.Mark(fault.Refused, err)
	case errors.Is(err, optim.ErrConfig):
		return usage(err)
	case err != nil:
		return err
	}
	t.a.onClose(objective.Close)
	config.Choices = map[string]string{"weights": string(objective.Mode()), "seed": strconv.FormatUint(t.train.seed, 10)}
	outcome, err := t.loop(ctx, config, objective)
	if err != nil {
		return err
	}
	t.record.Result = outcome
	if err = t.record.Write(t.train.out); err != nil {
		return err
	}
	return t.present(*outcome)
}

// loop runs the training loop and exports what it ends with.
func (t *baseTraining) loop(ctx context.Context, config train.Config, objective *base.Objective) (*base.Outcome, error) {
	feed, err := t.feed()
	if err != nil {
		return nil, err
	}
	t.a.onClose(feed.Close)
	var validator train.Validator
	if t.held != nil {
		validator = &base.Validator{
			Runtime: t.rt, Objective: objective, Images: t.held, Shape: t.set.Info().Shape, Noise: t.maker.Seal,
			Batch: t.train.batch, Options: validate.Options{Samples: t.train.valSamples, Seed: t.train.seed},
		}
	}
	report, done := t.a.trainingProgress(t.train.batch)
	config.Report = report
	t.a.note("training on %d images of %s, seed %d", t.set.Len(), t.set.Info().Name, t.train.seed)
	result, err := train.Run(ctx, config, objective, validator, feed)
	done()
	if errors.Is(err, train.ErrMismatch) || errors.Is(err, optim.ErrConfig) {
		return nil, usage(err)
	}
	if err != nil {
		return nil, err
	}
	hash, err := objective.WriteModel(t.train.out)
	if err != nil {
		return nil, err
	}
	if err = base.WriteDeclaration(t.train.out, t.declaration()); err != nil {
		return nil, err
	}
	return base.NewOutcome(result, hash), nil
}

// feed makes the batches.
func (t *baseTraining) feed() (*data.Feed, error) {
	c, err := t.feedConfig()
	if err != nil {
		return nil, err
	}
	f, err := data.NewFeed(t.set, c)
	return f, usage(err)
}

func (t *baseTraining) feedConfig() (data.Config, error) {
	info := t.set.Info()
	augment, err := augmentOf(t.train.augment, info.Image && len(info.Shape) == 3 && info.Shape[0] == 3)
	if err != nil {
		return data.Config{}, usage(err)
	}
	sampler, ok := t.maker.Family.(family.Sampler)
	if !ok {
		return data.Config{}, usagef("train under %s: the family cannot be sampled", t.maker.Family.Name())
	}
	return data.Config{
		Batch: t.train.batch, Draws: t.train.draws, Seed: t.train.seed, Augment: augment,
		Family: sampler, Lambda: t.maker.Lambda, Shaper: t.shaper(),
	}, nil
}

// shaper gives the fields of the generator; noise that is fixed before any input is made once.
func (t *baseTraining) shaper() data.Shaper {
	if t.maker.Generator == nil {
		return data.Fixed(data.Shape{})
	}
	return data.FromGenerator(t.maker.Generator)
}

func (t *baseTraining) present(o base.Outcome) error {
	if t.a.json() {
		return writeJSON(t.a.stdout, struct {
			Out string `json:"out"`
			base.Outcome
		}{t.train.out, o})
	}
	fmt.Fprintf(t.a.stdout, "bundle       %s\nepochs       %d\nloss         %.4f\nnoisy        %.4f (training batches of the last epoch)\n", t.train.out, o.Epochs, o.Loss, o.Noisy)
	if v := o.Validation; v != nil {
		fmt.Fprintf(t.a.stdout, "held out     %.4f clean, %.4f noisy, average radius about %.4f (epoch %d)\n", v.Clean, v.Noisy, v.Radius, o.BestEpoch)
	}
	fmt.Fprintf(t.a.stdout, "model        sha256 %s\nseconds      %.1f\n", o.Model, o.Seconds)
	return nil
}

// declaration is the model.yaml of the bundle: everything else is inside the graph.
func (t *baseTraining) declaration() models.Declaration {
	input, logits := t.net.Names()
	d := models.Declaration{
		Input:  models.InputDeclaration{Name: input, Layout: models.NCHW},
		Output: models.OutputDeclaration{Name: logits, Kind: "logits", Decision: "argmax"},
	}
	if len(t.set.Info().Shape) != 3 {
		d.Input.Layout = models.Flat
	}
	d.Labels = t.labels
	return d
}
