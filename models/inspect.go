package models

import (
	"context"
	"errors"
	"fmt"

	"ucan/models/declare"
	"ucan/runtime"
)

// Inspect reads a file and reports what it holds, what is guessed, what preparing it
// would do, and the flags that change it. It runs nothing and needs no onnxruntime;
// [Model.Report] has what a run adds.
//
// The error is a *Refusal (possibly wrapped) when the file cannot be smoothed, wraps
// ErrDeclaration when flags or model.yaml are at fault, and is another one when the
// file cannot be read. The report holds what was found until then, and the refusal.
func Inspect(ctx context.Context, path string, opts Options) (Report, error) {
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	p, err := planFile(path, opts)
	return p.inspected(path, err)
}

// InspectRun is [Inspect] and, where the shape of a row is known, what a trial shows: it opens the
// model as [Open] does, asks it about a few made-up rows as [Model.ExamineSamples] does, and closes
// it. The runtime is opened only for that; the caller closes it.
//
// A model that does not open gives the report of Inspect with the refusal.
func InspectRun(ctx context.Context, path string, opts Options, openRuntime func() (*runtime.Runtime, error)) (_ Report, err error) {
	if err = ctx.Err(); err != nil {
		return Report{}, err
	}
	p, err := planFile(path, opts)
	if err == nil && p.source != nil {
		opts.Session = p.mapWeights(declare.ModelPath(path), opts.Session)
		_, err = p.batchModes() // what refuses the file without a run comes first
	}
	if err != nil || p.source == nil {
		return p.report, p.refused(path, err)
	}
	rt, err := openRuntime()
	if err != nil {
		return Report{}, err
	}
	opts.samples = true
	m, err := open(ctx, rt, p, nil, path, opts)
	if err != nil {
		report, _ := Inspect(ctx, path, opts)
		var refusal *Refusal
		if errors.As(err, &refusal) {
			report.Refusal = refusal
		}
		return report, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	report, err := m.ExamineSamples(ctx)
	return report, errors.Join(err, p.unchanged(declare.ModelPath(path)))
}

// inspected completes a report by what building the graph shows.
func (p *plan) inspected(path string, err error) (Report, error) {
	if err == nil && p.source != nil {
		// The edits are part of the answer, and must be possible.
		err = p.listEdits()
	}
	return p.report, p.refused(path, err)
}

// listEdits builds the graph without running it, for the list of edits.
func (p *plan) listEdits() error {
	all, err := p.batchModes()
	if err != nil {
		return err
	}
	w := all[0]
	p.reportMode(w)
	_, edits, err := p.build(w.rewrite, w.declaredBatch())
	p.report.Batching.Edits = edits
	return err
}

// refused stores a refusal in the report and adds the file to the error.
func (p *plan) refused(path string, err error) error {
	if err == nil {
		return nil
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		p.report.Refusal = refusal
	}
	return fmt.Errorf("%s: %w", path, err)
}
