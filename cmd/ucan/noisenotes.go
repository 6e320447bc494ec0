package main

import (
	"context"

	"ucan/internal/pipeline"
	"ucan/smooth/certificate"
)

// pinnedSentence is what help and reports say of noise that is made from each input.
const pinnedSentence = "no guarantee for a service that recomputes the noise from each request"

// perInput qualifies a radius that was planned with before any noise was made.
func perInput(maker *pipeline.NoiseMaker) string {
	if maker.Guarantee() == certificate.Pinned {
		return " times the least scale of an input's own noise"
	}
	return ""
}

// noteNoise says, before a run, what its generator makes and what certificates with it hold for.
func (a *app) noteNoise(ctx context.Context, maker *pipeline.NoiseMaker) {
	if maker.Generator == nil {
		return
	}
	if maker.NPG != nil {
		a.note("noise parameters: %s, %s", maker.NPG.Kind, maker.NPG.Spec)
	}
	a.note("guarantee %s", guaranteeText(string(maker.Guarantee())))
	if maker.Guarantee() != certificate.Deployed {
		return
	}
	p, err := maker.Generator.Parameters(ctx, nil) // the same for every input
	if err != nil {
		return // sealing it gives the error
	}
	if basis := p.Basis(); basis != nil {
		a.note("the noise is shaped in the basis %s", basis.Name())
	}
	if n := p.Floored(); n > 0 {
		a.note("the floor of the generator holds %d of %d scales", n, maker.Dim)
	}
	if n := p.Ceiled(); n > 0 {
		a.note("the ceiling of the generator holds %d of %d scales", n, maker.Dim)
	}
}
