package rows

import (
	"math/rand/v2"
	"slices"
	"testing"

	"ucan/runtime/onnx"
)

// ruleCase is a graph from x to y for the rule of one operator. Where it is to be proved,
// it also runs in onnxruntime, in batches of several sizes and orders.
type ruleCase struct {
	op    string // with its domain
	what  string
	opset int64 // 18 where it is 0
	dims  []int64
	build func(g *graph)
	mixes bool // must not be proved
	// unrun says why onnxruntime does not run the graph; empty: it must.
	unrun string
}

func (c ruleCase) graph() *graph {
	opset := c.opset
	if opset == 0 {
		opset = 18
	}
	g := newGraph(opset, c.dims...)
	c.build(g)
	return g
}

func ruleCases() []ruleCase {
	return slices.Concat(elementwiseCases(), shapeCases(), moveCases(), reduceCases(), linearCases(), windowCases(),
		normCases(), quantCases(), controlCases(), tabularCases(), contribCases())
}

// TestRules: every rule has a case, what a rule proves is true of onnxruntime, and what
// must not be proved is not.
func TestRules(t *testing.T) {
	rt := openRuntime(t)
	covered := map[string]bool{}
	for _, c := range ruleCases() {
		covered[c.op] = true
		t.Run(c.op+"/"+c.what, func(t *testing.T) {
			g := c.graph()
			m := g.model(t)
			if m.Operators()[c.op] == 0 {
				t.Errorf("the graph holds no %s", c.op)
			}
			proof := Prove(m, "x", "y", 0)
			if proof.Proved == c.mixes {
				t.Fatalf("proved: %v (%v)", proof.Proved, proof.Break)
			}
			if c.mixes || c.unrun != "" {
				return
			}
			r, err := newRunner(t, rt, g, m)
			if err != nil {
				t.Fatal(err)
			}
			d, err := r.difference(rand.New(rand.NewPCG(1, 2)))
			if err != nil {
				t.Fatal(err)
			}
			if d > rounding {
				t.Errorf("proved, and answers to the same row differ by %v", d)
			}
		})
	}
	for _, op := range Operators() {
		if !covered[op] {
			t.Errorf("the rule of %s has no case", op)
		}
	}
}

