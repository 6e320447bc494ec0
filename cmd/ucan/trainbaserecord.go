package main

import (
	"encoding/json"
	"fmt"
	goruntime "runtime"
	"strconv"
	"strings"

	"ucan/internal/results"
	"ucan/runtime/autodiff"
	"ucan/train"
	"ucan/train/base"
	"ucan/train/data"
	"ucan/train/optim"
)

// configuration is what decides the model's bytes.
func (t *baseTraining) configuration(network map[string]any, optimizer optim.Config, schedule optim.Schedule, augment data.Augment) map[string]any {
	info, session := t.set.Info(), trainSession(t.session)
	c := map[string]any{
		"network": network, "seed": strconv.FormatUint(t.train.seed, 10), "threads": session.IntraOp,
		"data":      map[string]any{"source": info.Name, "fingerprint": info.Fingerprint, "images": t.set.Len(), "selection": t.data.selection, "shape": info.Shape, "labels": t.data.labels()},
		"noise":     map[string]any{"family": t.maker.Family.Name(), "parameters": t.maker.Family.Params(), "lambda": t.maker.Lambda, "npg": t.noise.NPG, "fields": t.noise.SigmaField != "" || t.noise.MuField != ""},
		"loss":      map[string]any{"draws": t.train.draws, "label_smoothing": t.train.smoothing, "consistency": t.train.consistency, "entropy": t.train.entropy},
		"loop":      map[string]any{"epochs": t.train.epochs, "batch": t.train.batch, "clip": t.train.clip, "ema": t.train.ema, "keep_best": t.train.keepBest, "patience": t.train.patience, "val_every": t.train.valEvery, "val_samples": t.train.valSamples},
		"optimizer": optimizer, "schedule": schedule, "augment": augment,
	}
	if t.held != nil {
		held := t.held.Info()
		c["validation"] = map[string]any{"source": held.Name, "fingerprint": held.Fingerprint, "images": t.held.Len(), "first": t.held.Index(0)}
	}
	return c
}

// configure settles optimiser, schedule and record.
func (t *baseTraining) configure(net *base.Net, network map[string]any) (train.Config, error) {
	config := t.a.loopConfig(t.train)
	fc, err := t.feedConfig()
	if err != nil {
		return config, err
	}
	if err = fc.Validate(t.set); err != nil {
		return config, usage(err)
	}
	name := "adamw"
	if net.Normalises() {
		name = "sgd"
	}
	config.Optimizer = t.train.optimizerConfig(name)
	rate := t.train.rate
	if rate == 0 {
		if rate = 1e-3; config.Optimizer.Name == "sgd" {
			rate = 0.1
		}
		if t.init != "" {
			rate /= 10
		}
	}
	config.Schedule = t.train.scheduleConfig(rate, t.set.Len()/t.train.batch)
	if err = config.Validate(t.set.Len() / t.train.batch); err != nil {
		return config, usage(err)
	}
	plain, err := plainMap(t.configuration(network, config.Optimizer, config.Schedule, fc.Augment))
	if err != nil {
		return config, err
	}
	t.record = base.Record{
		Configuration: plain,
		Environment: map[string]any{
			"ucan": buildVersion(), "onnxruntime": t.rt.Version(), "provider": t.session.providers[0].Name,
			"platform": goruntime.GOOS + "/" + goruntime.GOARCH, cpuKey: t.a.processor,
		},
	}
	config.Fingerprint, err = t.record.Fingerprint()
	return config, err
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

// compare refuses to go on with a run of other settings, and names them.
func (t *baseTraining) compare() error {
	if t.stored == nil || !t.train.resume {
		return nil
	}
	diffs, err := results.Run{Configuration: t.stored.Configuration}.Compare(results.Run{Configuration: t.record.Configuration})
	if err != nil || len(diffs) == 0 {
		return err
	}
	var parts []string
	for _, d := range diffs[:min(len(diffs), 4)] {
		parts = append(parts, d.String())
	}
	return usagef("resume %q: it was made with other settings (%s); use the same ones, or another folder", t.train.out, strings.Join(parts, "; "))
}

// objectiveConfig says what is minimised. How weights reach the runtime is chosen once and kept by the checkpoints.
func (t *baseTraining) objectiveConfig() base.Config {
	c := base.Config{
		Rows: t.train.batch, Draws: t.train.draws, Smoothing: t.train.smoothing,
		Consistency: t.train.consistency, Entropy: t.train.entropy, Momentum: 0.1,
		Mode: autodiff.WeightMode(t.train.weights), Session: trainSession(t.session),
	}
	if choices, ok := train.Stored(t.train.out); ok && t.train.resume {
		c.Mode = autodiff.WeightMode(choices["weights"])
	}
	return c
}
