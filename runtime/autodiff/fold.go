package autodiff

import (
	"context"
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// maxFolded bounds the elements of a folded constant that is not smaller than what it is made from;
// larger ones stay as nodes.
const maxFolded = 1 << 22

// random lists operators whose outputs are not a function of their inputs.
func random(op string) bool {
	switch op {
	case "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli":
		return true
	}
	return false
}

// fold replaces the nodes that depend on constants only by constants, and records the values of all
// constants in fs. Initialisers named in keep count as variables.
//
// With all, it replaces as well what is computed from dimensions of which only some vary, by the
// others.
func fold(ctx context.Context, eng Engine, m *onnx.Model, fs facts, keep map[string]bool, all bool) (*onnx.Model, error) {
	constant := make(map[string]bool)
	for _, t := range m.Initializers() {
		constant[t.GetName()] = !keep[t.GetName()]
	}
	folded := make(map[*onnxpb.NodeProto]bool)
	known := newSizes(m, fs, keep)
	for _, n := range m.Nodes() {
		if same := all && known.node(n); !same && !foldable(n, constant, fs) {
			continue
		}
		folded[n] = true
		for _, o := range n.GetOutput() {
			if o != "" {
				constant[o] = true
			}
		}
	}
	// Wanted are the constants at the border: those that other nodes read.
	want := make(map[string]bool)
	for _, n := range m.Nodes() {
		if folded[n] {
			continue
		}
		for _, u := range onnx.Uses(n) {
			if constant[u] && m.Initializer(u) == nil {
				want[u] = true
			}
		}
	}
	for _, o := range m.Outputs() {
		delete(want, o.Name) // outputs stay outputs of nodes
	}
	if len(want) == 0 {
		return m, nil
	}
	var names []string
	for _, n := range m.Values() {
		if want[n] {
			names = append(names, n)
		}
	}
	cm, err := m.WithOutputs(names...)
	if err == nil {
		cm, err = cm.WithoutDead()
	}
	if err != nil {
		return nil, err
	}
	// The sub-graph may still list inputs that only its Shape nodes read.
	feeds, _, err := probeInputs(cm, nil, 0)
	if err != nil {
		return nil, err
	}
	values, err := eng.Eval(ctx, cm, feeds)
	if err != nil {
		return nil, fmt.Errorf("autodiff: fold constants: %w", err)
	}
	for n, t := range values {
		f := fs[n]
		f.value = t
		fs[n] = f
	}
	m, err = m.Edit(func(p *onnxpb.ModelProto) error {
		g := p.Graph
		for _, n := range g.Node {
			for i, o := range n.Output {
				if want[o] {
					n.Output[i] = "" // dead now
				}
			}
		}
		for _, n := range names {
			g.Initializer = append(g.Initializer, values[n])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m.WithoutDead()
}

// foldable reports whether n's outputs are constants.
func foldable(n *onnxpb.NodeProto, constant map[string]bool, fs facts) bool {
	op := n.GetOpType()
	if random(op) || len(n.GetOutput()) == 0 {
		return false
	}
	for _, o := range n.GetOutput() {
		f, ok := fs[o]
		if o != "" && (!ok || !fixed(f.dims)) {
			return false
		}
	}
	if op == "Shape" || op == "Size" {
		f, ok := fs[n.GetInput()[0]]
		return ok && fixed(f.dims)
	}
	largest := int64(maxFolded)
	for _, u := range onnx.Uses(n) {
		if !constant[u] {
			return false
		}
		if e, err := onnx.Elements(fs[u].dims); err == nil {
			largest = max(largest, e)
		}
	}
	for _, o := range n.GetOutput() {
		if e, err := onnx.Elements(fs[o].dims); o != "" && (err != nil || e > largest) {
			return false
		}
	}
	return true
}

// fixed reports whether no dimension varies.
func fixed(dims []int64) bool {
	return !slices.ContainsFunc(dims, func(d int64) bool { return d < 0 })
}
