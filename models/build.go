package models

import (
	"google.golang.org/protobuf/proto"

	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/onnx/soundness"
)

// built is the last graph that build made. Graphs share their weights, so it costs little memory.
type built struct {
	symbolic bool
	batch    int64
	graph    *onnx.Model
	edits    []string
}

// build returns the graph from inputName to the network's output: denoiser,
// preprocessing, classifier. With symbolic set, fixed batches are made symbolic; batch
// is the fixed one, or −1.
func (p *plan) build(symbolic bool, batch int64) (*onnx.Model, []string, error) {
	if b := p.built; b.graph != nil && b.symbolic == symbolic && b.batch == batch {
		return b.graph, b.edits, nil
	}
	m, edits, err := p.buildNew(symbolic, batch)
	if err == nil {
		p.built = built{symbolic, batch, m, edits}
	}
	return m, edits, err
}

func (p *plan) buildNew(symbolic bool, batch int64) (*onnx.Model, []string, error) {
	m, edits := p.m, []string(nil)
	var err error
	switch {
	case symbolic:
		m, edits, err = rewrite.WithSymbolicBatch(m, p.input.Name, p.rewritten())
	case batch > 0:
		m, err = rewrite.WithFixedBatch(m, p.input.Name, int(batch))
	}
	if err != nil {
		return nil, nil, err
	}
	if m, err = rewrite.WithPreprocessing(m, p.input, p.source, p.fit.RowShape, p.affine, batch); err != nil {
		return nil, nil, err
	}
	if p.denoiser == nil {
		return m, edits, nil
	}
	first, more, err := p.denoiser.build(p.source, symbolic, batch)
	if err != nil {
		return nil, nil, err
	}
	if m, err = m.Renamed(map[string]string{rewrite.InputName: classifierName}); err != nil {
		return nil, nil, err
	}
	if m, err = onnx.Compose(first, m, map[string]string{classifierName: denoisedName}); err != nil {
		return nil, nil, soundness.Refuse("the denoiser cannot be joined to the classifier ("+err.Error()+")", "export both at the same opset")
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

// build returns the denoiser from inputName to denoisedName, both in the source's
// shape.
func (d *denoiser) build(source []int, symbolic bool, batch int64) (*onnx.Model, []string, error) {
	m, edits := d.m, []string(nil)
	var err error
	if symbolic && d.static > 0 {
		if m, edits, err = rewrite.WithSymbolicBatch(m, d.input.Name, d.static); err != nil {
			return nil, nil, err
		}
	}
	m = m.Prefixed("denoiser.")
	in := d.input
	in.Name = "denoiser." + in.Name
	if m, err = rewrite.WithPreprocessing(m, in, source, d.fit.RowShape, rewrite.Identity(), batch); err != nil {
		return nil, nil, err
	}
	m, err = rewrite.WithSourceOutput(m, denoisedName, "denoiser."+d.output, source, d.fit.RowShape, batch)
	return m, edits, err
}
