package main

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"ucan/models"
	"ucan/npg"
	"ucan/npg/diagnose"
	"ucan/npg/net"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/train/fit"
	"ucan/train/generator"
)

// trainNPGOptions are those of train npg. Floor, ceiling and --fixed-mean have their own keys here:
// see [noiseOptions].
type trainNPGOptions struct {
	trainOptions
	model     modelOptions
	noise     familyOptions
	norm      string // that estimates are made in
	net       net.Config
	joint     bool
	jointRate float64

	kind, basis  string
	method       string
	distortion   float64
	volume       string
	volumeWeight float64
	reg          float64
	start        *float64
	target       *float64
	targetMean   string
	fixedMean    bool
	family       family.Isotropic
	targetNorm   family.Norm
}

func (t *trainNPGOptions) declare(o *options) {
	t.model.declare(o)
	t.trainOptions.declare(o)
	t.noise.declare(o)
	o.drop(&t.noise.norm)
	o.text(&t.norm, "npg.target_norm", "target-norm", "", "norm that estimates are made in: l1, l2 or linf (default: the family's own)").offers(normNames)
	o.in(trainingSection)
	o.text(&t.kind, "npg.kind", "kind", "", "generator: pattern, dataset, certification or per-input").oneOf(kindNames()...)
	o.text(&t.basis, "npg.basis", "basis", string(net.Pixel), "basis of the scale field: pixel or dct").oneOf(string(net.Pixel), string(net.DCT))
	o.text(&t.method, "npg.method", "method", methodGradient, "how: gradient (learned for a classifier) or spectral (dataset-wise, in closed form from the spectrum of the data; needs no --model)").oneOf(methodGradient, methodSpectral)
	o.float(&t.distortion, "npg.distortion", "distortion", 0, "with --method spectral, share of the data's power that the best linear estimate may lose under the noise, such as 0.05")
	o.on(&t.joint, "npg.joint", "joint", "train the classifier along, under the noise that is being learned")
	o.float(&t.jointRate, "npg.joint_rate", "joint-rate", 1, "learning rate of the classifier over that of the generator")
	o.text(&t.volume, "npg.volume", "volume", "logmean", "what rewards noise: min, mean, logmean (ALM) or area (the ALM radius itself)").oneOf("min", "mean", "logmean", "area")
	o.float(&t.volumeWeight, "npg.volume_weight", "volume-weight", 0.5, "weight of the volume beside the cross-entropy")
	o.float(&t.reg, "npg.reg", "reg", 0, "weight of the root mean square of the scale, which punishes noise")
	o.float(&t.net.Floor, "npg.floor", "floor", 0.05, "least scale")
	o.float(&t.net.Ceiling, "npg.ceiling", "ceiling", 1, "largest scale")
	o.maybeFloat(&t.start, "npg.start", "start", "scale at the beginning (default: --target-sigma, otherwise the geometric mean of floor and ceiling)")
	o.maybeFloat(&t.target, "npg.target_sigma", "target-sigma", "hold a mean of every input's scale at this value")
	o.text(&t.targetMean, "npg.target_mean", "target-mean", string(net.HoldMean), "which mean --target-sigma holds: mean or logmean").oneOf(string(net.HoldMean), string(net.HoldLogMean))
	o.on(&t.fixedMean, "npg.fixed_mean", "fixed-mean", "no offset: μ = 0")
	o.float(&t.net.MuScale, "npg.mu_scale", "mu-scale", 0.25, "bound on the offset of every coordinate")
	t.session.declare(o)
	o.drop(&t.session.workers, &t.session.batch)
}

func kindNames() []string {
	return []string{string(npg.KindPattern), string(npg.KindDataset), string(npg.KindCertification), string(npg.KindPerInput)}
}

func (t *trainNPGOptions) check(f *faults) {
	if t.method == methodSpectral {
		t.checkSpectral(f)
		return
	}
	if f.changed(&t.distortion) {
		f.add(&t.distortion, "it is for --method spectral only; leave it out")
	}
	t.model.check(f)
	t.trainOptions.check(f)
	t.noise.check(f)
	t.checkNorm(f)
	if t.kind == "" {
		f.add(&t.kind, "no kind given: give %s", alternatives(kindNames()))
	}
	if t.target != nil && t.start != nil {
		f.add(&t.start, "--target-sigma is the start already; give one of the two")
	}
	if t.perInput() {
		t.checkPerInput(f)
		return
	}
	if !f.changed(&t.run.Data.HoldOut) && t.validation == "" {
		t.run.Data.HoldOut = defaultHoldOut
	}
	if !f.changed(&t.keep) {
		t.loop.KeepBest = t.loop.Patience > 0 // the luckiest of many estimates is not the best
	}
	if !f.changed(&t.loop.Clip) {
		t.loop.Clip = 1
	}
}

func (t *trainNPGOptions) perInput() bool { return t.kind == string(npg.KindPerInput) }

// checkNorm reads the family of the noise, and the norm of a theorem for it.
func (t *trainNPGOptions) checkNorm(f *faults) {
	if t.family = t.noise.family(f); t.family == nil {
		return
	}
	norms := t.family.Norms()
	t.targetNorm = norms[0]
	if t.norm == "" {
		return
	}
	var err error
	if t.targetNorm, err = family.ParseNorm(t.norm); err == nil && !slices.Contains(norms, t.targetNorm) {
		err = fmt.Errorf("noise family %s has a theorem for %v only", t.family.Name(), norms)
	}
	if err != nil {
		f.add(&t.norm, "%w", err)
	}
}

