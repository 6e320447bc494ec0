package main

import (
	"context"
	"encoding/hex"

	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/lattice"
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

// sealStored is the noise that certificates store, for inputs that are the certified ones. It returns their indices.
func sealStored(all []*certificate.Certificate, folder *certificate.Folder) (sealFunc, []int) {
	stored := map[int]*certificate.Certificate{}
	var indices []int
	for _, c := range all {
		if i := int(c.Input.Index); c.Status == certificate.Certified && stored[i] == nil {
			stored[i] = c
			indices = append(indices, i)
		}
	}
	return func(_ context.Context, item dataset.Item) (*smooth.SealedNoise, error) {
		c := stored[item.Index]
		if c == nil || hex.EncodeToString(item.SHA256[:]) != c.Input.SHA256 {
			return nil, nil
		}
		if _, err := lattice.Pixels(item.X); err != nil && c.Noise.Arithmetic == string(smooth.Lattice) {
			return nil, nil // noise on the lattice cannot be drawn for it, which is for verify to say
		}
		return c.SealedNoise(folder)
	}, indices
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
