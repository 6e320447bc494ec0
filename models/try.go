package models

import (
	"context"
	"errors"
	"fmt"

	"ucan/runtime/onnx"
)

// try prepares the graph in one way and probes it. A rewritten graph must agree with the
// original at its own batch.
//
// What the file declares of its output saves a session that would only measure it: every run
// fails whose scores have another shape. Then they are measured after all.
func (m *Model) try(ctx context.Context, e *engine, p *plan, w way) (ProbeResult, error) {
	g, edits, err := p.build(w.rewrite, w.declared())
	if err != nil {
		return ProbeResult{}, err
	}
	var res ProbeResult
	if h, ok := p.declaredHead(); ok {
		var prepared *onnx.Model
		if prepared, err = withDecision(g, h, p.decision, w.declared()); err != nil {
			return ProbeResult{}, err
		}
		if err = e.survive(ctx, prepared); err != nil {
			return ProbeResult{}, err
		}
		if res, err = m.tryPrepared(ctx, e, p, w, prepared, h); err != nil && !fatal(ctx, err) {
			res, err = m.tryMeasured(ctx, e, p, w, g)
		}
	} else {
		res, err = m.tryMeasured(ctx, e, p, w, g)
	}
	if err == nil && w.rewrite {
		p.report.Batching.Edits = edits
	}
	return res, err
}

// declaredHead is the head that the file declares: scores of two dimensions, the second one fixed.
func (p *plan) declaredHead() (head, bool) {
	k := p.width()
	if p.decision.Kind == Label || p.outRank != 2 || k == unknown || (p.decision.Kind == Threshold) != (k == 1) {
		return head{}, false
	}
	return head{name: p.output, dtype: p.outType, rank: 2, classes: max(k, 2), width: k, declared: true}, true
}

// tryMeasured is try for a graph whose output is measured first.
func (m *Model) tryMeasured(ctx context.Context, e *engine, p *plan, w way, g *onnx.Model) (ProbeResult, error) {
	if err := e.survive(ctx, g); err != nil {
		return ProbeResult{}, err
	}
	size := w.batch
	if size == 0 {
		size = trialBatch
	}
	h, err := m.measureHead(ctx, e, p, g, sampleRows(size, product(p.source)))
	if err != nil {
		return ProbeResult{}, err
	}
	prepared, err := withDecision(g, h, p.decision, w.declared())
	if err != nil {
		return ProbeResult{}, err
	}
	return m.tryPrepared(ctx, e, p, w, prepared, h)
}

// tryPrepared proves and probes a graph with its decision, all in one session with the options of
// a run.
func (m *Model) tryPrepared(ctx context.Context, e *engine, p *plan, w way, prepared *onnx.Model, h head) (res ProbeResult, err error) {
	if w.batch != 1 {
		// What runs is proved, the decision included.
		if why := unproved(prepared, w.batch); why != nil {
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
		if difference, err = m.compareOriginal(ctx, e, p, sess, h, w); err != nil {
			return res, err
		}
	}
	if w.batch > 0 {
		res, err = p.probeFixed(ctx, e, sess, h.width, w.batch)
	} else {
		res, err = p.probe(ctx, e, sess, h.width)
	}
	if err != nil {
		return res, err
	}
	res.RewriteDifference = difference
	m.accept(p, prepared, h, w.batch)
	if m.opts.samples {
		m.samples, err = m.askSamples(ctx, e, sess)
	}
	return res, err
}
