package models_test

import (
	"fmt"
	"slices"
	"testing"

	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// quirk is one way of exporting the reference classifier.
type quirk struct {
	name  string
	build func(t testing.TB) *graph
	decl  models.Declaration
	plan  string // of the batch; "" accepts any
	fixed int
}

func outputs(name, decision string) models.Declaration {
	return models.Declaration{Output: models.OutputDeclaration{Name: name, Decision: decision}}
}

func quirks() []quirk {
	image := func(t testing.TB, opset int64, batch any) *graph {
		return newGraph(t, opset).in("x", onnx.Float, batch, 3, 2, 2).node("Flatten", "x", "f", aInt("axis", 1)).
			out("y", onnx.Float, batch, refClasses)
	}
	qs := []quirk{
		{name: "reshape with the batch baked in", plan: "rewritten", build: func(t testing.TB) *graph {
			w, b := refWeights()
			return newGraph(t, 8).in("x", onnx.Float, 1, 3, 2, 2).i64("s", 1, refDim).i64("ws", refDim, refClasses).
				f32("W1", []int64{1, refDim * refClasses}, w...).f32("B", []int64{refClasses}, b...).
				node("Reshape", "x s", "f").node("Reshape", "W1 ws", "W").
				node("MatMul", "f W", "m").node("Add", "m B", "y").out("y", onnx.Float, 1, refClasses)
		}},
		{name: "reshape to the batch and the rest", plan: "rewritten", build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, 1, 3, 2, 2).i64("s", 1, -1).node("Reshape", "x s", "f").
				dense("f", "y").out("y", onnx.Float, 1, refClasses)
		}},
		{name: "open batch declared, batch baked in", plan: "rewritten", build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, "N", 3, 2, 2).i64("s", 1, refDim).node("Reshape", "x s", "f").
				dense("f", "y").out("y", onnx.Float, "N", refClasses)
		}},
		{name: "class token of batch 1", plan: "rewritten", build: func(t testing.TB) *graph {
			// The token is all zeros, so that dropping it again changes nothing.
			return newGraph(t, 13).in("x", onnx.Float, 1, 3, 2, 2).i64("s", 1, 3, 4).node("Reshape", "x s", "r").
				f32("token", []int64{1, 1, 4}, 0, 0, 0, 0).node("Concat", "token r", "c", aInt("axis", 1)).
				i64("from", 1).i64("to", 4).i64("axes", 1).node("Slice", "c from to axes", "d").
				node("Flatten", "d", "f", aInt("axis", 1)).dense("f", "y").out("y", onnx.Float, 1, refClasses)
		}},
		{name: "class token computed from constants", plan: "rewritten", build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, 1, 3, 2, 2).i64("s", 1, 3, 4).node("Reshape", "x s", "r").
				f32("token", []int64{1, 1, 4}, 0, 0, 0, 0).node("Neg", "token", "n").node("Concat", "n r", "c", aInt("axis", 1)).
				i64("from", 1).i64("to", 4).i64("axes", 1).node("Slice", "c from to axes", "d").
				node("Flatten", "d", "f", aInt("axis", 1)).dense("f", "y").out("y", onnx.Float, 1, refClasses)
		}},
		{name: "attention that merges the batch with its heads", plan: "rewritten", build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, 1, 3, 2, 2).i64("s", 1, 3, 4).node("Reshape", "x s", "r").
				node("Transpose", "r", "t", aInts("perm", 1, 0, 2)).i64("heads", 3, 2, 2).node("Reshape", "t heads", "h").
				i64("back", 3, 1, 4).node("Reshape", "h back", "b").node("Transpose", "b", "c", aInts("perm", 1, 0, 2)).
				node("Flatten", "c", "f", aInt("axis", 1)).dense("f", "y").out("y", onnx.Float, 1, refClasses)
		}},
		{name: "resized to constant sizes", plan: "rewritten", build: func(t testing.TB) *graph {
			nearest := &onnxpb.AttributeProto{Name: ptr("mode"), Type: onnxpb.AttributeProto_STRING.Enum(), S: []byte("nearest")}
			return newGraph(t, 13).in("x", onnx.Float, 1, 3, 2, 2).i64("sizes", 1, 3, 4, 4).node("Resize", "x _ _ sizes", "r", nearest).
				node("MaxPool", "r", "p", aInts("kernel_shape", 2, 2), aInts("strides", 2, 2)).
				node("Flatten", "p", "f", aInt("axis", 1)).dense("f", "y").out("y", onnx.Float, 1, refClasses)
		}},
		{name: "recurrent with zero initial states", plan: "rewritten", build: func(t testing.TB) *graph {
			// What the LSTM makes is weighted with 0.
			return newGraph(t, 13).in("x", onnx.Float, 1, 3, 2, 2).i64("s", 1, 1, refDim).node("Reshape", "x s", "q").
				node("Transpose", "q", "seq", aInts("perm", 1, 0, 2)).
				f32("LW", []int64{1, 8, refDim}, make([]float32, 8*refDim)...).f32("LR", []int64{1, 8, 2}, make([]float32, 16)...).
				f32("h0", []int64{1, 1, 2}, 0, 0).f32("c0", []int64{1, 1, 2}, 0, 0).
				node("LSTM", "seq LW LR _ _ h0 c0", "all last", aInt("hidden_size", 2)).i64("ax", 0).node("Squeeze", "last ax", "z").
				f32("ZW", []int64{2, refClasses}, make([]float32, 2*refClasses)...).node("MatMul", "z ZW", "zero").
				node("Flatten", "x", "f", aInt("axis", 1)).dense("f", "l").node("Add", "l zero", "y").out("y", onnx.Float, 1, refClasses)
		}},
		{name: "batch that cannot be rewritten", plan: "fixed", fixed: 1, build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, 1, 3, 2, 2).i64("ax", 0).node("Squeeze", "x ax", "q").
				i64("s", 1, refDim).i64("all", refDim).node("Reshape", "q all", "v").i64("ax0", 0).node("Unsqueeze", "v ax0", "f").
				dense("f", "y").out("y", onnx.Float, 1, refClasses)
		}},
		{name: "fixed batch of 4, scores without a batch rewrite", plan: "rewritten", build: func(t testing.TB) *graph {
			return image(t, 9, 4).dense("f", "y")
		}},
		{name: "one row, scores without a batch axis", plan: "fixed", fixed: 1, build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, 1, 3, 2, 2).i64("s", refDim).node("Reshape", "x s", "f").
				dense("f", "y").out("y", onnx.Float, refClasses)
		}},
		{name: "initialisers listed as inputs, IR 3", plan: "rewritten", build: func(t testing.TB) *graph {
			g := image(t, 8, 1).dense("f", "y").in("W", onnx.Float, refDim, refClasses).in("B", onnx.Float, refClasses)
			*g.p.IrVersion = 3
			return g
		}},
		{name: "NHWC", build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, "N", 2, 2, 3).node("Transpose", "x", "c", aInts("perm", 0, 3, 1, 2)).
				node("Flatten", "c", "f", aInt("axis", 1)).dense("f", "y").out("y", onnx.Float, "N", refClasses)
		}},
		{name: "flat", build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, "N", refDim).dense("x", "y").out("y", onnx.Float, "N", refClasses)
		}},
		{name: "flat with a trailing 1", plan: "rewritten", build: func(t testing.TB) *graph {
			return newGraph(t, 9).in("x", onnx.Float, 1, refDim, 1).node("Flatten", "x", "f", aInt("axis", 1)).
				dense("f", "y").out("y", onnx.Float, 1, refClasses)
		}},
		{name: "flat in rows, columns, channels", decl: models.Declaration{Input: models.InputDeclaration{Layout: declare.NHWC}}, build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, "N", refDim).i64("s", -1, 2, 2, 3).node("Reshape", "x s", "h").
				node("Transpose", "h", "c", aInts("perm", 0, 3, 1, 2)).node("Flatten", "c", "f", aInt("axis", 1)).
				dense("f", "y").out("y", onnx.Float, "N", refClasses)
		}},
		{name: "every dimension open", build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, "N", "C", "H", "W").node("Flatten", "x", "f", aInt("axis", 1)).
				dense("f", "y").out("y", onnx.Float, "N", "K")
		}},
		{name: "no shapes at all", build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float).node("Flatten", "x", "f", aInt("axis", 1)).dense("f", "y").out("y", onnx.Float)
		}},
		{name: "softmax", build: func(t testing.TB) *graph {
			return image(t, 13, "N").dense("f", "l").node("Softmax", "l", "y", aInt("axis", 1))
		}},
		{name: "scores as a picture of one pixel", build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, "N", 3, 2, 2).node("Flatten", "x", "f", aInt("axis", 1)).dense("f", "l").
				i64("ax", 2, 3).node("Unsqueeze", "l ax", "y").out("y", onnx.Float, "N", refClasses, 1, 1)
		}},
		{name: "float16", build: func(t testing.TB) *graph {
			w, b := refWeights()
			h := func(v []float32) []onnx.Half {
				out := make([]onnx.Half, len(v))
				for i := range v {
					out[i] = onnx.HalfFromFloat32(v[i])
				}
				return out
			}
			return newGraph(t, 13).in("x", onnx.Float16, "N", 3, 2, 2).node("Flatten", "x", "f", aInt("axis", 1)).
				add(onnx.NewTensor("W", []int64{refDim, refClasses}, h(w))).add(onnx.NewTensor("B", []int64{refClasses}, h(b))).
				node("MatMul", "f W", "m").node("Add", "m B", "y").out("y", onnx.Float16, "N", refClasses)
		}},
		{name: "float64", build: func(t testing.TB) *graph {
			w, b := refWeights()
			d := func(v []float32) []float64 {
				out := make([]float64, len(v))
				for i := range v {
					out[i] = float64(v[i])
				}
				return out
			}
			return newGraph(t, 13).in("x", onnx.Double, "N", 3, 2, 2).node("Flatten", "x", "f", aInt("axis", 1)).
				add(onnx.NewTensor("W", []int64{refDim, refClasses}, d(w))).add(onnx.NewTensor("B", []int64{refClasses}, d(b))).
				node("MatMul", "f W", "m").node("Add", "m B", "y").out("y", onnx.Double, "N", refClasses)
		}},
		{name: "uint8 of 8 levels", decl: models.Declaration{Input: models.InputDeclaration{Scale: ptr(8.0)}}, build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Uint8, "N", 3, 2, 2).node("Cast", "x", "c", aInt("to", 1)).f32("eight", nil, 8).
				node("Div", "c eight", "n").node("Flatten", "n", "f", aInt("axis", 1)).dense("f", "y").out("y", onnx.Float, "N", refClasses)
		}},
		{name: "uint8 before opset 11", decl: models.Declaration{Input: models.InputDeclaration{Scale: ptr(8.0)}}, build: func(t testing.TB) *graph {
			return newGraph(t, 10).in("x", onnx.Uint8, 1, 3, 2, 2).node("Cast", "x", "c", aInt("to", 1)).f32("eight", nil, 8).
				node("Div", "c eight", "n").node("Flatten", "n", "f", aInt("axis", 1)).dense("f", "y").out("y", onnx.Float, 1, refClasses)
		}},
		{name: "several outputs, by name", decl: outputs("y", ""), build: func(t testing.TB) *graph {
			return image(t, 13, "N").dense("f", "y").node("Neg", "y", "aux").out("aux", onnx.Float, "N", refClasses)
		}},
		{name: "a tensor inside the graph, by name", decl: outputs("l", ""), build: func(t testing.TB) *graph {
			return image(t, 13, "N").dense("f", "l").node("Neg", "l", "y")
		}},
		{name: "argmin", decl: outputs("", "argmin"), build: func(t testing.TB) *graph {
			return image(t, 13, "N").dense("f", "l").node("Neg", "l", "y")
		}},
		{name: "label", decl: outputs("", "label"), build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, "N", 3, 2, 2).node("Flatten", "x", "f", aInt("axis", 1)).dense("f", "l").
				node("ArgMax", "l", "y", aInt("axis", 1), aInt("keepdims", 0)).out("y", onnx.Int64, "N")
		}},
		{name: "label, not declared", build: func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, "N", 3, 2, 2).node("Flatten", "x", "f", aInt("axis", 1)).dense("f", "l").
				node("ArgMax", "l", "y", aInt("axis", 1)).out("y", onnx.Int64, "N", 1)
		}},
		{name: "a constant second input", decl: models.Declaration{Input: models.InputDeclaration{Name: "x", Fix: map[string]string{"gain": "2"}}}, build: func(t testing.TB) *graph {
			return image(t, 13, "N").in("gain", onnx.Float, "N", 1).dense("f", "l").node("Mul", "l gain", "y")
		}},
		{name: "dropout switched off by an input", decl: models.Declaration{Input: models.InputDeclaration{Fix: map[string]string{"train": "false"}}}, build: func(t testing.TB) *graph {
			return image(t, 13, "N").in("train", onnx.Bool).f32("ratio", nil, 0.5).dense("f", "l").node("Dropout", "l ratio train", "y")
		}},
		{name: "an input that nothing reads", build: func(t testing.TB) *graph {
			return image(t, 13, "N").in("unused", onnx.Float, 1).dense("f", "y")
		}},
		{name: "opset imported twice", build: func(t testing.TB) *graph {
			return image(t, 9, "N").opset("ai.onnx", 9).dense("f", "y")
		}},
		{name: "dynamic quantisation", plan: "fixed", fixed: 1, build: func(t testing.TB) *graph {
			g := image(t, 13, "N")
			g.node("DynamicQuantizeLinear", "f", "q s z").node("DequantizeLinear", "q s z", "d")
			// The quantised copy is weighted with 0: labels stay exact, the operator stays.
			return g.f32("none", nil, 0).node("Mul", "d none", "e").node("Add", "f e", "g").dense("g", "y")
		}},
	}
	for _, opset := range []int64{7, 9, 11, 13, 17, 18, 21, 22} {
		qs = append(qs, quirk{name: fmt.Sprintf("opset %d", opset), plan: "rewritten", build: func(t testing.TB) *graph { return image(t, opset, 1).dense("f", "y") }})
	}
	return qs
}

func ptr[T any](v T) *T { return &v }

// TestQuirks prepares every export of the reference classifier and demands its
// decisions on every row.
func TestQuirks(t *testing.T) {
	rows := refRows(40)
	for _, q := range quirks() {
		t.Run(q.name, func(t *testing.T) {
			m, err := q.build(t).open(models.Options{Declared: q.decl, SourceShape: refShape})
			if err != nil {
				t.Fatal(err)
			}
			if r := m.Report(); q.plan != "" && r.Batching.Plan != q.plan || m.FixedBatch() != q.fixed {
				t.Errorf("batch %+v, fixed at %d; want %s, %d", r.Batching, m.FixedBatch(), q.plan, q.fixed)
			}
			if m.Classes() != refClasses || !slices.Equal(m.InputShape(), refShape) || m.Dim() != refDim {
				t.Errorf("%d classes, shape %v, d %d", m.Classes(), m.InputShape(), m.Dim())
			}
			for i, got := range classify(t, m, rows) {
				if want := argmax(refScores(rows[i])); got != want {
					t.Errorf("row %d: label %d, want %d", i, got, want)
				}
			}
		})
	}
	if live := runtime.Live(); live.Total() != 0 {
		t.Errorf("objects left open: %+v", live)
	}
}
