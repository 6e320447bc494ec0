package models

import (
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// view indexes a graph for questions about it.
type view struct {
	m         *onnx.Model
	maker     map[string]*onnxpb.NodeProto   // of each value that a node makes
	readers   map[string][]*onnxpb.NodeProto // of each value
	constants map[string]*onnxpb.TensorProto // initialisers and Constant nodes
}

func newView(m *onnx.Model) *view {
	v := &view{
		m: m, maker: map[string]*onnxpb.NodeProto{}, readers: map[string][]*onnxpb.NodeProto{},
		constants: map[string]*onnxpb.TensorProto{},
	}
	for _, t := range m.Initializers() {
		v.constants[t.GetName()] = t
	}
	for _, n := range m.Nodes() {
		for _, o := range n.GetOutput() {
			if o != "" {
				v.maker[o] = n
			}
		}
		for _, u := range onnx.Uses(n) {
			v.readers[u] = append(v.readers[u], n)
		}
		if n.GetOpType() == "Constant" {
			if t, err := onnx.ConstantValue(n); err == nil {
				v.constants[t.GetName()] = t
			}
		}
	}
	return v
}

// constant returns the tensor that a value always holds, following Identity, or nil.
func (v *view) constant(name string) *onnxpb.TensorProto {
	for range 8 {
		if t := v.constants[name]; t != nil {
			return t
		}
		n := v.maker[name]
		if n == nil || n.GetOpType() != "Identity" || len(n.GetInput()) != 1 {
			return nil
		}
		name = n.GetInput()[0]
	}
	return nil
}

// input returns the i-th input of a node, "" where it is left out.
func input(n *onnxpb.NodeProto, i int) string {
	if i < len(n.GetInput()) {
		return n.GetInput()[i]
	}
	return ""
}

// downstream returns the values that depend on the named one, itself included.
func (v *view) downstream(name string) map[string]bool {
	seen := map[string]bool{name: true}
	todo := []string{name}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, n := range v.readers[at] {
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

// passThrough are operators that keep a row's values, in another shape or type.
func passThrough(op string) bool {
	switch op {
	case "Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Cast", "Dropout":
		return true
	}
	return false
}

// ending returns the node that makes the values of a tensor, behind operators that
// only change its shape or type, or nil for an input or a constant.
func (v *view) ending(name string) *onnxpb.NodeProto {
	for range 64 {
		n := v.maker[name]
		if n == nil || !passThrough(n.GetOpType()) || len(n.GetInput()) == 0 {
			return n
		}
		name = n.GetInput()[0]
	}
	return nil
}
