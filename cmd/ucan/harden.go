package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ucan/internal/certify"
	"ucan/internal/compare"
	"ucan/internal/fault"
	"ucan/internal/harden"
	"ucan/internal/table"
	"ucan/models"
	"ucan/models/declare"
)

// hardenOptions are those of harden.
type hardenOptions struct {
	model       modelOptions
	data        dataOptions
	noise       noiseOptions
	session     sessionOptions
	seed        seedOptions
	held        string
	keepWeights bool
	budget      string
	dir         string
	resume      bool

	time time.Duration
}

func (h *hardenOptions) declare(o *options) {
	h.model.declare(o)
	o.drop(&h.model.declared.Denoiser)
	h.data.declare(o)
	d := &h.data
	o.drop(&d.selection.Skip, &d.selection.Stride, &d.most, &d.shard, &d.except, &d.maxFailures, &d.force)
	o.in(dataSection)
	o.text(&h.held, "harden.val", "val", "", "data to certify, instead of a part of --data").offers(sourceNames).orFiles()
	h.noise.declare(o)
	n := &h.noise
	o.drop(&n.norm, &n.arithmetic)
	h.seed.declare(o)
	h.session.declare(o)
	o.drop(&h.session.workers, &h.session.batch)
	o.in(trainingSection)
	o.on(&h.keepWeights, "harden.keep_weights", "keep-weights", "leave the weights of the model as they are: train a denoiser in front of it, no fine-tuning")
	o.text(&h.budget, "harden.budget", "budget", "30m", "time for everything, such as 90s, 30m or 2h")
	o.in(outputSection)
	o.text(&h.dir, "harden.out", "out", "", "folder to write: the model, table.tsv, curve.png and the record").as("o").output()
	o.on(&h.resume, "harden.resume", "resume", "go on with what the folder holds; begins it where there is nothing")
}

func (h *hardenOptions) check(f *faults) {
	h.model.check(f)
	h.data.check(f)
	h.noise.check(f)
	h.session.check(f)
	h.seed.check(f)
	var err error
	if h.time, err = time.ParseDuration(h.budget); err != nil || h.time < time.Second || h.time > 30*24*time.Hour {
		f.add(&h.budget, "%q is not a time of a second or more; give one such as 90s, 30m or 2h", h.budget)
	}
	if h.dir == "" {
		f.add(&h.dir, "no folder to write is given; name one")
	}
}

