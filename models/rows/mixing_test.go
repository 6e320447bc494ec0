package rows

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// mixer adds to a graph nodes that make, from the rows v of shape [N, k], a value out in
// which rows of the batch meet, or tell their places or their number. out broadcasts
// against [N, k]. p gives fresh names.
type mixer struct {
	name  string
	nodes func(g *graph, p func(string) string, v, out string, k int64, rng *rand.Rand) []*onnxpb.NodeProto
	// late: nothing mixes in batches of at most 300 rows.
	late bool
}

// mixers lists the ways in which models mix rows.
func mixers() []mixer {
	type N = []*onnxpb.NodeProto
	var all []mixer
	add := func(name string, f func(g *graph, p func(string) string, v, out string, k int64, rng *rand.Rand) N) {
		all = append(all, mixer{name: name, nodes: f})
	}
	axes := func(g *graph, p func(string) string, v ...int64) string {
		name := p("axes")
		g.i64(name, v...)
		return name
	}
	ones := func(g *graph, p func(string) string, v float32, dims ...int64) string {
		name := p("c")
		n, _ := onnx.Elements(dims)
		g.values(name, slices.Repeat([]float32{v}, int(n)), dims...)
		return name
	}
	for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceLogSumExp", "ReduceSumSquare", "ReduceL1"} {
		add(op+" over the batch", func(g *graph, p func(string) string, v, out string, _ int64, rng *rand.Rand) N {
			return N{node(op, v+" "+axes(g, p, []int64{0, -2}[rng.IntN(2)]), out)}
		})
		add(op+" over everything", func(g *graph, p func(string) string, v, out string, _ int64, rng *rand.Rand) N {
			return N{node(op, v, out, aInt("keepdims", int64(rng.IntN(2))))}
		})
	}
	add("dropout by the sine of a sum", func(g *graph, p func(string) string, v, out string, _ int64, rng *rand.Rand) N {
		a, b, c := p("a"), p("b"), p("d")
		return N{node("ReduceSum", v, a), node("Mul", a+" "+ones(g, p, 1000*rng.Float32()+100, 1), b), node("Sin", b, c),
			node("Mul", v+" "+c, out)}
	})
	add("sum of the rows before", func(g *graph, p func(string) string, v, out string, _ int64, rng *rand.Rand) N {
		s := p("axis")
		g.scalar(s, 0)
		return N{node("CumSum", v+" "+s, out, aInt("exclusive", int64(rng.IntN(2))), aInt("reverse", int64(rng.IntN(2))))}
	})
	add("the largest row of each class", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		return N{node("TopK", v+" "+axes(g, p, 1), out+" "+p("i"), aInt("axis", 0))}
	})
	add("the batch sorted", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		s, n := p("s"), p("n")
		return N{node("Shape", v, s, aInt("end", 1)), node("Identity", s, n), node("TopK", v+" "+n, out+" "+p("i"), aInt("axis", 0))}
	})
	add("the batch rolled", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		a, b := p("a"), p("b")
		z, one, end := axes(g, p, 0), axes(g, p, 1), axes(g, p, 1<<62)
		return N{node("Slice", v+" "+one+" "+end, a), node("Slice", v+" "+z+" "+one, b), node("Concat", a+" "+b, out, aInt("axis", 0))}
	})
	add("the batch turned round", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		return N{node("Slice", v+" "+axes(g, p, -1)+" "+axes(g, p, -1<<62)+" "+axes(g, p, 0)+" "+axes(g, p, -1), out)}
	})
	add("one row for all", func(g *graph, p func(string) string, v, out string, _ int64, rng *rand.Rand) N {
		return N{node("Gather", v+" "+axes(g, p, []int64{0, -1}[rng.IntN(2)]), out)}
	})
	add("products over the batch", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		t, s := p("t"), p("s")
		return N{node("Transpose", v, t), node("MatMul", t+" "+v, s), node("MatMul", v+" "+s, out)}
	})
	add("Gemm over the batch", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		s := p("s")
		return N{node("Gemm", v+" "+v, s, aInt("transA", 1)), node("MatMul", v+" "+s, out)}
	})
	add("attention between rows", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		t, s, q := p("t"), p("s"), p("q")
		return N{node("Transpose", v, t), node("MatMul", v+" "+t, s), node("Softmax", s, q), node("MatMul", q+" "+v, out)}
	})
	for _, op := range []string{"Softmax", "LogSoftmax", "Hardmax"} {
		add(op+" over the batch", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
			return N{node(op, v, out, aInt("axis", 0))}
		})
	}
	add("who is largest", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		i := p("i")
		return N{node("ArgMax", v, i, aInt("axis", 0)), node("Cast", i, out, aInt("to", 1))}
	})
	add("batch normalisation by hand", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		m, d, s, q, r := p("m"), p("d"), p("s"), p("q"), p("r")
		ax := axes(g, p, 0)
		return N{node("ReduceMean", v+" "+ax, m), node("Sub", v+" "+m, d), node("ReduceSumSquare", d+" "+ax, s), node("Add", s+" "+ones(g, p, 1, 1), q),
			node("Sqrt", q, r), node("Div", d+" "+r, out)}
	})
	turned := func(op string, params func(g *graph, p func(string) string, k int64) string, attrs ...*onnxpb.AttributeProto) func(g *graph, p func(string) string, v, out string, k int64, rng *rand.Rand) N {
		return func(g *graph, p func(string) string, v, out string, k int64, _ *rand.Rand) N {
			t, u, q, s := p("t"), p("u"), p("q"), p("s")
			ax, more := axes(g, p, 0), ""
			if params != nil {
				more = params(g, p, k)
			}
			return N{node("Transpose", v, t), node("Unsqueeze", t+" "+ax, u), node(op, u+more, q, attrs...), node("Squeeze", q+" "+ax, s), node("Transpose", s, out)}
		}
	}
	two := func(g *graph, p func(string) string, k int64) string {
		return " " + ones(g, p, 1, k) + " " + ones(g, p, 0, k)
	}
	add("instance normalisation over the batch", turned("InstanceNormalization", two))
	add("layer normalisation from the batch on", func(g *graph, p func(string) string, v, out string, k int64, _ *rand.Rand) N {
		return N{node("LayerNormalization", v+" "+ones(g, p, 1, k), out, aInt("axis", 0))}
	})
	add("max pooling over the batch", turned("MaxPool", nil, aInts("kernel_shape", 3), aInts("pads", 1, 1)))
	add("average pooling over the batch", turned("AveragePool", nil, aInts("kernel_shape", 3), aInts("pads", 1, 1)))
	add("convolution over the batch", turned("Conv", func(g *graph, p func(string) string, k int64) string {
		return " " + ones(g, p, .1, k, k, 3)
	}, aInts("pads", 1, 1)))
	add("the mean as a global pool", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		t, u, q, s := p("t"), p("u"), p("q"), p("s")
		ax := axes(g, p, 0)
		return N{node("Transpose", v, t), node("Unsqueeze", t+" "+ax, u), node("GlobalAveragePool", u, q), node("Squeeze", q+" "+ax, s), node("Transpose", s, out)}
	})
	add("local responses across the batch", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		u, q := p("u"), p("q")
		ax := axes(g, p, 0, 3)
		return N{node("Unsqueeze", v+" "+ax, u), node("LRN", u, q, aInt("size", 3), aFloat("alpha", 1)), node("Squeeze", q+" "+ax, out)}
	})
	add("a recurrent net along the batch", func(g *graph, p func(string) string, v, out string, k int64, _ *rand.Rand) N {
		u, q := p("u"), p("q")
		w, r := p("w"), p("r")
		g.f32(w, 1, 4*k, k).f32(r, 1, 4*k, k)
		return N{node("Unsqueeze", v+" "+axes(g, p, 1), u), node("LSTM", u+" "+w+" "+r, q, aInt("hidden_size", k)), node("Squeeze", q+" "+axes(g, p, 1, 2), out)}
	})
	add("a state carried from row to row", func(g *graph, p func(string) string, v, out string, k int64, _ *rand.Rand) N {
		b := body(untyped("scan.h scan.v"), "scan.h2 scan.o", node("Add", "scan.h scan.v", "scan.h2"), node("Tanh", "scan.h2", "scan.o"))
		return N{node("Scan", ones(g, p, 0, k)+" "+v, p("last")+" "+out, aGraph("body", b), aInt("num_scan_inputs", 1))}
	})
	add("a loop that adds up rows", func(g *graph, p func(string) string, v, out string, k int64, _ *rand.Rand) N {
		s, n, i, yes := p("s"), p("n"), p("zero"), p("yes")
		g.scalar(i, 0).tensor(onnx.NewTensor(yes, nil, []bool{true}))
		in := append([]*onnxpb.ValueInfoProto{info("loop.i", onnx.Int64), info("loop.go", onnx.Bool)}, untyped("loop.s")...)
		b := body(in, "loop.stay loop.s2", node("Identity", "loop.go", "loop.stay"), node("Gather", v+" loop.i", "loop.row"), node("Add", "loop.s loop.row", "loop.s2"))
		return N{node("Shape", v, s), node("Gather", s+" "+i, n), node("Loop", n+" "+yes+" "+ones(g, p, 0, k), out, aGraph("body", b))}
	})
	add("as many turns as the batch says", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		a, b, yes := p("a"), p("b"), p("yes")
		g.tensor(onnx.NewTensor(yes, nil, []bool{true}))
		in := append([]*onnxpb.ValueInfoProto{info("loop.i", onnx.Int64), info("loop.go", onnx.Bool)}, untyped("loop.s")...)
		bd := body(in, "loop.stay loop.s2", node("Identity", "loop.go", "loop.stay"), node("Cos", "loop.s", "loop.s2"))
		return N{node("ReduceSumSquare", v, a, aInt("keepdims", 0)), node("Cast", a, b, aInt("to", 7)), node("Loop", b+" "+yes+" "+v, out, aGraph("body", bd))}
	})
	add("row 0 written over the last", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		i, f := p("i"), p("f")
		g.tensor(onnx.NewTensor(i, []int64{1, 1}, []int64{-1}))
		return N{node("Slice", v+" "+axes(g, p, 0)+" "+axes(g, p, 1), f), node("ScatterND", v+" "+i+" "+f, out)}
	})
	add("everything shifted by one number", func(g *graph, p func(string) string, v, out string, k int64, _ *rand.Rand) N {
		f, a, b, c := p("f"), p("a"), p("b"), p("d")
		one := axes(g, p, 1)
		return N{node("Reshape", v+" "+axes(g, p, -1), f), node("Slice", f+" "+one+" "+axes(g, p, 1<<62), a), node("Slice", f+" "+axes(g, p, 0)+" "+one, b),
			node("Concat", a+" "+b, c, aInt("axis", 0)), node("Reshape", c+" "+axes(g, p, -1, k), out)}
	})
	add("classes read across the batch", func(g *graph, p func(string) string, v, out string, k int64, _ *rand.Rand) N {
		f, t := p("f"), p("t")
		return N{node("Reshape", v+" "+axes(g, p, k, -1), f), node("Transpose", f, t), node("Softmax", t, out)}
	})
	add("every row against every other", func(g *graph, p func(string) string, v, out string, _ int64, rng *rand.Rand) N {
		s, u, q := p("s"), p("u"), p("q")
		ax := axes(g, p, 1)
		op := []string{"Add", "Mul", "Max"}[rng.IntN(3)]
		return N{node("ReduceSum", v+" "+ax, s, aInt("keepdims", 0)), node("Unsqueeze", s+" "+ax, u), node(op, s+" "+u, q), node("ReduceMax", q+" "+ax, out)}
	})
	add("its rank in the batch", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		s, t, u, q := p("s"), p("t"), p("u"), p("q")
		ax := axes(g, p, 1)
		return N{node("ReduceSum", v+" "+ax, s), node("Transpose", s, t), node("Greater", s+" "+t, u), node("Cast", u, q, aInt("to", 1)), node("ReduceSum", q+" "+ax, out)}
	})
	add("dynamic quantisation", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		q, s, z := p("q"), p("s"), p("z")
		return N{node("DynamicQuantizeLinear", v, q+" "+s+" "+z), node("DequantizeLinear", q+" "+s+" "+z, out)}
	})
	add("sums over the batch by letters", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		s := p("s")
		return N{node("Einsum", v+" "+v, s, aStr("equation", "bi,bj->ij")), node("Einsum", v+" "+s, out, aStr("equation", "bi,ij->bj"))}
	})
	add("its place in the batch", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		s, n, r, f, i := p("s"), p("n"), p("r"), p("f"), p("zero")
		one := p("one")
		g.scalar(i, 0).scalar(one, 1)
		return N{node("Shape", v, s), node("Gather", s+" "+i, n), node("Range", i+" "+n+" "+one, r), node("Cast", r, f, aInt("to", 1)), node("Unsqueeze", f+" "+axes(g, p, 1), out)}
	})
	add("its place, by a diagonal", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		return N{node("EyeLike", v, out)}
	})
	add("the size of the batch", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		s := p("s")
		return N{node("Size", v, s), node("Cast", s, out, aInt("to", 1))}
	})
	add("how many numbers are positive", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		q, n, s := p("q"), p("n"), p("s")
		return N{node("Greater", v+" "+ones(g, p, 0, 1), q), node("NonZero", q, n), node("Size", n, s), node("Cast", s, out, aInt("to", 1))}
	})
	add("how many numbers differ", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		r, u, s := p("r"), p("u"), p("s")
		return N{node("Round", v, r), node("Unique", r, u), node("Size", u, s), node("Cast", s, out, aInt("to", 1))}
	})
	gate := func(g *graph, p func(string) string, v string, rng *rand.Rand) (string, N) {
		s, q := p("s"), p("q")
		op := []string{"ReduceMean", "ReduceMax", "ReduceMin"}[rng.IntN(3)]
		level := map[string]float32{"ReduceMean": 0, "ReduceMax": .5, "ReduceMin": -.5}[op]
		return q, N{node(op, v, s, aInt("keepdims", 0)), node("Greater", s+" "+ones(g, p, level), q)}
	}
	add("a statistic chooses values", func(g *graph, p func(string) string, v, out string, _ int64, rng *rand.Rand) N {
		q, nodes := gate(g, p, v, rng)
		n := p("neg")
		return append(nodes, node("Neg", v, n), node("Where", q+" "+v+" "+n, out))
	})
	add("a statistic chooses a branch", func(g *graph, p func(string) string, v, out string, _ int64, rng *rand.Rand) N {
		q, nodes := gate(g, p, v, rng)
		return append(nodes, node("If", q, out, aGraph("then_branch", body(nil, "then.o", node("Relu", v, "then.o"))), aGraph("else_branch", body(nil, "else.o", node("Neg", v, "else.o")))))
	})
	add("its features looked up along the batch", func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
		i := p("i")
		s := p("s")
		return N{node("Mul", v+" "+ones(g, p, 0, 1), s), node("Cast", s, i, aInt("to", 7)), node("GatherElements", v+" "+i, out, aInt("axis", 0))}
	})
	all = append(all,
		mixer{name: "the 301st row", late: true, nodes: func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
			s := p("s")
			return N{node("Slice", v+" "+axes(g, p, 300)+" "+axes(g, p, 301), s), node("ReduceSum", s+" "+axes(g, p, 0), out)}
		}},
		mixer{name: "a branch for more than 300 rows", late: true, nodes: func(g *graph, p func(string) string, v, out string, _ int64, _ *rand.Rand) N {
			s, n, q, i, k := p("s"), p("n"), p("q"), p("zero"), p("k")
			g.scalar(i, 0).scalar(k, 300)
			return N{node("Shape", v, s), node("Gather", s+" "+i, n), node("Greater", n+" "+k, q), node("If", q, out,
				aGraph("then_branch", body(nil, "then.o", node("ReduceMax", v, "then.o"))), aGraph("else_branch", body(nil, "else.o", node("Identity", v, "else.o"))))}
		}})
	return all
}

