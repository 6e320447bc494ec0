package main

import (
	"context"

	"ucan/internal/certify"
	"ucan/smooth"
)

// pinnedSentence is what help and reports say of noise that is made from each input.
const pinnedSentence = "no guarantee for a service that recomputes the noise from each request"

// perInput qualifies a radius that was planned with before any noise was made.
func perInput(maker *certify.NoiseSource) string {
	if maker.Guarantee() == smooth.Pinned {
		return " times the least scale of an input's own noise"
	}
	return ""
}

// noteNoise says, before a run, what its generator makes, what certificates with it hold for, and
// whether the model's denoiser is for such noise.
func (a *app) noteNoise(ctx context.Context, setup *certify.Setup, maker *certify.NoiseSource) {
	a.warnOfDenoiser(ctx, setup, maker)
	if maker.Warning != "" {
		a.warn("%s", maker.Warning)
	}
	if maker.Note != "" {
		a.note("%s", maker.Note)
	}
	if maker.Generator == nil {
		return
	}
	if maker.NPG != nil {
		a.note("noise parameters: %s, %s", maker.NPG.Kind, maker.NPG.Spec)
	}
	if under := maker.TrainedUnder(); under != "" {
		a.warn("the generator was trained under %s noise, which this run's is not (%s, λ = %g): its certificates hold, and may be far smaller than they could be; see --noise, --sigma and --lambda",
			under, maker.Family.Name(), maker.Lambda)
	}
	a.note("guarantee %s", guaranteeText(string(maker.Guarantee())))
	if maker.Guarantee() != smooth.Deployed {
		return
	}
	p, err := maker.Generator.Parameters(ctx, nil) // the same for every input
	if err != nil {
		return // sealing it gives the error
	}
	if basis := p.Basis(); basis != nil {
		a.note("the noise is shaped in the basis %s", basis.Name())
	}
	if n := p.Floored; n > 0 {
		a.note("the floor of the generator holds %d of %d scales", n, maker.Dim)
	}
	if n := p.Ceiled; n > 0 {
		a.note("the ceiling of the generator holds %d of %d scales", n, maker.Dim)
	}
}

// noteNoises is noteNoise for the noise of a run, or for all that its selector picks among.
func (a *app) noteNoises(ctx context.Context, setup *certify.Setup, maker *certify.NoiseSource, chooser *certify.Chooser) {
	if chooser == nil {
		a.noteNoise(ctx, setup, maker)
		return
	}
	a.note("%s", chooser)
	for _, set := range chooser.Noises() {
		if set.Warning != "" {
			a.warn("%s", set.Warning)
		}
	}
	a.note("guarantee %s", guaranteeText(string(smooth.BySelector)))
}

// checkAllRows runs trial batches on every model of a run.
func (a *app) checkAllRows(ctx context.Context, s *certify.Setup, seed uint64, seal certify.Seal, chooser *certify.Chooser) error {
	if chooser == nil {
		return a.checkRows(ctx, s, s.Indices, seed, seal)
	}
	return a.checkChoiceRows(ctx, chooser, seed)
}

// warnOfDenoiser says where the model's denoiser is for other noise.
func (a *app) warnOfDenoiser(ctx context.Context, setup *certify.Setup, maker *certify.NoiseSource) {
	if warning := setup.DenoiserWarning(ctx, maker); warning != "" {
		a.warn("%s", warning)
	}
}
