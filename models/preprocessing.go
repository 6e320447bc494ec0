package models

import (
	"fmt"
	"slices"

	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/soundness"
)

// planAffine decides (x·scale − mean)/std.
func (p *plan) planAffine(d Declaration) error {
	p.affine = rewrite.Identity()
	_, _, integer := rewrite.IntegerRange(p.input.Type)
	switch {
	case d.Input.Scale != nil:
		p.affine.Scale = *d.Input.Scale
	case p.input.Type == onnx.Uint8:
		p.affine.Scale = 255
		p.report.add(kindGuessed, "input of type uint8: values are multiplied by 255, rounded, clipped to 0…255 and cast, behind the noise", "--scale S")
	case integer:
		return soundness.Refuse(fmt.Sprintf("input %v takes integers and their scale is unknown", p.input),
			"declare it with --scale (and --mean): the model sees round(x·scale − mean)")
	}
	if len(d.Input.Mean) > 0 {
		p.affine.Mean = slices.Clone(d.Input.Mean)
	}
	if len(d.Input.Std) > 0 {
		p.affine.Std = slices.Clone(d.Input.Std)
	}
	return nil
}

// explainInput tells what is known of the normalisation.
func (p *plan) explainInput(d Declaration) {
	r := &p.report
	in := d.Input
	r.Prep.Inferred = in.Scale == nil && in.Mean == nil && in.Std == nil
	const flags = "--scale S --mean a,b,c --std a,b,c"
	if !r.Prep.Inferred {
		r.add(kindWillDo, fmt.Sprintf("behind the noise the model sees (x·%v − %v)/%v", p.affine.Scale, p.affine.Mean, p.affine.Std), flags)
	}
	inside := r.Inside
	switch {
	case inside == nil && r.Prep.Inferred:
		r.add(kindGuessed, "no normalisation declared and none found inside the graph: the model sees the data as it is (images: [0,1])", flags)
	case inside == nil:
	case !r.Prep.Inferred && !p.affine.IsIdentity():
		r.add(kindWarning, fmt.Sprintf("the graph itself begins with %v: is the data normalised twice?", inside.Operators), flags)
	default:
		text := fmt.Sprintf("the graph itself normalises its input (%v)", inside.Operators)
		switch {
		case inside.Mean != nil && rewrite.Constant(inside.Mean, 0) && rewrite.Constant(inside.Std, 1):
			text = fmt.Sprintf("the graph itself begins with %v, whose constants change nothing", inside.Operators)
		case inside.Mean != nil:
			text = fmt.Sprintf("the graph itself normalises its input: (x − %v)/%v", inside.Mean, inside.Std)
		}
		r.add(kindFound, text, flags)
		if inside.Std != nil && p.affine.Scale == 1 && slices.Max(inside.Std) > 8 {
			r.add(kindWarning, "these constants fit pixels of 0…255; for data in [0,1] the model may want --scale 255", "--scale 255")
		}
	}
}

// dropSubnormals sets subnormal weights of a network to zero; whose is "" for the classifier's own.
func (p *plan) dropSubnormals(s *network, whose string) error {
	m, n, err := rewrite.WithoutSubnormals(s.m)
	if err != nil {
		return err
	}
	if s.m = m; n > 0 {
		p.report.add(kindWillDo, fmt.Sprintf("set %d subnormal weights%s (below 2⁻¹²⁶ ≈ 1.2e-38) to zero: they slow the processor down", n, whose), "")
	}
	return nil
}
