package models

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// subject is a graph reduced to what the classifier needs: one data input, one
// output, nothing else. It is what remains to be smoothed.
type subject struct {
	m        *onnx.Model
	input    onnx.ValueInfo
	output   string
	outType  onnx.DType // Undefined where nothing tells it
	outShape []onnx.Dim
	outRank  int // unknown where it is not declared
	decision Decision
	ending   *onnxpb.NodeProto // what makes the output's values; nil for an input
	ballot   *ballot           // what a label is the index in; nil where that is not known
}

// choose reduces a model to one input and one output, as declared or, where that is
// beyond doubt, as inferred. Findings go to r.
func choose(m *onnx.Model, d Declaration, r *Report) (*subject, error) {
	s := &subject{m: m, outRank: unknown}
	if err := s.chooseOutput(d, r); err != nil {
		return nil, err
	}
	var err error
	// Only what the output depends on counts from here on.
	if s.m, err = s.m.WithOutputs(s.output); err != nil {
		return nil, err
	}
	if s.m, err = s.m.WithoutDead(); err != nil {
		return nil, err
	}
	if err = s.fix(d.Input.Fix, r); err != nil {
		return nil, err
	}
	if err = s.chooseInput(d, r); err != nil {
		return nil, err
	}
	return s, nil
}

