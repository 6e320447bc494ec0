package onnx

import (
	"errors"
	"fmt"

	"ucan/runtime/onnx/onnxpb"
)

// ErrUnresolved is the error, possibly wrapped, for a node whose meaning the file does not
// determine: an attribute by reference outside a function, a function that calls itself, two
// functions of one name, or an expansion without end.
var ErrUnresolved = errors.New("onnx: unresolved")

// Library holds a model's local functions.
type Library struct {
	byName map[functionName]*onnxpb.FunctionProto
	twice  map[functionName]bool
	model  []*onnxpb.OperatorSetIdProto
}

// functionName identifies a function, and what a node calls.
type functionName struct{ domain, name, overload string }

func nameOf(f *onnxpb.FunctionProto) functionName {
	return functionName{NormalDomain(f.GetDomain()), f.GetName(), f.GetOverload()}
}

func calledBy(n *onnxpb.NodeProto) functionName {
	return functionName{NormalDomain(n.GetDomain()), n.GetOpType(), n.GetOverload()}
}

// Library returns the local functions of m. The messages are for reading only.
func (m *Model) Library() *Library {
	l := &Library{
		byName: map[functionName]*onnxpb.FunctionProto{}, twice: map[functionName]bool{},
		model: m.p.GetOpsetImport(),
	}
	for _, f := range m.p.GetFunctions() {
		key := nameOf(f)
		l.twice[key] = l.byName[key] != nil
		l.byName[key] = f
	}
	return l
}

// Opset returns the version of an operator domain inside f, or in the main graph where f is nil.
func (l *Library) Opset(f *onnxpb.FunctionProto, domain string) int64 {
	if v := opsetOf(f.GetOpsetImport(), domain); v > 0 {
		return v
	}
	return opsetOf(l.model, domain)
}

// Function returns the local function that n calls, or nil where n is an operator. A function that
// is defined twice, or in a domain of onnxruntime's own operators, where it is unclear which of the
// two runs, is an error.
func (l *Library) Function(n *onnxpb.NodeProto) (*onnxpb.FunctionProto, error) {
	key := calledBy(n)
	f := l.byName[key]
	switch {
	case f == nil:
		return nil, nil
	case l.twice[key]:
		return nil, fmt.Errorf("%w: function %q of domain %q is defined twice", ErrUnresolved, key.name, key.domain)
	}
	switch key.domain {
	case "", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc":
		return nil, fmt.Errorf("%w: function %q lies in the domain %q of the standard operators", ErrUnresolved, key.name, key.domain)
	}
	return f, nil
}

// Attributes are the attributes of one call of a function, by name.
type Attributes map[string]*onnxpb.AttributeProto

// CallAttributes returns the attributes that the body of f sees when the node calls it, defaults
// included. The node must be resolved itself.
func CallAttributes(f *onnxpb.FunctionProto, n *onnxpb.NodeProto) Attributes {
	attrs := Attributes{}
	for _, a := range f.GetAttributeProto() {
		attrs[a.GetName()] = a
	}
	for _, a := range n.GetAttribute() {
		attrs[a.GetName()] = a
	}
	return attrs
}

// Resolve returns n with every attribute by reference replaced by that of the call; an attribute
// that the call leaves out is left out. call is nil outside functions, where references are an
// error. A node without references is returned as it is.
func Resolve(n *onnxpb.NodeProto, call Attributes) (*onnxpb.NodeProto, error) {
	found := false
	for _, a := range n.GetAttribute() {
		found = found || a.GetRefAttrName() != ""
	}
	if !found {
		return n, nil
	}
	if call == nil {
		return nil, fmt.Errorf("%w: %s takes an attribute by reference outside a function", ErrUnresolved, Describe(n))
	}
	attrs := make([]*onnxpb.AttributeProto, 0, len(n.GetAttribute()))
	for _, a := range n.GetAttribute() {
		ref := a.GetRefAttrName()
		if ref == "" {
			attrs = append(attrs, a)
			continue
		}
		given := call[ref]
		if given == nil {
			continue
		}
		if a.Type != nil && given.Type != nil && a.GetType() != given.GetType() && a.GetType() != onnxpb.AttributeProto_UNDEFINED {
			return nil, fmt.Errorf("%w: attribute %q of %s refers to %q, which is of another type", ErrUnresolved, a.GetName(), Describe(n), ref)
		}
		bound := shallow(given, "name").(*onnxpb.AttributeProto)
		bound.Name = a.Name
		attrs = append(attrs, bound)
	}
	out := shallow(n, "attribute").(*onnxpb.NodeProto)
	out.Attribute = attrs
	return out, nil
}
