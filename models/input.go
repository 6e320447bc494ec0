package models

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"ucan/models/declare"
	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/onnx/soundness"
)

// selectInput finds the data input and removes inputs that nothing reads.
func (s *network) selectInput(d Declaration, r *Report) error {
	v := rewrite.NewIndex(s.m)
	ins := s.m.Inputs()
	var used []onnx.ValueInfo
	for _, in := range ins {
		if len(v.Readers[in.Name]) > 0 || in.Name == s.output {
			used = append(used, in)
		}
	}
	name := d.Input.Name
	if name != "" {
		if _, ok := s.m.Input(name); !ok {
			return declare.Errorf("the graph has no input %q; its inputs are %s", name, list(ins))
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
		return soundness.Refuse("no input reaches output "+fmt.Sprintf("%q", s.output)+" (inputs: "+list(ins)+")",
			"choose the output that depends on the data with --output NAME")
	case len(data) > 1 || len(used) > 1:
		var rest []string
		for _, in := range used {
			if len(data) > 1 || in.Name != data[0].Name {
				rest = append(rest, in.Name)
			}
		}
		if len(data) == 1 {
			return soundness.Refuse(fmt.Sprintf("besides %q it has the inputs %s", data[0].Name, strings.Join(rest, ", ")),
				"give each of them a constant with --fix NAME=VALUE")
		}
		return soundness.Refuse("it has several inputs ("+list(used)+")", "name the one that takes the data with --input NAME and give the others constants with --fix NAME=VALUE")
	}
	s.input = data[0]
	switch {
	case s.input.Kind != "tensor":
		return soundness.Refuse(fmt.Sprintf("input %v is not a tensor", s.input), "export the model with a tensor input")
	case s.input.Type == onnx.String || s.input.Type == onnx.Bool:
		return soundness.Refuse(fmt.Sprintf("input %v takes no numbers, so that noise cannot be added to it", s.input), "smooth a model with a numeric input")
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
	if slices.ContainsFunc(s.m.Values(), func(n string) bool {
		return n == rewrite.InputName || n == rewrite.LabelName || n == rewrite.ScoresName || n == rewrite.ShapeName
	}) {
		s.m = s.m.Prefixed("base.")
		s.input.Name, s.output = "base."+s.input.Name, "base."+s.output
		if s.labelSource != nil {
			s.labelSource.Values = "base." + s.labelSource.Values
		}
	}
	if s.decision.Kind == declare.Label {
		if s.labelSource != nil && s.labelSource.Values == s.input.Name {
			s.labelSource = nil // the input itself, which preparing replaces
		}
		s.explainLabel(r)
	}
	r.add(kindFound, fmt.Sprintf("data input %v", s.input), "--input NAME")
	return nil
}

// fix turns the declared inputs into constants.
func (s *network) fix(fix map[string]string, r *Report) error {
	for _, name := range slices.Sorted(maps.Keys(fix)) {
		in, ok := s.m.Input(name)
		if !ok {
			return declare.Errorf("the graph has no input %q to fix; its inputs are %s", name, list(s.m.Inputs()))
		}
		values, err := declare.Values(fix[name])
		if err != nil {
			return declare.Errorf("fix %q: %w", name, err)
		}
		dims := make([]int64, len(in.Shape))
		for i, d := range in.Shape {
			dims[i] = max(d.Size, 1) // an open dimension, the batch included, broadcasts
		}
		count, err := onnx.Elements(dims)
		if err != nil || count > 1<<26 {
			return declare.Errorf("fix %q: %v cannot be given by hand", name, in)
		}
		if len(values) > 1 && in.HasShape && len(dims) == 1 && !in.Shape[0].IsFixed() {
			count, dims = int64(len(values)), []int64{int64(len(values))}
		}
		if len(values) != 1 && int64(len(values)) != count {
			return declare.Errorf("fix %q: %d values given, %v takes %d", name, len(values), in, count)
		}
		full := make([]float64, count)
		for i := range full {
			full[i] = values[min(i, len(values)-1)]
		}
		if i := slices.IndexFunc(full, func(v float64) bool { return v != float64(int64(v)) }); i >= 0 && !in.Type.IsFloat() && in.Type != onnx.Bool {
			return declare.Errorf("fix %q: %v is not an integer and the input is of type %v", name, full[i], in.Type)
		}
		t, err := onnx.NewNumbers(name, in.Type, dims, full)
		if err != nil {
			return declare.Errorf("fix %q: %w", name, err)
		}
		if s.m, err = s.m.Demote(t); err != nil {
			return declare.Errorf("fix %q: %w", name, err)
		}
		r.add(kindWillDo, fmt.Sprintf("input %q is the constant %s", name, fix[name]), "--fix "+name+"=VALUE")
	}
	return nil
}

// planInput decides the source's shape, the layout and the preprocessing.
func (p *plan) planInput(d Declaration, source []int) error {
	r := &p.report
	row := rowDims(p.input)
	p.static = batchDim(p.input)
	if p.input.HasShape && len(p.input.Shape) == 0 {
		return soundness.Refuse(fmt.Sprintf("input %v is a single number without a batch axis", p.input), "export the model with a batch axis")
	}
	if source != nil {
		p.source = slices.Clone(source)
	} else {
		p.source = inferSource(row, d.Input.Layout)
	}
	if p.source != nil && (len(p.source) == 0 || slices.Min(p.source) < 1 || product(p.source) > 1<<28) {
		return declare.Errorf("the data's shape %s is out of range", rewrite.ShapeText(p.source))
	}
	if err := p.planAffine(d); err != nil {
		return err
	}
	r.Source = p.source
	v := rewrite.NewIndex(p.m)
	r.Inside = findNormalisation(v, p.input.Name)
	r.Prep = Preprocessing{
		Input: p.input.Name, Layout: d.Input.Layout, Type: p.input.Type.String(), Shape: row,
		Scale: p.affine.Scale, Mean: p.affine.Mean, Std: p.affine.Std, Fix: d.Input.Fix, Output: p.output,
	}
	_, _, r.Prep.Round = rewrite.IntegerRange(p.input.Type)
	p.explainInput(d)
	if p.source == nil {
		r.add(kindWarning, fmt.Sprintf("input %v leaves dimensions open: the data's own shape decides", p.input), "--shape C,H,W, where no data are given")
		return nil
	}
	var err error
	if p.fit, err = fitLayout(p.source, row, d.Input.Layout); err != nil {
		if whole := append([]int{p.static}, row...); p.static > 0 && slices.Equal(whole, p.source) {
			return soundness.Refuse(fmt.Sprintf("input %v is a single row without a batch axis", p.input), "export the model with a batch axis in front")
		}
		return err
	}
	r.Prep.Layout, r.Prep.Shape = p.fit.layout, p.fit.Dims
	if err = p.affine.Check(p.source); err != nil {
		return err
	}
	kind := kindFound
	if p.fit.guessed && d.Input.Layout == declare.Undeclared {
		kind = kindGuessed
	}
	text := fmt.Sprintf("layout %s: source rows %s enter as %s", p.fit.layout, rewrite.ShapeText(p.source), rewrite.ShapeText(p.fit.Dims))
	if p.fit.Transpose {
		text += ", transposed to rows, columns, channels"
	}
	r.add(kind, text, "--layout nchw|nhwc|flat")
	return nil
}