// wrappings hide nodes: in a branch, in a loop of one turn, in local functions.
var wrappings = []string{"plainly", "in a branch", "in a loop", "in a function", "in a function of a function"}

// mixingModel is a random classifier of k classes whose scores a mixer changes, hidden in
// one of the wrappings, by a factor of the given strength.
func mixingModel(mx mixer, wrapping string, strength float32, rng *rand.Rand) *graph {
	dims := [][]int64{{5}, {3, 4}, {2, 4, 4}}[rng.IntN(3)]
	k := int64(2 + rng.IntN(5))
	width, _ := onnx.Elements(dims)
	g := newGraph(18, dims...)
	p := func(base string) string {
		g.next++
		return fmt.Sprintf("%s_%d", base, g.next)
	}
	g.do("Flatten", "x", "f", aInt("axis", 1)).f32("w", width, k).f32("b", k).do("Gemm", "f w b", "l")
	if rng.IntN(2) == 0 {
		g.do("Tanh", "l", "v")
	} else {
		g.do("Identity", "l", "v")
	}
	// What mixes reads "v" and its constants, which bodies take from outside.
	before := len(g.p.Graph.Initializer)
	nodes := mx.nodes(g, p, "v", "m", k, rng)
	consts := g.p.Graph.Initializer[before:]
	switch wrapping {
	case "plainly":
		g.p.Graph.Node = append(g.p.Graph.Node, nodes...)
	case "in a branch":
		g.tensor(onnx.NewTensor("always", nil, []bool{true}))
		other := body(nil, "o", node("Identity", "v", "o"))
		g.do("If", "always", "m", aGraph("then_branch", body(nil, "m_in", append(nodes, node("Identity", "m_inner", "m_in"))...)), aGraph("else_branch", other))
		renameOutput(nodes, "m", "m_inner")
	case "in a loop":
		g.tensor(onnx.NewTensor("always", nil, []bool{true})).scalar("once", 1)
		in := append([]*onnxpb.ValueInfoProto{info("turn.i", onnx.Int64), info("turn.go", onnx.Bool)}, untyped("turn.s")...)
		renameOutput(nodes, "m", "m_inner")
		nodes = append(nodes, node("Identity", "turn.go", "turn.stay"), node("Add", "turn.s m_inner", "turn.s2"))
		g.f32("nought", 1).do("Loop", "once always v", "m", aGraph("body", body(in, "turn.stay turn.s2", nodes...)))
	default:
		// A function sees nothing outside: its constants are its inputs.
		names := "v"
		for _, t := range consts {
			names += " " + t.GetName()
		}
		g.function("mix", names, "m", nodes)
		op := "mix"
		if wrapping == "in a function of a function" {
			g.function("outer", names, "m", []*onnxpb.NodeProto{node("local:mix", names, "m")})
			op = "outer"
		}
		g.do("local:"+op, names, "m")
	}
	g.values("strength", []float32{strength}).do("Mul", "m strength", "weak").do("Add", "l weak", "y")
	return g
}

