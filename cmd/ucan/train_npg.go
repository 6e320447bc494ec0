package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

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

func newTrainNPGCommand(a *app) *cobra.Command {
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
--floor and --ceiling whatever is learned. --target-sigma holds the mean of s over every input's coordinates, inside the
network, so that only its shape is learned: for comparisons at equal noise; the volume term then has no effect on it.`,
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

// defaultHoldOut is how many inputs are held out for validation unless the user says otherwise.
const defaultHoldOut = 100

func runTrainNPG(ctx context.Context, a *app) error {
	r := a.values()
	session, err := a.sessionOptions(r)
	if err != nil {
		return err
	}
	path, declared, data := requireModel(r), a.declaration(r), a.dataOptions(r)
	c := readGenerator(r)
	a.readRun(r, session, &c.Run)
	perInput := c.Net.Kind == npg.KindPerInput
	switch {
	case perInput:
		refuseUnusedPerInput(r)
	case !r.changed("train.validation") && r.text("train.val") == "":
		c.Data.HoldOut = defaultHoldOut
	}
	sigma := readIsotropic(r, &c)
	if err = r.err(); err != nil {
		return err
	}
	rt, err := a.openTraining(ctx, session, data, &c.Run)
	if err != nil {
		return err
	}
	c.Model, err = models.Open(ctx, rt, path, models.Options{Declared: declared, SourceShape: c.Data.Source.Info().Shape, CacheDir: cacheFolder()})
	if err != nil {
		return modelError(fmt.Errorf("open model %w", err))
	}
	a.onClose(c.Model.Close)
	if c.Family, c.Lambda, err = isotropic(c.Family, c.Model.Dim(), sigma, c.Lambda); err != nil {
		return usage(err)
	}
	if perInput {
		return a.runPerInput(ctx, rt, r, c)
	}
	step, done := a.trainingProgress(c.Batch)
	c.Observer.Step = step
	result, err := fit.Generator(ctx, rt, c)
	done()
	if err != nil {
		return err
	}
	return a.presentGenerator(result, c.Dir)
}

// isotropic fixes a family for the dimension and turns a standard deviation, where it is not 0, into the raw scale.
func isotropic(f family.Isotropic, dim int, sigma, lambda float64) (family.Isotropic, float64, error) {
	f, err := family.ForDim(f, dim)
	if err == nil && sigma > 0 {
		lambda, err = smooth.LambdaFor(f, dim, sigma)
	}
	return f, lambda, err
}

// readGenerator reads what the generator is, how it is trained and what it is rewarded for.
func readGenerator(r *values) fit.GeneratorConfig {
	kind := npg.Kind(r.text("npg.kind"))
	if !slices.Contains([]npg.Kind{npg.KindPattern, npg.KindDataset, npg.KindCertification, npg.KindPerInput}, kind) {
		r.fault("npg.kind", "unknown kind %q: give pattern, dataset, certification or per-input", kind)
	}
	c := fit.DefaultGenerator(kind)
	readLoop(r, &c.Loop)
	if !r.changed("train.keep") {
		c.KeepBest = c.Patience > 0 // the luckiest of many estimates is not the best
	}
	if !r.changed("train.clip") {
		c.Clip = 1
	}
	c.Loss.Smoothing, c.Loss.Consistency, c.Loss.Reg = r.float("train.smoothing"), r.float("train.consistency"), r.float("npg.reg")
	c.Joint, c.JointRate = r.flag("npg.joint"), r.float("npg.joint_rate")
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
		r.fault("npg.volume", "unknown volume %q: use min, mean, logmean or area", r.text("npg.volume"))
	}
	readNet(r, &c.Net)
	return c
}

// readNet reads what the generator is.
func readNet(r *values, n *net.Config) {
	n.Basis, n.Floor, n.Ceiling = net.Basis(r.text("npg.basis")), r.float("npg.floor"), r.float("npg.ceiling")
	n.Start = math.Sqrt(n.Floor * n.Ceiling)
	if r.given("npg.target_sigma") {
		n.Start = r.float("npg.target_sigma")
		switch n.Hold = net.Hold(r.text("npg.target_mean")); n.Hold {
		case net.HoldMean, net.HoldLogMean:
		default:
			r.fault("npg.target_mean", "unknown mean %q: use mean or logmean", n.Hold)
		}
	}
	if r.given("npg.start") {
		if n.Hold != net.HoldNothing {
			r.fault("npg.start", "--target-sigma is the start already; give one of the two")
		}
		n.Start = r.float("npg.start")
	}
	if n.MuScale = r.float("npg.mu_scale"); r.flag("npg.fixed_mean") || n.Kind == npg.KindPattern {
		n.MuScale = 0
	}
}

// readIsotropic reads the family and its scale: lambda into c, or a standard deviation, which it returns.
func readIsotropic(r *values, c *fit.GeneratorConfig) (sigma float64) {
	var err error
	if c.Family, err = family.New(strings.ToLower(r.text("noise.family")), parameters(r)); err != nil {
		r.fault("noise.family", "%s", err)
		return 0
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
	switch {
	case r.given("noise.sigma") && r.given("noise.lambda"):
		r.fault("noise.sigma", "both --sigma and --lambda are given; give one")
	case r.given("noise.sigma"):
		return r.float("noise.sigma")
	case r.given("noise.lambda"):
		c.Lambda = r.float("noise.lambda")
		return 0
	}
	return 1
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