func newHardenCommand(a *app) *cobra.Command {
	o := &hardenOptions{}
	cmd := &cobra.Command{
		Use:   "harden",
		Short: "Make a model that was never trained under noise certifiable, within a time",
		Long: `Harden measures a model under the noise that it is to be certified under, makes what helps (a linear denoiser, then
fine-tuning or, with --keep-weights, a trained denoiser), keeps the best, and certifies inputs before and after that
neither training nor choice has seen.

The rule: candidates are tried in the order of their cost, and one is taken in place of a cheaper one where its mean
radius on 200 inputs (as far as there are so many) is larger by more than two standard errors of the paired difference.

The folder holds model/, one ONNX file with everything inside, which --model takes; table.tsv, certified accuracy before
and after with intervals; curve.png; and harden.json, with every step as the command that ran. 12 % of the budget go to
the choice, 38 % to training, as many epochs as were measured to fit, and 25 % to certification. A run that was stopped
goes on with --resume.`,
		Example: `  ucan harden --model net.onnx --data zip:train.zip --val cifar10:test_batch.bin --sigma 0.25 --budget 30m --out hard
  ucan harden --model net.onnx --data folder:images --npg pattern:dct,kappa=16,gamma=3,iota=0.25 --keep-weights --out hard
  ucan certify --model hard/model --data folder:images --sigma 0.25`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runHarden(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

func runHarden(ctx context.Context, a *app, o *hardenOptions) error {
	h := harden.Hardening{
		Commands: stepRunner{a}, Dir: o.dir, Resume: o.resume, Budget: o.time, KeepWeights: o.keepWeights,
		Source: o.data.spec, Held: o.held, Say: func(text string) { a.note("%s", text) },
		Model: a.given("model", "mean", "std", "scale", "layout", "channels", "input", "output", "decision", "fix"),
		Data:  a.given("resize", "crop", "label-map"),
		Noise: a.given("noise", "sigma", "lambda", "param", "sigma-field", "mu-field", "npg", "floor", "ceiling", "fixed-mean"),
	}
	h.Session = append(a.given("provider", "fallback", "library", "threads", "run-limit"), a.given("config")...)
	if o.seed.given {
		h.Seed = fmt.Sprint(o.seed.value)
	}
	if err := o.count(ctx, a, &h); err != nil {
		return err
	}
	a.resumable = true
	r, err := h.Run(ctx)
	if err != nil {
		return err
	}
	return a.presentHardened(ctx, &h, r)
}

// count finds how many inputs there are, and their shape.
func (h *hardenOptions) count(ctx context.Context, a *app, into *harden.Hardening) error {
	declared, _, err := declare.Resolve(h.model.file, h.model.declared)
	if err != nil {
		return modelError(fmt.Errorf("open model %w", err))
	}
	prepare := certify.PrepareFor(declared, h.data.options)
	source, err := a.openSource(ctx, h.data.spec, prepare)
	if err != nil {
		return err
	}
	into.Inputs, into.Shape = source.Len(), source.Info().Shape
	if h.held == "" {
		return nil
	}
	held, err := a.openSource(ctx, h.held, prepare)
	if err != nil {
		return err
	}
	if held.Info().Fingerprint == source.Info().Fingerprint {
		return usagef("--val: the inputs to certify are those of --data; leave it out, and a part is kept for that")
	}
	into.HeldInputs = held.Len()
	return nil
}

// given are those of the named flags that the command line gives. What a configuration file or the
// environment says, the steps read themselves.
func (a *app) given(names ...string) (out []harden.Flag) {
	for _, name := range names {
		f := a.flags.Lookup(name)
		if f == nil {
			continue
		}
		switch list, ok := f.Value.(pflag.SliceValue); {
		case !f.Changed:
		case ok:
			for _, v := range list.GetSlice() {
				out = append(out, harden.Flag{Name: name, Value: v})
			}
		default:
			out = append(out, harden.Flag{Name: name, Value: f.Value.String()})
		}
	}
	return out
}

// stepRunner runs commands within this process, as the command line would.
type stepRunner struct{ app *app }

// Run runs one.
func (s stepRunner) Run(ctx context.Context, args []string) ([]byte, error) {
	var out bytes.Buffer
	err := run(ctx, args, &out, s.app.stderr)
	return out.Bytes(), err
}

// Takes reports whether a command has a flag.
func (s stepRunner) Takes(args []string, flag string) bool {
	cmd, _, err := newRootCommand(newApp(nil, nil)).Find(args)
	return err == nil && (cmd.Flags().Lookup(flag) != nil || cmd.InheritedFlags().Lookup(flag) != nil)
}

// Refused reports refusals.
func (s stepRunner) Refused(err error) bool {
	var refusal *models.Refusal
	return fault.Is(err, fault.Refused) || errors.As(err, &refusal)
}

func (a *app) presentHardened(ctx context.Context, h *harden.Hardening, r *harden.Record) error {
	if a.json() {
		return writeJSON(a.stdout, r)
	}
	t := table.New("candidate", ">accuracy", ">mean radius", "verdict")
	for _, c := range r.Candidates {
		t.Row(c.Name, fmt.Sprintf("%.1f %%", 100*c.Accuracy), fmt.Sprintf("%.3f", c.Radius), c.Verdict)
	}
	fmt.Fprintf(a.stdout, "%d inputs to choose by, %d samples each; clean accuracy of the model %.1f %%\n\n", r.Choice.Inputs, r.Choice.Samples, 100*r.Clean)
	if _, err := t.WriteTo(a.stdout); err != nil {
		return err
	}
	c, err := h.Compared(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\ntaken: %s. Certified accuracy of %d other inputs, %d samples each, with the difference in its 95 %% interval:\n\n", r.Chosen, c.Inputs, r.Final.Samples)
	if err = printSides(a.stdout, c); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\nmodel  %s (ucan certify --model %s …)\ntable  %s\ncurve  %s\n", filepath.Join(h.Dir, harden.ModelDir), filepath.Join(h.Dir, harden.ModelDir),
		filepath.Join(h.Dir, harden.TableFile), filepath.Join(h.Dir, harden.CurveFile))
	return nil
}

// printSides prints a few radii of each measure. Where both measures are the same, one is printed.
func printSides(w io.Writer, c compare.Comparison) error {
	const few = 7
	t := table.New("measure", ">radius", ">before", ">after", ">difference in points")
	for i, m := range c.Measures {
		if i > 0 && slices.EqualFunc(m.Pairs, c.Measures[0].Pairs, func(a, b compare.Pair) bool { return a.Radius == b.Radius && a.Difference == b.Difference }) {
			continue
		}
		step := (len(m.Pairs) + few - 1) / few
		for j := 0; j < len(m.Pairs); j += step {
			p := m.Pairs[j]
			side := func(i int) string { return fmt.Sprintf("%.1f %%", 100*m.Curves[i].Points[j].CertifiedAccuracy) }
			t.Row(m.Text, fmt.Sprintf("%.3g", p.Radius), side(0), side(1),
				fmt.Sprintf("%+.1f (%+.1f to %+.1f)", 100*p.Difference, 100*p.DifferenceInterval.Low, 100*p.DifferenceInterval.High))
		}
	}
	_, err := t.WriteTo(w)
	return err
}
