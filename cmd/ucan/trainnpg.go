package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/fault"
	"ucan/models"
	"ucan/npg/bundle"
	"ucan/npg/diagnose"
	"ucan/npg/net"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/train"
	"ucan/train/generator"
	"ucan/train/generator/fit"
	"ucan/train/optim"
	"ucan/train/perinput"
)

func newTrainNPGCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "npg",
		Short: "Learn a noise parameter generator for a classifier",
		Long: `Train npg learns where noise costs a classifier nothing: it maximises the volume of the noise against the
cross-entropy of the noisy copies, through the gradients of any ONNX classifier. The result is a bundle for --npg.

Kinds: pattern (a formula of the position whose numbers are learned) and dataset (one learned field) are fixed before an
input is seen: their certificates hold for the running service ("deployed"). certification (networks that read the clean
input) and per-input (optimised for each input of the data) depend on the input: their certificates are "pinned", and
hold only for who replays exactly the stored noise, not for a service that recomputes it from each request. Per-input
takes --epochs as steps (100 unless given), --draws as noisy copies of a step (100), --lr, --floor, --ceiling and --basis.

Scales are on the data's scale: s multiplies noise of standard deviation --sigma (1 unless given), and lies between
--floor and --ceiling whatever is learned. --target-sigma holds the mean of s over every input's coordinates, inside the
network, so that only its shape is learned: for comparisons at equal noise; the volume term then has no effect on it.

` + exitCodesHelp,
		Example: `  ucan train npg --kind dataset --model model.onnx --data mnist:mnist --max 8000 --joint --out field
  ucan train npg --kind dataset --basis dct --model model.onnx --data cifar10:data_batch_1.bin --out field
  ucan train npg --kind certification --fixed-mean --model model.onnx --data mnist:mnist --max 500 --epochs 40 --out maps
  ucan certify --model model.onnx --data mnist:mnist --skip 8000 --npg field --out field.tsv`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runTrainNPG(cmd.Context(), a) },
	}
	addSettings(cmd.Flags(), slices.Concat(modelKeys, baseTrainKeys, npgTrainKeys)...)
	return cmd
}

var npgTrainKeys = []string{
	"data.source", "data.skip", "data.stride", "data.max", "data.shard", "data.resize", "data.crop", "data.label_map",
	"noise.family", "noise.sigma", "noise.lambda", "noise.param",
	"npg.kind", "npg.basis", "npg.joint", "npg.joint_rate", "npg.volume", "npg.volume_weight", "npg.reg", "npg.floor", "npg.ceiling",
	"npg.start", "npg.target_sigma", "npg.target_mean", "npg.fixed_mean", "npg.mu_scale", "npg.target_norm",
}

// npgTraining is one run of the command.
type npgTraining struct {
	a        *app
	model    string
	declared models.Declaration
	data     dataOptions
	train    trainOptions
	session  sessionOptions
	fit      fit.Config
	sigma    float64 // of raw noise; 0 where lambda is given
}

// defaultHoldOut is how many inputs are held out for validation unless the user says otherwise.
const defaultHoldOut = 100

func newNPGTraining(a *app) (*npgTraining, error) {
	r := a.values()
	session, err := a.sessionOptions(r)
	if err != nil {
		return nil, err
	}
	t := &npgTraining{
		a: a, session: session, model: requireModel(r), declared: a.declaration(r), data: a.dataOptions(r), train: a.trainOptions(r),
	}
	kind := net.Kind(r.text("npg.kind"))
	if !slices.Contains([]net.Kind{net.Pattern, net.Dataset, net.Certification, net.Kind(bundle.PerInput)}, kind) {
		r.fault("npg.kind", "unknown kind %q: give pattern, dataset, certification or per-input", kind)
	}
	t.fit = fit.DefaultConfig(kind)
	switch {
	case kind == net.Kind(bundle.PerInput):
		checkPerInput(r)
	case !r.changed("train.validation") && t.train.val == "":
		t.train.holdOut = defaultHoldOut
	}
	t.readLoop(r)
	t.readNet(r)
	t.readNoise(r)
	return t, r.err()
}