// config configures the training.
func (t *trainNPGOptions) config() fit.GeneratorConfig {
	c := fit.DefaultGenerator(npg.Kind(t.kind))
	usual := c.LearningRate
	c.Run, c.Loop = t.run, t.loop
	if t.rate == nil {
		c.LearningRate = usual
	}
	c.Joint, c.JointRate, c.Family, c.Norm = t.joint, t.jointRate, t.family, t.targetNorm
	c.Loss.Smoothing, c.Loss.Consistency, c.Loss.Reg = t.smoothing, t.consistency, t.reg
	c.Loss.Volume = generator.Volume{}
	switch v := &c.Loss.Volume; t.volume {
	case "min":
		v.Min = t.volumeWeight
	case "mean":
		v.Mean = t.volumeWeight
	case "logmean":
		v.LogMean = t.volumeWeight
	case "area":
		v.Area = t.volumeWeight
	}
	n := &c.Net
	n.Basis, n.Floor, n.Ceiling, n.MuScale = net.Basis(t.basis), t.net.Floor, t.net.Ceiling, t.net.MuScale
	if t.fixedMean || n.Kind == npg.KindPattern {
		n.MuScale = 0
	}
	switch {
	case t.target != nil:
		n.Start, n.Hold = *t.target, net.Hold(t.targetMean)
	case t.start != nil:
		n.Start = *t.start
	default:
		n.Start = math.Sqrt(n.Floor * n.Ceiling)
	}
	return c
}

func newTrainNPGCommand(a *app) *cobra.Command {
	o := &trainNPGOptions{}
	cmd := &cobra.Command{
		Use:   "npg",
		Short: "Learn a noise parameter generator for a classifier",
		Long: `Train npg learns where noise costs a classifier nothing: it maximises the volume of the noise against the
cross-entropy of the noisy copies, through the gradients of any ONNX classifier. The result is a bundle for --npg.

Kinds: pattern (a formula of the position whose numbers are learned) and dataset (one learned field) are fixed before an
input is seen: their certificates hold for the running service ("deployed"). certification (networks that read the clean
input) and per-input (optimised for each input of the data) depend on the input: their certificates are "pinned", and
hold only for a verifier who replays the stored noise, not for a service that recomputes it from each request. Per-input
takes --epochs as steps (100 unless given), --draws as noisy copies of a step (100), --lr, --floor, --ceiling and --basis.

Scales are on the data's scale: s multiplies noise of standard deviation --sigma (1 unless given), and lies between
--floor and --ceiling whatever is learned. --method spectral makes a field without a classifier or gradients, in seconds: the
noise of largest volume in frequencies under which the best linear estimate of an input loses the share --distortion of
the data's power. --target-sigma holds the mean of s over every input's coordinates, inside the
network, so that only its shape is learned: for comparisons at equal noise; the volume term then has no effect on it.`,
		Example: `  ucan train npg --kind dataset --model model.onnx --data mnist:mnist --max 8000 --joint --out field
  ucan train npg --kind dataset --basis dct --model model.onnx --data cifar10:data_batch_1.bin --out field
  ucan train npg --kind certification --fixed-mean --model model.onnx --data mnist:mnist --max 500 --epochs 40 --out maps
  ucan train npg --kind dataset --method spectral --distortion 0.05 --ceiling 4 --data zip:train.zip --out spectral
  ucan certify --model model.onnx --data mnist:mnist --skip 8000 --npg field --out field.tsv`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runTrainNPG(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

// defaultHoldOut is how many inputs are held out for validation unless the user says otherwise.
const defaultHoldOut = 100

func runTrainNPG(ctx context.Context, a *app, o *trainNPGOptions) error {
	if o.method == methodSpectral {
		return a.runSpectral(ctx, o)
	}
	rt, err := a.openTraining(ctx, &o.trainOptions)
	if err != nil {
		return err
	}
	c := o.config()
	c.Model, err = models.Open(ctx, rt, o.model.file, models.Options{Declared: o.model.declared, SourceShape: c.Data.Source.Info().Shape, CacheDir: cacheFolder()})
	if err != nil {
		return modelError(fmt.Errorf("open model %w", err))
	}
	a.onClose(c.Model.Close)
	if err = a.matchClasses(&c.Data, c.Model); err != nil {
		return err
	}
	if c.Family, c.Lambda, err = o.scale(c.Model.Dim()); err != nil {
		return usage(err)
	}
	if o.perInput() {
		return a.runPerInput(ctx, rt, o, c)
	}
	step, done := a.trainingProgress(c.Batch)
	c.Observer.Step = step
	a.resumable = true
	result, err := fit.Generator(ctx, rt, c)
	done()
	if err != nil {
		return err
	}
	return a.presentGenerator(result, c.Dir)
}

// scale fixes the family for the dimension, and gives its raw scale.
func (t *trainNPGOptions) scale(dim int) (family.Isotropic, float64, error) {
	f, err := family.ForDim(t.family, dim)
	if err != nil {
		return nil, 0, err
	}
	if t.noise.lambda != nil {
		return f, *t.noise.lambda, nil
	}
	sigma := 1.0
	if t.noise.sigma != nil {
		sigma = *t.noise.sigma
	}
	lambda, err := smooth.LambdaFor(f, dim, sigma)
	return f, lambda, err
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

func (a *app) presentGenerator(result fit.GeneratorResult, dir string) error {
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
