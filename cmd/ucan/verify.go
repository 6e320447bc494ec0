package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"ucan/internal/audit"
	"ucan/internal/results"
)

func newVerifyCommand(a *app) *cobra.Command {
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
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("verify: %d files given; name one file of certificates", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runVerify(cmd.Context(), a, args[0]) },
	}
	addSettings(cmd.Flags(), slices.Concat([]string{"verify.resample", "seed"}, modelKeys, dataKeys, sessionKeys)...)
	return cmd
}

func runVerify(ctx context.Context, a *app, path string) error {
	r := a.values()
	resample := r.int("verify.resample", 0, 1<<40)
	if err := r.err(); err != nil {
		return err
	}
	report, kept, err := audit.Verify(ctx, path, results.Beside(path), buildName(), resample > 0)
	if err != nil {
		return err
	}
	out := verification{Report: report}
	if resample > 0 {
		if err := a.resample(ctx, path, resample, kept, &out); err != nil {
			return err
		}
	}
	return out.present(a, path)
}
