package onnx

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx/onnxpb"
)

// Attr is a named attribute of a node, made by [Int], [Ints], [FloatAttr] and the like.
type Attr struct {
	p *onnxpb.AttributeProto
}

// Int is an attribute of one integer.
func Int(name string, v int64) Attr {
	return Attr{&onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INT.Enum(), I: &v}}
}

// Ints is an attribute of a list of integers.
func Ints(name string, v ...int64) Attr {
	return Attr{&onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INTS.Enum(), Ints: append([]int64(nil), v...)}}
}

// FloatAttr is an attribute of one float.
func FloatAttr(name string, v float32) Attr {
	return Attr{&onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_FLOAT.Enum(), F: &v}}
}

// Floats is an attribute of a list of floats.
func Floats(name string, v ...float32) Attr {
	return Attr{&onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_FLOATS.Enum(), Floats: append([]float32(nil), v...)}}
}

// Str is an attribute of one string.
func Str(name, v string) Attr {
	return Attr{&onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_STRING.Enum(), S: []byte(v)}}
}

// AttrsOf returns copies of the attributes of n, but for those named: for another node.
func AttrsOf(n *onnxpb.NodeProto, except ...string) []Attr {
	var out []Attr
	for _, a := range n.GetAttribute() {
		if !slices.Contains(except, a.GetName()) {
			out = append(out, Attr{proto.Clone(a).(*onnxpb.AttributeProto)})
		}
	}
	return out
}

// SetAttr gives n an attribute, in the place of one of that name.
func SetAttr(n *onnxpb.NodeProto, a Attr) {
	dropAttrs(n, a.p.GetName())
	n.Attribute = append(n.Attribute, a.p)
}

// FindAttr returns the attribute of n with the given name, or nil.
func FindAttr(n *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	for _, a := range n.GetAttribute() {
		if a.GetName() == name {
			return a
		}
	}
	return nil
}

// AttrInt returns an integer attribute, or def when the node has none of the name.
func AttrInt(n *onnxpb.NodeProto, name string, def int64) int64 {
	if a := FindAttr(n, name); a != nil {
		return a.GetI()
	}
	return def
}

// AttrFloat returns a float attribute, or def when the node has none of the name.
func AttrFloat(n *onnxpb.NodeProto, name string, def float32) float32 {
	if a := FindAttr(n, name); a != nil {
		return a.GetF()
	}
	return def
}

// AttrString returns a string attribute, or def when the node has none of the name.
func AttrString(n *onnxpb.NodeProto, name, def string) string {
	if a := FindAttr(n, name); a != nil {
		return string(a.GetS())
	}
	return def
}

// AttrInts returns a copy of an attribute of integers, nil when the node has none of the name.
func AttrInts(n *onnxpb.NodeProto, name string) []int64 {
	if a := FindAttr(n, name); a != nil {
		return append([]int64{}, a.GetInts()...)
	}
	return nil
}

// AttrFloats returns a copy of an attribute of floats, nil when the node has none of the name.
func AttrFloats(n *onnxpb.NodeProto, name string) []float32 {
	if a := FindAttr(n, name); a != nil {
		return append([]float32{}, a.GetFloats()...)
	}
	return nil
}

// ConstantValue returns the tensor that a Constant node stands for, in any of its notations (value,
// value_float, value_ints, …), named after the node's output.
func ConstantValue(n *onnxpb.NodeProto) (*onnxpb.TensorProto, error) {
	if n.GetOpType() != "Constant" || NormalDomain(n.GetDomain()) != "" || len(n.GetOutput()) != 1 {
		return nil, fmt.Errorf("onnx: node %s is not a Constant", Describe(n))
	}
	name := n.GetOutput()[0]
	for _, a := range n.GetAttribute() {
		if a.GetRefAttrName() != "" {
			return nil, fmt.Errorf("onnx: Constant %s takes its value by reference (see Resolve)", Describe(n))
		}
		switch a.GetName() {
		case "value":
			if a.T == nil {
				break
			}
			t := shallow(a.T, "name").(*onnxpb.TensorProto)
			t.Name = &name
			return t, nil
		case "value_float":
			return NewTensor(name, nil, []float32{a.GetF()})
		case "value_floats":
			return NewTensor(name, []int64{int64(len(a.Floats))}, a.Floats)
		case "value_int":
			return NewTensor(name, nil, []int64{a.GetI()})
		case "value_ints":
			return NewTensor(name, []int64{int64(len(a.Ints))}, a.Ints)
		}
	}
	return nil, fmt.Errorf("onnx: Constant %s holds no tensor of numbers", Describe(n))
}

// InputOf returns the i-th input of a node, "" where it is left out.
func InputOf(n *onnxpb.NodeProto, i int) string {
	if i < len(n.GetInput()) {
		return n.GetInput()[i]
	}
	return ""
}

// OperatorName returns the operator of a node, behind its domain and a dot where that is not the
// default one.
func OperatorName(n *onnxpb.NodeProto) string {
	if d := NormalDomain(n.GetDomain()); d != "" {
		return d + "." + n.GetOpType()
	}
	return n.GetOpType()
}

// Describe names a node for messages: its operator and its name, or its first output when it has no
// name.
func Describe(n *onnxpb.NodeProto) string {
	op := OperatorName(n)
	if n.GetName() != "" {
		return fmt.Sprintf("%s %q", op, n.GetName())
	}
	for _, o := range n.GetOutput() {
		if o != "" { // the first may be left out
			return fmt.Sprintf("%s making %q", op, o)
		}
	}
	return op
}
