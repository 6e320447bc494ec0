package models

import (
	"fmt"
	"slices"

	"ucan/models/declare"
	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/soundness"
)

// planOutput finds the number of classes as far as the file tells.
func (p *plan) planOutput(d Declaration) error {
	r := &p.report
	r.Decision, r.Labels = p.decision.String(), slices.Clone(d.Labels)
	if p.ending != nil {
		r.Ending = p.ending.GetOpType()
	}
	switch p.decision.Kind {
	case declare.Label:
		k, err := p.labelClasses(d)
		if err != nil {
			return err
		}
		r.Classes = k
	case declare.Threshold:
		r.Classes = 2
	default:
		if p.outRank > 2 && p.spatial() {
			return p.refuseSpatial(fmt.Sprint(p.outShape))
		}
		if w := p.width(); w > 1 { // what is declared as one may be more in a run
			r.Classes = w
		}
	}
	r.add(kindFound, fmt.Sprintf("output %q, made by %s", p.output, orUnknown(r.Ending)), "--output NAME")
	kind := kindGuessed
	if d.Output.Decision != "" {
		kind = kindWillDo
	}
	text := "decision " + r.Decision
	if r.Classes > 0 {
		text += fmt.Sprintf(" over %d classes", r.Classes)
	}
	r.add(kind, text, "--decision argmax|argmin|threshold[:T]|label")
	if p.endsIn("Sigmoid") && r.Classes != 2 && p.decision.Kind == declare.Argmax && d.Output.Decision == "" {
		r.add(kindWarning, "the scores end in Sigmoid, each by itself: a multi-label model. What is certified is the label with the largest score, and no other", "--decision argmax, which says that this is meant")
	}
	return p.checkLabels()
}

// refuseSpatial refuses scores that lie on a grid.
func (p *plan) refuseSpatial(shape string) error {
	remedy := "give a classifier, with one score per class"
	for _, v := range p.file.m.Outputs() {
		if v.Kind == "tensor" && v.Name != p.output && v.HasShape && len(v.Shape) == 2 {
			remedy += ", or choose its output with --output NAME"
			break
		}
	}
	return soundness.Refuse(fmt.Sprintf("output %q of shape %s is not one vector of scores per row: it looks like that of a detector or a segmentation, and ucan certifies classifiers", p.output, shape), remedy)
}

func orUnknown(s string) string {
	if s == "" {
		return "the input"
	}
	return s
}

// spatial says that more than one axis behind the batch has several values.
func (p *plan) spatial() bool {
	wide := 0
	for _, d := range p.outShape[1:] {
		if !d.IsFixed() || d.Size != 1 {
			wide++
		}
	}
	return wide > 1
}

// checkWidth refuses a single value a row under arg-max.
func (p *plan) checkWidth() error {
	if p.report.Classes != 1 {
		return nil
	}
	remedy := "say --decision threshold:T if it is a score of two classes (0 for a logit), "
	if hasIntegerLabel(p.file.m.Outputs()) {
		remedy += "certify the file's own label with --decision label, "
	}
	return soundness.Refuse(fmt.Sprintf("output %q is one number per row and does not end in Sigmoid: a regression, or a single logit", p.output),
		remedy+"or choose another output with --output NAME")
}

func (p *plan) checkLabels() error {
	n, k := len(p.report.Labels), p.report.Classes
	if n > 0 && k > 0 && n != k {
		return declare.Errorf("%d labels are declared and the model has %d classes; give one label a class", n, k)
	}
	return nil
}

// labelClasses returns the number of classes of a label output: declared, the
// number of labels, or what the classifier's own list of classes tells. 0 means that
// only a run can tell.
func (p *plan) labelClasses(d Declaration) (int, error) {
	if d.Output.Classes > 0 {
		return d.Output.Classes, nil
	}
	if len(d.Labels) > 1 {
		return len(d.Labels), nil
	}
	if p.ending == nil {
		return 0, soundness.Refuse("the label is not made by any operator", "choose the output that depends on the data with --output NAME")
	}
	if values := p.labelValues(); len(values) > 1 {
		low, high := slices.Min(values), slices.Max(values)
		if low < 0 || high >= declare.MaxClasses {
			return 0, soundness.Refuse(fmt.Sprintf("its labels run from %d to %d; a label must be a class number from 0 on", low, high),
				"train it with labels 0, 1, 2, …, or choose its scores with --output NAME")
		}
		return int(high) + 1, nil
	}
	if p.labelSource != nil && p.plainIndex() {
		return 0, nil
	}
	return 0, soundness.Refuse("the number of classes behind the label is unknown", "list the labels in model.yaml, or say output.classes there")
}

// labelValues lists the values that a label can have, where what makes it holds them all.
func (p *plan) labelValues() []int64 {
	switch p.ending.GetOpType() {
	case "TreeEnsembleClassifier", "LinearClassifier", "SVMClassifier":
		for _, name := range []string{"classlabels_int64s", "classlabels_ints"} {
			if list := onnx.AttrInts(p.ending, name); len(list) > 1 {
				return list
			}
		}
	case "ArrayFeatureExtractor", "Gather":
		table := rewrite.NewIndex(p.m).Constant(onnx.InputOf(p.ending, 0))
		if table == nil || !integerLabel(onnx.TensorType(table)) {
			return nil
		}
		if values, err := onnx.Int64s(table); err == nil {
			return values
		}
	}
	return nil
}
