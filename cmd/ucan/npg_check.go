package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/certify"
	"ucan/internal/dataset"
	"ucan/internal/table"
	"ucan/npg/bundle"
	"ucan/npg/diagnose"
	"ucan/smooth"
)

// checkedSpecimens is how many inputs a check looks at unless the user says otherwise.
const checkedSpecimens = 300

// npgCheckOptions are those of npg check.
type npgCheckOptions struct {
	generatorOptions
	model   modelOptions
	session sessionOptions
	samples int
	alpha   float64
}

func (c *npgCheckOptions) declare(o *options) {
	c.model.declare(o)
	c.generatorOptions.declare(o)
	o.in(statisticsSection)
	o.count(&c.samples, "check.samples", "samples", 100, 1, 1<<30, "noisy copies of an input that abstention is judged on")
	declareAlpha(o, &c.alpha)
	c.session.declare(o)
}

func (c *npgCheckOptions) check(f *faults) {
	if joint, ok := bundle.ClassifierFile(f.args[0]); ok && c.model.file == "" {
		c.model.file = joint // the model that was trained along with the generator
	}
	c.model.check(f)
	c.generatorOptions.check(f)
	c.session.check(f)
	if c.session.batch == 0 {
		c.session.batch = checkedBatch
	}
	checkAlpha(f, &c.alpha)
}

func newNPGCheckCommand(a *app) *cobra.Command {
	o := &npgCheckOptions{}
	cmd := &cobra.Command{
		Use:   "check BUNDLE | MU.onnx,SIGMA.onnx | SPEC",
		Short: "Say what is wrong with a noise parameter generator",
		Long: `Check runs a generator on some of the data (300 inputs, evenly spread, unless --max or --stride is given) and on a base
classifier, and prints what it finds, with the setting to turn:

  leak             the label can be read from the noise parameters instead of from the image
  abstention       the smoothed classifier abstains on most inputs
  zero radius      scales at the floor, or one so small that the ℓ2 radius is nothing beside the volume
  sigma at cap     most scales at the ceiling
  collapse         one scale for all coordinates: the region is a ball
  collapse across inputs, mu at cap, mu outweighs input

What each means and where its threshold lies: docs/generators.md. Exit 4 when one is found.`,
		Example: `  ucan npg check bundle --model model.onnx --data mnist:mnist --skip 8000
  ucan npg check mu.onnx,sigma.onnx --model model.onnx --data cifar10:test_batch.bin --format json
  ucan npg check pattern:dct,kappa=16,gamma=3,iota=0.25 --model model.onnx --data cifar10:test_batch.bin`,
		Args: oneArgument(generatorForms),
		RunE: func(cmd *cobra.Command, args []string) error { return runNPGCheck(cmd.Context(), a, o, args[0]) },
	}
	a.bind(cmd, o)
	return cmd
}

// checkedBatch is the physical batch of a check unless the user says otherwise: small, since every
// swapped image is a run of its own, of [diagnose.Options.Draws] rows, and what they leave empty is
// classified all the same.
const checkedBatch = 8

// npgCheck is one run of the command.
type npgCheck struct {
	*npgCheckOptions
	a       *app
	spec    string
	options diagnose.Options
}

// npgCheckRecord is what check prints as JSON.
type npgCheckRecord struct {
	Generator string `json:"generator"`
	Model     string `json:"model"`
	Data      string `json:"data"`
	// Found names the diagnoses that apply; the report has all of them.
	Found []string `json:"found"`
	diagnose.Report
	Thresholds diagnose.Thresholds `json:"thresholds"`
	Seed       uint64              `json:"seed"`
}

func runNPGCheck(ctx context.Context, a *app, o *npgCheckOptions, spec string) error {
	c := npgCheck{npgCheckOptions: o, a: a, spec: spec, options: diagnose.DefaultOptions()}
	c.options.Samples, c.options.Alpha, c.options.Seed = o.samples, o.alpha, o.seed.fix()
	w, err := a.openSetup(ctx, &o.model, &o.session, &o.data, nil)
	if err != nil {
		return err
	}
	w.Indices = o.spread(a, w.Indices, checkedSpecimens)
	report, err := c.run(ctx, w)
	if err != nil && !errors.Is(err, certify.ErrSomeFailed) {
		return fmt.Errorf("check the generator %q: %w", generatorName(spec), err)
	}
	if printErr := c.print(w, report); printErr != nil {
		return printErr
	}
	if found := report.Found(); len(found) > 0 {
		return checkf("check the generator %q: found %s; turn the settings named above, or read docs/generators.md", generatorName(spec), strings.Join(foundNames(found), ", "))
	}
	return err
}

