package main

import (
	"context"
	"fmt"
	"math"

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

// noteNoise says, before a run, what its generator makes and what certificates with it hold for.
func (a *app) noteNoise(ctx context.Context, maker *certify.NoiseSource) {
	if maker.Generator == nil {
		return
	}
	if maker.NPG != nil {
		a.note("noise parameters: %s, %s", maker.NPG.Kind, maker.NPG.Spec)
	}
	if under := trainedUnder(maker); under != "" {
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

// trainedUnder names the noise that a bundle was trained under where that is another than the maker's, or returns "".
func trainedUnder(maker *certify.NoiseSource) string {
	name, _ := maker.Trained["noise"].(string)
	var lambda float64
	switch v := maker.Trained["lambda"].(type) {
	case float64:
		lambda = v
	case int:
		lambda = float64(v)
	}
	same := name == maker.Family.Name() && math.Abs(lambda-maker.Lambda) <= 1e-6*maker.Lambda
	if name == "" || !(lambda > 0) || same {
		return ""
	}
	return fmt.Sprintf("%s (λ = %g)", name, lambda)
}
