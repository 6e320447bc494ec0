package models_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/models"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// TestMain lets Open try files in a child process, as ucan's own main does.
func TestMain(m *testing.M) {
	if code, child := runtime.RunProbeChild(os.Args[1:]); child {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// graph builds small ONNX files of any opset, quirks included.
type graph struct {
	t testing.TB
	p *onnxpb.ModelProto
}

func newGraph(t testing.TB, opset int64) *graph {
	g := &graph{t: t, p: &onnxpb.ModelProto{IrVersion: proto.Int64(8), Graph: &onnxpb.GraphProto{Name: proto.String("g")}}}
	return g.opset("", opset)
}

func (g *graph) opset(domain string, v int64) *graph {
	g.p.OpsetImport = append(g.p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: &domain, Version: &v})
	return g
}

// info declares a tensor: ints are sizes, strings symbols, nothing at all no shape.
func info(name string, dt onnx.DType, dims ...any) *onnxpb.ValueInfoProto {
	elem := int32(dt)
	tt := &onnxpb.TypeProto_Tensor{ElemType: &elem}
	if len(dims) > 0 {
		tt.Shape = &onnxpb.TensorShapeProto{}
	}
	for _, d := range dims {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		switch d := d.(type) {
		case int:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}
		case string:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d}
		}
		tt.Shape.Dim = append(tt.Shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: tt}}}
}

func (g *graph) in(name string, dt onnx.DType, dims ...any) *graph {
	g.p.Graph.Input = append(g.p.Graph.Input, info(name, dt, dims...))
	return g
}

func (g *graph) out(name string, dt onnx.DType, dims ...any) *graph {
	g.p.Graph.Output = append(g.p.Graph.Output, info(name, dt, dims...))
	return g
}

func (g *graph) add(t *onnxpb.TensorProto, err error) *graph {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
	g.p.Graph.Initializer = append(g.p.Graph.Initializer, t)
	return g
}

func (g *graph) f32(name string, dims []int64, v ...float32) *graph {
	g.t.Helper()
	return g.add(onnx.NewTensor(name, dims, v))
}

func (g *graph) i64(name string, v ...int64) *graph {
	g.t.Helper()
	return g.add(onnx.NewTensor(name, []int64{int64(len(v))}, v))
}

func node(op string, inputs, outputs []string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: &op, Input: inputs, Output: outputs, Attribute: attrs}
}

func (g *graph) node(op, inputs, outputs string, attrs ...*onnxpb.AttributeProto) *graph {
	g.p.Graph.Node = append(g.p.Graph.Node, node(op, names(inputs), names(outputs), attrs...))
	return g
}

// names splits at spaces; "_" is an omitted input.
func names(s string) []string {
	var out []string
	at := ""
	for _, r := range s + " " {
		if r != ' ' {
			at += string(r)
			continue
		}
		if at == "_" {
			out = append(out, "")
		} else if at != "" {
			out = append(out, at)
		}
		at = ""
	}
	return out
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

func aGraph(name string, g *onnxpb.GraphProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
}

// write stores the graph as a file.
func (g *graph) write() string {
	g.t.Helper()
	b, err := proto.Marshal(g.p)
	if err != nil {
		g.t.Fatal(err)
	}
	path := filepath.Join(g.t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		g.t.Fatal(err)
	}
	return path
}

// open prepares the graph.
func (g *graph) open(opts models.Options) (*models.Model, error) {
	g.t.Helper()
	opts.SkipLoadTrial = true // a process for each case would make the tests slow
	return models.Open(context.Background(), runtimetest.Open(g.t), g.write(), opts)
}

// The reference classifier of these tests: three classes of a [3,2,2] image, scores
// x·refW + refB, in float64.
const refDim, refClasses = 12, 3

var refShape = []int{3, 2, 2}

func refWeights() (w []float32, b []float32) {
	rng := rand.New(rand.NewPCG(7, 7))
	w, b = make([]float32, refDim*refClasses), make([]float32, refClasses)
	for i := range w {
		w[i] = float32(rng.IntN(9)-4) / 4 // exact in float16
	}
	for i := range b {
		b[i] = float32(i-1) / 8
	}
	return w, b
}

// refScores are the scores of one row.
func refScores(x []float64) []float64 {
	w, b := refWeights()
	s := make([]float64, refClasses)
	for k := range s {
		s[k] = float64(b[k])
		for i, v := range x {
			s[k] += v * float64(w[i*refClasses+k])
		}
	}
	return s
}

// refRows are test inputs on multiples of 1/8, so that every element type holds them
// and their scores exactly; none of them has a tie.
func refRows(n int) [][]float64 {
	rng := rand.New(rand.NewPCG(11, 13))
	var rows [][]float64
	for len(rows) < n {
		x := make([]float64, refDim)
		for i := range x {
			x[i] = float64(rng.IntN(9)) / 8
		}
		s := refScores(x)
		if s[0] != s[1] && s[1] != s[2] && s[0] != s[2] {
			rows = append(rows, x)
		}
	}
	return rows
}

func argmax(s []float64) int32 {
	best := 0
	for k := range s {
		if s[k] > s[best] {
			best = k
		}
	}
	return int32(best)
}

// dense adds the reference weights and out = in·W + b.
func (g *graph) dense(in, out string) *graph {
	g.t.Helper()
	w, b := refWeights()
	return g.f32("W", []int64{refDim, refClasses}, w...).f32("B", []int64{refClasses}, b...).
		node("MatMul", in+" W", out+"_m").node("Add", out+"_m B", out)
}

// classify runs rows through a model, at a batch that does not divide them where the
// model allows.
func classify(t testing.TB, m *models.Model, rows [][]float64) []int32 {
	t.Helper()
	batch := 7
	if m.FixedBatch() > 0 {
		batch = m.FixedBatch()
	}
	c, err := m.Classifier(context.Background(), batch, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	d := m.Dim()
	var out []int32
	for at := 0; at < len(rows); at += batch {
		n := min(batch, len(rows)-at)
		for r := range n {
			for i, v := range rows[at+r] {
				c.Input()[r*d+i] = float32(v)
			}
		}
		labels, err := c.Classify(context.Background(), n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, labels...)
	}
	return out
}