// readLoop takes over what every training has; what the user left open is the kind's own.
func (t *npgTraining) readLoop(r *values) {
	c, o := &t.fit, t.train
	c.Loop = t.a.loopConfig(o)
	if !r.changed("train.keep") {
		c.Loop.KeepBest = o.patience > 0 // the luckiest of many estimates is not the best
	}
	if !r.changed("train.clip") {
		c.Loop.Clip = 1
	}
	decay := c.Optimizer.WeightDecay
	if c.Optimizer = o.optimizerConfig(c.Optimizer.Name); o.decay < 0 {
		c.Optimizer.WeightDecay = decay
	}
	if o.rate > 0 {
		c.LearningRate = o.rate
	}
	if r.changed("train.weights") {
		c.Mode = o.weights
	}
	c.Batch, c.Draws, c.ValidationDraws = o.batch, o.draws, o.valSamples
	c.Schedule, c.Warmup = o.schedule, o.warmup
	c.Loss.Smoothing, c.Loss.Consistency = o.smoothing, o.consistency
	var err error
	if c.Augment, err = augmentOf(o.augment, false); err != nil {
		r.fault("train.augment", "%s", err)
	}
	c.Threads = trainSession(t.session).IntraOp
}

// readNet reads what the generator is and what it is rewarded for.
func (t *npgTraining) readNet(r *values) {
	c, n := &t.fit, &t.fit.Net
	n.Basis, n.Floor, n.Ceiling = net.Basis(r.text("npg.basis")), r.float("npg.floor"), r.float("npg.ceiling")
	n.Start = math.Sqrt(n.Floor * n.Ceiling)
	if r.given("npg.target_sigma") {
		n.Start = r.float("npg.target_sigma")
		switch n.Hold = net.Hold(r.text("npg.target_mean")); n.Hold {
		case net.HoldMean, net.HoldLogMean:
		default:
			r.fault("npg.target_mean", "%q is no mean; give mean or logmean", n.Hold)
		}
	}
	if r.given("npg.start") {
		if n.Hold != net.HoldNothing {
			r.fault("npg.start", "--target-sigma is the start already; give one of the two")
		}
		n.Start = r.float("npg.start")
	}
	if n.MuScale = r.float("npg.mu_scale"); r.flag("npg.fixed_mean") || n.Kind == net.Pattern {
		n.MuScale = 0
	}
	c.Joint, c.JointRate, c.Loss.Reg = r.flag("npg.joint"), r.float("npg.joint_rate"), r.float("npg.reg")
	weight := r.float("npg.volume_weight")
	c.Loss.Volume = generator.Volume{}
	switch v := &c.Loss.Volume; r.text("npg.volume") {
	case "min":
		v.Min = weight
	case "mean":
		v.Mean = weight
	case "logmean":
		v.LogMean = weight
	case "area":
		v.Area = weight
	default:
		r.fault("npg.volume", "%q is no volume; give min, mean, logmean or area", r.text("npg.volume"))
	}
}

// readNoise reads the family and its scale.
func (t *npgTraining) readNoise(r *values) {
	c := &t.fit
	var err error
	if c.Family, err = family.New(strings.ToLower(r.text("noise.family")), parameters(r)); err != nil {
		r.fault("noise.family", "%s", err)
		return
	}
	c.Norm = c.Family.Norms()[0]
	if text := r.text("npg.target_norm"); text != "" {
		if c.Norm, err = family.ParseNorm(text); err == nil && !slices.Contains(c.Family.Norms(), c.Norm) {
			err = fmt.Errorf("noise family %s has a theorem for %v only", c.Family.Name(), c.Family.Norms())
		}
		if err != nil {
			r.fault("npg.target_norm", "%s", err)
		}
	}
	t.sigma = 1
	switch {
	case r.given("noise.sigma") && r.given("noise.lambda"):
		r.fault("noise.sigma", "both --sigma and --lambda are given; give one")
	case r.given("noise.sigma"):
		t.sigma = r.float("noise.sigma")
	case r.given("noise.lambda"):
		c.Lambda, t.sigma = r.float("noise.lambda"), 0
	}
}

func runTrainNPG(ctx context.Context, a *app) error {
	t, err := newNPGTraining(a)
	if err != nil {
		return err
	}
	if err = t.settleSeed(); err != nil {
		return err
	}
	rt, err := runtime.Open(ctx, t.session.runtime)
	if err != nil {
		return err
	}
	a.onClose(rt.Close)
	set, held, err := a.openSets(ctx, t.data, t.train, 0)
	if err != nil {
		return err
	}
	model, err := models.Open(ctx, rt, t.model, models.Options{Declared: t.declared, SourceShape: set.Info().Shape, CacheDir: cacheFolder()})
	if err != nil {
		return modelError(fmt.Errorf("open model %w", err))
	}
	a.onClose(model.Close)
	if n := set.Classes(); n > model.Classes() {
		return refusef("train a generator for %s on %s: the model has %d classes and the data %d; give a label map, or another model", model.Name(), set.Info().Name, model.Classes(), n)
	}
	if err = t.settleNoise(model.Dim()); err != nil {
		return err
	}
	if t.fit.Net.Kind == net.Kind(bundle.PerInput) {
		return t.optimisePerInput(ctx, rt, model, set)
	}
	if !t.train.counted {
		t.fit.Loop.Epochs = fit.Epochs(t.fit.Net.Kind, set.Len(), t.fit.Batch)
	}
	report, done := a.trainingProgress(t.train.batch)
	t.fit.Loop.Report = report
	result, err := fit.Run(ctx, rt, model, set, held, t.fit)
	done()
	if err != nil {
		return trainError(err)
	}
	return a.presentGenerator(result, t.train.out)
}