// run gathers the inputs and examines the generator on them.
func (c npgCheck) run(ctx context.Context, w *certify.Setup) (diagnose.Report, error) {
	bounds, err := c.noise.Bounds()
	if err != nil {
		return diagnose.Report{}, err
	}
	maker, err := w.NoiseSource(ctx, c.noise.Noise)
	if err != nil {
		return diagnose.Report{}, err
	}
	c.a.onClose(maker.Close)
	sampler, err := w.Smoother(c.options.Seed)
	if err != nil {
		return diagnose.Report{}, err
	}
	inputs, failed := c.gather(ctx, w)
	if failed != nil && !errors.Is(failed, certify.ErrSomeFailed) {
		return diagnose.Report{}, failed
	}
	report, err := diagnose.Run(ctx, diagnose.Subject{
		Generator: maker.Generator, Sampler: sampler,
		Noise: smooth.Noise{Family: maker.Family, Norm: maker.Norm, Lambda: maker.Lambda},
		Floor: bounds.Floor, Ceiling: bounds.Ceiling, MuCap: bounds.MuCap,
	}, inputs, c.options)
	return report, errors.Join(err, failed)
}

// gather reads the inputs. The error is that of [certify.Loop.Run].
func (c npgCheck) gather(ctx context.Context, w *certify.Setup) ([]diagnose.Input, error) {
	var inputs []diagnose.Input
	loop := certify.Loop{Source: w.Inputs(), Indices: w.Indices, MaxFailures: c.data.maxFailures}
	err := loop.Run(ctx, func(_ context.Context, item dataset.Item) error {
		inputs = append(inputs, diagnose.Input{X: item.X, ID: item.SHA256, Label: item.Label})
		return nil
	}, func(_ dataset.Item, reason error) error {
		c.a.warn("left out: %v", reason)
		return nil
	})
	return inputs, err
}

func foundNames(found []diagnose.Diagnosis) []string {
	out := []string{}
	for _, d := range found {
		out = append(out, d.Name)
	}
	return out
}

func (c npgCheck) print(w *certify.Setup, r diagnose.Report) error {
	if c.a.json() {
		return writeJSON(c.a.stdout, npgCheckRecord{
			Generator: generatorName(c.spec), Model: w.Model.Name(), Data: w.Info.Name, Found: foundNames(r.Found()),
			Report: r, Thresholds: c.options.Thresholds, Seed: c.options.Seed,
		})
	}
	out := c.a.stdout
	fmt.Fprintf(out, "generator  %s, guarantee %s\n", generatorName(c.spec), guaranteeText(r.Guarantee))
	fmt.Fprintf(out, "inputs     %d of %s, classified by %s, seed %d\n", r.Inputs, w.Info.Name, w.Model.Name(), c.options.Seed)
	name := "σ"
	if r.Basis != "" {
		name = "s, " + r.Basis
	}
	fmt.Fprintf(out, "%-10s %.3g to %.3g, mean %.3g, geometric mean %.3g; relative spread %.2g over coordinates, %.2g over inputs; ALM %.3g × ℓ2 radius\n",
		name, r.Sigma.Min, r.Sigma.Max, r.Sigma.Mean, r.Sigma.GeometricMean, r.Sigma.SpreadCoordinates, r.Sigma.SpreadInputs, r.Sigma.VolumeGain)
	fmt.Fprintf(out, "μ          ‖μ‖ %.3g beside ‖x‖ %.3g\n", r.Mu.Norm, r.Mu.InputNorm)
	if a := r.Abstention; a != nil && a.Accuracy >= 0 {
		fmt.Fprintf(out, "smoothed   accuracy %.3f, abstained %.3f at n = %d\n", a.Accuracy, a.Share, a.N)
	}
	fmt.Fprintln(out)
	t := table.New("diagnosis", "found", ">value", ">threshold")
	for _, d := range r.Diagnoses {
		found := "no"
		if d.Found {
			found = "YES"
		}
		t.Row(d.Name, found, fmt.Sprintf("%.3g", d.Value), fmt.Sprintf("%.3g", d.Threshold))
	}
	if _, err := t.WriteTo(out); err != nil {
		return err
	}
	for _, d := range r.Found() {
		fmt.Fprintf(out, "\n%s: %s\n  turn: %s\n", d.Name, d.Text, d.Knob)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(out, "\n%s\n", note)
	}
	return nil
}
