package models

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
)

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
		return 0, refuse("the label is not made by any operator", "choose the output that depends on the data with --output NAME")
	}
	switch p.ending.GetOpType() {
	case "TreeEnsembleClassifier", "LinearClassifier", "SVMClassifier":
		for _, name := range []string{"classlabels_int64s", "classlabels_ints"} {
			if list := onnx.AttrInts(p.ending, name); len(list) > 1 {
				if slices.Min(list) < 0 || slices.Max(list) >= maxClasses {
					return 0, refuse(fmt.Sprintf("its labels run from %d to %d; a label must be a class number from 0 on", slices.Min(list), slices.Max(list)),
						"train it with labels 0, 1, 2, …, or choose its scores with --output NAME")
				}
				return int(slices.Max(list)) + 1, nil
			}
		}
	case "ArgMax", "ArgMin", "TopK":
		return 0, nil
	}
	return 0, refuse("the number of classes behind the label is unknown", "list the labels in model.yaml, or say output.classes there")
}

// classSource returns the value whose axis the label numbers, and that axis, where
// the label is made by ArgMax; "" otherwise.
func (s *subject) classSource() (name string, axis int64) {
	if s.endsIn("ArgMax") || s.endsIn("ArgMin") {
		return input(s.ending, 0), onnx.AttrInt(s.ending, "axis", 0)
	}
	if s.endsIn("TopK") {
		return input(s.ending, 0), onnx.AttrInt(s.ending, "axis", -1)
	}
	return "", 0
}