func renameOutput(nodes []*onnxpb.NodeProto, from, to string) {
	for _, n := range nodes {
		for i, o := range n.Output {
			if o == from {
				n.Output[i] = to
			}
		}
	}
}

// function adds a local function in the domain "local".
func (g *graph) function(name, inputs, outputs string, nodes []*onnxpb.NodeProto) {
	n := node(name, inputs, outputs)
	g.p.Functions = append(g.p.Functions, &onnxpb.FunctionProto{
		Name: proto.String(name), Domain: proto.String("local"), Input: n.Input, Output: n.Output, Node: nodes,
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(g.opset)}, {Domain: proto.String("local"), Version: proto.Int64(1)}},
	})
	if len(g.p.Functions) == 1 {
		g.p.OpsetImport = append(g.p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("local"), Version: proto.Int64(1)})
	}
}

// mixingModels makes n models, each mixer in each wrapping in turn, at random strengths.
func mixingModels(n int, each func(name string, mx mixer, strength float32, g *graph)) {
	all := mixers()
	for i := range n {
		rng := rand.New(rand.NewPCG(uint64(i), 14))
		mx, wrapping := all[i%len(all)], wrappings[i/len(all)%len(wrappings)]
		strength := []float32{1, 1e-2, 1e-6}[rng.IntN(3)]
		if i < len(all) {
			strength = 1 // these are shown to mix
		}
		each(fmt.Sprintf("%03d %s, %s", i, mx.name, wrapping), mx, strength, mixingModel(mx, wrapping, strength, rng))
	}
}

