package rows

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// grower adds random operators, with axes and shapes drawn at random, to a graph, and
// keeps the statements that the rules make about its values.
type grower struct {
	g     *graph
	rng   *rand.Rand
	p     *prover
	f     *frame
	names []string // values that hold rows
}

func newGrower(rng *rand.Rand) *grower {
	dims := [][]int64{{6}, {2, 6}, {4, 3}, {2, 4, 4}, {4, 2, 3}, {1, 4}}[rng.IntN(6)]
	w := &grower{g: newGraph(18, dims...), rng: rng}
	w.p = &prover{rules: rules(), left: mostSteps, lib: must2(modelOf(w.g.p)).Library()}
	d := []dim{{n: 1}}
	for _, n := range dims {
		d = append(d, fixed(n))
	}
	w.f = &frame{values: map[string]*value{"x": rowsOf(d, 0, 1, 1)}}
	w.names = []string{"x"}
	return w
}

func must2(m *onnx.Model, err error) *onnx.Model {
	if err != nil {
		panic(err)
	}
	return m
}

func (w *grower) fresh(base string) string {
	w.g.next++
	return fmt.Sprintf("%s_%d", base, w.g.next)
}

func (w *grower) ints(v ...int64) string {
	name := w.fresh("i")
	w.g.i64(name, v...)
	w.f.values[name] = constantOf(w.g.p.Graph.Initializer[len(w.g.p.Graph.Initializer)-1])
	return name
}

func (w *grower) floats(dims ...int64) string {
	name := w.fresh("c")
	w.g.f32(name, dims...)
	w.f.values[name] = constantOf(w.g.p.Graph.Initializer[len(w.g.p.Graph.Initializer)-1])
	return name
}

// add follows a node, and keeps it where its first output holds rows.
func (w *grower) add(n *onnxpb.NodeProto) bool {
	if why := w.p.node(w.f, n); why != nil {
		panic(why.String())
	}
	v := w.f.values[n.GetOutput()[0]]
	total, ok := size(v.dims)
	if v.kind != perRow || v.rank() > 6 || ok && total.n > 4000 {
		for _, o := range n.GetOutput() {
			delete(w.f.values, o)
		}
		return false
	}
	w.g.p.Graph.Node = append(w.g.p.Graph.Node, n)
	w.names = append(w.names, n.GetOutput()[0])
	return true
}

func (w *grower) pick() (string, *value) {
	name := w.names[len(w.names)-1]
	if w.rng.IntN(4) == 0 {
		name = w.names[w.rng.IntN(len(w.names))]
	}
	return name, w.f.values[name]
}

