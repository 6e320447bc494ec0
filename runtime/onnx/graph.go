package onnx

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ucan/runtime/onnx/onnxpb"
)

// Dim is one dimension of a declared shape: a size, or, when Size is -1, a symbol, which is empty
// when nothing is known.
type Dim struct {
	Size   int64
	Symbol string
}

// Fixed is a dimension of known size.
func Fixed(n int64) Dim { return Dim{Size: n} }

// Sym is a dimension that every run may choose; the same symbol means the same size.
func Sym(name string) Dim { return Dim{Size: -1, Symbol: name} }

// Dims turns sizes into fixed dimensions.
func Dims(sizes ...int64) []Dim {
	return convert(sizes, Fixed)
}

// IsFixed reports whether the size is known.
func (d Dim) IsFixed() bool { return d.Size >= 0 }

// mayEqual reports whether the sizes can be the same.
func (d Dim) mayEqual(e Dim) bool { return !d.IsFixed() || !e.IsFixed() || d.Size == e.Size }

// String returns the size, the symbol, or "?".
func (d Dim) String() string {
	switch {
	case d.Size >= 0:
		return fmt.Sprint(d.Size)
	case d.Symbol != "":
		return d.Symbol
	}
	return "?"
}

// ValueInfo is what a graph declares of a value.
type ValueInfo struct {
	Name string
	// Kind is "tensor", or "sequence", "map", "optional" or "sparse" for values that are none, or
	// "" when no type is declared.
	Kind string
	// Type is the element type of a tensor.
	Type DType
	// Shape is the declared shape; meaningful when HasShape is set, since a scalar has an empty
	// one.
	Shape    []Dim
	HasShape bool
}

// String returns for instance "logits: float[N,10]".
func (v ValueInfo) String() string {
	if v.Kind != "tensor" {
		return v.Name + ": " + v.Kind
	}
	if !v.HasShape {
		return v.Name + ": " + v.Type.String()
	}
	return v.Name + ": " + v.Type.String() + "[" + strings.Join(convert(v.Shape, Dim.String), ",") + "]"
}

// infoOf reads a declaration. Dimensions of 0 mean an empty tensor to the schema, though some
// exporters write 0 for "unknown"; they are kept as they are.
func infoOf(p *onnxpb.ValueInfoProto) ValueInfo {
	v := ValueInfo{Name: p.GetName()}
	t := p.GetType()
	switch {
	case t == nil:
	case t.GetTensorType() != nil:
		v.Kind = "tensor"
		v.Type = DType(t.GetTensorType().GetElemType())
		if s := t.GetTensorType().GetShape(); s != nil {
			v.HasShape = true
			for _, d := range s.GetDim() {
				v.Shape = append(v.Shape, dimOf(d))
			}
		}
	case t.GetSequenceType() != nil:
		v.Kind = "sequence"
	case t.GetMapType() != nil:
		v.Kind = "map"
	case t.GetOptionalType() != nil:
		v.Kind = "optional"
	case t.GetSparseTensorType() != nil:
		v.Kind = "sparse"
	}
	return v
}

func dimOf(d *onnxpb.TensorShapeProto_Dimension) Dim {
	if v, ok := d.GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue); ok {
		if v.DimValue >= 0 {
			return Fixed(v.DimValue)
		}
		return Sym("") // exporters write -1 for an unknown size
	}
	return Sym(d.GetDimParam())
}

func dimProto(d Dim) *onnxpb.TensorShapeProto_Dimension {
	switch {
	case d.Size >= 0:
		return &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d.Size}}
	case d.Symbol != "":
		return &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d.Symbol}}
	}
	return &onnxpb.TensorShapeProto_Dimension{}
}

// Declare writes the declaration of a tensor.
func Declare(name string, dt DType, dims ...Dim) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		shape.Dim = append(shape.Dim, dimProto(d))
	}
	e := int32(dt)
	return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: &e, Shape: shape},
	}}}
}

// DimProtos returns the declared dimensions of a tensor, to be changed; nil where there are none.
func DimProtos(v *onnxpb.ValueInfoProto) []*onnxpb.TensorShapeProto_Dimension {
	return v.GetType().GetTensorType().GetShape().GetDim()
}

// Name returns the name of the graph.
func (m *Model) Name() string { return m.p.GetGraph().GetName() }

// IRVersion returns the version of the file format the model declares.
func (m *Model) IRVersion() int64 { return m.p.GetIrVersion() }

// Producer returns the name and the version of the tool that wrote the model.
func (m *Model) Producer() (name, version string) {
	return m.p.GetProducerName(), m.p.GetProducerVersion()
}

// NormalDomain returns the canonical name of an operator domain: "ai.onnx", the long name of the
// default domain, becomes "".
func NormalDomain(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}

// Opset returns the version of the given operator domain that the model imports, 0 when it imports
// none. Where a domain is imported twice, the last one counts, as in onnxruntime.
func (m *Model) Opset(domain string) int64 {
	return opsetOf(m.p.GetOpsetImport(), domain)
}

func opsetOf(imports []*onnxpb.OperatorSetIdProto, domain string) int64 {
	v := int64(0)
	for _, o := range imports {
		if NormalDomain(o.GetDomain()) == NormalDomain(domain) {
			v = o.GetVersion()
		}
	}
	return v
}

