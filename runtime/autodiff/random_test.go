package autodiff_test

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// randomGraph builds a small graph of smooth operators over x [N,6] in float64, the shape of every
// value being [N,k].
func randomGraph(r *rand.Rand) (*onnx.Model, error) {
	b := onnx.NewBuilder("random", 17)
	type val struct {
		v onnx.Value
		k int64
	}
	vals := []val{{b.Input("x", onnx.Double, onnx.Sym("N"), onnx.Fixed(6)), 6}}
	pick := func() val { return vals[r.IntN(len(vals))] }
	konst := func(dims ...int64) onnx.Value { return onnx.Tensor(b, "c", dims, normals(r, elements(dims))) }
	for range 4 + r.IntN(10) {
		a := pick()
		out := val{k: a.k}
		switch r.IntN(16) {
		case 0:
			out.v = b.Tanh(a.v)
		case 1:
			out.v = b.Sigmoid(a.v)
		case 2:
			out.v = b.Op("Sin", []onnx.Value{a.v})
		case 3:
			out.v = b.Mul(b.Tanh(a.v), konst(a.k))
		case 4:
			out.v = b.Add(a.v, konst(1, 1))
		case 5:
			c := pick()
			if c.k != a.k {
				c.v = b.Sum(c.v, true, 1) // [N,1] broadcasts
			}
			out.v = b.Sub(a.v, b.Tanh(c.v))
		case 6:
			c := pick()
			out.v, out.k = b.Concat(1, a.v, c.v), a.k+c.k
		case 7:
			out.k = 1 + int64(r.IntN(5))
			out.v = b.MatMul(b.Tanh(a.v), konst(a.k, out.k))
		case 8:
			out.v = b.Softmax(a.v, 1)
		case 9:
			out.v = b.Div(a.v, b.Add(b.Mul(a.v, a.v), b.Scalar(onnx.Double, 1)))
		case 10:
			out.v, out.k = b.Mean(a.v, true, 1), 1
		case 11:
			lo := int64(r.IntN(int(a.k)))
			out.v, out.k = b.Slice(a.v, []int64{lo}, []int64{a.k}, []int64{1}, nil), a.k-lo
		case 12:
			idx := []int64{int64(r.IntN(int(a.k))), int64(r.IntN(int(a.k))), -1}
			out.v, out.k = b.Gather(a.v, b.Ints(idx...), 1), 3
		case 13:
			out.v, out.k = b.Pad(a.v, 0, 1, 0, 2), a.k+3
		case 14:
			out.v, out.k = b.Reduce("ReduceLogSumExp", a.v, true, 1), 1
		default:
			out.v = b.Reshape(b.Transpose(b.Reshape(a.v, -1, a.k, 1), 0, 2, 1), -1, a.k)
		}
		if out.k > 20 {
			continue
		}
		vals = append(vals, out)
	}
	// All values together, so that nothing is dead.
	total := b.Sum(vals[0].v, true, 1)
	for _, v := range vals[1:] {
		total = b.Add(total, b.Sum(b.Tanh(v.v), true, 1))
	}
	b.Output("y", total, onnx.Double, onnx.Sym("N"), onnx.Fixed(1))
	return b.Build()
}

func checkRandom(t *testing.T, rt *runtime.Runtime, eng autodiff.Engine, seed uint64) {
	t.Helper()
	r := rng(seed)
	m, err := randomGraph(r)
	if err != nil {
		t.Fatal(err)
	}
	g, err := autodiff.Differentiate(context.Background(), eng, m, autodiff.Options{Losses: []autodiff.Loss{autodiff.DefaultLinear()}})
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	x, w := normals(r, 12), normals(r, 2)
	in := map[string]value{"x": {dims: []int64{2, 6}, data: x}, "weights": {dims: []int64{2, 1}, data: w}}
	grad := newRunner(t, rt, g.Model, in, []string{"x.grad"}, map[string][]int64{"x.grad": {2, 6}}).run(t)[0]
	fr := newRunner(t, rt, m, in, []string{"y"}, map[string][]int64{"y": {2, 1}})
	f := func() float64 {
		fr.set("x", x)
		y := fr.run(t)[0]
		return w[0]*y[0] + w[1]*y[1]
	}
	for i := range x {
		at := x[i]
		diff := func(h float64) float64 {
			x[i] = at + h
			up := f()
			x[i] = at - h
			down := f()
			x[i] = at
			return (up - down) / (2 * h)
		}
		want := (4*diff(1e-4) - diff(2e-4)) / 3
		if math.Abs(grad[i]-want) > 1e-7*(1+math.Abs(want)) {
			t.Fatalf("seed %d: ∂x[%d] is %.10g, differences give %.10g", seed, i, grad[i], want)
		}
	}
}

