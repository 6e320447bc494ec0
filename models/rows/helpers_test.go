package rows

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// graph writes a small model: input x of N rows, output y.
type graph struct {
	p     *onnxpb.ModelProto
	opset int64
	dims  []int64 // of one row of x
	next  int
}

// newGraph starts a model whose rows have the given shape.
func newGraph(opset int64, dims ...int64) *graph {
	g := &graph{opset: opset, dims: dims, p: &onnxpb.ModelProto{IrVersion: proto.Int64(10), Graph: &onnxpb.GraphProto{Name: proto.String("g")}}}
	for domain, v := range map[string]int64{"": opset, "ai.onnx.ml": 3, "com.microsoft": 1} {
		g.p.OpsetImport = append(g.p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String(domain), Version: proto.Int64(v)})
	}
	slices.SortFunc(g.p.OpsetImport, func(a, b *onnxpb.OperatorSetIdProto) int { return strings.Compare(a.GetDomain(), b.GetDomain()) })
	g.p.Graph.Input = []*onnxpb.ValueInfoProto{info("x", onnx.Float, append([]int64{-1}, dims...)...)}
	return g
}

// info declares a tensor; −1 is the symbol N.
func info(name string, dt onnx.DType, dims ...int64) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, n := range dims {
		d := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: n}}
		if n < 0 {
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "N"}
		}
		shape.Dim = append(shape.Dim, d)
	}
	return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(dt)), Shape: shape},
	}}}
}

// node makes a node; its operator may carry a domain, "domain:Op".
func node(op, inputs, outputs string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	domain := ""
	if d, o, ok := strings.Cut(op, ":"); ok {
		domain, op = d, o
	}
	split := func(s string) []string {
		names := strings.Fields(s)
		for i, n := range names {
			if n == "_" {
				names[i] = ""
			}
		}
		return names
	}
	return &onnxpb.NodeProto{OpType: &op, Domain: &domain, Input: split(inputs), Output: split(outputs), Attribute: attrs}
}

// do adds a node; names are separated by spaces, "_" is an omitted one.
func (g *graph) do(op, inputs, outputs string, attrs ...*onnxpb.AttributeProto) *graph {
	g.p.Graph.Node = append(g.p.Graph.Node, node(op, inputs, outputs, attrs...))
	return g
}

func must(t *onnxpb.TensorProto, err error) *onnxpb.TensorProto {
	if err != nil {
		panic(err)
	}
	return t
}

// f32 adds a constant of deterministic values in [−1, 1).
func (g *graph) f32(name string, dims ...int64) *graph {
	n, _ := onnx.Elements(dims)
	rng := rand.New(rand.NewPCG(uint64(len(g.p.Graph.Initializer)), 1))
	v := make([]float32, n)
	for i := range v {
		v[i] = 2*rng.Float32() - 1
	}
	return g.values(name, v, dims...)
}

// values adds a constant.
func (g *graph) values(name string, v []float32, dims ...int64) *graph {
	g.p.Graph.Initializer = append(g.p.Graph.Initializer, must(onnx.NewTensor(name, dims, v)))
	return g
}

// i64 adds a vector of integers.
func (g *graph) i64(name string, v ...int64) *graph {
	g.p.Graph.Initializer = append(g.p.Graph.Initializer, must(onnx.NewTensor(name, []int64{int64(len(v))}, v)))
	return g
}

// scalar adds one integer without axes.
func (g *graph) scalar(name string, v int64) *graph {
	g.p.Graph.Initializer = append(g.p.Graph.Initializer, must(onnx.NewTensor(name, nil, []int64{v})))
	return g
}

// tensor adds any constant.
func (g *graph) tensor(t *onnxpb.TensorProto, err error) *graph {
	g.p.Graph.Initializer = append(g.p.Graph.Initializer, must(t, err))
	return g
}

func aInt(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INT.Enum(), I: &v}
}

