package fit

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"ucan/internal/fault"
	"ucan/internal/results"
	"ucan/train/base"
	"ucan/train/data"
)

// configure fixes optimiser, schedule and record, and validates them.
func (t *baseTraining) configure(network map[string]any) error {
	info := t.set.Info()
	if t.Epochs == 0 {
		t.Epochs = usualEpochs
	}
	switch {
	case t.Augment != nil:
		t.augment = *t.Augment
	case info.Image && len(info.Shape) == 3 && info.Shape[0] == 3:
		t.augment = data.ColourAugment()
	}
	if _, err := t.feedConfig(); err != nil {
		return err
	}
	batches := t.set.Len() / t.Batch
	optimizer, rate := t.optimizer()
	t.loop = t.trainConfig(t.Run, optimizer, rate, batches)
	if err := t.loop.Validate(batches); err != nil {
		return fault.Mark(fault.Wrong, err)
	}
	plain, err := plainMap(t.configuration(network))
	if err != nil {
		return err
	}
	t.record = base.Record{Configuration: plain, Environment: t.Environment}
	t.loop.Fingerprint, err = t.record.Fingerprint()
	return err
}

// configuration is what decides the model's bytes.
func (t *baseTraining) configuration(network map[string]any) map[string]any {
	info := t.set.Info()
	c := map[string]any{
		"network": network, "seed": strconv.FormatUint(t.seed, 10), "threads": t.Session.IntraOp,
		"data": map[string]any{
			"source": info.Name, "fingerprint": info.Fingerprint, "images": t.set.Len(), "selection": t.Data.Selection,
			"shape": info.Shape, "labels": t.LabelMap,
		},
		"noise": map[string]any{
			"family": t.Noise.Family.Name(), "parameters": t.Noise.Family.Params(), "lambda": t.Noise.Lambda,
			"npg": t.Noise.NPG, "fields": t.Noise.Fields,
		},
		"loss": map[string]any{
			"draws": t.Draws, "label_smoothing": t.Smoothing, "consistency": t.Consistency, "entropy": t.Entropy,
		},
		"loop": map[string]any{
			"epochs": t.Epochs, "batch": t.Batch, "clip": t.Clip, "ema": t.Average, "keep_best": t.KeepBest,
			"patience": t.Patience, "val_every": t.ValidateEvery, "val_samples": t.ValidationDraws,
		},
		"optimizer": t.loop.Optimizer, "schedule": t.loop.Schedule, "augment": t.augment,
	}
	if t.AttackRadius > 0 {
		c["attack"] = map[string]any{"radius": t.AttackRadius, "steps": t.AttackSteps}
	}
	if t.held != nil {
		held := t.held.Info()
		c["validation"] = map[string]any{"source": held.Name, "fingerprint": held.Fingerprint, "images": t.held.Len(), "first": t.held.Index(0)}
	}
	return c
}

// plainMap turns v into maps, lists and scalars, as YAML reads them back.
func plainMap(v map[string]any) (map[string]any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("record the settings: %w", err)
	}
	var out map[string]any
	if err = json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("record the settings: %w", err)
	}
	return out, nil
}

// compare refuses to resume a training with other settings, and names them.
func (t *baseTraining) compare(stored base.Record) error {
	diffs, err := results.Run{Configuration: stored.Configuration}.Compare(results.Run{Configuration: t.record.Configuration})
	if err != nil || len(diffs) == 0 {
		return err
	}
	var parts []string
	for _, d := range diffs[:min(len(diffs), 4)] {
		parts = append(parts, d.String())
	}
	return fault.Wrongf("resume %q: it was made with other settings (%s); use the same ones, or another folder", t.Dir, strings.Join(parts, "; "))
}
