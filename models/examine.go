package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"ucan/runtime"
	"ucan/runtime/onnx"
)

// Examination is what a model's answers to some rows without noise say of its outputs. It finds
// faults of an export or of a runtime that leave the model a function of the row, but not the
// function that was meant.
type Examination struct {
	Rows int `json:"rows"`
	// NaN counts rows with a NaN among the scores, NoVote all rows that give no vote: these, ties,
	// values equal to the threshold and labels outside the classes.
	NaN    int `json:"nan"`
	NoVote int `json:"no_vote"`
	// Probabilities says why the scores are taken for probabilities; "" where they are not.
	// Negative counts rows with a value below 0, WrongSum rows whose values do not add up to 1 (a
	// single one: that lie outside 0 … 1); WorstSum is the sum farthest from 1.
	Probabilities string  `json:"probabilities,omitempty"`
	Negative      int     `json:"negative"`
	WrongSum      int     `json:"wrong_sum"`
	WorstSum      float64 `json:"worst_sum,omitempty"`
	// Other is another output of the file that names a class, Disagree the number of rows for which
	// it names another one than the decision.
	Other    string `json:"other,omitempty"`
	Disagree int    `json:"disagree"`

	decision string // the decision and its output, for messages
	kind     string // of rows: "clean inputs", "synthetic rows"
}

// What passes for rounding of probabilities: half and quantised arithmetic included.
const (
	sumTolerance      = 1e-2
	negativeTolerance = 1e-4
)

// tieShare is the share of rows without a vote that is worth a warning.
const tieShare = 0.01

// Fault says in one clause why the answers must be wrong; "" where they need not be.
func (x Examination) Fault() string {
	switch {
	case x.Negative > 0:
		return fmt.Sprintf("%d of %d %s get negative probabilities (%s)", x.Negative, x.Rows, x.kind, x.Probabilities)
	case x.WrongSum > 0:
		return fmt.Sprintf("the probabilities of %d of %d %s do not add up to 1 but for instance to %.4g (%s)", x.WrongSum, x.Rows, x.kind, x.WorstSum, x.Probabilities)
	case 2*x.Disagree > x.Rows:
		return x.disagreement()
	}
	return ""
}

// Warnings lists what looks wrong and need not be, a line each.
func (x Examination) Warnings() []string {
	var out []string
	if x.Disagree > 0 && 2*x.Disagree <= x.Rows {
		out = append(out, x.disagreement())
	}
	if float64(x.NoVote) > tieShare*float64(x.Rows) {
		why := "ties, or labels outside the classes"
		if x.NaN > 0 {
			why = fmt.Sprintf("%d with NaN among the scores, the others with ties", x.NaN)
		}
		out = append(out, fmt.Sprintf("%d of %d %s give no vote without any noise (%s); such votes count against every class", x.NoVote, x.Rows, x.kind, why))
	}
	return out
}

func (x Examination) disagreement() string {
	return fmt.Sprintf("on %d of %d %s %s and the file's own %s name different classes", x.Disagree, x.Rows, x.kind, x.decision, x.Other)
}

// Examine runs the model on rows of the source, any number of them, without noise. labels are what
// a classifier of the model said of them; nil asks one.
func (m *Model) Examine(ctx context.Context, rows []float32, labels []int32) (Examination, error) {
	return m.examine(ctx, rows, labels, "clean inputs")
}

// ExamineSamples is Examine on a few rows that are made up, for reports; the warnings are added to
// the model's report.
func (m *Model) ExamineSamples(ctx context.Context) (Report, error) {
	x, err := m.examineSamples(ctx)
	if err != nil {
		return m.report, err
	}
	r := m.report
	r.Examination = &x
	if fault := x.Fault(); fault != "" {
		r.add(kindWarning, fault+"; a run checks this on its own data and refuses to start", "")
	}
	for _, w := range x.Warnings() {
		r.add(kindWarning, w, "")
	}
	return r, nil
}

