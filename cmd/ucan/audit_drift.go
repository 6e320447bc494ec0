package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"ucan/internal/attack"
	"ucan/internal/certify"
	"ucan/npg"
	"ucan/npg/infer"
	"ucan/smooth"
)

// driftOptions are those of audit drift.
type driftOptions struct {
	searchOptions
	noise noiseOptions
}

func (d *driftOptions) declare(o *options) {
	d.searchOptions.declare(o)
	o.in(noiseSection)
	n := &d.noise
	n.declare(o)
	o.drop(&n.name, &n.norm, &n.sigma, &n.lambda, &n.pairs, &n.arithmetic, &n.SigmaField, &n.MuField)
}

func (d *driftOptions) check(f *faults) {
	d.searchOptions.check(f)
	d.checkCertificates(f)
	if d.noise.NPG == "" {
		f.add(&d.noise.NPG, "no generator given; name the one that made the noise of the certificates")
		return
	}
	d.noise.check(f)
}

func newAuditDriftCommand(a *app) *cobra.Command {
	o := &driftOptions{}
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Look inside certified regions for a point where a service that recomputes its noise answers otherwise",
		Long: `Drift asks what pinned certificates leave open: a service makes its noise anew from each request, so at x + δ it has the noise
of x + δ and not the stored one. Inside the region of every chosen certificate drift looks for a point at which the smoothed
classifier with the noise that --npg makes there prefers another class. Gradients go through the classifier and, where it can be
differentiated, through the generator; flips count as in "audit attack".

For noise that a generator makes from each input one flip is a violation (exit 4): it shows that these certificates do not hold
for a service. For noise that is the same for every input there is nothing to recompute, and flips are judged as in "audit attack".`,
		Example: `  ucan audit drift --model model.onnx --npg bundle --data mnist:mnist --certificates run.jsonl --max 200
  ucan audit drift --model model.onnx --npg mu.onnx,sigma.onnx --data cifar10:test_batch.bin --certificates run.jsonl --plot worst.png`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runAuditDrift(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

func runAuditDrift(ctx context.Context, a *app, o *driftOptions) error {
	s, err := a.openSearch(ctx, &o.searchOptions, "drift")
	if err != nil {
		return err
	}
	maker, err := s.setup.NoiseSource(ctx, o.noise.Noise)
	if err != nil {
		return err
	}
	a.onClose(maker.Close)
	if maker.NPG != nil && maker.NPG.Kind == npg.KindPerInput {
		return refusef("audit drift: the generator holds fields for the inputs that it was optimised for and none for x + δ; there is nothing to recompute")
	}
	drift := attack.Drift{Generator: maker.Generator}
	if drift.Derivative, err = s.derivative(ctx, maker); err != nil {
		return err
	}
	pinned := maker.Guarantee() == smooth.Pinned
	r, err := s.run(ctx, pinned, func(c *attack.Case) error { return drift.Recomputed(ctx, &c.Claim) })
	if err != nil && !errors.Is(err, certify.ErrSomeFailed) {
		return err
	}
	if printErr := s.present(r, "answered with another class by a service that recomputes the noise"); printErr != nil {
		return printErr
	}
	switch {
	case r.Violated && pinned:
		return checkf("audit drift %q: %d of %d certified inputs flip inside their regions when the noise is recomputed; these certificates do not hold for a service", o.certificates, r.Flips, r.Inputs)
	case r.Violated:
		return checkf("audit drift %q: %d of %d certified inputs flip inside their regions, more than alpha explains (p = %.2g)", o.certificates, r.Flips, r.Inputs, r.PValue)
	}
	return err
}

// derivative opens the derivatives of a generator that reads its input; nil where there are none,
// which is said.
func (s *search) derivative(ctx context.Context, maker *certify.NoiseSource) (attack.Derivative, error) {
	opened, ok := maker.Generator.(*infer.Opened)
	if !ok || maker.Guarantee() == smooth.Deployed {
		return nil, nil
	}
	derivative, err := opened.Differentiate(ctx)
	if err == nil {
		s.a.onClose(derivative.Close)
		return derivative, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.a.warn("no gradients through the generator: %v", err)
	s.notes = append(s.notes, "no gradients through the generator: "+err.Error())
	return nil, nil
}