// settleSeed takes the seed of the run that is resumed, the seed given, or a new one. It draws the held-out inputs too,
// so it is settled before any is read.
func (t *npgTraining) settleSeed() error {
	stored, ok := uint64(0), false
	if t.train.resume {
		stored, ok = t.storedSeed()
	}
	switch {
	case ok && t.train.seeded && stored != t.train.seed:
		return usagef("resume %q: it was begun with the seed %d, not %d; leave --seed out, or name another folder", t.train.out, stored, t.train.seed)
	case ok:
		t.train.seed = stored
	case !t.train.seeded:
		t.train.seed = randomSeed()
	}
	t.fit.Seed = t.train.seed
	return nil
}

// storedSeed is that of the run in the bundle's folder; ok is false when there is none.
func (t *npgTraining) storedSeed() (seed uint64, ok bool) {
	if t.fit.Net.Kind == net.Kind(bundle.PerInput) {
		return perinput.StoredSeed(t.train.out)
	}
	return fit.StoredSeed(t.train.out)
}

// settleNoise fixes the family for the dimension and turns a standard deviation into the raw scale.
func (t *npgTraining) settleNoise(dim int) error {
	noise, err := family.ForDim(t.fit.Family, dim)
	if err == nil && t.sigma > 0 {
		t.fit.Lambda, err = smooth.LambdaFor(noise, dim, t.sigma)
	}
	if err != nil {
		return usage(err)
	}
	t.fit.Family = noise
	return nil
}

// trainError gives the errors of training their exit codes.
func trainError(err error) error {
	switch {
	case errors.Is(err, fit.ErrConfig), errors.Is(err, optim.ErrConfig), errors.Is(err, train.ErrMismatch):
		return usage(err)
	case errors.Is(err, autodiff.ErrNotDifferentiable):
		return fault.Mark(fault.Refused, err)
	}
	return err
}

// generatorSummary is what training prints at its end.
type generatorSummary struct {
	Out       string               `json:"out"`
	Kind      string               `json:"kind"`
	Guarantee string               `json:"guarantee"`
	Seed      uint64               `json:"seed"`
	Steps     int64                `json:"steps"`
	Epochs    int                  `json:"epochs"`
	Stopped   bool                 `json:"stopped_early"`
	Loss      float64              `json:"loss"`
	Noisy     float64              `json:"noisy_accuracy"`
	Seconds   float64              `json:"seconds"`
	SHA256    string               `json:"sha256"`
	Sigma     diagnose.Scale       `json:"sigma"`
	Mu        diagnose.Offset      `json:"mu"`
	Diagnoses []diagnose.Diagnosis `json:"diagnoses"`
}

func (a *app) presentGenerator(result fit.Result, dir string) error {
	t, b := result.Training, result.Bundle
	s := generatorSummary{
		Out: dir, Kind: string(b.Kind), Guarantee: string(b.Kind.Guarantee()), Seed: result.Seed, Steps: t.Steps, Epochs: t.Epochs,
		Stopped: t.Stopped, Loss: t.Loss, Noisy: t.Noisy, Seconds: t.Seconds, SHA256: b.Hash(),
		Sigma: result.Report.Sigma, Mu: result.Report.Mu, Diagnoses: result.Report.Found(),
	}
	for _, d := range s.Diagnoses {
		a.warn("%s: %s; %s", d.Name, d.Text, d.Knob)
	}
	if a.json() {
		if s.Diagnoses == nil {
			s.Diagnoses = []diagnose.Diagnosis{}
		}
		return writeJSON(a.stdout, s)
	}
	fmt.Fprintf(a.stdout, "%s: %s generator, guarantee %s, seed %d\n", dir, s.Kind, s.Guarantee, s.Seed)
	fmt.Fprintf(a.stdout, "  %d steps in %.0f s, loss %.4f, accuracy under its noise %.4f\n", s.Steps, s.Seconds, s.Loss, s.Noisy)
	fmt.Fprintf(a.stdout, "  scale %.4g to %.4g, mean %.4g, geometric mean %.4g; offset %.4g (ℓ2)\n", s.Sigma.Min, s.Sigma.Max, s.Sigma.Mean, s.Sigma.GeometricMean, s.Mu.Norm)
	return nil
}
