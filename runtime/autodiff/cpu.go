package autodiff

import (
	"ucan/runtime/autodiff/internal/ortcpu"
	"ucan/runtime/onnx"
)

// askLayout returns the CPU provider's layout of blocks where the graph is to name its operators:
// for [Options.CPU] and inputs of fixed sizes. Otherwise blocks have one channel.
func (d *differ) askLayout(m *onnx.Model) (ortcpu.Layout, error) {
	for _, in := range m.Inputs() {
		if !isFixed(in) {
			return ortcpu.Layout{Block: 1}, nil
		}
	}
	if !d.cpu {
		return ortcpu.Layout{Block: 1}, nil
	}
	return ortcpu.Ask(d.ctx, minOpset, d.eng.Eval)
}

// forCPU rewrites a gradient graph for the CPU provider (package ortcpu).
func (d *differ) forCPU(g *Gradient, sizes map[string][2]int64) error {
	fs, err := probe(d.ctx, d.eng, g.Model, sizes)
	if err != nil {
		return err
	}
	forward := func(value string) bool { _, ok := d.facts[value]; return ok }
	g.Model, err = ortcpu.Rewrite(ortcpu.Graph{Model: g.Model, Values: fs.tensors(), Forward: forward}, d.layout)
	if err != nil {
		return err
	}
	g.Nodes = len(g.Model.Nodes())
	return nil
}

// tensors are the facts in the terms of package ortcpu.
func (fs facts) tensors() map[string]ortcpu.Tensor {
	out := make(map[string]ortcpu.Tensor, len(fs))
	for name, f := range fs {
		out[name] = ortcpu.Tensor{Type: f.dtype, Dims: f.dims, Constant: f.value}
	}
	return out
}
