package ortcpu

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// domain is that of the layout's operators.
const domain = "com.microsoft.nchwc"

// inBlocksTag ends the names of values in blocks.
const inBlocksTag = "/blocks"

// layout is the state of inBlocks. A value [N, C, H, W] in blocks keeps these dimensions.
type layout struct {
	*onnx.NodeWriter
	block   int64
	values  map[string]Tensor
	readers map[string]int      // of each value, outputs of the graph counted
	left    map[string]int      // of the readers, those to come that are no masks
	blocks  map[string]string   // values held in blocks, by their plain names
	plain   map[string]bool     // values that exist in the plain layout
	maker   map[string]int      // the position of the node that makes a name in blocks
	stored  map[string]bool     // constants and weights in blocks that have been written
	parts   map[string][]string // findInterleaved: by the Concat left out, what it would join
	kernels map[string]bool     // findKernels: weights that a gradient in blocks makes
}

// inBlocks returns m with what convolutions and the operators around them compute held in blocks of
// channels.
func inBlocks(m *onnx.Model, values map[string]Tensor, is Layout) (*onnx.Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		g := p.GetGraph()
		l := newLayout(g, values, is.Block)
		l.findInterleaved(g.GetNode())
		if is.Groups {
			l.findKernels(g.GetNode())
		}
		for _, n := range g.GetNode() {
			l.count(n, -1)
			if l.convert(n) {
				continue
			}
			for _, u := range onnx.Uses(n) {
				l.toPlain(u)
			}
			l.Nodes = append(l.Nodes, n)
			for _, o := range n.GetOutput() {
				l.plain[o] = true
			}
		}
		for _, o := range g.GetOutput() {
			l.toPlain(o.GetName())
		}
		g.Node = l.Nodes
		if !slices.ContainsFunc(p.GetOpsetImport(), func(o *onnxpb.OperatorSetIdProto) bool { return o.GetDomain() == domain }) {
			p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String(domain), Version: proto.Int64(1)})
		}
		return nil
	})
}

// newLayout counts the readers of values. What exists before the first node is plain.
func newLayout(g *onnxpb.GraphProto, values map[string]Tensor, block int64) *layout {
	l := &layout{
		NodeWriter: onnx.NewNodeWriter(g), block: block, values: values,
		readers: make(map[string]int), left: make(map[string]int), blocks: make(map[string]string),
		plain: make(map[string]bool), maker: make(map[string]int), stored: make(map[string]bool),
		parts: make(map[string][]string), kernels: make(map[string]bool),
	}
	for _, n := range g.GetNode() {
		for _, u := range onnx.Uses(n) {
			l.readers[u]++
		}
		l.count(n, 1)
	}
	for _, in := range g.GetInput() {
		l.plain[in.GetName()] = true
	}
	for _, t := range g.GetInitializer() {
		l.plain[t.GetName()] = true
	}
	for _, o := range g.GetOutput() {
		l.readers[o.GetName()]++
		l.left[o.GetName()]++
	}
	return l
}

// count adds by to the readers that are left of what n reads.
func (l *layout) count(n *onnxpb.NodeProto, by int) {
	if n.GetOpType() == "HardSigmoid" {
		return
	}
	for _, u := range onnx.Uses(n) {
		l.left[u] += by
	}
}

// node adds a node under a name of its own. The domain is written in any case.
func (l *layout) node(domain, op, name string, inputs, outputs []string, attrs ...onnx.Attr) {
	n := l.Node(domain, op, inputs, outputs, attrs...)
	n.Domain, n.Name = &domain, &name
}

// emit adds a node with one output, which gives it its name.
func (l *layout) emit(domain, op, out string, inputs []string, attrs ...onnx.Attr) string {
	l.node(domain, op, out, inputs, []string{out}, attrs...)
	return out
}

// constant stores an initialiser, once for each name.
func constant[T onnx.Element](l *layout, name string, dims []int64, data ...T) string {
	if !l.stored[name] {
		l.stored[onnx.Store(l.NodeWriter, name, dims, data...)] = true
	}
	return name
}