// grow tries one random operator, which may or may not be provable.
func (w *grower) grow() {
	name, v := w.pick()
	rng, rank, out := w.rng, v.rank(), w.fresh("v")
	axis := int64(rng.IntN(rank))
	if rng.IntN(3) == 0 {
		axis -= int64(rank)
	}
	at := int(axis)
	if at < 0 {
		at += rank
	}
	at = min(at, rank-1)
	concrete := func(d dim) int64 { // an extent that may clash with the batch
		if d.known() {
			return d.c
		}
		return []int64{1, 7, d.n}[rng.IntN(3)]
	}
	one := func(op string, extra string, attrs ...*onnxpb.AttributeProto) {
		w.add(node(op, name+extra, out, attrs...))
	}
	switch rng.IntN(24) {
	case 0:
		one([]string{"Tanh", "Sin", "Relu", "Sigmoid", "Neg", "Abs"}[rng.IntN(6)], "")
	case 1: // a constant against a suffix of the shape, 1 here and there
		var dims []int64
		for _, d := range v.dims[rng.IntN(rank):] {
			if n := concrete(d); rng.IntN(3) > 0 {
				dims = append(dims, n)
			} else {
				dims = append(dims, 1)
			}
		}
		one([]string{"Add", "Mul", "Sub", "Max"}[rng.IntN(4)], " "+w.floats(dims...))
	case 2:
		other, _ := w.pick()
		w.add(node([]string{"Add", "Mul", "Min"}[rng.IntN(3)], name+" "+other, out))
	case 3, 4:
		var perm []int64
		for _, a := range rng.Perm(rank) {
			perm = append(perm, int64(a))
		}
		one("Transpose", "", aInts("perm", perm...))
	case 5, 6, 7:
		total, ok := size(v.dims)
		if !ok {
			return
		}
		// Random factors of the elements of a row, −1 somewhere among them.
		left := total.n
		var dims []int64
		for left > 1 && len(dims) < 4 {
			var divisors []int64
			for k := int64(1); k <= left; k++ {
				if left%k == 0 {
					divisors = append(divisors, k)
				}
			}
			k := divisors[rng.IntN(len(divisors))]
			dims, left = append(dims, k), left/k
		}
		one("Reshape", " "+w.ints(slices.Insert(dims, rng.IntN(len(dims)+1), -1)...))
	case 8:
		if rng.IntN(2) == 0 {
			one("Unsqueeze", " "+w.ints(int64(rng.IntN(rank+1))))
		} else if v.dims[at].one() {
			one("Squeeze", " "+w.ints(axis))
		}
	case 9:
		one("Flatten", "", aInt("axis", axis))
	case 10, 11:
		one([]string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2"}[rng.IntN(4)], " "+w.ints(axis), aInt("keepdims", int64(rng.IntN(2))))
	case 12:
		one([]string{"Softmax", "LogSoftmax", "LpNormalization"}[rng.IntN(3)], "", aInt("axis", axis))
	case 13:
		other, o := w.pick()
		if o.rank() == rank {
			w.add(node("Concat", name+" "+other, out, aInt("axis", axis)))
		}
	case 14:
		one("Slice", " "+w.ints(int64(rng.IntN(3)-1))+" "+w.ints([]int64{1 << 62, 7, 2, -1}[rng.IntN(4)])+" "+w.ints(axis))
	case 15:
		one("Gather", " "+w.ints(make([]int64, 1+rng.IntN(2))...), aInt("axis", axis))
	case 16:
		if last := v.dims[rank-1]; last.known() && last.c > 0 {
			one("MatMul", " "+w.floats(last.c, int64(1+rng.IntN(4))))
		}
	case 17: // with itself, as attention
		t, perm := w.fresh("t"), make([]int64, rank)
		for i := range perm {
			perm[i] = int64(i)
		}
		if rank >= 2 {
			perm[rank-1], perm[rank-2] = perm[rank-2], perm[rank-1]
			if w.add(node("Transpose", name, t, aInts("perm", perm...))) {
				w.add(node("MatMul", name+" "+t, out))
			}
		}
	case 18:
		repeats := slices.Repeat([]int64{1}, rank)
		repeats[at] = int64(1 + rng.IntN(3))
		one("Tile", " "+w.ints(repeats...))
	case 19:
		parts := int64(2)
		second := w.fresh("s")
		if d := v.dims[at]; !d.open && (d.n+d.c)%parts == 0 {
			if w.add(node("Split", name, out+" "+second, aInt("axis", axis), aInt("num_outputs", parts))) && w.f.values[second].kind == perRow {
				w.names = append(w.names, second)
			}
		}
	case 20:
		pads := make([]int64, 2*rank)
		pads[at], pads[at+rank] = int64(rng.IntN(2)), int64(rng.IntN(2))
		one("Pad", " "+w.ints(pads...))
	case 21:
		if rank == 4 && v.dims[1].known() {
			c := v.dims[1].c
			switch rng.IntN(3) {
			case 0:
				one("Conv", " "+w.floats(3, c, 1+int64(rng.IntN(2)), 1), aInts("strides", 1, int64(1+rng.IntN(2))))
			case 1:
				one("AveragePool", "", aInts("kernel_shape", 2, 1), aInts("pads", 1, 0, 0, 0))
			case 2:
				one("InstanceNormalization", " "+w.floats(c)+" "+w.floats(c))
			}
		}
	case 22:
		shape := make([]int64, rank)
		for i, d := range v.dims {
			if shape[i] = 1; rng.IntN(2) == 0 {
				shape[i] = concrete(d)
			}
		}
		one("Expand", " "+w.ints(append([]int64{2}[:rng.IntN(2)], shape...)...))
	case 23:
		if last := v.dims[rank-1]; last.known() && last.c > 0 {
			one("LayerNormalization", " "+w.floats(last.c), aInt("axis", axis))
		}
	}
}

// finish brings the rows of the last value back to the first axis.
func (w *grower) finish() bool {
	name := w.names[len(w.names)-1]
	v := w.f.values[name]
	perm := []int64{int64(v.axis)}
	for i := range v.dims {
		if i != v.axis {
			perm = append(perm, int64(i))
		}
	}
	front := w.fresh("front")
	if !w.add(node("Transpose", name, front, aInts("perm", perm...))) {
		return false
	}
	if v.outer > 1 {
		// The first of the outer blocks alone, as copies of the batch are taken apart.
		dims := []int64{v.outer, -1}
		total, ok := size(v.dims)
		if !ok || total.n%v.outer != 0 {
			return false
		}
		apart, turned := w.fresh("apart"), w.fresh("turned")
		if !w.add(node("Reshape", front+" "+w.ints(append(dims, total.n/v.outer)...), apart)) || w.f.values[apart].axis != 1 ||
			!w.add(node("Transpose", apart, turned, aInts("perm", 1, 0, 2))) {
			return false
		}
		front = turned
	}
	v = w.f.values[front]
	if total, ok := size(v.dims); ok {
		return w.add(node("Reshape", front+" "+w.ints(-1, total.n), "y"))
	}
	return false
}

// TestProvedGraphsTreatRowsApart grows random graphs. Whatever is proved must give the
// same answer to the same row in onnxruntime, in batches of several sizes and orders.
func TestProvedGraphsTreatRowsApart(t *testing.T) {
	rt := openRuntime(t)
	proved, moved := 0, 0
	for seed := range 700 {
		rng := rand.New(rand.NewPCG(uint64(seed), 77))
		w := newGrower(rng)
		for range 4 + rng.IntN(14) {
			w.grow()
		}
		if !w.finish() {
			continue
		}
		m := w.g.model(t)
		if proof := Prove(m, "x", "y", 0); !proof.Proved {
			t.Errorf("seed %d: followed node by node, and not proved as a whole: %v", seed, proof.Break)
			continue
		}
		r, err := newRunner(t, rt, w.g, m)
		d := 0.0
		if err == nil {
			d, err = r.difference(rng)
		}
		if err != nil {
			// Rules speak of graphs that run: an axis that became empty stops some.
			t.Logf("seed %d does not run: %v", seed, err)
			continue
		}
		proved++
		for _, n := range w.names {
			if v := w.f.values[n]; v.axis > 0 || v.outer > 1 || v.inner > 1 {
				moved++
				break
			}
		}
		if d > rounding {
			t.Errorf("seed %d: proved, and answers to the same row differ by %v\n%v", seed, d, m.Operators())
			for _, n := range w.g.p.Graph.Node {
				v := w.f.values[n.Output[0]]
				t.Logf("%s %v %v → %s %d %d×N×%d %v", n.GetOpType(), n.Input, n.Output, shapeText(v.dims), v.axis, v.outer, v.inner, n.Attribute)
			}
		}
	}
	t.Logf("%d graphs proved and run, in %d of them the batch left the first axis", proved, moved)
	if proved < 300 || moved < 100 {
		t.Errorf("%d graphs proved, %d with the batch elsewhere: the test shows too little", proved, moved)
	}
}