func TestRandomGraphs(t *testing.T) {
	rt := runtimetest.Open(t)
	eng := autodiff.OnRuntime(rt)
	n := uint64(30)
	if testing.Short() {
		n = 15
	}
	for seed := range n {
		checkRandom(t, rt, eng, seed)
	}
}

// FuzzRandomGraphs guards against combinations of operators whose rules do not fit together.
func FuzzRandomGraphs(f *testing.F) {
	rt := runtimetest.Open(f)
	f.Add(uint64(1000))
	f.Fuzz(func(t *testing.T, seed uint64) { checkRandom(t, rt, autodiff.OnRuntime(rt), seed) })
}

// TestMalformedGraphs expects an error, in one line, for each.
func TestMalformedGraphs(t *testing.T) {
	rt := runtimetest.Open(t)
	eng := autodiff.OnRuntime(rt)
	base := smallNet(t)
	node := func(p *onnxpb.ModelProto, op string) *onnxpb.NodeProto {
		for _, n := range p.Graph.Node {
			if n.GetOpType() == op {
				return n
			}
		}
		t.Fatalf("no %s", op)
		return nil
	}
	attr := func(n *onnxpb.NodeProto, a *onnxpb.AttributeProto) { n.Attribute = append(n.Attribute[:0:0], a) }
	ints := func(name string, v ...int64) *onnxpb.AttributeProto {
		return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INTS.Enum(), Ints: v}
	}
	for name, damage := range subtest.Rows(map[string]func(p *onnxpb.ModelProto){
		"cycle":              func(p *onnxpb.ModelProto) { node(p, "Conv").Input[0] = "logits" },
		"value from nowhere": func(p *onnxpb.ModelProto) { node(p, "Relu").Input[0] = "none" },
		"made twice":         func(p *onnxpb.ModelProto) { node(p, "Flatten").Output[0] = node(p, "Relu").Output[0] },
		"no inputs":          func(p *onnxpb.ModelProto) { node(p, "Relu").Input = nil },
		"no outputs":         func(p *onnxpb.ModelProto) { p.Graph.Output = nil },
		"pads":               func(p *onnxpb.ModelProto) { attr(node(p, "Conv"), ints("pads", 1, 1, 1)) },
		"strides":            func(p *onnxpb.ModelProto) { attr(node(p, "Conv"), ints("strides", 0, 0)) },
		"kernel":             func(p *onnxpb.ModelProto) { attr(node(p, "Conv"), ints("kernel_shape", 7, 7)) },
		"unknown operator":   func(p *onnxpb.ModelProto) { node(p, "Relu").OpType = proto.String("Nonsense") },
		"ranks":              func(p *onnxpb.ModelProto) { node(p, "Gemm").Input[0] = node(p, "Conv").Output[0] },
		"undeclared input":   func(p *onnxpb.ModelProto) { p.Graph.Input[0].Type = nil },
		"short weights": func(p *onnxpb.ModelProto) {
			w := proto.Clone(p.Graph.Initializer[0]).(*onnxpb.TensorProto)
			w.RawData = w.RawData[:8]
			p.Graph.Initializer[0] = w
		},
	}) {
		t.Run(name, func(t *testing.T) {
			m, err := base.Edit(func(p *onnxpb.ModelProto) error { damage(p); return nil })
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			_, err = autodiff.Differentiate(context.Background(), eng, m, autodiff.Options{Wrt: []string{"x"}, Losses: []autodiff.Loss{autodiff.DefaultCrossEntropy()}})
			if err == nil {
				t.Errorf("%s: no error", name)
			} else if strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: several lines: %q", name, err)
			}
		})
	}
	ce := []autodiff.Loss{autodiff.DefaultCrossEntropy()}
	for name, o := range subtest.Rows(map[string]autodiff.Options{
		"unknown wrt":    {Wrt: []string{"none"}, Losses: ce},
		"wrt twice":      {Wrt: []string{"x", "x"}, Losses: ce},
		"loss twice":     {Losses: append(ce, ce...)},
		"unknown output": {Losses: ce, Output: "none"},
		"class":          {Losses: []autodiff.Loss{autodiff.Logit{Class: 3}}},
		"loss no scalar": {Losses: []autodiff.Loss{autodiff.Existing{Value: "logits"}}},
		"loss unknown":   {Losses: []autodiff.Loss{autodiff.Existing{Value: "none"}}},
		"size":           {Losses: ce, Sizes: map[string]int64{"N": 0}},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := autodiff.Differentiate(context.Background(), eng, base, o); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
	for _, s := range []string{"", "logit", "logit:", "logit:-1", "logit:x", "mse"} {
		if _, err := autodiff.ParseLoss(s); err == nil {
			t.Errorf("loss %q is accepted", s)
		}
	}
}