const examinedSamples = 64

func (m *Model) examineSamples(ctx context.Context) (Examination, error) {
	rows := sampleRows(examinedSamples, m.Dim())
	if m.samples == nil {
		return m.examine(ctx, rows, nil, "synthetic rows")
	}
	x := Examination{Rows: examinedSamples, kind: "synthetic rows", decision: m.decisionText()}
	x.look(m, m.samples.labels, m.samples.scores)
	return x, m.compareOther(ctx, rows, m.samples.labels, &x)
}

// askSamples asks a session of the prepared graph about the made-up rows.
func (m *Model) askSamples(ctx context.Context, e *engine, sess *runtime.Session) (*answer, error) {
	batch := m.fixedBatch
	if batch == 0 {
		batch = max(1, min(32, (1<<20)/m.Dim()))
	}
	whole := (examinedSamples + batch - 1) / batch * batch // what is over is padding
	rows := sampleRows(examinedSamples, m.Dim())
	rows = append(rows, make([]float32, whole*m.Dim()-len(rows))...)
	a, err := e.askBy(ctx, sess, rows, m.source, m.trialWidth, batch)
	if err != nil {
		return nil, fmt.Errorf("run it on %d made-up rows: %w", examinedSamples, err)
	}
	a.labels = a.labels[:examinedSamples]
	if a.scores != nil {
		a.scores = a.scores[:examinedSamples*a.width]
	}
	return &a, nil
}

func (m *Model) decisionText() string {
	return fmt.Sprintf("%s over %q", m.decision, m.report.Prep.Output)
}

// look counts what labels and scores show; scores are those of a decision over scores.
func (x *Examination) look(m *Model, labels []int32, scores []float32) {
	for _, l := range labels {
		if l < 0 {
			x.NoVote++
		}
	}
	if m.scoreWidth > 0 {
		x.Probabilities = m.probabilities
		x.scores(scores, m.scoreWidth)
	}
}

func (m *Model) examine(ctx context.Context, rows []float32, labels []int32, kind string) (Examination, error) {
	d := m.Dim()
	if len(rows) == 0 || len(rows)%d != 0 {
		return Examination{}, fmt.Errorf("examine %s: %d values are no rows of %d", m.Name(), len(rows), d)
	}
	x := Examination{Rows: len(rows) / d, kind: kind, decision: m.decisionText()}
	if labels == nil {
		var err error
		if labels, err = m.labelsOf(ctx, rows); err != nil {
			return x, err
		}
	}
	if len(labels) != x.Rows {
		return x, fmt.Errorf("examine %s: %d labels for %d rows", m.Name(), len(labels), x.Rows)
	}
	var scores []float32
	if m.scoreWidth > 0 {
		var err error
		if scores, err = m.Scores(ctx, rows); err != nil {
			return x, err
		}
	}
	x.look(m, labels, scores)
	return x, m.compareOther(ctx, rows, labels, &x)
}

// scores looks at the scores of all rows.
func (x *Examination) scores(scores []float32, width int) {
	x.WorstSum = 1
	for at := 0; at < len(scores); at += width {
		row, sum, least, nan := scores[at:at+width], 0.0, math.Inf(1), false
		for _, v := range row {
			sum += float64(v)
			least = min(least, float64(v))
			nan = nan || v != v
		}
		if nan {
			x.NaN++
			continue
		}
		if x.Probabilities == "" {
			continue
		}
		off := math.Abs(sum - 1)
		if width == 1 {
			off = max(sum-1, 0)
		}
		if least < -negativeTolerance {
			x.Negative++
		}
		if off > sumTolerance {
			x.WrongSum++
			if off > math.Abs(x.WorstSum-1) {
				x.WorstSum = sum
			}
		}
	}
	if x.WrongSum == 0 {
		x.WorstSum = 0
	}
}

