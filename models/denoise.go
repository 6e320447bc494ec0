package models

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/hazard"
	"ucan/runtime/onnx/onnxpb"
)

// Names of the joint between a denoiser and the classifier.
const (
	denoisedName   = "ucan.denoised"
	classifierName = "ucan.clean"
)

// planDenoiser reads an image-to-image model that turns noisy rows of the source
// into clean ones of the same shape.
func (p *plan) planDenoiser(path string) error {
	if p.source == nil {
		return refuse("the classifier leaves the data's shape open", "compose a denoiser when data is given")
	}
	f, err := readFile(path)
	if err != nil {
		return err
	}
	var r Report // its findings are not the classifier's
	outs := f.m.Outputs()
	if len(outs) != 1 {
		return refuse("it has several outputs ("+list(outs)+")", "export it with its image as the only output")
	}
	s, err := choose(f.m, Declaration{Output: OutputDeclaration{Name: outs[0].Name, Decision: string(Argmax)}}, &r)
	if err != nil {
		return err
	}
	if err = hazard.Check(s.m); err != nil {
		return err
	}
	if _, _, integer := integerRange(s.input.Type); integer {
		return refuse(fmt.Sprintf("input %v takes integers", s.input), "export it with a float input")
	}
	if err = p.dropSubnormals(s, " of the denoiser"); err != nil {
		return err
	}
	d := &denoiser{subject: s, file: f, static: batchDim(s.input)}
	if d.fit, err = fitLayout(p.source, rowDims(s.input), Undeclared); err != nil {
		return err
	}
	p.denoiser = d
	p.report.Denoiser, p.report.Prep.Denoiser = base(path), f.sha256
	p.report.add(kindWillDo, fmt.Sprintf("denoiser %s (sha256 %s…) behind the noise, in front of the preprocessing", base(path), f.sha256[:12]), "--denoiser FILE")
	return nil
}

// build returns the denoiser from inputName to denoisedName, both in the source's
// shape.
func (d *denoiser) build(source []int, rewrite bool, batch int64) (*onnx.Model, []string, error) {
	m, edits := d.m, []string(nil)
	var err error
	if rewrite && d.static > 0 {
		if m, edits, err = withSymbolicBatch(m, d.input.Name, d.static); err != nil {
			return nil, nil, err
		}
	}
	m = m.Prefixed("denoiser.")
	in := d.input
	in.Name = "denoiser." + in.Name
	if m, err = withFront(m, in, source, d.fit, affine{scale: 1, mean: []float64{0}, std: []float64{1}}, batch); err != nil {
		return nil, nil, err
	}
	m, err = m.Edit(func(p *onnxpb.ModelProto) error {
		w := newWeaver(p, m)
		x := w.cast("denoiser."+d.output, onnx.Float)
		shape := source
		if d.fit.transpose {
			shape = []int{source[1], source[2], source[0]}
		}
		if !slices.Equal(d.fit.target, shape) {
			if x, err = w.reshape(x, append([]int64{-1}, int64s(shape)...)...); err != nil {
				return err
			}
		}
		if d.fit.transpose {
			x = w.op("Transpose", []string{x}, onnx.Ints("perm", 0, 3, 1, 2))
		}
		w.opTo(denoisedName, "Identity", []string{x})
		p.Graph.Node = append(p.Graph.Node, w.Nodes...)
		p.Graph.ValueInfo = nil
		p.Graph.Output = []*onnxpb.ValueInfoProto{tensorInfo(denoisedName, onnx.Float, append([]int64{batch}, int64s(source)...)...)}
		return nil
	})
	return m, edits, err
}

// build returns the graph from inputName to the subject's output: denoiser,
// preprocessing, classifier. With rewrite set, fixed batches are made symbolic; batch
// is the fixed one, or −1.
func (p *plan) build(rewrite bool, batch int64) (*onnx.Model, []string, error) {
	if b := p.built; b.graph != nil && b.rewrite == rewrite && b.batch == batch {
		return b.graph, b.edits, nil
	}
	m, edits, err := p.buildNew(rewrite, batch)
	if err == nil {
		p.built = built{rewrite, batch, m, edits}
	}
	return m, edits, err
}

func (p *plan) buildNew(rewrite bool, batch int64) (*onnx.Model, []string, error) {
	m, edits := p.m, []string(nil)
	var err error
	switch {
	case rewrite && p.rewritten() > 0:
		m, edits, err = withSymbolicBatch(m, p.input.Name, p.rewritten())
	case batch > 0:
		m, err = withFixedBatch(m, p.input.Name, int(batch))
	}
	if err != nil {
		return nil, nil, err
	}
	if m, err = withFront(m, p.input, p.source, p.fit, p.affine, batch); err != nil {
		return nil, nil, err
	}
	if p.denoiser == nil {
		return m, edits, nil
	}
	first, more, err := p.denoiser.build(p.source, rewrite, batch)
	if err != nil {
		return nil, nil, err
	}
	if m, err = m.Renamed(map[string]string{inputName: classifierName}); err != nil {
		return nil, nil, err
	}
	if m, err = onnx.Compose(first, m, map[string]string{classifierName: denoisedName}); err != nil {
		return nil, nil, refuse("the denoiser cannot be joined to the classifier ("+err.Error()+")", "export both at the same opset")
	}
	m, err = m.Edit(func(q *onnxpb.ModelProto) error {
		q.Graph.ValueInfo = nil
		q.IrVersion = proto.Int64(max(q.GetIrVersion(), 4))
		return nil
	})
	return m, append(edits, more...), err
}

// rewritten is the batch to look for in baked-in shapes: the declared one, or 1,
// which traced exports leave behind even where the declared batch is open.
func (p *plan) rewritten() int { return max(p.static, 1) }
