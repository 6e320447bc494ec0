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

// planAffine decides (x·scale − mean)/std and the order of channels.
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
		return p.refuseIntegers()
	}
	p.affine.BGR = strings.EqualFold(string(d.Input.Channels), string(declare.BGR))
	if len(d.Input.Mean) > 0 {
		p.affine.Mean = slices.Clone(d.Input.Mean)
	}
	if len(d.Input.Std) > 0 {
		p.affine.Std = slices.Clone(d.Input.Std)
	}
	return nil
}

// refuseIntegers refuses an integer input of unknown scale. Numbers that choose rows of a table are
// names, which no noise can be added to.
func (p *plan) refuseIntegers() error {
	const embed = "noise cannot be added to ids: cut the model behind its embedding and certify the embedded vectors"
	index := rewrite.NewIndex(p.m)
	if index.Chooses(p.input.Name) {
		return soundness.Refuse(fmt.Sprintf("input %v takes ids, such as those of tokens: they choose rows of an embedding", p.input), embed)
	}
	return soundness.Refuse(fmt.Sprintf("input %v takes integers and their scale is unknown", p.input),
		"declare it with --scale (and --mean), and the model sees round(x·scale − mean); if they are ids, "+embed)
}

// normalisedTwice reports whether a mean or deviation is declared for a graph that subtracts and
// divides by its own. A scale alone brings the data to the range that the graph's constants are
// for, and a batch normalisation in front is a layer.
func (p *plan) normalisedTwice() bool {
	inside := p.report.Inside
	trivial := func(mean, std []float64) bool { return rewrite.Constant(mean, 0) && rewrite.Constant(std, 1) }
	return inside.Mean != nil && !slices.Contains(inside.Operators, "BatchNormalization") &&
		!trivial(inside.Mean, inside.Std) && !trivial(p.affine.Mean, p.affine.Std)
}

// explainInput tells what is known of the normalisation.
func (p *plan) explainInput(d Declaration) {
	r := &p.report
	in := d.Input
	normalised := in.Scale != nil || in.Mean != nil || in.Std != nil
	r.Prep.Inferred = !normalised && !p.affine.BGR
	const flags = "--scale S --mean a,b,c --std a,b,c"
	if p.affine.BGR {
		r.Prep.Channels = declare.BGR
		r.add(kindWillDo, "behind the noise the channels are put in the order blue, green, red; mean and std are in that order", "--channels rgb|bgr")
	}
	if normalised {
		r.add(kindWillDo, fmt.Sprintf("behind the noise the model sees (x·%v − %v)/%v", p.affine.Scale, p.affine.Mean, p.affine.Std), flags)
	}
	inside := r.Inside
	switch {
	case inside == nil && !normalised:
		r.add(kindGuessed, "no normalisation declared and none found inside the graph: the model sees the data as it is (images: [0,1])", flags)
	case inside == nil:
	case p.normalisedTwice():
		r.add(kindWarning, fmt.Sprintf("the graph itself begins with (x − %v)/%v: is the data normalised twice?", inside.Mean, inside.Std), flags)
	default:
		text := fmt.Sprintf("the graph itself normalises its input (%v)", inside.Operators)
		switch {
		case inside.Mean != nil && rewrite.Constant(inside.Mean, 0) && rewrite.Constant(inside.Std, 1):
			text = fmt.Sprintf("the graph itself begins with %v, whose constants change nothing", inside.Operators)
		case inside.Mean != nil:
			text = fmt.Sprintf("the graph itself normalises its input: (x − %v)/%v", inside.Mean, inside.Std)
		}
		r.add(kindFound, text, flags)
		if inside.Std != nil && p.affine.Scale > 100 && slices.Max(inside.Std) <= 8 && !rewrite.Constant(inside.Std, 1) {
			r.add(kindWarning, fmt.Sprintf("these constants fit data in [0,1], and --scale %g multiplies it first", p.affine.Scale), "--scale 1")
		}
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
