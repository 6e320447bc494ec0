package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ucan/internal/fault"
	"ucan/internal/progress"
	"ucan/models"
	"ucan/npg"
	"ucan/npg/diagnose"
	"ucan/npg/net"
	fields "ucan/npg/perinput"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/smooth/basis"
	"ucan/train/data"
	"ucan/train/perinput"
)

// perInputBatch is how many noisy copies the classifier runs on at once: a quarter of the copies of a step, so that none
// are padding.
const perInputBatch = 25

// checkPerInput refuses what the optimisation input by input has no use for.
func checkPerInput(r *values) {
	for _, key := range []string{"npg.joint", "npg.volume", "npg.volume_weight", "npg.reg", "npg.start", "npg.target_sigma", "train.val", "train.validation", "train.ema", "train.clip"} {
		if r.differs(key) {
			r.fault(key, "it has no effect on fields that are optimised input by input; leave it out")
		}
	}
}

// optimisePerInput makes the bundle of kind per-input.
func (t *npgTraining) optimisePerInput(ctx context.Context, rt *runtime.Runtime, model *models.Model, set *data.Set) error {
	c, n := fields.DefaultConfig(), t.fit.Net
	c.Family, c.Lambda, c.Norm, c.Seed = t.fit.Family, t.fit.Lambda, t.fit.Norm, t.fit.Seed
	c.Limits = npg.Limits{Floor: n.Floor, Ceiling: n.Ceiling}
	r := t.a.values()
	if t.train.counted {
		c.Iterations = t.train.epochs
	}
	if r.changed("train.draws") {
		c.Samples = t.train.draws
	}
	if t.train.rate > 0 {
		c.LearningRate = t.train.rate
	}
	if n.Basis == net.DCT {
		var err error
		if c.Basis, err = basis.DCT2(model.InputShape()); err != nil {
			return usage(err)
		}
	}
	bar := progress.New(t.a.progressWriter(), t.a.progressOptions(set.Len(), 0))
	before := 0
	result, err := perinput.Run(ctx, rt, model, set, perinput.Config{
		Field: c, Dir: t.train.out, Resume: t.train.resume, Batch: perInputBatch, Session: trainSession(t.session), Processor: t.a.processor,
		Progress: func(done, _ int) {
			bar.Add(int64(done - before))
			before = done
		},
	})
	bar.Close()
	switch {
	case errors.Is(err, perinput.ErrConfig):
		return usage(err)
	case errors.Is(err, autodiff.ErrNotDifferentiable):
		return fault.Mark(fault.Refused, err)
	case err != nil:
		return err
	}
	if len(result.OtherProcessors) > 0 {
		t.a.warn("resume %q: some fields were optimised on %s, the rest on %s: the bundle has not the bytes that either alone would give",
			t.train.out, strings.Join(result.OtherProcessors, " and "), t.a.processor)
	}
	return t.a.presentPerInput(result, t.train.out, c.Seed)
}

// perInputSummary is what is printed at the end.
type perInputSummary struct {
	Out         string               `json:"out"`
	Kind        string               `json:"kind"`
	Guarantee   string               `json:"guarantee"`
	Seed        uint64               `json:"seed"`
	Inputs      int                  `json:"inputs"`
	Certifiable int                  `json:"certifiable"`
	Gain        float64              `json:"alm_gain_estimate"`
	SHA256      string               `json:"sha256"`
	Sigma       diagnose.Scale       `json:"sigma"`
	Diagnoses   []diagnose.Diagnosis `json:"diagnoses"`
}

func (a *app) presentPerInput(result perinput.Result, dir string, seed uint64) error {
	b := result.Bundle
	s := perInputSummary{
		Out: dir, Kind: string(b.Kind), Guarantee: string(b.Kind.Guarantee()), Seed: seed, Inputs: result.Inputs, Certifiable: result.Certifiable,
		Gain: result.Gain, SHA256: b.Hash(), Sigma: result.Report.Sigma, Diagnoses: result.Report.Found(),
	}
	for _, d := range s.Diagnoses {
		a.warn("%s: %s; %s", d.Name, d.Text, d.Knob)
	}
	if a.json() {
		if s.Diagnoses == nil {
			s.Diagnoses = []diagnose.Diagnosis{}
		}
		return writeJSON(a.stdout, s)
	}
	_, err := fmt.Fprintf(a.stdout, "%s: %s generator, guarantee %s, seed %d\n  %d inputs, %d with a certificate at the start; ALM %.3g times the start's by estimate\n  scale %.4g to %.4g, geometric mean %.4g\n",
		dir, s.Kind, guaranteeText(s.Guarantee), s.Seed, s.Inputs, s.Certifiable, s.Gain, s.Sigma.Min, s.Sigma.Max, s.Sigma.GeometricMean)
	return err
}