func aInts(name string, v ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INTS.Enum(), Ints: v}
}

func aFloat(name string, v float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_FLOAT.Enum(), F: &v}
}

func aFloats(name string, v ...float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_FLOATS.Enum(), Floats: v}
}

func aStr(name, v string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_STRING.Enum(), S: []byte(v)}
}

func aStrs(name string, v ...string) *onnxpb.AttributeProto {
	a := &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_STRINGS.Enum()}
	for _, s := range v {
		a.Strings = append(a.Strings, []byte(s))
	}
	return a
}

func aGraph(name string, g *onnxpb.GraphProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
}

// body makes a subgraph; outputs have no declared types.
func body(inputs []*onnxpb.ValueInfoProto, outputs string, nodes ...*onnxpb.NodeProto) *onnxpb.GraphProto {
	g := &onnxpb.GraphProto{Name: proto.String("body"), Input: inputs, Node: nodes}
	for _, o := range strings.Fields(outputs) {
		g.Output = append(g.Output, &onnxpb.ValueInfoProto{Name: proto.String(o)})
	}
	return g
}

// untyped declares inputs of a subgraph.
func untyped(names string) []*onnxpb.ValueInfoProto {
	var out []*onnxpb.ValueInfoProto
	for _, n := range strings.Fields(names) {
		out = append(out, &onnxpb.ValueInfoProto{Name: proto.String(n)})
	}
	return out
}

// model finishes the graph with output y.
func (g *graph) model(t testing.TB) *onnx.Model {
	t.Helper()
	g.p.Graph.Output = []*onnxpb.ValueInfoProto{{Name: proto.String("y")}}
	m, err := modelOf(g.p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// shapeOf returns the extents of y as the rules tell them.
func shapeOf(m *onnx.Model) []dim {
	p := &prover{lib: m.Library(), rules: rules(), left: mostSteps}
	f := &frame{values: map[string]*value{}}
	in, _ := m.Input("x")
	dims := []dim{{n: 1}}
	for _, d := range in.Shape[1:] {
		dims = append(dims, fixed(d.Size))
	}
	f.values["x"] = rowsOf(dims, 0, 1, 1)
	g := m.Proto().GetGraph()
	if why := p.graph(f, g.GetNode(), g); why != nil {
		return nil
	}
	return f.values["y"].dims
}

// runner runs a model in batches of any size.
type runner struct {
	t    testing.TB
	rt   *runtime.Runtime
	sess *runtime.Session
	dims []int64 // of one row of x
	out  []dim
}

// newRunner loads a model, its output y reduced to floats: as it is where out tells its
// extents, and otherwise to one number a row, in which every element has its own weight.
// ok is false where onnxruntime does not take the model.
func newRunner(t testing.TB, rt *runtime.Runtime, g *graph, m *onnx.Model) (*runner, error) {
	t.Helper()
	r := &runner{t: t, rt: rt, dims: g.dims, out: shapeOf(m)}
	known := len(r.out) > 0
	for i, d := range r.out {
		known = known && (i == 0 || d.known())
	}
	m, err := m.Edit(func(p *onnxpb.ModelProto) error {
		add := func(op, in, out string, attrs ...*onnxpb.AttributeProto) {
			p.Graph.Node = append(p.Graph.Node, node(op, in, out, attrs...))
		}
		add("Cast", "y", "test.y", aInt("to", int64(onnx.Float)))
		if !known {
			p.Graph.Initializer = append(p.Graph.Initializer, must(onnx.NewTensor("test.axis", nil, []int64{1})))
			add("Flatten", "test.y", "test.flat", aInt("axis", 1))
			add("CumSum", "test.flat test.axis", "test.sum")
			if g.opset < 18 {
				add("ReduceMean", "test.sum", "test.one", aInts("axes", 1))
			} else {
				p.Graph.Initializer = append(p.Graph.Initializer, must(onnx.NewTensor("test.axes", []int64{1}, []int64{1})))
				add("ReduceMean", "test.sum test.axes", "test.one")
			}
			r.out = []dim{{n: 1}, fixed(1)}
		}
		name := p.Graph.Node[len(p.Graph.Node)-1].Output[0]
		p.Graph.Output = []*onnxpb.ValueInfoProto{{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
			TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(onnx.Float))},
		}}}}
		return nil
	})
	if err != nil {
		return nil, err
	}
	b, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	if r.sess, err = rt.NewSession(context.Background(), b, runtime.SessionOptions{IntraOp: 1}); err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := r.sess.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, nil
}