func elementwiseCases() []ruleCase {
	var out []ruleCase
	for op := range rules() {
		switch op {
		case "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp", "HardSigmoid", "HardSwish",
			"IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh",
			"Softplus", "Softsign", "Sqrt", "Tan", "Tanh", "ThresholdedRelu", "Neg", "Floor", "Ceil", "Identity", "com.microsoft.Gelu",
			"com.microsoft.FastGelu", "com.microsoft.QuickGelu":
			name := op
			if name[:3] == "com" {
				name = "com.microsoft:" + op[len("com.microsoft."):]
			}
			out = append(out, ruleCase{op: op, what: "alone", dims: []int64{3, 4}, build: func(g *graph) { g.do(name, "x", "y") }})
		case "Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Mean", "PRelu", "Less", "Greater", "Equal", "LessOrEqual", "GreaterOrEqual":
			out = append(out,
				ruleCase{op: op, what: "with a constant of the last axis", dims: []int64{3, 4}, build: func(g *graph) {
					g.f32("c", 4).do(op, "x c", "y")
				}},
				ruleCase{op: op, what: "with a constant for each place in the batch", dims: []int64{3, 4}, mixes: true, build: func(g *graph) {
					g.f32("c", 7, 3, 4).do(op, "x c", "y")
				}},
				// [N] against [N,3]: the batch of one lies on the other's classes.
				ruleCase{op: op, what: "with rows of a lower rank", dims: []int64{3}, mixes: true, build: func(g *graph) {
					g.i64("one", 1).do("ReduceSum", "x one", "s", aInt("keepdims", 0)).do(op, "x s", "y")
				}})
			if op != "PRelu" {
				out = append(out, ruleCase{op: op, what: "of rows", dims: []int64{3, 4}, build: func(g *graph) {
					g.i64("ax", 1).do("ReduceSum", "x ax", "s").do("Sigmoid", "x", "p").do(op, "p s", "y")
				}})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b ruleCase) int { return slices.Compare([]byte(a.op), []byte(b.op)) })
	boolean := func(op string) ruleCase {
		return ruleCase{op: op, what: "of two conditions", dims: []int64{4}, build: func(g *graph) {
			g.f32("a", 4).f32("b", 1, 4).do("Greater", "x a", "p").do("Less", "x b", "q").do(op, "p q", "y")
		}}
	}
	bits := func(op string, attrs ...string) ruleCase {
		return ruleCase{op: op, what: "of integers", dims: []int64{4}, build: func(g *graph) {
			g.tensor(onnx.NewTensor("a", []int64{4}, []uint8{1, 2, 3, 4})).do("Abs", "x", "p").do("Cast", "p", "q", aInt("to", int64(onnx.Uint8)))
			if op == "BitShift" {
				g.do(op, "q a", "y", aStr("direction", "LEFT"))
			} else {
				g.do(op, "q a", "y")
			}
		}}
	}
	return append(out,
		boolean("And"), boolean("Or"), boolean("Xor"), bits("BitShift"), bits("BitwiseAnd"), bits("BitwiseOr"), bits("BitwiseXor"),
		ruleCase{op: "Mod", what: "of integers", dims: []int64{4}, build: func(g *graph) {
			g.i64("a", 2, 3, 4, 5).do("Cast", "x", "q", aInt("to", 7)).do("Mod", "q a", "y")
		}},
		ruleCase{op: "BitwiseNot", what: "of integers", dims: []int64{4}, build: func(g *graph) {
			g.do("Cast", "x", "q", aInt("to", 7)).do("BitwiseNot", "q", "y")
		}},
		ruleCase{op: "Not", what: "of a condition", dims: []int64{4}, build: func(g *graph) {
			g.f32("a", 4).do("Greater", "x a", "p").do("Not", "p", "y")
		}},
		ruleCase{op: "Where", what: "by its own condition", dims: []int64{4}, build: func(g *graph) {
			g.f32("a", 4).do("Greater", "x a", "p").do("Where", "p x a", "y")
		}},
		ruleCase{op: "Where", what: "by the mean of the batch", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.f32("a", 4).do("ReduceMean", "x", "m", aInts("axes", 0)).do("Greater", "m a", "p").do("Where", "p x a", "y")
		}, opset: 17},
		ruleCase{op: "Clip", what: "to a range", dims: []int64{4}, build: func(g *graph) {
			g.values("lo", []float32{-.5}).values("hi", []float32{.5}).do("Clip", "x lo hi", "y")
		}},
		ruleCase{op: "Gelu", what: "alone", opset: 20, dims: []int64{4}, build: func(g *graph) { g.do("Gelu", "x", "y", aStr("approximate", "tanh")) }},
		ruleCase{op: "Swish", what: "alone", opset: 24, dims: []int64{4}, build: func(g *graph) { g.do("Swish", "x", "y") }},
		ruleCase{op: "Cast", what: "to integers", dims: []int64{4}, build: func(g *graph) { g.do("Cast", "x", "y", aInt("to", 7)) }},
		ruleCase{op: "Cast", what: "of the batch's size, as a value", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.scalar("i", 0).do("Shape", "x", "s").do("Gather", "s i", "n").do("Cast", "n", "f", aInt("to", 1)).do("Mul", "x f", "y")
		}},
		ruleCase{op: "CastLike", what: "to doubles", opset: 19, dims: []int64{4}, build: func(g *graph) {
			g.tensor(onnx.NewTensor("d", nil, []float64{0})).do("CastLike", "x d", "y")
		}},
		ruleCase{op: "Dropout", what: "without a mode", dims: []int64{4}, build: func(g *graph) { g.do("Dropout", "x", "y") }},
		ruleCase{op: "Dropout", what: "with training off", dims: []int64{4}, build: func(g *graph) {
			g.tensor(onnx.NewTensor("off", nil, []bool{false})).do("Dropout", "x _ off", "d m").do("Cast", "m", "mf", aInt("to", 1)).do("Mul", "d mf", "y")
		}},
		ruleCase{op: "Dropout", what: "with training on", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.tensor(onnx.NewTensor("on", nil, []bool{true})).do("Dropout", "x _ on", "y")
		}},
		ruleCase{op: "Constant", what: "added", dims: []int64{2}, build: func(g *graph) {
			g.do("Constant", "", "c", aFloats("value_floats", 1, 2)).do("Add", "x c", "y")
		}},
	)
}

