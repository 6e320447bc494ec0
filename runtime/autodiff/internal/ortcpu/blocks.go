package autodiff

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// onnxruntime's CPU provider moves convolutions to its layout of blocks of
// channels only where their weights are constants. Weights that are inputs
// ([Options.Promote]) would leave everything in the plain layout, at twice the
// time. The operators of that layout do not need constants, though, and can be
// named in a graph: inBlockLayout does for changing weights what the provider
// does for constant ones, weights brought to blocks inside the graph included.
//
// A value of [N,C,H,W] in blocks keeps these dimensions and holds
// [N, C/B, H, W, B]. Operators that do not know the layout get what they read
// through ReorderOutput.

const (
	nchwcDomain = "com.microsoft.nchwc"
	inBlocksTag = "/blocks"
)

// providerBlock returns the provider's number of channels in a block, or 1
// where it has no such layout.
func providerBlock(ctx context.Context, eng Engine) (int64, error) {
	b := onnx.NewBuilder("block", minOpset)
	x := b.Input("x", onnx.Float, onnx.Dims(1, 4, 1, 1)...)
	b.OutputUntyped("y", b.Custom(nchwcDomain, "ReorderInput", 1, []onnx.Value{x})[0])
	m, err := b.Build()
	if err != nil {
		return 0, err
	}
	t, err := onnx.NewTensor("x", []int64{1, 4, 1, 1}, make([]float32, 4))
	if err != nil {
		return 0, err
	}
	out, err := eng.Eval(ctx, m, []*onnxpb.TensorProto{t})
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil || out["y"] == nil || len(out["y"].GetDims()) != 4 {
		return 1, nil //nolint:nilerr // a runtime without the operator has no blocks
	}
	return max(1, out["y"].GetDims()[1]), nil
}

// takesGroups reports whether the provider computes a convolution with a group
// for every channel and a block of results for each: from onnxruntime 1.29 on,
// its operator refuses groups of less than a block.
func takesGroups(ctx context.Context, eng Engine, block int64) (bool, error) {
	const channels = 2
	b := onnx.NewBuilder("groups", minOpset)
	x := b.Input("x", onnx.Float, onnx.Dims(1, channels, 1, 1)...)
	w := onnx.Tensor(b, "w", []int64{channels * block, 1, 1, 1}, repeat(channels*block, float32(1)))
	y := b.Custom(nchwcDomain, "Conv", 1, []onnx.Value{x, w}, onnx.Int("group", channels), onnx.Ints("kernel_shape", 1, 1))
	b.OutputUntyped("y", y[0])
	m, err := b.Build()
	if err != nil {
		return false, err
	}
	t, err := onnx.NewTensor("x", []int64{1, channels, 1, 1}, []float32{1, 2})
	if err != nil {
		return false, err
	}
	out, err := eng.Eval(ctx, m, []*onnxpb.TensorProto{t})
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return err == nil && out["y"] != nil, nil //nolint:nilerr // refused: the plain layout computes it
}

// layout is the state of inBlockLayout.
type layout struct {
	block   int64
	facts   facts
	readers map[string]int
	left    map[string]int // of the readers, those to come that are no masks
	out     *onnxpb.GraphProto
	nodes   []*onnxpb.NodeProto
	blocks  map[string]string   // values held in blocks, by their plain names
	plain   map[string]bool     // values that exist in the plain layout
	made    map[string]int      // names in blocks: the node that makes them
	known   map[string]string   // weights brought to blocks, and constants
	parts   map[string][]string // by what a Concat would make: the parts that its one reader, a DepthToSpace, interleaves
	kernels map[string]bool     // the weights of convolutions that findKernels has found
}

