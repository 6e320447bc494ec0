package main

import (
	"context"

	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/smooth"
)

// sealFunc makes the noise of an input; nil noise leaves the input out.
type sealFunc = func(context.Context, dataset.Item) (*smooth.SealedNoise, error)

// sealWith is the noise of a run; nil for a run without noise.
func sealWith(maker *pipeline.NoiseMaker) sealFunc {
	if maker == nil {
		return nil
	}
	return func(ctx context.Context, item dataset.Item) (*smooth.SealedNoise, error) {
		return maker.Seal(ctx, item.X)
	}
}

// checkRows tries the sessions of a run on rows of its inputs, says what it tried and keeps that for the run's record.
func (w *bench) checkRows(ctx context.Context, a *app, indices []int, seed uint64, seal sealFunc) error {
	check, err := w.CheckRows(ctx, indices, seed, seal)
	if err != nil {
		return err
	}
	if check.Batches > 0 {
		a.note("%s", check)
		w.rows = &check
	}
	return nil
}
