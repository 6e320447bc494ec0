// Package rewrite holds the graph edits of preparing a classifier: a model goes in and another one
// comes out. It runs nothing and decides nothing; package models says which edits are wanted. Nodes
// are written in the operator set that the file has ([onnx.NodeWriter]).
//
//	index.go         questions about a graph
//	writer.go        how nodes are written
//	preprocess.go    the source's rows → the model's own input, behind the noise
//	subnormal.go     subnormal weights set to zero
//	batch.go         a fixed batch made symbolic, or another size
//	labelsource.go   the scores behind a label that the graph makes itself
//	decision.go      scores or a label → one vote a row
//	shape.go         the shape of a value as an output, to be measured
package rewrite

import (
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// Index indexes a graph for questions about it.
type Index struct {
	Maker     map[string]*onnxpb.NodeProto   // of each value that a node makes
	Readers   map[string][]*onnxpb.NodeProto // of each value
	constants map[string]*onnxpb.TensorProto // initialisers and Constant nodes
}

// NewIndex reads the main graph of m.
func NewIndex(m *onnx.Model) *Index {
	ix := &Index{
		Maker: map[string]*onnxpb.NodeProto{}, Readers: map[string][]*onnxpb.NodeProto{},
		constants: map[string]*onnxpb.TensorProto{},
	}
	for _, t := range m.Initializers() {
		ix.constants[t.GetName()] = t
	}
	for _, n := range m.Nodes() {
		for _, o := range n.GetOutput() {
			if o != "" {
				ix.Maker[o] = n
			}
		}
		for _, u := range onnx.Uses(n) {
			ix.Readers[u] = append(ix.Readers[u], n)
		}
		if n.GetOpType() == "Constant" {
			if t, err := onnx.ConstantValue(n); err == nil {
				ix.constants[t.GetName()] = t
			}
		}
	}
	return ix
}

// Constant returns the tensor that a value always holds, following Identity, or nil.
func (ix *Index) Constant(name string) *onnxpb.TensorProto {
	for range 8 {
		if t := ix.constants[name]; t != nil {
			return t
		}
		n := ix.Maker[name]
		if n == nil || n.GetOpType() != "Identity" || len(n.GetInput()) != 1 {
			return nil
		}
		name = n.GetInput()[0]
	}
	return nil
}

// downstream returns the values that depend on the named one, itself included.
func (ix *Index) downstream(name string) map[string]bool {
	seen := map[string]bool{name: true}
	todo := []string{name}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, n := range ix.Readers[at] {
			for _, o := range n.GetOutput() {
				if o != "" && !seen[o] {
					seen[o] = true
					todo = append(todo, o)
				}
			}
		}
	}
	return seen
}

// PassThrough reports operators that keep a row's values, in another shape or type.
func PassThrough(op string) bool {
	switch op {
	case "Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Cast", "Dropout":
		return true
	}
	return false
}

// Ending returns the node that makes the values of a tensor, behind operators that
// only change its shape or type, or nil for an input or a constant.
func (ix *Index) Ending(name string) *onnxpb.NodeProto {
	for range 64 {
		n := ix.Maker[name]
		if n == nil || !PassThrough(n.GetOpType()) || len(n.GetInput()) == 0 {
			return n
		}
		name = n.GetInput()[0]
	}
	return nil
}

// Chooses reports whether a value, possibly cast or reshaped, is used to choose rows of a table.
func (ix *Index) Chooses(name string) bool {
	for range 64 {
		readers := ix.Readers[name]
		for _, n := range readers {
			if op := n.GetOpType(); (op == "Gather" || op == "GatherND" || op == "GatherElements") && onnx.InputOf(n, 1) == name {
				return true
			}
		}
		if len(readers) != 1 || !PassThrough(readers[0].GetOpType()) {
			return false
		}
		name = readers[0].GetOutput()[0]
	}
	return false
}