// Opsets returns the version of every imported domain.
func (m *Model) Opsets() map[string]int64 {
	out := make(map[string]int64)
	for _, o := range m.p.GetOpsetImport() {
		out[NormalDomain(o.GetDomain())] = o.GetVersion()
	}
	return out
}

// Nodes returns the nodes of the main graph in file order. The messages are for reading only.
func (m *Model) Nodes() []*onnxpb.NodeProto {
	return slices.Clone(m.p.Graph.Node)
}

// Initializers returns the constants of the main graph. The messages are for reading only.
func (m *Model) Initializers() []*onnxpb.TensorProto {
	return slices.Clone(m.p.Graph.Initializer)
}

// Metadata returns the texts that an exporter keeps beside the graph, by their keys.
func (m *Model) Metadata() map[string]string {
	texts := make(map[string]string, len(m.p.GetMetadataProps()))
	for _, entry := range m.p.GetMetadataProps() {
		texts[entry.GetKey()] = entry.GetValue()
	}
	return texts
}

// Initializer returns the constant of the given name, or nil. The message is for reading only.
func (m *Model) Initializer(name string) *onnxpb.TensorProto {
	for _, t := range m.p.Graph.Initializer {
		if t.GetName() == name {
			return t
		}
	}
	return nil
}

// Inputs returns the inputs a run has to be given: those without the initialisers that old models
// list among them.
func (m *Model) Inputs() []ValueInfo {
	ini := initializerNames(m.p.Graph)
	var out []ValueInfo
	for _, v := range m.p.Graph.Input {
		if !ini[v.GetName()] {
			out = append(out, infoOf(v))
		}
	}
	return out
}

// Input returns the input of the given name; ok is false when there is none (initialisers listed as
// inputs do not count).
func (m *Model) Input(name string) (v ValueInfo, ok bool) { return named(m.Inputs(), name) }

func named(list []ValueInfo, name string) (v ValueInfo, ok bool) {
	for _, v := range list {
		if v.Name == name {
			return v, true
		}
	}
	return ValueInfo{}, false
}

// Outputs returns the outputs of the main graph.
func (m *Model) Outputs() []ValueInfo {
	return convert(m.p.Graph.Output, infoOf)
}

// Output returns the output of the given name; ok is false when there is none.
func (m *Model) Output(name string) (v ValueInfo, ok bool) { return named(m.Outputs(), name) }

// ValueInfos returns what the model declares of values inside the graph, often nothing.
func (m *Model) ValueInfos() []ValueInfo {
	return convert(m.p.Graph.ValueInfo, infoOf)
}

// Operators counts the operators of the model, those in subgraphs included, under names such as
// "Conv" or "com.microsoft.FusedMatMul".
func (m *Model) Operators() map[string]int {
	out := make(map[string]int)
	countOps(m.p.Graph, out)
	return out
}

func countOps(g *onnxpb.GraphProto, out map[string]int) {
	for _, n := range g.GetNode() {
		out[OperatorName(n)]++
		for _, sub := range subgraphs(n) {
			countOps(sub, out)
		}
	}
}

// Parameters returns the number of elements of all real-valued initialisers.
func (m *Model) Parameters() int64 {
	total := int64(0)
	for _, t := range m.p.Graph.Initializer {
		if n, err := Elements(t.Dims); err == nil && TensorType(t).IsFloat() && total < 1<<62-n {
			total += n
		}
	}
	return total
}

func initializerNames(g *onnxpb.GraphProto) map[string]bool {
	ini := make(map[string]bool, len(g.Initializer)+len(g.SparseInitializer))
	for _, t := range g.Initializer {
		ini[t.GetName()] = true
	}
	for _, t := range g.SparseInitializer {
		ini[t.GetValues().GetName()] = true
	}
	return ini
}

// subgraphs returns the graphs among the attributes of a node.
func subgraphs(n *onnxpb.NodeProto) []*onnxpb.GraphProto {
	var out []*onnxpb.GraphProto
	for _, a := range n.GetAttribute() {
		if a.G != nil {
			out = append(out, a.G)
		}
		out = append(out, a.Graphs...)
	}
	return out
}

// Uses returns the names of the values a node reads, those that its subgraphs take from the
// surrounding graph included, without duplicates and without the empty names of omitted inputs.
func Uses(n *onnxpb.NodeProto) []string {
	seen := make(map[string]bool)
	for _, in := range n.GetInput() {
		if in != "" {
			seen[in] = true
		}
	}
	for _, g := range subgraphs(n) {
		captures(g, seen)
	}
	return slices.Sorted(maps.Keys(seen))
}

// UsesAny reports whether a node reads one of the given values.
func UsesAny(n *onnxpb.NodeProto, values map[string]bool) bool {
	return slices.ContainsFunc(Uses(n), func(u string) bool { return values[u] })
}

// captures adds to seen the names that g reads but does not define.
func captures(g *onnxpb.GraphProto, seen map[string]bool) {
	own := definedNames(g)
	inner := make(map[string]bool)
	for _, n := range g.Node {
		for _, u := range Uses(n) {
			inner[u] = true
		}
	}
	for _, v := range g.Output {
		inner[v.GetName()] = true
	}
	for k := range inner {
		if !own[k] {
			seen[k] = true
		}
	}
}