// inBlockLayout returns m, all of whose sizes are fixed, with what convolutions
// and the operators around them compute held in blocks of the given size;
// groups is the answer of takesGroups.
func inBlockLayout(m *onnx.Model, fs facts, block int64, groups bool) (*onnx.Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		g := p.GetGraph()
		l := &layout{
			block: block, facts: fs, out: g, readers: make(map[string]int), left: make(map[string]int), blocks: make(map[string]string),
			plain: make(map[string]bool), made: make(map[string]int), known: make(map[string]string),
			parts: make(map[string][]string), kernels: make(map[string]bool),
		}
		for _, n := range g.GetNode() {
			for _, u := range onnx.Uses(n) {
				l.readers[u]++
				if n.GetOpType() != "HardSigmoid" {
					l.left[u]++
				}
			}
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
		l.findInterleaved(g.GetNode())
		if groups {
			l.findKernels(g.GetNode())
		}
		for _, n := range g.GetNode() {
			for _, u := range onnx.Uses(n) {
				if n.GetOpType() != "HardSigmoid" {
					l.left[u]--
				}
			}
			if l.convert(n) {
				continue
			}
			for _, u := range onnx.Uses(n) {
				l.toPlain(u)
			}
			l.nodes = append(l.nodes, n)
			for _, o := range n.GetOutput() {
				l.plain[o] = true
			}
		}
		for _, o := range g.GetOutput() {
			l.toPlain(o.GetName())
		}
		g.Node = l.nodes
		if !slices.ContainsFunc(p.GetOpsetImport(), func(o *onnxpb.OperatorSetIdProto) bool { return o.GetDomain() == nchwcDomain }) {
			p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String(nchwcDomain), Version: proto.Int64(1)})
		}
		return nil
	})
}

// emit adds a node with one output.
func (l *layout) emit(domain, op, out string, inputs []string, attrs ...*onnxpb.AttributeProto) string {
	l.nodes = append(l.nodes, &onnxpb.NodeProto{Domain: &domain, OpType: &op, Name: &out, Input: inputs, Output: []string{out}, Attribute: attrs})
	return out
}

func intAttr(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INT.Enum(), I: &v}
}

func intsAttr(name string, v ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INTS.Enum(), Ints: v}
}

// constant adds an initialiser.
func constant[T onnx.Element](l *layout, name string, dims []int64, data ...T) string {
	if _, ok := l.known[name]; !ok {
		t, err := onnx.NewTensor(name, dims, data)
		if err != nil {
			panic("autodiff: " + err.Error()) // dims are made from data by the callers
		}
		l.out.Initializer = append(l.out.Initializer, t)
		l.known[name] = name
	}
	return name
}

// dims returns the dimensions of a value of four dimensions whose channels fill
// blocks.
func (l *layout) dims(v string) ([]int64, bool) {
	f := l.facts[v]
	ok := f.dtype == onnx.Float && len(f.dims) == 4 && f.dims[1] > 0 && f.dims[1]%l.block == 0 && fixed(f.dims)
	return f.dims, ok
}

// toPlain sees to it that v exists in the plain layout.
func (l *layout) toPlain(v string) {
	if in, ok := l.blocks[v]; ok && !l.plain[v] {
		l.emit(nchwcDomain, "ReorderOutput", v, []string{in}, intAttr("channels", l.facts[v].dims[1]))
		l.plain[v] = true
	}
}

// toBlocks returns the name of v in blocks.
func (l *layout) toBlocks(v string) string {
	if _, ok := l.blocks[v]; !ok {
		l.hold(v, l.emit(nchwcDomain, "ReorderInput", v+inBlocksTag, []string{v}))
	}
	return l.blocks[v]
}

// hold records that value v is held in blocks under the name in, which the last
// node makes.
func (l *layout) hold(v, in string) {
	l.blocks[v] = in
	if _, ok := l.made[in]; !ok {
		l.made[in] = len(l.nodes) - 1
	}
}

// held reports whether v is there in blocks.
func (l *layout) held(v string) bool { return l.blocks[v] != "" }

// convert adds what n is in blocks, and reports whether it is anything.
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
		return l.relu(n)
	case "HardSigmoid":
		return l.hardSigmoid(n)
	case "Clip":
		return l.clip(n)
	case "LeakyRelu":
		return l.leakyRelu(n)
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

// copyOf returns n reading and writing blocks.
func (l *layout) copyOf(n *onnxpb.NodeProto, domain string, inputs []string) {
	in := n.GetOutput()[0] + inBlocksTag
	l.emit(domain, n.GetOpType(), in, inputs, n.GetAttribute()...)
	l.hold(n.GetOutput()[0], in)
}
