package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ucan/internal/audit"
	"ucan/internal/certify"
	"ucan/internal/progress"
	"ucan/internal/replay"
	"ucan/internal/results"
	"ucan/models/declare"
)

// verifyOptions are those of verify.
type verifyOptions struct {
	samples int64 // fresh ones of each input
	// What they are drawn with.
	seed    seedOptions
	model   modelOptions
	data    dataOptions
	others  []string // files of other models
	session sessionOptions
}

func (v *verifyOptions) declare(o *options) {
	o.in(statisticsSection)
	o.number(&v.samples, "verify.resample", "resample", 0, 0, mostSamples, "draw this many fresh samples of every certified input and compare")
	v.seed.declare(o)
	v.model.declare(o)
	o.words(&v.others, "verify.other_models", "other-model", nil, "with --resample, another model that certificates name: a selector, or the classifier of one of its sets (repeatable)")
	v.data.declare(o)
	v.session.declare(o)
}

func (v *verifyOptions) check(f *faults) {
	if v.samples == 0 {
		if f.changed(&v.others) {
			f.add(&v.others, "models draw fresh samples; give --resample as well, or leave it out")
		}
		return
	}
	v.seed.check(f)
	v.model.check(f)
	v.data.check(f)
	v.session.check(f)
}

func newVerifyCommand(a *app) *cobra.Command {
	o := &verifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify FILE.jsonl",
		Short: "Recompute every certificate from its counts, and with --resample from fresh noise",
		Long: `Verify recomputes the id, the bound on p_A, the radius, the region, the ℓ1, ℓ2 and ℓ∞ radii, the volume and everything
else that follows from the votes and parameters of each certificate, and the scales of patterns from their formula. It names
each line and field that is false or altered, with the stored and the recomputed value, and then exits with 4.

Certificates called deployed must have noise that does not change with the input: among those of one model, dimension and
arithmetic, several noises are accepted only where they were tried on the same inputs, or one on a part of the other's.

A certificate that cannot be checked (a guarantee without a theorem here, a noise field that is missing) is listed with the
reason. It hides no false one: exit 4 if any is false, otherwise exit 1. A file without certificates is exit 2. A line that
repeats an earlier certificate is named and counted once. The summary lists which certificates have the same terms; only
those may be summed up in one curve.

With --resample N it also draws N fresh noisy copies of every input (give --model and --data as the run had them), rejects a
certificate whose p_lower the new votes contradict beyond doubt, and compares model, hash, shape and label. Certificates in
lattice arithmetic have their own samples repeated too.

What stays open without the model (docs/verify.md):
` + audit.UnderivableHelp() + ``,
		Example: `  ucan verify run.jsonl
  ucan verify run.jsonl --resample 1000 --model model.onnx --data mnist:mnist`,
		Args: oneArgument("one file of certificates"),
		RunE: func(cmd *cobra.Command, args []string) error { return runVerify(cmd.Context(), a, o, args[0]) },
	}
	a.bind(cmd, o)
	return cmd
}

func runVerify(ctx context.Context, a *app, o *verifyOptions, path string) error {
	report, kept, err := audit.Verify(ctx, path, results.Beside(path), buildName(), o.samples > 0)
	if err != nil {
		return err
	}
	out := verification{Report: report}
	if o.samples > 0 {
		if err := a.resample(ctx, path, o, kept, &out); err != nil {
			return err
		}
	}
	return out.present(a, path)
}

// resample compares the certificates that were true so far with the model and the data, and draws
// fresh noise for every certified input.
func (a *app) resample(ctx context.Context, path string, o *verifyOptions, all []audit.Numbered, v *verification) error {
	seed := o.seed.fix()
	setup, err := a.openSetup(ctx, &o.model, &o.session, &o.data, nil)
	if err != nil {
		return err
	}
	s := replay.Resampler{
		Inputs: setup.Source, Name: setup.Info.Name, Box: setup.Box(), Fields: results.Beside(path), Samples: o.samples, Seed: seed,
	}
	setups := []*certify.Setup{setup}
	for _, file := range o.others {
		other, besideErr := setup.Beside(ctx, declare.ModelPath(file))
		if besideErr != nil {
			return modelError(besideErr)
		}
		a.onClose(other.Close)
		setups = append(setups, other)
	}
	for _, open := range setups {
		model, recordErr := open.ModelRecord()
		if recordErr != nil {
			return recordErr
		}
		s.Opened = append(s.Opened, replay.Opened{Model: model, Smoother: open.Smoother})
	}
	seal, indices := replay.Stored(all, setup.Source.Len(), s.Fields)
	if err = a.checkRows(ctx, setup, indices, seed, seal); err != nil {
		return err
	}
	bar := progress.New(a.progressWriter(), a.progressOptions(len(all), 0))
	defer bar.Close()
	result, err := s.Run(ctx, all, &v.Report, func() { bar.Add(1) })
	if err != nil {
		return fmt.Errorf("resample %q: %w", path, err)
	}
	v.resampled = &result
	return nil
}