// zeros is a constant of zeros.
func (l *layout) zeros(name string, dims ...int64) string {
	n, _ := onnx.Elements(dims)
	return constant(l, name, dims, make([]float32, n)...)
}

// reshape gives v the dimensions dims, under the name out; shape is the name of the constant.
func (l *layout) reshape(v, out, shape string, dims ...int64) string {
	return l.emit("", "Reshape", out, []string{v, constant(l, shape, []int64{int64(len(dims))}, dims...)})
}

// dims returns the dimensions of a value of four dimensions whose channels fill blocks.
func (l *layout) dims(v string) ([]int64, bool) {
	t := l.values[v]
	ok := t.Type == onnx.Float && len(t.Dims) == 4 && t.Dims[1] > 0 && t.Dims[1]%l.block == 0 && t.fixed()
	return t.Dims, ok
}

// toPlain makes v exist in the plain layout.
func (l *layout) toPlain(v string) {
	if in, ok := l.blocks[v]; ok && !l.plain[v] {
		l.emit(domain, "ReorderOutput", v, []string{in}, onnx.Int("channels", l.values[v].Dims[1]))
		l.plain[v] = true
	}
}

// toBlocks returns the name of v in blocks.
func (l *layout) toBlocks(v string) string {
	if !l.held(v) {
		l.hold(v, l.emit(domain, "ReorderInput", v+inBlocksTag, []string{v}))
	}
	return l.blocks[v]
}

// hold records that value v is held in blocks under the name in, which the last node makes.
func (l *layout) hold(v, in string) {
	l.blocks[v] = in
	if _, ok := l.maker[in]; !ok {
		l.maker[in] = len(l.Nodes) - 1
	}
}

// held reports whether v exists in blocks.
func (l *layout) held(v string) bool { return l.blocks[v] != "" }

// copyOf writes n for blocks: reading inputs, and making its value in blocks.
func (l *layout) copyOf(n *onnxpb.NodeProto, domain string, inputs []string) {
	in := n.GetOutput()[0] + inBlocksTag
	l.emit(domain, n.GetOpType(), in, inputs, onnx.AttrsOf(n)...)
	l.hold(n.GetOutput()[0], in)
}

// convert writes what n is in blocks, and reports whether it is anything.
func (l *layout) convert(n *onnxpb.NodeProto) bool {
	if onnx.NormalDomain(n.GetDomain()) != "" || len(n.GetInput()) == 0 || len(n.GetOutput()) != 1 {
		return false
	}
	switch n.GetOpType() {
	case "Conv":
		return l.conv(n)
	case "BatchNormalization":
		return l.batchNorm(n)
	case "Relu":
		return l.activation(n) || l.unary(n)
	case "LeakyRelu":
		return l.activation(n, onnx.AttrFloat(n, "alpha", 0.01)) || l.unary(n)
	case "HardSigmoid":
		return l.activation(n, onnx.AttrFloat(n, "alpha", 0.2), onnx.AttrFloat(n, "beta", 0.5)) || l.unary(n)
	case "Clip":
		return l.clip(n)
	case "Sigmoid", "Tanh", "Neg", "Abs", "Sqrt":
		return l.unary(n)
	case "Add":
		return l.fusedAdd(n) || l.elementwise(n)
	case "Sub", "Mul", "Div", "Sum":
		return l.elementwise(n)
	case "MaxPool", "AveragePool":
		return l.pool(n)
	case "Resize":
		return l.enlarge(n)
	case "GlobalAveragePool", "ReduceMean", "ReduceSum":
		return l.reduce(n)
	case "Transpose":
		return l.channelsLast(n)
	case "Concat":
		return l.parts[n.GetOutput()[0]] != nil || l.concat(n)
	case "Reshape":
		return l.kernel(n) || l.regroup(n)
	case "DepthToSpace":
		return l.interleave(n)
	}
	return false
}
