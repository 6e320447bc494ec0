package main

import (
	"context"
	"fmt"
	"strings"

	"ucan/internal/progress"
	"ucan/npg"
	"ucan/npg/diagnose"
	"ucan/npg/net"
	fields "ucan/npg/perinput"
	"ucan/runtime"
	"ucan/smooth/basis"
	"ucan/train/fit"
)

// perInputBatch is how many noisy copies the classifier runs on at once: a quarter of the copies of
// a step, so that none are padding.
const perInputBatch = 25

// checkPerInput refuses what the optimisation input by input has no use for.
func (t *trainNPGOptions) checkPerInput(f *faults) {
	for _, into := range []any{
		&t.joint, &t.volume, &t.volumeWeight, &t.reg, &t.start, &t.target, &t.validation, &t.run.Data.HoldOut, &t.loop.Average, &t.loop.Clip,
	} {
		if f.differs(into) {
			f.add(into, "it has no effect on fields that are optimised input by input; leave it out")
		}
	}
}

// runPerInput makes the bundle of kind per-input.
func (a *app) runPerInput(ctx context.Context, rt *runtime.Runtime, o *trainNPGOptions, g fit.GeneratorConfig) error {
	c := fit.PerInputConfig{Run: g.Run, Model: g.Model, Batch: perInputBatch, Field: fields.DefaultConfig()}
	c.Field.Family, c.Field.Lambda, c.Field.Norm = g.Family, g.Lambda, g.Norm
	c.Field.Limits = npg.Limits{Floor: g.Net.Floor, Ceiling: g.Net.Ceiling}
	if g.Epochs > 0 {
		c.Field.Iterations = g.Epochs
	}
	if a.changed(&o.loop.Draws) {
		c.Field.Samples = g.Draws
	}
	if o.rate != nil {
		c.Field.LearningRate = g.LearningRate
	}
	if g.Net.Basis == net.DCT {
		var err error
		if c.Field.Basis, err = basis.DCT2(g.Model.InputShape()); err != nil {
			return usage(err)
		}
	}
	var bar *progress.Bar
	before := 0
	c.Observer.Field = func(done, total int) {
		if bar == nil {
			bar = progress.New(a.progressWriter(), a.progressOptions(total, 0))
		}
		bar.Add(int64(done - before))
		before = done
	}
	a.resumable = true
	result, err := fit.PerInput(ctx, rt, c)
	if bar != nil {
		bar.Close()
	}
	if err != nil {
		return err
	}
	if len(result.OtherProcessors) > 0 {
		a.warn("resume %q: some fields were optimised on %s, the rest on %s: the bundle differs in bytes from a run on either alone",
			c.Dir, strings.Join(result.OtherProcessors, " and "), a.processor)
	}
	return a.presentPerInput(result, c.Dir)
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

func (a *app) presentPerInput(result fit.PerInputResult, dir string) error {
	b := result.Bundle
	s := perInputSummary{
		Out: dir, Kind: string(b.Kind), Guarantee: string(b.Kind.Guarantee()), Seed: result.Seed, Inputs: result.Inputs, Certifiable: result.Certifiable,
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