// labelsOf classifies rows.
func (m *Model) labelsOf(ctx context.Context, rows []float32) (labels []int32, err error) {
	d := m.Dim()
	batch := m.fixedBatch
	if batch == 0 {
		batch = max(1, min(32, (1<<20)/d))
	}
	c, err := m.Classifier(ctx, batch, max(m.opts.Session.IntraOp, 1))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for len(rows) > 0 {
		n := copy(c.Input(), rows)
		got, err := c.Classify(ctx, n/d)
		if err != nil {
			return nil, err
		}
		labels, rows = append(labels, got...), rows[n:]
	}
	return labels, nil
}

// compareOther compares the decision with what another output of the file says.
func (m *Model) compareOther(ctx context.Context, rows []float32, labels []int32, x *Examination) (err error) {
	if m.other == nil {
		return nil
	}
	d := m.declared
	d.Labels = nil
	d.Output = OutputDeclaration{Name: m.other.Name, Decision: string(m.other.Decision), Classes: m.report.Classes}
	p := newPlan(m.Name(), m.opts)
	p.file = m.file
	opts := m.opts
	opts.samples = m.samples != nil
	opts.SourceShape, opts.SkipLoadTrial, opts.accepted = m.source, true, true // the file was loaded before
	other, err := open(ctx, m.rt, p, p.decide(d, "", opts), m.Name(), opts)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return nil // an output that names no class after all
	}
	defer func() { err = errors.Join(err, other.Close()) }()
	if other.Classes() != m.Classes() {
		return nil
	}
	var others []int32
	if other.samples != nil {
		others = other.samples.labels
	} else if others, err = other.labelsOf(ctx, rows); err != nil {
		return err
	}
	x.Other = fmt.Sprintf("%s over output %q", m.other.Decision, m.other.Name)
	if m.other.Decision == Label {
		x.Other = fmt.Sprintf("label output %q", m.other.Name)
	}
	for i, l := range labels {
		// A row without a vote is counted as such. A label outside the classes is another class.
		if l >= 0 && l != others[i] && (others[i] >= 0 || m.other.Decision == Label) {
			x.Disagree++
		}
	}
	return nil
}

// otherOutput is an output of the file that names a class too.
type otherOutput struct {
	Name     string
	Decision DecisionKind
}

// findOther looks for the one output that names a class beside the chosen one: a label beside
// scores, scores beside a label.
func (p *plan) findOther() *otherOutput {
	label := p.decision.Kind == Label
	var found []otherOutput
	for _, v := range p.file.m.Outputs() {
		if v.Name == p.output || "base."+v.Name == p.output || v.Kind != "tensor" || v.HasShape && len(v.Shape) > 2 {
			continue
		}
		switch {
		case !label && integerLabel(v.Type):
			found = append(found, otherOutput{v.Name, Label})
		case label && (v.Type == onnx.Float || v.Type == onnx.Double):
			found = append(found, otherOutput{v.Name, Argmax})
		}
	}
	if len(found) != 1 {
		return nil
	}
	return &found[0]
}

// findProbabilities says why the scores are probabilities, "" where nothing says so.
func (p *plan) findProbabilities(d Declaration) string {
	if p.decision.Kind == Label {
		return ""
	}
	switch {
	case d.Output.Kind == "probabilities":
		return "declared as probabilities"
	case d.Output.Kind != "" || p.ending == nil:
		return ""
	}
	switch domain, op := onnx.NormalDomain(p.ending.GetDomain()), p.ending.GetOpType(); {
	case domain == "" && op == "Softmax":
		return "they are made by Softmax"
	case domain == "ai.onnx.ml" && op == "Normalizer" && onnx.AttrString(p.ending, "norm", "MAX") == "L1":
		return "they are made by Normalizer"
	case domain == "ai.onnx.ml" && strings.Contains(strings.ToLower(p.output), "prob"):
		return fmt.Sprintf("the output of %s is called %q", op, p.output)
	}
	return ""
}
