package models

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ucan/models/declare"
	"ucan/models/trial"
	"ucan/runtime"
	"ucan/runtime/onnx"
)

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

// examinedSamples is the number of made-up rows that an examination looks at, and slowSamples that
// for a model whose rows take long.
const (
	examinedSamples = 64
	slowSamples     = 6
)

func (m *Model) examineSamples(ctx context.Context) (Examination, error) {
	if m.samples == nil {
		return m.examine(ctx, trial.SampleRows(examinedSamples, m.Dim()), nil, "synthetic rows")
	}
	n := len(m.samples.Labels)
	rows := trial.SampleRows(n, m.Dim())
	x := Examination{Rows: n, kind: "synthetic rows", decision: m.decisionText(), classes: m.Classes()}
	x.look(m, m.samples.Labels, m.samples.Scores)
	return x, m.compareOther(ctx, rows, m.samples.Labels, &x)
}

// runSamples runs a session of the prepared graph on the made-up rows.
func (m *Model) runSamples(ctx context.Context, e *runner, sess *runtime.Session, slow bool) (*trial.Answer, error) {
	n, batch := examinedSamples, m.smallBatch()
	if slow {
		n = slowSamples
		if m.fixedBatch == 0 {
			batch = slowSamples / 2
		}
	}
	whole := (n + batch - 1) / batch * batch // what is over is padding
	rows := trial.SampleRows(n, m.Dim())
	rows = append(rows, make([]float32, whole*m.Dim()-len(rows))...)
	a, err := e.runBatches(ctx, sess, rows, m.trialWidth, batch)
	if err != nil {
		return nil, fmt.Errorf("run it on %d made-up rows: %w", n, err)
	}
	a.Labels = a.Labels[:n]
	if a.Scores != nil {
		a.Scores = a.Scores[:n*a.Width]
	}
	return &a, nil
}

func (m *Model) decisionText() string {
	return fmt.Sprintf("%s over %q", m.decision, m.report.Prep.Output)
}

func (m *Model) examine(ctx context.Context, rows []float32, labels []int32, kind string) (Examination, error) {
	d := m.Dim()
	if len(rows) == 0 || len(rows)%d != 0 {
		return Examination{}, fmt.Errorf("examine %s: %d values are not a multiple of %d, the length of a row", m.Name(), len(rows), d)
	}
	x := Examination{Rows: len(rows) / d, kind: kind, decision: m.decisionText(), classes: m.Classes()}
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

// labelsOf classifies rows.
func (m *Model) labelsOf(ctx context.Context, rows []float32) (labels []int32, err error) {
	d := m.Dim()
	c, err := m.Classifier(ctx, m.smallBatch(), max(m.opts.Session.IntraOp, 1))
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
	value := m.labelValue()
	if m.other.Decision == declare.Label { // the numbers by which the file calls its classes need room
		for class := range m.report.Classes {
			d.Output.Classes = max(d.Output.Classes, int(value(int32(class)))+1)
		}
	}
	p := newPlan(m.Name(), m.opts)
	p.file = m.file
	if m.other.text {
		numbered, ok := numberTexts(m.file.m, m.report.Labels)
		if !ok {
			return nil
		}
		copied := *m.file
		copied.m, p.file = numbered, &copied
	}
	opts := m.opts
	opts.samples = m.samples != nil
	opts.SourceShape, opts.SkipLoadTrial, opts.accepted = m.source, true, true // the file was loaded before
	other, err := open(ctx, m.rt, p, p.resolve(d, "", opts), m.Name(), opts)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return nil // an output that names no class after all
	}
	defer func() { err = errors.Join(err, other.Close()) }()
	if m.other.Decision != declare.Label && other.Classes() != m.Classes() {
		return nil
	}
	var others []int32
	if other.samples != nil {
		others = other.samples.Labels
	} else if others, err = other.labelsOf(ctx, rows); err != nil {
		return err
	}
	x.Other = fmt.Sprintf("%s over output %q", m.other.Decision, m.other.Name)
	if x.otherLabel = m.other.Decision == declare.Label; x.otherLabel {
		x.otherText = m.other.text
		x.Other = fmt.Sprintf("label output %q", m.other.Name)
	}
	for i, l := range labels {
		// A row without a vote is counted as such. A label outside the classes is another class.
		if l >= 0 && value(l) != others[i] && (others[i] >= 0 || x.otherLabel) {
			x.Disagree++
		}
	}
	return nil
}

// labelValue says what the file's own label of a class is: its number, or the number that the file
// calls it by.
func (m *Model) labelValue() func(class int32) int32 {
	values := make([]int32, len(m.report.Labels))
	for i, name := range m.report.Labels {
		v, err := strconv.ParseInt(name, 10, 32)
		if err != nil {
			values = nil
			break
		}
		values[i] = int32(v)
	}
	return func(class int32) int32 {
		if m.other.Decision == declare.Label && !m.other.text && int(class) < len(values) {
			return values[class]
		}
		return class
	}
}

// otherOutput is an output of the file that names a class too.
type otherOutput struct {
	Name     string
	Decision declare.DecisionKind
	text     bool // a label of text
}

// findOther looks for the one output that names a class beside the chosen one: a label beside
// scores, scores beside a label.
func (p *plan) findOther() *otherOutput {
	label := p.decision.Kind == declare.Label
	var found []otherOutput
	for _, v := range p.file.m.Outputs() {
		if v.Name == p.output || "base."+v.Name == p.output || v.Kind != "tensor" || v.HasShape && len(v.Shape) > 2 {
			continue
		}
		switch {
		case !label && integerLabel(v.Type):
			found = append(found, otherOutput{Name: v.Name, Decision: declare.Label})
		case !label && v.Type == onnx.String && len(p.report.Labels) == p.report.Classes:
			found = append(found, otherOutput{Name: v.Name, Decision: declare.Label, text: true})
		case label && (v.Type == onnx.Float || v.Type == onnx.Double):
			found = append(found, otherOutput{Name: v.Name, Decision: declare.Argmax})
		}
	}
	if len(found) != 1 {
		return nil
	}
	return &found[0]
}

// findProbabilities says why the scores are probabilities, "" where nothing says so.
func (p *plan) findProbabilities(d Declaration) string {
	if p.decision.Kind == declare.Label || p.decision.Kind == declare.Threshold && p.decision.T != 0.5 {
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
	case op == "SVMClassifier" && onnx.FindAttr(p.ending, "prob_a") == nil, op == "LinearClassifier" && onnx.AttrString(p.ending, "post_transform", "NONE") == "NONE":
		return "" // decision values, whatever the output is called
	case domain == "ai.onnx.ml" && strings.Contains(strings.ToLower(p.output), "prob"):
		return fmt.Sprintf("the output of %s is called %q", op, p.output)
	}
	return ""
}