// list names values for messages.
func list(infos []onnx.ValueInfo) string {
	parts := make([]string, len(infos))
	for i, v := range infos {
		parts[i] = v.String()
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func (s *subject) chooseOutput(d Declaration, r *Report) error {
	outs := s.m.Outputs()
	if name := d.Output.Name; name != "" {
		if !slices.Contains(s.m.Values(), name) {
			return declared("the graph has no value %q to take as --output; its outputs are %s", name, list(outs))
		}
		s.setOutput(name)
		return s.settleDecision(d, r)
	}
	want := d.Output.Decision
	label := want == string(Label) || d.Output.Kind == "label"
	var tensors, fitting, others []onnx.ValueInfo
	for _, v := range outs {
		switch {
		case v.Kind != "tensor" && v.Kind != "":
			others = append(others, v)
		default:
			tensors = append(tensors, v)
			if label == integerLabel(v.Type) {
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
		// A classifier of scikit-learn: a label and a sequence of maps.
		remedy := "certify the label itself with --decision label"
		if z := s.zipMapScores(); z != "" {
			remedy += fmt.Sprintf(", or the scores inside the graph with --output %s", z)
		}
		return refuse("its outputs are no tensor of scores ("+list(outs)+")", remedy)
	case len(fitting) > 1:
		return refuse("it has several outputs ("+list(outs)+")", "choose the one that holds the scores with --output NAME")
	case label:
		return refuse("none of its outputs is an integer label ("+list(outs)+")", "choose the output that holds the scores with --output NAME --decision argmax")
	default:
		return refuse("it has no tensor output ("+list(outs)+")", "export the classifier so that it returns its scores as one tensor")
	}
	return s.settleDecision(d, r)
}

func (s *subject) setOutput(name string) {
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

// zipMapScores returns the tensor of probabilities in front of a ZipMap, or "".
func (s *subject) zipMapScores() string {
	for _, n := range s.m.Nodes() {
		if n.GetOpType() == "ZipMap" {
			return input(n, 0)
		}
	}
	return ""
}

// settleDecision settles the decision as far as the file tells.
func (s *subject) settleDecision(d Declaration, r *Report) error {
	v := newView(s.m)
	s.ending = v.ending(s.output)
	s.guessType(v)
	switch {
	case d.Output.Decision != "":
		dec, err := ParseDecision(d.Output.Decision)
		if err != nil {
			return declared("%w", err)
		}
		if dec.Default && (s.endsIn("Sigmoid") || d.Output.Kind == "probabilities") {
			dec.T = 0.5
		}
		s.decision = dec
	case d.Output.Kind == "label":
		s.decision = Decision{Kind: Label}
	case integerLabel(s.outType) && s.width() <= 1 && s.outRank <= 2 && s.outRank != unknown:
		s.decision = Decision{Kind: Label}
		r.add(kindGuessed, fmt.Sprintf("output %q holds an integer label", s.output), "--decision argmax")
	case s.width() == 1 && s.endsIn("Sigmoid"):
		s.decision = Decision{Kind: Threshold, T: 0.5, Default: true}
		r.add(kindGuessed, "one probability a row (it ends in Sigmoid): class 1 above 0.5, class 0 below", "--decision threshold:T")
	default:
		s.decision = Decision{Kind: Argmax}
	}
	if s.decision.Kind == Label && s.outType != onnx.Undefined && !integerLabel(s.outType) {
		return refuse(fmt.Sprintf("output %q is of type %v, not an integer label", s.output, s.outType),
			"use --decision argmax, or choose the label's output with --output NAME")
	}
	if s.outType == onnx.String {
		return refuse(fmt.Sprintf("output %q holds strings", s.output),
			"export the classifier with integer labels, or choose its scores with --output NAME")
	}
	if s.decision.Kind == Label {
		s.ballot = v.findBallot(s.output)
	}
	return nil
}

// guessType tells the element type of an output inside the graph that nothing
// declares.
func (s *subject) guessType(v *view) {
	n := v.maker[s.output]
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

func (s *subject) endsIn(op string) bool { return s.ending != nil && s.ending.GetOpType() == op }

// width returns the declared number of values a row of the output, unknown where it
// is open.
func (s *subject) width() int {
	if s.outRank == unknown {
		return unknown
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
		if !d.IsFixed() || d.Size <= 0 || d.Size > maxClasses {
			return unknown
		}
		n *= int(d.Size)
	}
	return n
}

// fix turns the declared inputs into constants.
func (s *subject) fix(fix map[string]string, r *Report) error {
	for _, name := range fixNames(fix) {
		in, ok := s.m.Input(name)
		if !ok {
			return declared("the graph has no input %q to fix; its inputs are %s", name, list(s.m.Inputs()))
		}
		values, err := fixedValues(fix[name])
		if err != nil {
			return declared("fix %q: %w", name, err)
		}
		dims := make([]int64, len(in.Shape))
		for i, d := range in.Shape {
			dims[i] = max(d.Size, 1) // an open dimension, the batch included, broadcasts
		}
		count, err := onnx.Elements(dims)
		if err != nil || count > 1<<26 {
			return declared("fix %q: %v cannot be given by hand", name, in)
		}
		if len(values) > 1 && in.HasShape && len(dims) == 1 && !in.Shape[0].IsFixed() {
			count, dims = int64(len(values)), []int64{int64(len(values))}
		}
		if len(values) != 1 && int64(len(values)) != count {
			return declared("fix %q: %d values given, %v takes %d", name, len(values), in, count)
		}
		full := make([]float64, count)
		for i := range full {
			full[i] = values[min(i, len(values)-1)]
		}
		t, err := fixedTensor(name, in.Type, dims, full)
		if err != nil {
			return declared("fix %q: %w", name, err)
		}
		if s.m, err = s.m.Demote(t); err != nil {
			return declared("fix %q: %w", name, err)
		}
		r.add(kindWillDo, fmt.Sprintf("input %q is the constant %s", name, fix[name]), "--fix "+name+"=VALUE")
	}
	return nil
}

// fixedTensor makes a tensor of the given type of values.
func fixedTensor(name string, dt onnx.DType, dims []int64, v []float64) (*onnxpb.TensorProto, error) {
	switch dt {
	case onnx.Float:
		return onnx.NewTensor(name, dims, mapped(v, func(x float64) float32 { return float32(x) }))
	case onnx.Double:
		return onnx.NewTensor(name, dims, v)
	case onnx.Float16:
		return onnx.NewTensor(name, dims, mapped(v, func(x float64) onnx.Half { return onnx.HalfFromFloat32(float32(x)) }))
	case onnx.Bool:
		return onnx.NewTensor(name, dims, mapped(v, func(x float64) bool { return x != 0 }))
	}
	for _, x := range v {
		if x != float64(int64(x)) {
			return nil, fmt.Errorf("%v is no integer and the input is of type %v", x, dt)
		}
	}
	switch dt {
	case onnx.Int64:
		return onnx.NewTensor(name, dims, mapped(v, func(x float64) int64 { return int64(x) }))
	case onnx.Int32:
		return onnx.NewTensor(name, dims, mapped(v, func(x float64) int32 { return int32(x) }))
	case onnx.Uint8:
		return onnx.NewTensor(name, dims, mapped(v, func(x float64) uint8 { return uint8(x) }))
	case onnx.Int8:
		return onnx.NewTensor(name, dims, mapped(v, func(x float64) int8 { return int8(x) }))
	}
	return nil, fmt.Errorf("an input of type %v cannot be fixed by hand", dt)
}

// chooseInput finds the data input and removes inputs that nothing reads.
func (s *subject) chooseInput(d Declaration, r *Report) error {
	v := newView(s.m)
	ins := s.m.Inputs()
	var used []onnx.ValueInfo
	for _, in := range ins {
		if len(v.readers[in.Name]) > 0 || in.Name == s.output {
			used = append(used, in)
		}
	}
	name := d.Input.Name
	if name != "" {
		if _, ok := s.m.Input(name); !ok {
			return declared("the graph has no input %q; its inputs are %s", name, list(ins))
		}
	}
	var data []onnx.ValueInfo
	for _, in := range used {
		if name == "" || in.Name == name {
			data = append(data, in)
		}
	}
	switch {
	case len(data) == 0:
		return refuse("no input reaches output "+fmt.Sprintf("%q", s.output)+" (inputs: "+list(ins)+")",
			"choose the output that depends on the data with --output NAME")
	case len(data) > 1 || len(used) > 1:
		var rest []string
		for _, in := range used {
			if len(data) > 1 || in.Name != data[0].Name {
				rest = append(rest, in.Name)
			}
		}
		if len(data) == 1 {
			return refuse(fmt.Sprintf("besides %q it has the inputs %s", data[0].Name, strings.Join(rest, ", ")),
				"give each of them a constant with --fix NAME=VALUE")
		}
		return refuse("it has several inputs ("+list(used)+")", "name the one that takes the data with --input NAME and give the others constants with --fix NAME=VALUE")
	}
	s.input = data[0]
	switch {
	case s.input.Kind != "tensor":
		return refuse(fmt.Sprintf("input %v is no tensor", s.input), "export the model with a tensor input")
	case s.input.Type == onnx.String || s.input.Type == onnx.Bool:
		return refuse(fmt.Sprintf("input %v takes no numbers, so that noise cannot be added to it", s.input), "smooth a model with a numeric input")
	}
	var err error
	s.m, err = s.m.Edit(func(p *onnxpb.ModelProto) error {
		for _, info := range p.Graph.Input {
			if info.GetName() == s.input.Name {
				p.Graph.Input = []*onnxpb.ValueInfoProto{info}
				break
			}
		}
		// Constants outside the inputs need IR version 4.
		p.IrVersion = proto.Int64(max(p.GetIrVersion(), 4))
		return nil
	})
	if err != nil {
		return err
	}
	// Names of a prepared graph would collide with those of this preparation.
	if slices.ContainsFunc(s.m.Values(), func(n string) bool { return n == inputName || n == labelName || n == scoresName || n == measureName }) {
		s.m = s.m.Prefixed("base.")
		s.input.Name, s.output = "base."+s.input.Name, "base."+s.output
		if s.ballot != nil {
			s.ballot.values = "base." + s.ballot.values
		}
	}
	if s.decision.Kind == Label {
		if s.ballot != nil && s.ballot.values == s.input.Name {
			s.ballot = nil // the input itself, which preparing replaces
		}
		s.explainLabel(r)
	}
	r.add(kindFound, fmt.Sprintf("data input %v", s.input), "--input NAME")
	return nil
}
