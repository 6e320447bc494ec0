package models

import (
	"fmt"
	"slices"
	"strings"

	"ucan/models/declare"
	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/soundness"
)

func (s *network) selectOutput(d Declaration, r *Report) error {
	outs := s.m.Outputs()
	if name := d.Output.Name; name != "" {
		if !slices.Contains(s.m.Values(), name) {
			return declare.Errorf("the graph has no value %q to take as --output; its outputs are %s", name, list(outs))
		}
		s.setOutput(name)
		return s.resolveDecision(d, r)
	}
	want := d.Output.Decision
	label := want == string(declare.Label) || d.Output.Kind == "label"
	var tensors, fitting, others []onnx.ValueInfo
	for _, v := range outs {
		switch {
		case v.Kind != "tensor" && v.Kind != "":
			others = append(others, v)
		default:
			tensors = append(tensors, v)
			if label && integerLabel(v.Type) || !label && !integerLabel(v.Type) && v.Type != onnx.String {
				fitting = append(fitting, v)
			}
		}
	}
	switch {
	case len(fitting) == 1:
		s.setOutput(fitting[0].Name)
		if len(outs) > 1 {
			r.add(kindGuessed, fmt.Sprintf("of the outputs %s, %q holds the %s", list(outs), s.output, map[bool]string{true: "label", false: "scores"}[label]), "--output NAME")
		}
	case len(fitting) == 0 && len(tensors) == 1 && len(others) == 0 && want == "":
		s.setOutput(tensors[0].Name) // a lone label
	case len(fitting) == 0 && len(tensors) > 0 && !label:
		return soundness.Refuse("none of its outputs is a tensor of scores ("+list(outs)+")", s.scoresRemedy(outs))
	case len(fitting) > 1:
		remedy := "choose the one that holds the scores with --output NAME"
		if hasIntegerLabel(outs) {
			remedy = "certify the label itself with --decision label, or " + remedy
		}
		return soundness.Refuse("it has several outputs ("+list(outs)+")", remedy)
	case label:
		return soundness.Refuse("none of its outputs is an integer label ("+list(outs)+")", "choose the output that holds the scores with --output NAME --decision argmax")
	default:
		return soundness.Refuse("it has no tensor output ("+list(outs)+")", "export the classifier so that it returns its scores as one tensor")
	}
	return s.resolveDecision(d, r)
}

func (s *network) setOutput(name string) {
	s.output = name
	for _, v := range append(s.m.Outputs(), s.m.ValueInfos()...) {
		if v.Name != name || v.Kind != "tensor" {
			continue
		}
		s.outType = v.Type
		if v.HasShape {
			s.outShape, s.outRank = v.Shape, len(v.Shape)
		}
		return
	}
}

func integerLabel(dt onnx.DType) bool { return dt == onnx.Int64 || dt == onnx.Int32 }

func hasIntegerLabel(outs []onnx.ValueInfo) bool {
	return slices.ContainsFunc(outs, func(v onnx.ValueInfo) bool { return v.Kind == "tensor" && integerLabel(v.Type) })
}

// scoresRemedy says what a file without an output of scores can be certified on. A classifier of
// scikit-learn has a label and a sequence of maps.
func (s *network) scoresRemedy(outs []onnx.ValueInfo) string {
	var ways []string
	if hasIntegerLabel(outs) {
		ways = append(ways, "certify the label itself with --decision label")
	}
	if z := s.zipMapScores(); z != "" {
		ways = append(ways, fmt.Sprintf("take the scores inside the graph with --output %s", z))
	}
	if len(ways) == 0 {
		return "export the classifier so that it returns its scores as one tensor"
	}
	return strings.Join(ways, ", or ")
}

// zipMapScores returns the tensor of probabilities in front of a ZipMap, or "".
func (s *network) zipMapScores() string {
	for _, n := range s.m.Nodes() {
		if n.GetOpType() == "ZipMap" {
			return onnx.InputOf(n, 0)
		}
	}
	return ""
}

