package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/certify"
	"ucan/npg"
	"ucan/smooth/certificate"
)

// certifyOptions are those of certify.
type certifyOptions struct {
	runOptions
	counts string            // a file whose votes are used again
	terms  certificate.Terms // that they are used with
}

func (c *certifyOptions) declare(o *options) {
	c.runOptions.declare(o)
	c.statistics.declare(o)
	o.text(&c.counts, "statistics.from_counts", "from-counts", "", "recompute the certificates of this file at another --alpha, --norm or --bound, without a model; trying m alphas and keeping the best costs a factor m")
}

func (c *certifyOptions) check(f *faults) {
	c.output.check(f)
	if c.counts != "" {
		c.checkCounts(f)
		return
	}
	c.runOptions.check(f)
	c.statistics.check(f)
	c.checkNoise(f)
}

func newCertifyCommand(a *app) *cobra.Command {
	o := &certifyOptions{}
	cmd := &cobra.Command{
		Use:   "certify",
		Short: "Certify the inputs of a data source and write certificates",
		Long: `Certify classifies many noisy copies of each input, takes the majority and proves a region around the input
inside which the smoothed classifier keeps its answer, with probability at least 1 − alpha.

Sigma and all radii are on the scale of the data: [0,1] for images. Preprocessing (scale, mean, std, layout) belongs to
the model and comes after the noise. Rows are appended and synced as they are made; --resume continues a run.

--npg shapes the noise by a generator. Patterns, fields and dataset-wise bundles are fixed before any input is seen, and
their certificates hold for the running smoothed classifier (guarantee "deployed"). Networks and per-input bundles make
the noise from each clean input, once; (μ, Σ) is stored in the certificate, which holds for a verifier who replays it
("pinned", see "ucan predict --pin"): ` + pinnedSentence + `.

--from-counts FILE derives the certificates that the stored votes of a file support at another --alpha, --norm or --bound. The
norm is free: every norm follows from the same bound. Alpha and bound are not, once the votes were seen: whoever tries m of
them and keeps the best must give each alpha/m, or the failure probability is m times as large.

Intervals in the summary take inputs as independent. Identical inputs share their noise, which is a function of the input, so
that their votes are one sample; the summary says when there are such.

Presets of patterns: ` + strings.Join(npg.PresetNames(), ", ") + `, as in --npg pattern:dct32.`,
		Example: `  ucan certify --model model.onnx --data mnist:mnist --sigma 0.25 --n 10000 --max 500 --out run.tsv --json run.jsonl
  ucan certify --model model.onnx --data mnist:mnist --sigma 0.25 --adaptive two-stage --out run.tsv --json run.jsonl
  ucan certify --model model.onnx --data folder:images --resize 256 --crop 224 --sigma 0.5 --plot curve.png
  ucan certify --model model.onnx --data digits --npg pattern:l2,kappa=0.25,iota=0.15 --plot curve.svg
  ucan certify --model model.onnx --data cifar10:test_batch.bin --npg pattern:dct,kappa=16,gamma=3,iota=0.25 --out run.tsv
  ucan certify --model model.onnx --data cifar10:test_batch.bin --npg mu.onnx,sigma.onnx --floor 0.05 --json run.jsonl`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runCertify(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

func runCertify(ctx context.Context, a *app, o *certifyOptions) error {
	if o.counts != "" {
		return runFromCounts(ctx, a, o)
	}
	run, err := a.prepareCertification(ctx, &o.runOptions)
	if err != nil {
		return err
	}
	summary, err := run.execute(ctx)
	if err != nil && !errors.Is(err, certify.ErrSomeFailed) {
		return err
	}
	return errors.Join(run.present(summary), err)
}
