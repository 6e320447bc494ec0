package models

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ucan/runtime"
	"ucan/runtime/onnx"
)

// Open reads an ONNX file, prepares it as the package describes, and tries it: the
// result is a classifier whose decisions, as far as the trial shows, are a function
// of the row alone.
//
// The error is a *Refusal (possibly wrapped) when the model cannot be smoothed
// soundly, wraps ErrDeclaration when the options or model.yaml are at fault, and is
// another one when the file cannot be read or does not load.
func Open(ctx context.Context, rt *runtime.Runtime, path string, opts Options) (*Model, error) {
	p, err := makePlan(path, opts)
	return open(ctx, rt, p, err, path, opts)
}

// OpenBytes is [Open] for the bytes of an ONNX file, called name in certificates and
// messages: a model embedded in a program, for instance. No model.yaml is looked for;
// Options.YAML names one.
func OpenBytes(ctx context.Context, rt *runtime.Runtime, name string, b []byte, opts Options) (*Model, error) {
	p, err := makePlanOf(name, b, opts)
	return open(ctx, rt, p, err, name, opts)
}

// open prepares what was planned.
func open(ctx context.Context, rt *runtime.Runtime, p *plan, err error, path string, opts Options) (*Model, error) {
	if err == nil && p.source == nil {
		err = refuse(fmt.Sprintf("input %v leaves its shape open and no data says it", p.input), "open it with data, or export it with a fixed size")
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
	e := newEngine(m.rt, m.opts)
	if !m.opts.accepted {
		if err := e.accepts(ctx, p.file.m); err != nil {
			return err
		}
		if p.denoiser != nil {
			if err := e.accepts(ctx, p.denoiser.file.m); err != nil {
				return fmt.Errorf("the denoiser: %w", err)
			}
		}
	}
	res, err := m.firstWay(ctx, e, p)
	if err != nil {
		return err
	}
	p.explainProbe(res)
	p.report.Probe = &res
	if n, k := len(p.report.Labels), p.report.Classes; n > 0 && n != k {
		return p.checkLabels()
	}
	m.pace = *e.pace
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
	return ctx.Err() != nil || errors.Is(err, ErrDeclaration) || errors.As(err, &refusal) ||
		errors.Is(err, runtime.ErrProvider) || errors.Is(err, runtime.ErrUnknownProvider) ||
		errors.Is(err, runtime.ErrOptions) || errors.Is(err, runtime.ErrClosed) || errors.Is(err, runtime.ErrTimeLimit)
}

// shapeError says that an output is not made of rows. Another batch plan may mend it.
type shapeError struct {
	output string
	shape  []int64
	batch  int64
}

func (e shapeError) Error() string {
	return fmt.Sprintf("output %q has shape %v for a batch of %d rows", e.output, e.shape, e.batch)
}

// trialBatch is the batch at which a graph shows that it takes more than its own; a
// number that is seldom a number of classes.
const trialBatch = 7

// firstWay prepares the graph in the first way of running it that works.
func (m *Model) firstWay(ctx context.Context, e *engine, p *plan) (res ProbeResult, err error) {
	all, err := p.ways()
	if err != nil {
		return res, err
	}
	p.announce(all[0])
	var why error // the first failure tells most
	for _, w := range all {
		if res, err = m.try(ctx, e, p, w); err == nil {
			p.explainWay(w, why)
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
		return res, p.mixes(why)
	case errors.As(err, &shape):
		return res, refuse(shape.Error(), "export it with the batch as the first axis of the output")
	}
	return res, why
}

// explainWay writes the way that works into the report; why says why none before it did.
func (p *plan) explainWay(w way, why error) {
	b := &p.report.Batching
	switch {
	case w.batch > 0 && why != nil:
		p.dropIntention()
		b.Plan, b.Size, b.Edits, b.Why = planFixed, w.batch, nil, "a larger batch fails or changes the results"
		p.report.add(kindWarning, fmt.Sprintf("runs at a batch of %d only, which is slow: %s (%s)", w.batch, b.Why, brief(why)), "")
	case w.rewrite && w.batch == 0:
		b.Plan = planRewritten
	}
}

// declared is the batch that the graph declares: −1 for any.
func (w way) declared() int64 {
	if w.batch == 0 {
		return -1
	}
	return int64(w.batch)
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

// ownBatch is the batch that the file was exported at.
func (p *plan) ownBatch() int {
	size := max(p.static, 1)
	if p.denoiser != nil {
		size = max(size, p.denoiser.static)
	}
	return size
}

func (m *Model) accept(p *plan, prepared *onnx.Model, h head, fixed int) {
	m.graph, m.fixedBatch, m.scoreWidth, m.trialWidth, m.inputType = prepared, fixed, h.width, h.width, p.input.Type
	if p.decision.Kind == Label {
		m.scoreWidth = 0 // the ballot's values are there to explain near ties; a label may number them otherwise
	}
	p.report.Classes = h.classes
}

// measureHead runs the graph once for the shape of its output and checks that it is
// one vector of scores, or one label, a row.
func (m *Model) measureHead(ctx context.Context, e *engine, p *plan, g *onnx.Model, rows []float32) (head, error) {
	batch := int64(len(rows) / product(p.source))
	shape, err := e.measure(ctx, g, p.output, rows, p.source)
	if err != nil {
		return head{}, err
	}
	h := head{name: p.output, dtype: p.outType, rank: len(shape), classes: p.report.Classes}
	total := int64(1)
	wide := 0
	for i, n := range shape {
		total *= n
		if n != 1 && i > 0 {
			wide++
		}
	}
	own := batch == 1 && len(shape) == 1 // [K] of a single row
	switch {
	case total == 0 || total%batch != 0 || len(shape) > 0 && shape[0] != batch && !own || len(shape) == 0 && batch != 1:
		return h, shapeError{p.output, shape, batch}
	case own && total > 1 || len(shape) <= 1 && total == batch || wide <= 1:
	default:
		return h, refuse(fmt.Sprintf("output %q has shape %v a row, no vector of scores", p.output, shape[1:]),
			"choose the output that holds one score per class with --output NAME")
	}
	width := int(total / batch)
	switch p.decision.Kind {
	case Label:
		if width != 1 {
			return h, refuse(fmt.Sprintf("output %q gives %d labels a row", p.output, width), "choose an output with one label a row with --output NAME")
		}
		return m.measureBallot(ctx, e, p, g, rows, h)
	case Threshold:
		if width != 1 {
			return h, declared("a threshold needs one score per row and output %q has %d; use --decision argmax", p.output, width)
		}
		h.width, h.classes = 1, 2
		return h, nil
	}
	h.width, h.classes = width, width
	p.report.Classes = width
	return h, p.checkWidth()
}

// measureBallot finds the shape of what a label is the index in, and the number of classes
// where nothing declares it.
func (m *Model) measureBallot(ctx context.Context, e *engine, p *plan, g *onnx.Model, rows []float32, h head) (head, error) {
	unknownClasses := refuse("the number of classes behind the label is unknown", "list the labels in model.yaml, or say output.classes there")
	if p.ballot == nil {
		if h.classes == 0 {
			return h, unknownClasses
		}
		return h, nil
	}
	shape, err := e.measure(ctx, g, p.ballot.values, rows, p.source)
	if err != nil {
		return h, err
	}
	axis := p.ballot.axis
	if axis < 0 {
		axis += int64(len(shape))
	}
	batch, others := int64(len(rows)/product(p.source)), int64(1)
	for i, n := range shape {
		if int64(i) != axis {
			others *= n
		}
	}
	if axis < 0 || axis >= int64(len(shape)) || others != batch {
		return h, shapeError{p.ballot.values, shape, batch}
	}
	h.ballot, h.ballotRank = p.ballot, len(shape)
	if axis > 0 && shape[0] == batch || batch == 1 { // a row's values lie side by side
		h.width = int(shape[axis])
	}
	if h.classes == 0 {
		if shape[axis] < 2 || shape[axis] > maxClasses {
			return h, unknownClasses
		}
		h.classes = int(shape[axis])
	}
	return h, nil
}

// compareOriginal runs the rewritten and the original graph on the same rows, the
// original at its own batch.
func (m *Model) compareOriginal(ctx context.Context, e *engine, p *plan, fresh *runtime.Session, h head, w way) (diff float64, err error) {
	size := p.ownBatch()
	g, _, err := p.buildNew(false, int64(size))
	if err != nil {
		return 0, err
	}
	d := product(p.source)
	rows := sampleRows(trialBatch*size, d)
	oh := h
	if !h.declared {
		if oh, err = m.measureHead(ctx, e, p, g, rows[:size*d]); err != nil {
			return 0, err
		}
	}
	if oh.classes != h.classes {
		return 0, fmt.Errorf("the rewritten graph has %d classes, the original %d", h.classes, oh.classes)
	}
	original, err := withDecision(g, oh, p.decision, int64(size))
	if err != nil {
		return 0, err
	}
	old, err := e.session(ctx, original)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	got, err := e.askBy(ctx, fresh, rows, p.source, h.width, w.batch)
	if err != nil {
		return 0, err
	}
	want, err := e.askBy(ctx, old, rows, p.source, h.width, size)
	if err != nil {
		return 0, err
	}
	diff, ok := same(want, got, tolerance(p.input.Type, fresh.Provider()))
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
	if res.BatchIndependent {
		text += "; scores were equal bit for bit"
	} else {
		text += fmt.Sprintf("; scores differ by up to %.1g of the largest, so counts may depend on --batch in the last place", res.MaxDifference)
	}
	r.add(kindFound, text, "--batch B")
	if res.RewriteDifference > 0 {
		r.add(kindFound, fmt.Sprintf("the rewritten graph differs from the original by %.1g of the largest score", res.RewriteDifference), "")
	}
}