// run returns what the model says of n rows, row by row.
func (r *runner) run(x []float32) (y []float32, width int, err error) {
	d, _ := onnx.Elements(r.dims)
	n := int64(len(x)) / d
	in, err := runtime.NewTensor(r.rt, append([]int64{n}, r.dims...), x)
	if err != nil {
		return nil, 0, err
	}
	defer in.Close()
	shape, total := make([]int64, len(r.out)), int64(1)
	for i, d := range r.out {
		shape[i] = d.n*n + d.c
		total *= shape[i]
	}
	y = make([]float32, total)
	out, err := runtime.NewTensor(r.rt, shape, y)
	if err != nil {
		return nil, 0, err
	}
	defer out.Close()
	return y, int(total / n), r.sess.Run(context.Background(), []*runtime.Tensor{in}, []*runtime.Tensor{out})
}

// sample makes rows of values between 0 and 1 and some far outside.
func sample(rng *rand.Rand, n int, dims []int64) []float32 {
	d, _ := onnx.Elements(dims)
	x := make([]float32, int64(n)*d)
	for i := range x {
		x[i] = rng.Float32()
		if i/int(d)%3 == 2 {
			x[i] = 6*x[i] - 3
		}
	}
	return x
}

// difference runs seven rows together, then three of them in another order, then one, and
// returns the largest difference of an answer to the same row, relative to the largest.
func (r *runner) difference(rng *rand.Rand) (float64, error) {
	d, _ := onnx.Elements(r.dims)
	x := sample(rng, 7, r.dims)
	all, width, err := r.run(x)
	if err != nil {
		return 0, err
	}
	scale := 1e-6
	for _, v := range all {
		if f := math.Abs(float64(v)); f < math.MaxFloat32 {
			scale = max(scale, f)
		}
	}
	worst := 0.0
	for _, order := range [][]int{{5, 0, 3}, {6}, {1, 1, 4, 2, 6, 6, 6, 0, 2}} {
		var some []float32
		for _, i := range order {
			some = append(some, x[int64(i)*d:int64(i+1)*d]...)
		}
		got, _, err := r.run(some)
		if err != nil {
			return 0, err
		}
		for at, i := range order {
			for k := range width {
				a, b := got[at*width+k], all[i*width+k]
				if a != a && b != b || a == b {
					continue
				}
				if e := math.Abs(float64(a)-float64(b)) / scale; !(e <= worst) {
					worst = max(worst, e)
					if e != e {
						worst = math.Inf(1)
					}
				}
			}
		}
	}
	return worst, nil
}

// rounding is the largest difference that passes for another order of additions: the
// tests sum a few hundred float32 values at most.
const rounding = 1e-4

func openRuntime(t testing.TB) *runtime.Runtime {
	t.Helper()
	return runtimetest.Open(t)
}

// modelOf returns the model that p describes, unchecked: tests make faulty ones too.
func modelOf(p *onnxpb.ModelProto) (*onnx.Model, error) {
	b := onnx.NewBuilder("any", 13)
	b.Output("y", b.Input("x", onnx.Float), onnx.Float)
	m, err := b.Build()
	if err != nil {
		return nil, err
	}
	return m.Edit(func(q *onnxpb.ModelProto) error {
		proto.Reset(q)
		proto.Merge(q, p)
		return nil
	})
}
