package models

import (
	"context"
	"errors"
	"fmt"

	"ucan/models/declare"
	"ucan/models/internal/rewrite"
	"ucan/models/trial"
	"ucan/runtime"
	"ucan/runtime/onnx"
)

// trialBatch is the batch at which a graph shows that it takes more than its own; a
// number that is seldom a number of classes.
const trialBatch = 7

// try prepares the graph in one way and probes it. A rewritten graph must agree with the
// original at its own batch.
//
// What the file declares of its output saves a session that would only measure it: every run
// fails whose scores have another shape. Then they are measured after all.
func (m *Model) try(ctx context.Context, e *runner, p *plan, w batchMode) (ProbeResult, error) {
	g, edits, err := p.build(w.rewrite, w.declaredBatch())
	if err != nil {
		return ProbeResult{}, err
	}
	o, declared := p.declaredOutput()
	var res ProbeResult
	if declared {
		var prepared *onnx.Model
		if prepared, err = rewrite.WithDecision(g, o, p.decision, w.declaredBatch()); err != nil {
			return ProbeResult{}, err
		}
		if err = e.runApart(ctx, prepared); err != nil {
			return ProbeResult{}, err
		}
		res, err = m.tryPrepared(ctx, e, p, w, prepared, o, true)
	}
	if !declared || err != nil && !fatal(ctx, err) {
		res, err = m.tryMeasured(ctx, e, p, w, g)
	}
	if err == nil && w.rewrite {
		p.report.Batching.Edits = edits
	}
	return res, err
}

// tryMeasured is try for a graph whose output is measured first.
func (m *Model) tryMeasured(ctx context.Context, e *runner, p *plan, w batchMode, g *onnx.Model) (ProbeResult, error) {
	if err := e.runApart(ctx, g); err != nil {
		return ProbeResult{}, err
	}
	size := w.batch
	if size == 0 {
		size = trialBatch
	}
	o, err := e.measureOutput(ctx, p, g, trial.SampleRows(size, product(p.source)))
	if err != nil {
		return ProbeResult{}, err
	}
	prepared, err := rewrite.WithDecision(g, o, p.decision, w.declaredBatch())
	if err != nil {
		return ProbeResult{}, err
	}
	return m.tryPrepared(ctx, e, p, w, prepared, o, false)
}

// tryPrepared proves and probes a graph with its decision, all in one session with the options of
// a run. declared says that o was not measured.
func (m *Model) tryPrepared(ctx context.Context, e *runner, p *plan, w batchMode, prepared *onnx.Model, o rewrite.Output, declared bool) (res ProbeResult, err error) {
	if w.batch != 1 {
		// What runs is proved, the decision included.
		if why := proofBreak(prepared, w.batch); why != nil {
			return res, fmt.Errorf("its rows are not proved independent: %s", why)
		}
	}
	sess, err := e.session(ctx, prepared)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, sess.Close()) }()
	difference := 0.0
	if w.rewrite {
		if difference, err = e.compareOriginal(ctx, p, sess, o, declared, w); err != nil {
			return res, err
		}
	}
	g := e.graph(sess, o.Width, p.input.Type)
	if w.batch > 0 {
		res, err = g.FixedBatch(ctx, w.batch)
	} else {
		res, err = g.AnyBatch(ctx)
	}
	if err != nil {
		return res, err
	}
	res.RewriteDifference = difference
	m.adopt(p, prepared, o, w.batch)
	if m.opts.samples {
		m.samples, err = m.runSamples(ctx, e, sess, res.Slow)
	}
	return res, err
}

// adopt takes over a prepared graph that passed.
func (m *Model) adopt(p *plan, prepared *onnx.Model, o rewrite.Output, fixed int) {
	m.graph, m.fixedBatch, m.scoreWidth, m.trialWidth, m.inputType = prepared, fixed, o.Width, o.Width, p.input.Type
	if p.decision.Kind == declare.Label {
		m.scoreWidth = 0 // the label's scores are there to explain near ties; a label may number them otherwise
	}
	p.report.Classes = o.Classes
}

// graph is a session of a prepared graph, with scores of the given width, for trials.
func (e *runner) graph(sess *runtime.Session, width int, input onnx.DType) trial.Graph {
	return trial.Graph{
		Run: func(ctx context.Context, rows []float32) (trial.Answer, error) {
			return e.run(ctx, sess, rows, width)
		},
		Dim: product(e.source), Provider: sess.Provider(), Limit: tolerance(input, sess.Provider()), Exact: sess.Provider() == runtime.CPU,
	}
}

// tolerance is the largest relative difference of scores between two batches that
// passes for rounding.
func tolerance(input onnx.DType, provider string) float64 {
	if input == onnx.Float16 || input == onnx.BFloat16 || provider != runtime.CPU {
		return 2e-2
	}
	return 1e-3
}

// compareOriginal runs the rewritten and the original graph on the same rows, the
// original at its own batch.
func (e *runner) compareOriginal(ctx context.Context, p *plan, fresh *runtime.Session, o rewrite.Output, declared bool, w batchMode) (diff float64, err error) {
	size := p.ownBatch()
	g, _, err := p.buildNew(false, int64(size))
	if err != nil {
		return 0, err
	}
	d := product(p.source)
	rows := trial.SampleRows(trialBatch*size, d)
	first := o
	if !declared {
		if first, err = e.measureOutput(ctx, p, g, rows[:size*d]); err != nil {
			return 0, err
		}
	}
	if first.Classes != o.Classes {
		return 0, fmt.Errorf("the rewritten graph has %d classes, the original %d", o.Classes, first.Classes)
	}
	original, err := rewrite.WithDecision(g, first, p.decision, int64(size))
	if err != nil {
		return 0, err
	}
	old, err := e.session(ctx, original)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	got, err := e.runBatches(ctx, fresh, rows, o.Width, w.batch)
	if err != nil {
		return 0, err
	}
	want, err := e.runBatches(ctx, old, rows, o.Width, size)
	if err != nil {
		return 0, err
	}
	diff, ok := trial.Same(want, got, tolerance(p.input.Type, fresh.Provider()))
	if !ok {
		return diff, fmt.Errorf("the rewritten graph differs from the original by %.1g of the largest score", diff)
	}
	return diff, nil
}

// explainProbe adds what the probe showed.
func (p *plan) explainProbe(res ProbeResult) {
	r := &p.report
	text := fmt.Sprintf("%d made-up rows: each got the same decision at every position and in every batch size that was tried (up to %d)", res.Rows, res.Batch)
	if p.report.Batching.Plan == planFixed {
		text = fmt.Sprintf("made-up rows: each got the same decision again, and at every position of the batch of %d", res.Batch)
	}
	switch {
	case res.BatchIndependent:
		text += "; scores were equal bit for bit"
	case res.Slow && res.MaxDifference == 0:
		text += "; scores were equal bit for bit; a row takes long, so few were tried"
	default:
		text += fmt.Sprintf("; scores differ by up to %.1g of the largest, so counts may depend on --batch in the last place", res.MaxDifference)
	}
	r.add(kindFound, text, "--batch B")
	if res.RewriteDifference > 0 {
		r.add(kindFound, fmt.Sprintf("the rewritten graph differs from the original by %.1g of the largest score", res.RewriteDifference), "")
	}
}
