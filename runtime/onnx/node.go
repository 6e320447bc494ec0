package onnx

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx/onnxpb"
)

// NodeWriter writes nodes and constants for a graph as they stand in the file. It keeps names
// unique and knows nothing of what operators mean.
//
// It is the layer below [Builder], whose operators are those of opset 13 and later. Edits of a file
// ([Model.Edit]) write with it in the opset that the file has. Converting the file first would
// rewrite nodes that the edit is not about, and fails for some of them ([Model.WithOpset]).
type NodeWriter struct {
	// Nodes are the nodes written so far. Their place in the graph is for the caller to choose.
	Nodes []*onnxpb.NodeProto

	graph *onnxpb.GraphProto // takes the constants
	names nameSet
}

// NewNodeWriter returns a writer for g that takes no name which g or a subgraph uses.
func NewNodeWriter(g *onnxpb.GraphProto) *NodeWriter {
	return &NodeWriter{graph: g, names: namesOf(g)}
}

// Reserve keeps names for values that the caller will define.
func (w *NodeWriter) Reserve(names ...string) {
	for _, n := range names {
		w.names.taken[n] = true
	}
}

// Fresh returns a name that no value has, and reserves it: base, or base with a number behind it.
func (w *NodeWriter) Fresh(base string) string { return w.names.fresh(base) }

// Node adds a node without a name and returns it.
func (w *NodeWriter) Node(domain, op string, inputs, outputs []string, attrs ...Attr) *onnxpb.NodeProto {
	n := &onnxpb.NodeProto{OpType: &op, Input: inputs, Output: outputs}
	if domain != "" {
		n.Domain = &domain
	}
	for _, a := range attrs {
		n.Attribute = append(n.Attribute, a.p)
	}
	w.Nodes = append(w.Nodes, n)
	return n
}

// Constant stores t among the initialisers and returns its name.
func (w *NodeWriter) Constant(t *onnxpb.TensorProto) string {
	w.graph.Initializer = append(w.graph.Initializer, t)
	return t.GetName()
}

// Store is [NodeWriter.Constant] for data that fits the dimensions by construction.
func Store[T Element](w *NodeWriter, name string, dims []int64, data ...T) string {
	t, err := NewTensor(name, dims, data)
	if err != nil {
		panic(err.Error())
	}
	return w.Constant(t)
}

// FreshName returns base, or base with a number behind it, such that no value of the model,
// subgraphs included, has that name.
func (m *Model) FreshName(base string) string {
	names := namesOf(m.p.Graph)
	return names.fresh(base)
}

// nameSet holds the names in use.
type nameSet struct {
	taken map[string]bool
	next  map[string]int // the next number to try for a base
}

// namesOf returns the names of all values of graphs, those in subgraphs included.
func namesOf(graphs ...*onnxpb.GraphProto) nameSet {
	s := nameSet{taken: make(map[string]bool), next: make(map[string]int)}
	for _, g := range graphs {
		allNames(g, s.taken)
	}
	return s
}

// fresh returns base, or base with a number behind it, and takes it.
func (s nameSet) fresh(base string) string {
	name := s.free(base)
	s.taken[name] = true
	return name
}

// free is fresh without taking the name.
func (s nameSet) free(base string) string {
	name := base
	for name == "" || s.taken[name] {
		s.next[base]++
		name = fmt.Sprintf("%s_%d", base, s.next[base])
	}
	return name
}

// allNames adds every value name found in g or its subgraphs, those that are declared and not
// defined included: a declaration would hold for a new value of that name.
func allNames(g *onnxpb.GraphProto, seen map[string]bool) {
	for v := range definedNames(g) {
		seen[v] = true
	}
	for _, v := range slices.Concat(g.Output, g.ValueInfo) {
		seen[v.GetName()] = true
	}
	for _, n := range g.Node {
		for _, in := range n.GetInput() {
			seen[in] = true
		}
		for _, sub := range subgraphs(n) {
			allNames(sub, seen)
		}
	}
}
