package models

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ucan/models/declare"
	"ucan/runtime"
	"ucan/runtime/onnx/soundness"
)

// Open reads an ONNX file, prepares it as the package describes, and tries it: the
// result is a classifier whose decisions, as far as the trial shows, are a function
// of the row alone.
//
// The error is a *Refusal (possibly wrapped) when the model cannot be smoothed
// soundly, wraps ErrDeclaration when the options or model.yaml are at fault, and is
// another one when the file cannot be read or does not load.
func Open(ctx context.Context, rt *runtime.Runtime, path string, opts Options) (*Model, error) {
	p, err := planFile(path, opts)
	return open(ctx, rt, p, err, path, opts)
}

// OpenBytes is [Open] for the bytes of an ONNX file, called name in certificates and
// messages: a model embedded in a program, for instance. No model.yaml is looked for;
// Options.YAML names one.
func OpenBytes(ctx context.Context, rt *runtime.Runtime, name string, b []byte, opts Options) (*Model, error) {
	p, err := planBytes(name, b, opts)
	return open(ctx, rt, p, err, name, opts)
}

// open prepares what was planned.
func open(ctx context.Context, rt *runtime.Runtime, p *plan, err error, path string, opts Options) (*Model, error) {
	if err == nil && p.source == nil {
		err = soundness.Refuse(fmt.Sprintf("input %v leaves its shape open and no data says it", p.input), "open it with data, say its shape with --shape where a command has that flag, or export it with a fixed size")
	}
	m := &Model{rt: rt, opts: opts}
	if err == nil {
		m.source = p.source
		err = m.prepare(ctx, p)
	}
	if err != nil {
		return nil, p.refused(path, err)
	}
	return m, nil
}

// prepare finds out at which batch the model runs, appends the decision and probes
// the result.
func (m *Model) prepare(ctx context.Context, p *plan) error {
	e := newRunner(m.rt, m.source, p.file.sha256, m.opts)
	if !m.opts.accepted {
		if err := e.checkLoads(ctx, p.file.m); err != nil {
			return err
		}
		if p.denoiser != nil {
			if err := e.checkLoads(ctx, p.denoiser.file.m); err != nil {
				return fmt.Errorf("the denoiser: %w", err)
			}
		}
	}
	res, err := m.firstMode(ctx, e, p)
	if err != nil {
		return err
	}
	p.explainProbe(res)
	p.report.Probe = &res
	if n, k := len(p.report.Labels), p.report.Classes; n > 0 && n != k {
		return p.checkLabels()
	}
	p.nameClasses()
	m.rowTime = *e.rowTime
	m.report, m.decision, m.sha256, m.provider = p.report, p.decision, p.file.sha256, res.Provider
	m.file, m.declared, m.other, m.probabilities = p.file, p.declared, p.findOther(), p.findProbabilities(p.declared)
	if m.bytes, err = m.graph.Marshal(); err != nil {
		return fmt.Errorf("write the prepared graph: %w", err)
	}
	return nil
}

// fatal tells errors that another batch plan cannot mend.
func fatal(ctx context.Context, err error) bool {
	var refusal *Refusal
	return ctx.Err() != nil || errors.Is(err, declare.Err) || errors.As(err, &refusal) ||
		errors.Is(err, runtime.ErrProvider) || errors.Is(err, runtime.ErrUnknownProvider) ||
		errors.Is(err, runtime.ErrOptions) || errors.Is(err, runtime.ErrClosed) || errors.Is(err, runtime.ErrTimeLimit)
}

// firstMode prepares the graph in the first way of running it that works.
func (m *Model) firstMode(ctx context.Context, e *runner, p *plan) (res ProbeResult, err error) {
	all, err := p.batchModes()
	if err != nil {
		return res, err
	}
	p.reportMode(all[0])
	var why error // the first failure tells most
	for _, w := range all {
		if res, err = m.try(ctx, e, p, w); err == nil {
			p.reportChosen(w, why)
			return res, nil
		}
		if fatal(ctx, err) {
			return res, err
		}
		if why == nil {
			why = err
		}
	}
	var shape shapeError
	switch {
	case !p.report.Rows.Proved && p.ownBatch() > 1:
		return res, p.refuseDependentRows(why)
	case errors.As(err, &shape):
		return res, soundness.Refuse(shape.Error(), "export it with the batch as the first axis of the output")
	}
	return res, why
}

// brief is the beginning of an error's text.
func brief(err error) string {
	const most = 200
	// What onnxruntime says of the node stands before the place in its own source.
	say, _, _ := strings.Cut(err.Error(), "/onnxruntime_src/")
	text := []rune(strings.Join(strings.Fields(say), " "))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}
