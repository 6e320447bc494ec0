package onnx

import (
	"fmt"

	"ucan/runtime/onnx/onnxpb"
)

// ErrCycle is the error, possibly wrapped, for a graph whose nodes need each other's outputs.
var ErrCycle = fmt.Errorf("%w: its nodes form a cycle", ErrMalformed)

// Sorted returns a copy whose nodes stand in topological order: each after those it reads from.
// Nodes that are free to stand anywhere keep their order, so sorting a sorted model changes
// nothing.
func (m *Model) Sorted() (*Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		nodes, err := SortNodes(p.Graph.Node)
		if err != nil {
			return err
		}
		p.Graph.Node = nodes
		return nil
	})
}

// SortNodes returns nodes in a stable topological order. It fails where a value is made twice and,
// with [ErrCycle], where nodes need each other's outputs.
func SortNodes(nodes []*onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
	maker := make(map[string]int)
	for i, n := range nodes {
		for _, o := range n.GetOutput() {
			if o == "" {
				continue
			}
			if j, dup := maker[o]; dup {
				return nil, fmt.Errorf("%w: value %q is made twice, by %s and by %s", ErrMalformed, o, Describe(nodes[j]), Describe(n))
			}
			maker[o] = i
		}
	}
	const (
		unseen = iota
		open
		done
	)
	state := make([]int, len(nodes))
	out := make([]*onnxpb.NodeProto, 0, len(nodes))
	// An explicit stack: graphs may be long chains written backwards.
	type frame struct {
		node int
		uses []string
	}
	for start := range nodes {
		if state[start] != unseen {
			continue
		}
		state[start] = open
		stack := []frame{{start, Uses(nodes[start])}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.uses) == 0 {
				state[top.node] = done
				out = append(out, nodes[top.node])
				stack = stack[:len(stack)-1]
				continue
			}
			use := top.uses[0]
			top.uses = top.uses[1:]
			j, made := maker[use]
			if !made || state[j] == done {
				continue
			}
			if state[j] == open {
				return nil, fmt.Errorf("%w through %s", ErrCycle, Describe(nodes[j]))
			}
			state[j] = open
			stack = append(stack, frame{j, Uses(nodes[j])})
		}
	}
	return out, nil
}

// WithoutDead returns a copy without the nodes, initialisers and declarations that no output
// depends on. Inputs stay, used or not.
func (m *Model) WithoutDead() (*Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error { return removeDead(p.Graph) })
}

func removeDead(g *onnxpb.GraphProto) error {
	maker := make(map[string]*onnxpb.NodeProto)
	for _, n := range g.Node {
		for _, o := range n.GetOutput() {
			if o != "" {
				maker[o] = n
			}
		}
	}
	live := make(map[string]bool)
	keep := make(map[*onnxpb.NodeProto]bool)
	var todo []string
	need := func(v string) {
		if !live[v] {
			live[v] = true
			todo = append(todo, v)
		}
	}
	for _, o := range g.Output {
		need(o.GetName())
	}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := maker[v]
		if n == nil || keep[n] {
			continue
		}
		keep[n] = true
		for _, u := range Uses(n) {
			need(u)
		}
	}
	made := make(map[string]bool)
	g.Node = filter(g.Node, func(n *onnxpb.NodeProto) bool {
		if keep[n] {
			for _, o := range n.GetOutput() {
				made[o] = true
			}
		}
		return keep[n]
	})
	dropped := make(map[string]bool)
	g.Initializer = filter(g.Initializer, func(t *onnxpb.TensorProto) bool {
		if !live[t.GetName()] {
			dropped[t.GetName()] = true
		}
		return live[t.GetName()]
	})
	// Initialisers that old models list among the inputs go from there too.
	g.Input = filter(g.Input, func(v *onnxpb.ValueInfoProto) bool { return !dropped[v.GetName()] })
	g.ValueInfo = filter(g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool { return made[v.GetName()] || live[v.GetName()] })
	g.QuantizationAnnotation = filter(g.QuantizationAnnotation, func(a *onnxpb.TensorAnnotation) bool { return live[a.GetTensorName()] })
	return nil
}

func filter[T any](in []T, keep func(T) bool) []T {
	out := make([]T, 0, len(in))
	for _, v := range in {
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}