func shapeCases() []ruleCase {
	return []ruleCase{
		{op: "Shape", what: "as the target of a Reshape", dims: []int64{3, 4}, build: func(g *graph) {
			g.i64("i", 0).i64("rest", -1).do("Shape", "x", "s").do("Gather", "s i", "n").do("Concat", "n rest", "t", aInt("axis", 0)).do("Reshape", "x t", "y")
		}},
		{op: "Size", what: "divided into a target", dims: []int64{3, 4}, build: func(g *graph) {
			g.scalar("twelve", 12).i64("z", 0).i64("rest", -1).do("Size", "x", "s").do("Div", "s twelve", "n").do("Unsqueeze", "n z", "v").
				do("Concat", "v rest", "t", aInt("axis", 0)).do("Reshape", "x t", "y")
		}},
		{op: "Reshape", what: "heads merged with the batch and parted again", dims: []int64{4, 6}, build: func(g *graph) {
			g.i64("t", -1, 4, 3, 2).i64("m", -1, 4, 2).i64("b", -1, 3, 4, 2).do("Reshape", "x t", "h").do("Transpose", "h", "p", aInts("perm", 0, 2, 1, 3)).
				do("Reshape", "p m", "q").do("Softmax", "q", "s").do("Reshape", "s b", "r").do("Transpose", "r", "y", aInts("perm", 0, 2, 1, 3))
		}},
		{op: "Reshape", what: "the sequence in front of the batch", dims: []int64{4, 6}, build: func(g *graph) {
			g.i64("flat", -1, 6).i64("back", 4, -1, 5).f32("w", 6, 5).do("Transpose", "x", "p", aInts("perm", 1, 0, 2)).do("Reshape", "p flat", "q").
				do("MatMul", "q w", "s").do("Reshape", "s back", "r").do("Transpose", "r", "y", aInts("perm", 1, 0, 2))
		}},
		{op: "Reshape", what: "rows that do not stay whole", dims: []int64{6}, mixes: true, build: func(g *graph) {
			g.i64("t", -1, 4).i64("b", -1, 6).do("Reshape", "x t", "h").do("Softmax", "h", "s").do("Reshape", "s b", "y")
		}},
		{op: "Reshape", what: "two rows made one", dims: []int64{6}, mixes: true, build: func(g *graph) {
			g.i64("t", -1, 12).do("Reshape", "x t", "y")
		}},
		{op: "Reshape", what: "the sequence in front of the batch, merged the wrong way round", dims: []int64{4, 6}, mixes: true, build: func(g *graph) {
			g.i64("flat", -1, 6).i64("back", -1, 4, 6).do("Transpose", "x", "p", aInts("perm", 1, 0, 2)).do("Reshape", "p flat", "q").do("Reshape", "q back", "y")
		}},
		{op: "Reshape", what: "a constant without elements made as long as the batch", dims: []int64{3}, mixes: true, build: func(g *graph) {
			g.i64("i", 0).f32("e", 0).i64("p", 0, 0, 0, 1).values("one", []float32{1}).do("Shape", "x", "sh").do("Gather", "sh i", "n").do("Concat", "n i", "t", aInt("axis", 0)).
				do("Reshape", "e t", "r", aInt("allowzero", 1)).do("Pad", "r p one", "q").do("ReduceSum", "q i", "k").do("Add", "x k", "y")
		}},
		{op: "Reshape", what: "rows without elements made as long as the batch", dims: []int64{3}, mixes: true, build: func(g *graph) {
			g.i64("i", 0).i64("one", 1).i64("both", 1, 2).i64("p", 0, 0, 0, 0, 0, 1).values("f", []float32{1}).do("Shape", "x", "sh").do("Gather", "sh i", "n").
				do("Slice", "x i i one", "v").do("Concat", "n n i", "t", aInt("axis", 0)).do("Reshape", "v t", "r", aInt("allowzero", 1)).do("Pad", "r p f", "q").
				do("ReduceSum", "q both", "k", aInt("keepdims", 0)).do("Unsqueeze", "k one", "k1").do("Add", "x k1", "y")
		}},
		{op: "Concat", what: "with a constant without elements, whose extents choose", dims: []int64{3}, mixes: true, build: func(g *graph) {
			g.i64("i", 0).i64("start", 5).i64("end", -9).i64("step", -1).i64("five", 5).f32("k", 2, 3).f32("e", 5, 0).do("Slice", "k start end i step", "c").
				do("Concat", "c e", "l", aInt("axis", 1)).do("Shape", "l", "sh").do("Gather", "sh i", "w").do("Equal", "w five", "cond").
				do("If", "cond", "y", aGraph("then_branch", body(nil, "a", node("Relu", "x", "a"))), aGraph("else_branch", body(nil, "b", node("ReduceMax", "x", "m"), node("Add", "x m", "b"))))
		}},
		{op: "Flatten", what: "from axis 1", dims: []int64{3, 4}, build: func(g *graph) { g.do("Flatten", "x", "y", aInt("axis", 1)) }},
		{op: "Flatten", what: "from axis 0", dims: []int64{3, 4}, mixes: true, build: func(g *graph) { g.do("Flatten", "x", "y", aInt("axis", 0)) }},
		{op: "Flatten", what: "images to pixels and on", dims: []int64{3, 4}, build: func(g *graph) {
			g.i64("b", -1, 3, 4).do("Flatten", "x", "f", aInt("axis", 2)).do("Softmax", "f", "s").do("Reshape", "s b", "y")
		}},
		{op: "Squeeze", what: "a named axis", dims: []int64{1, 4}, build: func(g *graph) { g.i64("a", -2).do("Squeeze", "x a", "y") }},
		{op: "Squeeze", what: "every axis of extent 1", dims: []int64{1, 4}, mixes: true, build: func(g *graph) { g.do("Squeeze", "x", "y") }},
		{op: "Unsqueeze", what: "behind", dims: []int64{4}, build: func(g *graph) { g.i64("a", -1, 1).do("Unsqueeze", "x a", "y") }},
		{op: "Unsqueeze", what: "in front, so that the batch is a channel", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.i64("a", 0).do("Unsqueeze", "x a", "u").do("Softmax", "u", "y", aInt("axis", 1))
		}},
		{op: "Transpose", what: "there and back", dims: []int64{3, 4}, build: func(g *graph) {
			g.do("Transpose", "x", "p", aInts("perm", 2, 0, 1)).do("Relu", "p", "r").do("Transpose", "r", "y", aInts("perm", 1, 2, 0))
		}},
		{op: "Transpose", what: "softmax over the batch in between", dims: []int64{3}, mixes: true, build: func(g *graph) {
			g.do("Transpose", "x", "p").do("Softmax", "p", "r").do("Transpose", "r", "y")
		}},
		{op: "Expand", what: "a token for every row", dims: []int64{3, 4}, build: func(g *graph) {
			g.f32("token", 1, 1, 4).i64("i", 0).i64("rest", 1, 4).do("Shape", "x", "s").do("Gather", "s i", "n").do("Concat", "n rest", "t", aInt("axis", 0)).
				do("Expand", "token t", "e").do("Concat", "e x", "y", aInt("axis", 1))
		}},
		{op: "Expand", what: "rows to two", dims: []int64{1, 4}, build: func(g *graph) { g.i64("t", 1, 2, 1).do("Expand", "x t", "y") }},
		{op: "Expand", what: "rows to a fixed batch", dims: []int64{4}, mixes: true, build: func(g *graph) { g.i64("t", 7, 4).do("Expand", "x t", "y") }},
		{op: "Tile", what: "features", dims: []int64{4}, build: func(g *graph) { g.i64("r", 1, 3).do("Tile", "x r", "y") }},
		{op: "Tile", what: "the batch, and its parts taken again", dims: []int64{4}, build: func(g *graph) {
			g.i64("r", 2, 1).do("Tile", "x r", "t").do("Split", "t", "a b", aInt("axis", 0), aInt("num_outputs", 2)).do("Sub", "a b", "y")
		}},
		{op: "Tile", what: "the batch, cut elsewhere", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.i64("r", 3, 1).do("Tile", "x r", "t").do("Split", "t", "a b", aInt("axis", 0), aInt("num_outputs", 2)).do("Sub", "a b", "y")
		}},
		{op: "ConstantOfShape", what: "zeros for every row", dims: []int64{4}, build: func(g *graph) {
			g.do("Shape", "x", "s").do("ConstantOfShape", "s", "z").do("Concat", "x z", "y", aInt("axis", 1))
		}},
		{op: "Range", what: "over features", dims: []int64{4}, build: func(g *graph) {
			g.scalar("a", 0).scalar("b", 4).scalar("d", 1).do("Range", "a b d", "r").do("Cast", "r", "f", aInt("to", 1)).do("Add", "x f", "y")
		}},
		{op: "Range", what: "over the batch", dims: []int64{1}, mixes: true, build: func(g *graph) {
			g.scalar("a", 0).scalar("i", 0).scalar("d", 1).i64("ax", 1).do("Shape", "x", "s").do("Gather", "s i", "n").do("Range", "a n d", "r").
				do("Cast", "r", "f", aInt("to", 1)).do("Unsqueeze", "f ax", "u").do("Add", "x u", "y")
		}},
	}
}

