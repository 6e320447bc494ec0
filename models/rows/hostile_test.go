package rows

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"testing"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// TestHostileNodes: no rule panics, whatever number and kind of inputs, shapes and
// attributes a file gives its operator.
func TestHostileNodes(t *testing.T) {
	names := []string{
		"axis", "axes", "keepdims", "perm", "split", "num_outputs", "starts", "ends", "steps", "pads", "strides", "dilations", "kernel_shape",
		"ceil_mode", "group", "blocksize", "batch_dims", "k", "to", "start", "end", "layout", "hidden_size", "num_scan_inputs", "scan_input_axes",
		"scan_output_axes", "transA", "transB", "noop_with_empty_axes", "allowzero", "block_size", "output_padding", "num_heads", "channels_last",
	}
	pool := func(rng *rand.Rand) *value {
		dims := func() []dim {
			d := make([]dim, rng.IntN(5))
			for i := range d {
				d[i] = []dim{fixed(0), fixed(1), fixed(3), fixed(4), openDim, {n: 1}, fixed(-2), fixed(1 << 50)}[rng.IntN(8)]
			}
			return d
		}
		switch rng.IntN(7) {
		case 0:
			return nil
		case 1:
			return &value{why: &Break{Reason: "hostile"}}
		case 2:
			return unknownConstant(nil, false)
		case 3:
			return shaped(dims())
		case 4:
			e := make([]num, rng.IntN(5))
			for i := range e {
				e[i] = []num{{}, plain(0), plain(-1), plain(2), {n: 1, ok: true}, {n: 3, c: -7, ok: true}, plain(9.3e18), plain(.5), plain(-1 << 51)}[rng.IntN(9)]
			}
			d := []dim{fixed(int64(len(e)))}
			if len(e) == 1 && rng.IntN(2) == 0 {
				d = nil
			}
			return vector(d, e, []onnx.DType{onnx.Int64, onnx.Float, onnx.Bool, onnx.Int32}[rng.IntN(4)])
		}
		d := append(dims(), dim{n: 1})
		at := rng.IntN(len(d))
		outer, inner := int64(1+rng.IntN(2)), int64(1+rng.IntN(2))
		d[at] = dim{n: outer * inner}
		return rowsOf(d, at, outer, inner)
	}
	lib, all := newGraph(18).model(t).Library(), rules()
	for op, r := range all {
		r.attributes = "*" // so that attributes reach every rule
		all[op] = r
	}
	for _, op := range Operators() {
		failed := false
		for seed := range 1500 {
			if failed {
				break
			}
			rng := rand.New(rand.NewPCG(uint64(seed), 5))
			p := &prover{rules: all, left: mostSteps, lib: lib, batch: int64([]int{0, 0, 4}[rng.IntN(3)])}
			n := &onnxpb.NodeProto{OpType: &op}
			c := &call{p: p, f: &frame{values: map[string]*value{}}, n: n, opset: int64(7 + rng.IntN(18)), out: make([]*value, rng.IntN(4))}
			for range len(c.out) {
				n.Output = append(n.Output, "o")
			}
			for range rng.IntN(7) {
				c.in = append(c.in, pool(rng))
			}
			for range rng.IntN(4) {
				v := make([]int64, rng.IntN(5))
				for i := range v {
					v[i] = []int64{0, 1, -1, 2, 3, -7, 1 << 62, -1 << 62}[rng.IntN(8)]
				}
				name := names[rng.IntN(len(names))]
				if rng.IntN(2) == 0 {
					n.Attribute = append(n.Attribute, aInts(name, v...))
				} else {
					n.Attribute = append(n.Attribute, aInt(name, []int64{0, 1, -1, 2, 3, -7, 1 << 62, -1 << 62}[rng.IntN(8)]))
				}
			}
			func() {
				defer func() {
					if r := recover(); r != nil {
						t.Errorf("%s, seed %d: panic: %v\n%s", op, seed, r, debug.Stack())
						failed = true
					}
				}()
				c.apply()
			}()
		}
	}
}

