package models

import (
	"context"
	"fmt"

	"ucan/models/declare"
	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/soundness"
)

// declaredOutput is the output as the file declares it: scores of two dimensions, the second one
// fixed.
func (p *plan) declaredOutput() (rewrite.Output, bool) {
	k := p.width()
	if p.decision.Kind == declare.Label || p.outRank != 2 || k == rewrite.Open || (p.decision.Kind == declare.Threshold) != (k == 1) {
		return rewrite.Output{}, false
	}
	return rewrite.Output{Name: p.output, Type: p.outType, Rank: 2, Classes: max(k, 2), Width: k}, true
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

// measureOutput runs the graph once for the shape of its output and checks that it is
// one vector of scores, or one label, a row.
func (e *runner) measureOutput(ctx context.Context, p *plan, g *onnx.Model, rows []float32) (rewrite.Output, error) {
	batch := int64(len(rows) / product(p.source))
	shape, err := e.measure(ctx, g, p.output, rows)
	if err != nil {
		return rewrite.Output{}, err
	}
	o := rewrite.Output{Name: p.output, Type: p.outType, Rank: len(shape), Classes: p.report.Classes}
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
		return o, shapeError{p.output, shape, batch}
	case own && total > 1 || len(shape) <= 1 && total == batch || wide <= 1:
	default:
		return o, p.refuseSpatial(fmt.Sprint(shape))
	}
	width := int(total / batch)
	switch p.decision.Kind {
	case declare.Label:
		if width != 1 {
			return o, soundness.Refuse(fmt.Sprintf("output %q gives %d labels a row", p.output, width), "choose an output with one label a row with --output NAME")
		}
		return e.measureLabelSource(ctx, p, g, rows, o)
	case declare.Threshold:
		if width == 1 {
			o.Width, o.Classes = 1, 2
			return o, nil
		}
		if p.declared.Output.Decision != "" {
			return o, declare.Errorf("a threshold needs one score per row and output %q has %d; use --decision argmax", p.output, width)
		}
		// The file declares one score and a run returns more.
		p.decision = declare.Decision{Kind: declare.Argmax}
		p.report.Decision = p.decision.String()
		p.report.add(kindFound, fmt.Sprintf("output %q has %d scores a row in a run, whatever the file declares: the largest one decides", p.output, width), "--decision argmax|argmin")
	}
	o.Width, o.Classes = width, width
	p.report.Classes = width
	return o, p.checkWidth()
}

// measureLabelSource finds the shape of what a label is the index in, and the number of classes
// where nothing declares it.
func (e *runner) measureLabelSource(ctx context.Context, p *plan, g *onnx.Model, rows []float32, o rewrite.Output) (rewrite.Output, error) {
	unknownClasses := soundness.Refuse("the number of classes behind the label is unknown", "list the labels in model.yaml, or say output.classes there")
	if p.labelSource == nil {
		if o.Classes == 0 {
			return o, unknownClasses
		}
		return o, nil
	}
	shape, err := e.measure(ctx, g, p.labelSource.Values, rows)
	if err != nil {
		return o, err
	}
	axis := p.labelSource.AxisOf(len(shape))
	batch, others := int64(len(rows)/product(p.source)), int64(1)
	for i, n := range shape {
		if int64(i) != axis {
			others *= n
		}
	}
	if axis < 0 || axis >= int64(len(shape)) || others != batch {
		return o, shapeError{p.labelSource.Values, shape, batch}
	}
	o.Source, o.SourceRank = p.labelSource, len(shape)
	if axis > 0 && shape[0] == batch || batch == 1 { // a row's values lie side by side
		o.Width = int(shape[axis])
	}
	if o.Classes == 0 {
		if shape[axis] < 2 || shape[axis] > declare.MaxClasses {
			return o, unknownClasses
		}
		o.Classes = int(shape[axis])
	}
	return o, nil
}