func moveCases() []ruleCase {
	return []ruleCase{
		{op: "Concat", what: "of features", dims: []int64{3}, build: func(g *graph) { g.do("Relu", "x", "r").do("Concat", "x r", "y", aInt("axis", -1)) }},
		{op: "Concat", what: "of views, averaged", dims: []int64{3}, build: func(g *graph) {
			g.do("Neg", "x", "r").do("Concat", "x r", "v", aInt("axis", 0)).do("Exp", "v", "e").
				do("Split", "e", "a b", aInt("axis", 0), aInt("num_outputs", 2)).do("Add", "a b", "y")
		}},
		{op: "Concat", what: "of a constant in front of the batch", dims: []int64{3}, mixes: true, build: func(g *graph) {
			g.f32("c", 1, 3).i64("a", 0).i64("e", -1).do("Concat", "c x", "v", aInt("axis", 0)).do("Slice", "v a e", "y")
		}},
		{op: "Split", what: "of features", dims: []int64{5}, build: func(g *graph) {
			g.i64("p", 2, 3).f32("w", 3, 2).do("Split", "x p", "a b", aInt("axis", 1)).do("MatMul", "b w", "c").do("Mul", "a c", "y")
		}},
		{op: "Split", what: "of the batch", dims: []int64{5}, mixes: true, build: func(g *graph) {
			g.do("Split", "x", "a b", aInt("axis", 0), aInt("num_outputs", 2)).do("Concat", "b a", "y", aInt("axis", 0))
		}},
		{op: "Slice", what: "of features, backwards", dims: []int64{5}, build: func(g *graph) {
			g.i64("a", -1).i64("b", -100).i64("ax", 1).i64("st", -2).do("Slice", "x a b ax st", "y")
		}},
		{op: "Slice", what: "of every row", dims: []int64{5}, build: func(g *graph) {
			g.i64("a", 0, 1).i64("b", 1<<62, 4).do("Slice", "x a b", "y")
		}},
		{op: "Slice", what: "of rows turned round", dims: []int64{5}, mixes: true, build: func(g *graph) {
			g.i64("a", -1).i64("b", -1<<62).i64("ax", 0).i64("st", -1).do("Slice", "x a b ax st", "y")
		}},
		{op: "Slice", what: "of the first 300 rows", dims: []int64{5}, mixes: true, build: func(g *graph) { g.i64("a", 0).i64("b", 300).do("Slice", "x a b", "y") }},
		{op: "Slice", what: "the batch rolled by one", dims: []int64{5}, mixes: true, build: func(g *graph) {
			g.i64("z", 0).i64("one", 1).i64("m", 1<<62).do("Slice", "x one m", "a").do("Slice", "x z one", "b").do("Concat", "a b", "y", aInt("axis", 0))
		}},
		{op: "Gather", what: "of features", dims: []int64{5}, build: func(g *graph) { g.i64("i", 4, 0, 2).do("Gather", "x i", "y", aInt("axis", 1)) }},
		{op: "Gather", what: "of one feature in front of the batch", dims: []int64{5, 2}, build: func(g *graph) {
			g.scalar("i", 1).do("Transpose", "x", "p", aInts("perm", 1, 0, 2)).do("Gather", "p i", "y", aInt("axis", 0))
		}},
		{op: "Gather", what: "of a table by rows", dims: []int64{3}, build: func(g *graph) {
			g.f32("table", 4, 2).do("Sigmoid", "x", "p").do("Round", "p", "r").do("Cast", "r", "i", aInt("to", 7)).do("Gather", "table i", "y")
		}},
		{op: "Gather", what: "of the first row", dims: []int64{5}, mixes: true, build: func(g *graph) { g.i64("i", 0).do("Gather", "x i", "f").do("Add", "x f", "y") }},
		{op: "Gather", what: "of rows by rows", dims: []int64{1}, mixes: true, build: func(g *graph) {
			g.i64("ax", 1).do("Sigmoid", "x", "p").do("Cast", "p", "i", aInt("to", 7)).do("Squeeze", "i ax", "v").do("Gather", "x v", "y")
		}},
		{op: "GatherElements", what: "of its own features", dims: []int64{4}, build: func(g *graph) {
			g.do("Sigmoid", "x", "p").do("Round", "p", "r").do("Cast", "r", "i", aInt("to", 7)).do("GatherElements", "x i", "y", aInt("axis", 1))
		}},
		{op: "GatherElements", what: "along the batch", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.do("Sigmoid", "x", "p").do("Cast", "p", "i", aInt("to", 7)).do("GatherElements", "x i", "y", aInt("axis", 0))
		}},
		{op: "GatherND", what: "with the batch as its own axis", dims: []int64{4}, build: func(g *graph) {
			g.do("ArgMax", "x", "i", aInt("axis", 1)).do("GatherND", "x i", "y", aInt("batch_dims", 1))
		}},
		{op: "GatherND", what: "without", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.do("ArgMax", "x", "i", aInt("axis", 1)).do("Mul", "i i", "j").do("GatherND", "x j", "y")
		}},
		{op: "ScatterElements", what: "into its own features", dims: []int64{4}, build: func(g *graph) {
			g.do("TopK", "x two", "v i").i64("two", 2).do("Neg", "v", "n").do("ScatterElements", "x i n", "y", aInt("axis", 1))
		}},
		{op: "ScatterElements", what: "along the batch", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.do("Sigmoid", "x", "p").do("Cast", "p", "i", aInt("to", 7)).do("ScatterElements", "x i p", "y", aInt("axis", 0))
		}},
		{op: "Scatter", what: "into its own features", opset: 10, dims: []int64{4}, build: func(g *graph) {
			g.i64("two", 2).do("TopK", "x two", "v i").do("Neg", "v", "n").do("Scatter", "x i n", "y", aInt("axis", 1))
		}},
		{op: "ScatterND", what: "into the next row", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.tensor(onnx.NewTensor("i", []int64{1, 1}, []int64{1})).i64("a", 0).i64("b", 1).do("Slice", "x a b", "f").do("ScatterND", "x i f", "y")
		}},
		{op: "Pad", what: "of features", dims: []int64{4}, build: func(g *graph) { g.i64("p", 0, 1, 0, 2).do("Pad", "x p", "y", aStr("mode", "reflect")) }},
		{op: "Pad", what: "rows pushed on and cut off", dims: []int64{4}, mixes: true, build: func(g *graph) { g.i64("p", 1, 0, -1, 0).do("Pad", "x p", "y") }},
		{op: "DepthToSpace", what: "of images", dims: []int64{8, 2, 3}, build: func(g *graph) { g.do("DepthToSpace", "x", "y", aInt("blocksize", 2)) }},
		{op: "SpaceToDepth", what: "of images", dims: []int64{2, 4, 6}, build: func(g *graph) { g.do("SpaceToDepth", "x", "y", aInt("blocksize", 2)) }},
		{op: "DepthToSpace", what: "of the batch", dims: []int64{2, 3}, mixes: true, build: func(g *graph) {
			g.i64("t", 1, -1, 2, 3).do("Reshape", "x t", "r").do("DepthToSpace", "r", "y", aInt("blocksize", 2))
		}},
		{op: "Trilu", what: "of matrices", dims: []int64{3, 4}, build: func(g *graph) { g.do("Trilu", "x", "y", aInt("upper", 0)) }},
		{op: "Trilu", what: "of the batch", dims: []int64{4}, mixes: true, build: func(g *graph) { g.do("Trilu", "x", "y") }},
		{op: "Compress", what: "of features", dims: []int64{3}, build: func(g *graph) {
			g.tensor(onnx.NewTensor("c", []int64{3}, []bool{true, false, true})).do("Compress", "x c", "y", aInt("axis", 1))
		}},
		{op: "Compress", what: "of rows", dims: []int64{3}, mixes: true, build: func(g *graph) {
			g.tensor(onnx.NewTensor("c", []int64{3}, []bool{true, false, true})).do("Compress", "x c", "y", aInt("axis", 0))
		}},
		constantOnly("NonZero", func(g *graph) { g.i64("c", 0, 1, 1).do("NonZero", "c", "nz") }, "nz"),
		constantOnly("Unique", func(g *graph) { g.i64("c", 3, 1, 1).do("Unique", "c", "u") }, "u"),
		constantOnly("EyeLike", func(g *graph) { g.f32("c", 3, 3).do("EyeLike", "c", "e") }, "e"),
		{op: "EyeLike", what: "of the batch", dims: []int64{4}, mixes: true, build: func(g *graph) { g.do("EyeLike", "x", "e").do("Add", "x e", "y") }},
		{op: "NonZero", what: "of the batch", dims: []int64{4}, mixes: true, build: func(g *graph) { g.do("NonZero", "x", "n").do("Transpose", "n", "y") }},
		{op: "Unique", what: "of the batch", dims: []int64{4}, mixes: true, build: func(g *graph) { g.do("Unique", "x", "y", aInt("axis", 0)) }},
		{op: "NonMaxSuppression", what: "of the batch", dims: []int64{4, 4}, mixes: true, build: func(g *graph) {
			g.i64("k", 3).do("Transpose", "x", "s").do("NonMaxSuppression", "x s k", "y")
		}},
		{op: "MaxUnpool", what: "by places in the batch", dims: []int64{2, 4, 4}, mixes: true, build: func(g *graph) {
			g.do("MaxPool", "x", "p i", aInts("kernel_shape", 2, 2), aInts("strides", 2, 2)).do("MaxUnpool", "p i", "y", aInts("kernel_shape", 2, 2), aInts("strides", 2, 2))
		}},
		{op: "ReverseSequence", what: "of the batch", dims: []int64{4}, mixes: true, build: func(g *graph) {
			g.i64("l", 1, 2, 3, 4).do("ReverseSequence", "x l", "y", aInt("batch_axis", 1), aInt("time_axis", 0))
		}},
		{op: "RoiAlign", what: "of chosen rows", dims: []int64{1, 4, 4}, mixes: true, build: func(g *graph) {
			g.f32("r", 1, 4).i64("b", 0).do("RoiAlign", "x r b", "y")
		}},
		{op: "MaxRoiPool", what: "of chosen rows", dims: []int64{1, 4, 4}, mixes: true, build: func(g *graph) {
			g.f32("r", 1, 5).do("MaxRoiPool", "x r", "y", aInts("pooled_shape", 1, 1))
		}},
	}
}