// TestProofOfTurnsIsBounded nests loops of known counts around a body of constants that nothing
// reads: few nodes, and far too many turns.
func TestProofOfTurnsIsBounded(t *testing.T) {
	inner := "s0"
	g := newGraph(18, 3).scalar("trips", 40).tensor(onnx.NewTensor("go", nil, []bool{true}))
	var made *onnxpb.GraphProto
	for depth := range 2 {
		names := fmt.Sprintf("i%d c%d s%d", depth, depth, depth)
		nodes := []*onnxpb.NodeProto{node("Identity", "go", fmt.Sprintf("go%d", depth))}
		if depth == 0 {
			nodes = append(nodes, node("Identity", inner, "o0"))
		} else {
			nodes = append(nodes, node("Loop", fmt.Sprintf("trips _ s%d", depth), fmt.Sprintf("o%d", depth), aGraph("body", made)))
		}
		made = body(untyped(names), fmt.Sprintf("go%d o%d", depth, depth), nodes...)
		if depth == 0 {
			for k := range 1000 {
				made.Initializer = append(made.Initializer, must(onnx.NewTensor(fmt.Sprintf("k%d", k), nil, []float32{1})))
			}
		}
	}
	m := g.do("Loop", "trips _ x", "y", aGraph("body", made)).model(t)
	if proof := Prove(m, "x", "y", 0); proof.Proved || !strings.Contains(proof.Break.Reason, "steps to follow") {
		t.Errorf("proved %v: %v", proof.Proved, proof.Break)
	}
}

// TestRangeOfInexactNumbersEnds: in float64, such numbers do not count on.
func TestRangeOfInexactNumbersEnds(t *testing.T) {
	g := newGraph(18, 3).scalar("a", 1<<60).scalar("b", 1<<60+256).scalar("one", 1)
	if proof := Prove(g.do("Range", "a b one", "r").do("Relu", "x", "y").model(t), "x", "y", 0); !proof.Proved {
		t.Error(proof.Break)
	}
}

// TestBlocksizeOfNoSize: the square of 1<<32 is 0 in 64 bits.
func TestBlocksizeOfNoSize(t *testing.T) {
	for _, op := range []string{"DepthToSpace", "SpaceToDepth"} {
		if Prove(newGraph(18, 4, 2, 2).do(op, "x", "y", aInt("blocksize", 1<<32)).model(t), "x", "y", 0).Proved {
			t.Errorf("%s: proved", op)
		}
	}
}

// TestOldOperatorSets: before version 7, operators broadcast along an axis of their own.
func TestOldOperatorSets(t *testing.T) {
	g := newGraph(6, 4).do("Transpose", "x", "t").do("Add", "t t", "s", aInt("axis", 0), aInt("broadcast", 1)).do("Transpose", "s", "y")
	if Prove(g.model(t), "x", "y", 0).Proved {
		t.Error("proved")
	}
}

// TestConstantCutByBatch: of a constant of unknown shape, as many elements as there are rows are no
// constant. A branch that they choose is another one for another number of rows.
func TestConstantCutByBatch(t *testing.T) {
	for op, cut := range map[string]func(g *graph) *graph{
		"Slice": func(g *graph) *graph { return g.do("Slice", "u zero n one", "part") },
		"Expand": func(g *graph) *graph {
			return g.do("Concat", "one n", "to", aInt("axis", 0)).do("Expand", "u to", "part")
		},
		"Reshape": func(g *graph) *graph { return g.do("Reshape", "u n", "part") },
	} {
		g := newGraph(17, 3).values("c", []float32{1, 1, 1, 1}, 4).i64("zero", 0).i64("one", 1).scalar("limit", 0)
		g.do("NonZero", "c", "u").do("Shape", "x", "s").do("Slice", "s zero one", "n")
		g = cut(g).do("ReduceSum", "part", "total", aInt("keepdims", 0)).do("Greater", "total limit", "more")
		branch := func(op string) *onnxpb.GraphProto { return body(nil, "b", node(op, "x", "b")) }
		m := g.do("If", "more", "y", aGraph("then_branch", branch("Neg")), aGraph("else_branch", branch("Identity"))).model(t)
		if Prove(m, "x", "y", 0).Proved {
			t.Errorf("%s: proved", op)
		}
	}
}
