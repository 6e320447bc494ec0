package autodiff

import (
	"errors"

	"ucan/runtime/autodiff/internal/ortcpu"
	"ucan/runtime/onnx"
)

// readLayout returns the CPU provider's layout of blocks where the graph is to name its operators:
// for [Options.CPU] and inputs of fixed sizes. Otherwise blocks have one channel.
func (d *differ) readLayout(m *onnx.Model) (ortcpu.Layout, error) {
	for _, in := range m.Inputs() {
		if !isFixed(in) {
			return ortcpu.Layout{Block: 1}, nil
		}
	}
	if !d.cpu {
		return ortcpu.Layout{Block: 1}, nil
	}
	return ortcpu.ReadLayout(d.ctx, minOpset, d.eng.Eval)
}

// forCPU rewrites a gradient graph for the CPU provider (package ortcpu).
func (d *differ) forCPU(g *Gradient, sizes map[string][2]int64) error {
	fs, err := probe(d.ctx, d.eng, g.Model, sizes)
	if err != nil {
		return err
	}
	forward := func(value string) bool { _, ok := d.facts[value]; return ok }
	rewritten, err := ortcpu.Rewrite(ortcpu.Graph{Model: g.Model, Values: fs.tensors(), Forward: forward}, d.layout)
	// What the rewriting adds is called after what it is made of: X/blocks of X. Where the model
	// has such a value itself, the plain graph stays: it is slower and returns the same.
	if errors.Is(err, onnx.ErrMalformed) || err == nil && definesTwice(rewritten) {
		return nil
	}
	if err != nil {
		return err
	}
	g.Model = rewritten
	g.Nodes = len(g.Model.Nodes())
	return nil
}

// definesTwice reports whether two values of m have one name.
func definesTwice(m *onnx.Model) bool {
	seen := make(map[string]bool)
	var names []string
	for _, in := range m.Inputs() {
		names = append(names, in.Name)
	}
	for _, t := range m.Initializers() {
		names = append(names, t.GetName())
	}
	for _, n := range m.Nodes() {
		names = append(names, n.GetOutput()...)
	}
	for _, name := range names {
		if name != "" && seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// tensors are the facts in the terms of package ortcpu.
func (fs facts) tensors() map[string]ortcpu.Tensor {
	out := make(map[string]ortcpu.Tensor, len(fs))
	for name, f := range fs {
		out[name] = ortcpu.Tensor{Type: f.dtype, Dims: f.dims, Constant: f.value}
	}
	return out
}