// constantOnly adds something made of constants alone to rows.
func constantOnly(op string, build func(g *graph), name string) ruleCase {
	return ruleCase{op: op, what: "of constants", dims: []int64{2}, build: func(g *graph) {
		build(g)
		g.do("Cast", name, "made", aInt("to", 1)).do("Size", "made", "size").do("Cast", "size", "f", aInt("to", 1)).do("Mul", "x f", "y")
	}}
}

func reduceCases() []ruleCase {
	var out []ruleCase
	for _, op := range []string{
		"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSumSquare", "ReduceSum", "ReduceProd",
	} {
		out = append(out,
			ruleCase{op: op, what: "of features", dims: []int64{3, 4}, build: func(g *graph) { g.i64("a", -1, 1).do(op, "x a", "y", aInt("keepdims", 0)) }},
			ruleCase{op: op, what: "of nothing", dims: []int64{3, 4}, build: func(g *graph) { g.do(op, "x", "y", aInt("noop_with_empty_axes", 1)) }},
			ruleCase{op: op, what: "of all", dims: []int64{3}, mixes: true, build: func(g *graph) { g.do(op, "x", "s").do("Add", "x s", "y") }},
			ruleCase{op: op, what: "of the batch, counted from behind", dims: []int64{3}, mixes: true, build: func(g *graph) {
				g.i64("a", -2).do(op, "x a", "s").do("Add", "x s", "y")
			}},
			ruleCase{op: op, what: "of the batch, before opset 13", opset: 11, dims: []int64{3}, mixes: true, build: func(g *graph) {
				g.do(op, "x", "s", aInts("axes", 0)).do("Add", "x s", "y")
			}})
	}
	for _, op := range []string{"Softmax", "LogSoftmax", "Hardmax"} {
		out = append(out,
			ruleCase{op: op, what: "of features", dims: []int64{3, 4}, build: func(g *graph) { g.do(op, "x", "y", aInt("axis", 1)) }},
			ruleCase{op: op, what: "of all features, before opset 13", opset: 11, dims: []int64{3, 4}, build: func(g *graph) { g.do(op, "x", "y") }},
			ruleCase{op: op, what: "of the batch", dims: []int64{3}, mixes: true, build: func(g *graph) { g.do(op, "x", "y", aInt("axis", -2)) }},
			ruleCase{op: op, what: "of the batch and all behind it, before opset 13", opset: 11, dims: []int64{3, 4}, mixes: true, build: func(g *graph) {
				g.do("Transpose", "x", "p", aInts("perm", 1, 0, 2)).do(op, "p", "s", aInt("axis", 1)).do("Transpose", "s", "y", aInts("perm", 1, 0, 2))
			}})
	}
	for _, op := range []string{"ArgMax", "ArgMin"} {
		out = append(out,
			ruleCase{op: op, what: "of features", dims: []int64{4}, build: func(g *graph) { g.do(op, "x", "y", aInt("axis", 1), aInt("keepdims", 0)) }},
			ruleCase{op: op, what: "of the batch, its default", dims: []int64{4}, mixes: true, build: func(g *graph) {
				g.do(op, "x", "i").do("Cast", "i", "f", aInt("to", 1)).do("Add", "x f", "y")
			}})
	}
	for _, op := range []string{"CumSum", "CumProd"} {
		c := ruleCase{op: op, what: "of features", dims: []int64{4}, build: func(g *graph) { g.scalar("a", 1).do(op, "x a", "y") }}
		if op == "CumProd" {
			c.opset, c.unrun = 25, "the operator is newer than onnxruntime's"
		}
		out = append(out, c, ruleCase{op: op, what: "of the batch", dims: []int64{4}, mixes: true, build: func(g *graph) { g.scalar("a", 0).do(op, "x a", "y") }})
	}
	return append(out,
		ruleCase{op: "TopK", what: "of features", dims: []int64{5}, build: func(g *graph) {
			g.i64("k", 2).do("TopK", "x k", "v i").do("Cast", "i", "f", aInt("to", 1)).do("Concat", "v f", "y", aInt("axis", 1))
		}},
		ruleCase{op: "TopK", what: "of the batch", dims: []int64{5}, mixes: true, build: func(g *graph) { g.i64("k", 1).do("TopK", "x k", "v i", aInt("axis", 0)).do("Add", "x v", "y") }},
		ruleCase{op: "OneHot", what: "of labels", dims: []int64{3}, build: func(g *graph) {
			g.scalar("d", 4).f32("v", 2).do("ArgMax", "x", "i", aInt("axis", 1), aInt("keepdims", 0)).do("OneHot", "i d v", "y")
		}},
		ruleCase{op: "OneHot", what: "in front of the batch", dims: []int64{3}, mixes: true, build: func(g *graph) {
			g.scalar("d", 3).f32("v", 2).do("ArgMax", "x", "i", aInt("axis", 1), aInt("keepdims", 0)).do("OneHot", "i d v", "y", aInt("axis", 0))
		}},
		ruleCase{op: "LRN", what: "over channels", dims: []int64{5, 2, 2}, build: func(g *graph) { g.do("LRN", "x", "y", aInt("size", 3)) }},
		ruleCase{op: "LRN", what: "over the batch", dims: []int64{2, 2}, mixes: true, build: func(g *graph) {
			g.i64("a", 0).do("Unsqueeze", "x a", "u").do("LRN", "u", "l", aInt("size", 3)).do("Squeeze", "l a", "y")
		}},
		ruleCase{op: "LpNormalization", what: "of features", dims: []int64{5}, build: func(g *graph) { g.do("LpNormalization", "x", "y") }},
		ruleCase{op: "LpNormalization", what: "of the batch", dims: []int64{5}, mixes: true, build: func(g *graph) { g.do("LpNormalization", "x", "y", aInt("axis", 0)) }},
		ruleCase{op: "MeanVarianceNormalization", what: "of places", dims: []int64{2, 3, 3}, build: func(g *graph) {
			g.do("MeanVarianceNormalization", "x", "y", aInts("axes", 2, 3))
		}},
		ruleCase{op: "MeanVarianceNormalization", what: "of the batch, its default", dims: []int64{2, 3, 3}, mixes: true, build: func(g *graph) { g.do("MeanVarianceNormalization", "x", "y") }},
	)
}