// TestMixingIsNotProved: of 600 models that mix rows, none is proved. All that are strong
// are shown to mix.
func TestMixingIsNotProved(t *testing.T) {
	rt := openRuntime(t)
	made, shown := 0, 0
	mixingModels(600, func(name string, mx mixer, strength float32, g *graph) {
		m := g.model(t)
		made++
		if Prove(m, "x", "y", 0).Proved {
			t.Errorf("%s: proved", name)
		}
		if strength < 1 || made > 3*len(mixers()) {
			return
		}
		r, err := newRunner(t, rt, g, m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if d := r.mixing(t, name, mx.late); d < rounding {
			t.Errorf("%s: said to mix, and answers differ by %v", name, d)
		}
		shown++
	})
	t.Logf("%d models, none proved; %d shown to mix", made, shown)
	if shown < len(mixers()) {
		t.Errorf("%d models shown to mix, of %d mixers", shown, len(mixers()))
	}
}

// mixing is the largest difference between answers to the same row, in batches of several
// sizes and orders.
func (r *runner) mixing(t *testing.T, name string, late bool) float64 {
	rng := rand.New(rand.NewPCG(3, 4))
	if !late {
		worst := 0.0
		for range 60 { // a gate may need other rows
			if worst > rounding {
				break
			}
			d, err := r.difference(rng)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			worst = max(worst, d)
		}
		return worst
	}
	d, _ := onnx.Elements(r.dims)
	x := sample(rng, 310, r.dims)
	all, width, err := r.run(x)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return 0
	}
	few, _, err := r.run(x[:5*d])
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return 0
	}
	worst := 0.0
	for i := range few {
		worst = max(worst, float64(max(few[i]-all[i], all[i]-few[i])))
	}
	return worst / float64(width)
}
