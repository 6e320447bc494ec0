package onnx

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"ucan/runtime/onnx/onnxpb"
)

// ErrMalformed is the error, possibly wrapped, for bytes that are not a well-formed ONNX model.
var ErrMalformed = errors.New("not a well-formed ONNX model")

// ErrLimit is the error, possibly wrapped, for a model larger than the [Limits] it was read under.
var ErrLimit = errors.New("model exceeds the size limit")

// Limits bound what reading a model may cost.
type Limits struct {
	// ModelBytes is the largest size of the model's own file or bytes.
	ModelBytes int64
	// ExternalBytes is the largest sum of the tensors kept in other files.
	ExternalBytes int64
	// Messages is the largest number of protobuf messages in the model. It guards against files
	// whose many empty messages unfold to hundreds of times their size.
	Messages int64
}

// DefaultLimits returns 2 GiB for the model (the limit of the file format), 16 GiB for external
// tensors and 4 million messages.
func DefaultLimits() Limits {
	return Limits{ModelBytes: 2<<30 - 1, ExternalBytes: 16 << 30, Messages: 4 << 20}
}

// Validate reports every limit that is not positive.
func (l Limits) Validate() error {
	var errs []error
	for _, limit := range []struct {
		name  string
		value int64
	}{{"ModelBytes", l.ModelBytes}, {"ExternalBytes", l.ExternalBytes}, {"Messages", l.Messages}} {
		if limit.value <= 0 {
			errs = append(errs, fmt.Errorf("onnx: limit %s is %d; must be positive", limit.name, limit.value))
		}
	}
	return errors.Join(errs...)
}

// Model is an ONNX model. It is immutable: edits return a new Model. The zero Model is not usable;
// make one by [Parse], [Read] or [Builder]. A Model may be used from several goroutines at once.
type Model struct {
	p *onnxpb.ModelProto
}

// Parse reads a model from bytes under [DefaultLimits] and refuses what defines
// a name twice or reads one that nothing defines. Tensors kept in other files stay references
// ([Model.ExternalTensors]); [Read] loads them. The model keeps large weights where they lie in b,
// which must not be changed afterwards.
func Parse(b []byte) (*Model, error) { return ParseLimited(b, DefaultLimits()) }

// ParseLimited is [Parse] under the given limits.
func ParseLimited(b []byte, lim Limits) (*Model, error) {
	m, _, err := ParseInPlace(b, lim)
	return m, err
}

// ParseInPlace is [ParseLimited] and tells where in b the data of large initialisers lies, for
// [Model.Referring].
func ParseInPlace(b []byte, lim Limits) (*Model, Places, error) {
	if err := lim.Validate(); err != nil {
		return nil, nil, err
	}
	if int64(len(b)) > lim.ModelBytes {
		return nil, nil, fmt.Errorf("%w: %d bytes, limit %d", ErrLimit, len(b), lim.ModelBytes)
	}
	p, places, err := decode(b, lim)
	if errors.Is(err, ErrMalformed) {
		return nil, nil, explained(b, err)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := checkStructure(p); err != nil {
		return nil, nil, err
	}
	return &Model{p: p}, places, nil
}

// decode reads a message and makes sure of what the accessors rely on.
func decode(b []byte, lim Limits) (*onnxpb.ModelProto, Places, error) {
	p := &onnxpb.ModelProto{}
	if err := scanMessages(b, p.ProtoReflect().Descriptor(), lim.Messages); err != nil {
		return nil, nil, err
	}
	rest, large := withoutLargeData(b)
	if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(rest, p); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return p, putBack(p, large), check(p)
}

// check makes sure of what the accessors rely on.
func check(p *onnxpb.ModelProto) error {
	if p.Graph == nil {
		return fmt.Errorf("%w: it has no graph", ErrMalformed)
	}
	if len(p.OpsetImport) == 0 && p.GetIrVersion() >= 3 {
		return fmt.Errorf("%w: it imports no operator set", ErrMalformed)
	}
	for i, n := range p.Graph.Node {
		if n.GetOpType() == "" {
			return fmt.Errorf("%w: node %d (%q) has no operator", ErrMalformed, i, n.GetName())
		}
	}
	return nil
}

// Marshal returns the model as the bytes of an ONNX file. The same model gives the same bytes. It
// fails when the result would exceed 2 GiB, the limit of the file format; [Model.WriteExternal] has
// none.
func (m *Model) Marshal() ([]byte, error) {
	if n := proto.Size(m.p); int64(n) > 2<<30-1 {
		return nil, fmt.Errorf("onnx: model of %d bytes is over the 2 GiB of one file; weights beyond that must lie in external data", n)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.p)
	if err != nil {
		return nil, fmt.Errorf("onnx: encode model: %w", err)
	}
	return b, nil
}

// Proto returns a copy of the underlying message, which the caller may change at will, but for the
// tensors of Graph.Initializer, which are shared and may be replaced in the slice, not written to.
func (m *Model) Proto() *onnxpb.ModelProto { return cloneSharing(m.p) }

// Edit calls f with a copy of the model's message and returns the result as a new model. Inside f
// the tensors of Graph.Initializer may be replaced, not written to: they are shared with the
// original.
func (m *Model) Edit(f func(p *onnxpb.ModelProto) error) (*Model, error) {
	p := cloneSharing(m.p)
	if err := f(p); err != nil {
		return nil, err
	}
	if err := check(p); err != nil {
		return nil, err
	}
	return &Model{p: p}, nil
}

// cloneSharing copies a model but for the initialisers of its main graph, which are the bulk of it:
// those are shared by pointer.
func cloneSharing(p *onnxpb.ModelProto) *onnxpb.ModelProto {
	rest := shallow(p, "graph").(*onnxpb.ModelProto)
	out := proto.Clone(rest).(*onnxpb.ModelProto)
	if p.Graph == nil {
		return out
	}
	g := shallow(p.Graph, "initializer").(*onnxpb.GraphProto)
	out.Graph = proto.Clone(g).(*onnxpb.GraphProto)
	out.Graph.Initializer = slices.Clone(p.Graph.Initializer)
	return out
}

// shallow copies the fields of m, except the named one, without following them.
func shallow(m proto.Message, except protoreflect.Name) proto.Message {
	src := m.ProtoReflect()
	dst := src.New()
	src.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Name() != except {
			dst.Set(fd, v)
		}
		return true
	})
	dst.SetUnknown(src.GetUnknown())
	return dst.Interface()
}