// resolveDecision finds the decision as far as the file tells.
func (s *network) resolveDecision(d Declaration, r *Report) error {
	v := rewrite.NewIndex(s.m)
	s.ending = v.Ending(s.output)
	s.inferType(v)
	switch {
	case d.Output.Decision != "":
		dec, err := declare.ParseDecision(d.Output.Decision)
		if err != nil {
			return declare.Errorf("%w", err)
		}
		if dec.Default && (s.endsIn("Sigmoid") || d.Output.Kind == "probabilities") {
			dec.T = 0.5
		}
		s.decision = dec
	case d.Output.Kind == "label":
		s.decision = declare.Decision{Kind: declare.Label}
	case integerLabel(s.outType) && s.width() <= 1 && s.outRank <= 2 && s.outRank != rewrite.Open:
		s.decision = declare.Decision{Kind: declare.Label}
		r.add(kindGuessed, fmt.Sprintf("output %q holds an integer label", s.output), "--decision argmax")
	case s.width() == 1 && s.endsIn("Sigmoid"):
		s.decision = declare.Decision{Kind: declare.Threshold, T: 0.5, Default: true}
		r.add(kindGuessed, "one probability a row (it ends in Sigmoid): class 1 above 0.5, class 0 below", "--decision threshold:T")
	default:
		s.decision = declare.Decision{Kind: declare.Argmax}
	}
	if s.decision.Kind == declare.Label && s.outType != onnx.Undefined && !integerLabel(s.outType) {
		return soundness.Refuse(fmt.Sprintf("output %q is of type %v, not an integer label", s.output, s.outType),
			"use --decision argmax, or choose the label's output with --output NAME")
	}
	if s.outType == onnx.String {
		return soundness.Refuse(fmt.Sprintf("output %q holds strings, and no scores", s.output), s.scoresRemedy(s.m.Outputs()))
	}
	if s.decision.Kind == declare.Label {
		s.labelSource = v.FindLabelSource(s.output)
	}
	return nil
}

// inferType tells the element type of an output inside the graph that nothing
// declares.
func (s *network) inferType(v *rewrite.Index) {
	n := v.Maker[s.output]
	if s.outType != onnx.Undefined || n == nil {
		return
	}
	switch n.GetOpType() {
	case "Cast":
		s.outType = onnx.DType(onnx.AttrInt(n, "to", 0))
	case "ArgMax", "ArgMin":
		s.outType = onnx.Int64
	case "TreeEnsembleClassifier", "LinearClassifier", "SVMClassifier":
		s.outType = onnx.Float
		if len(n.GetOutput()) > 0 && n.GetOutput()[0] == s.output {
			s.outType = onnx.Int64
			if a := onnx.FindAttr(n, "classlabels_strings"); a != nil && len(a.GetStrings()) > 0 {
				s.outType = onnx.String
			}
		}
	}
}

func (s *network) endsIn(op string) bool { return s.ending != nil && s.ending.GetOpType() == op }

// width returns the declared number of values a row of the output, unknown where it
// is open.
func (s *network) width() int {
	if s.outRank == rewrite.Open {
		return rewrite.Open
	}
	n := 1
	for i, d := range s.outShape {
		if i == 0 && s.outRank > 1 {
			continue // the batch
		}
		if i == 0 {
			// [K] without a batch axis only where the batch is fixed; [N] otherwise.
			if !d.IsFixed() {
				return 1
			}
		}
		if !d.IsFixed() || d.Size <= 0 || d.Size > declare.MaxClasses {
			return rewrite.Open
		}
		n *= int(d.Size)
	}
	return n
}

// plainIndex says that the label is that index itself, through no table of labels.
func (s *network) plainIndex() bool {
	return s.endsIn("ArgMax") || s.endsIn("ArgMin") || s.endsIn("TopK")
}
