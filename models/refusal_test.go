package models_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/fixtures/shared"
	"ucan/fixtures/subtest"
	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// plain is the reference classifier up to its scores "l".
func plain(t testing.TB, opset int64, batch any) *graph {
	return newGraph(t, opset).in("x", onnx.Float, batch, 3, 2, 2).node("Flatten", "x", "f", aInt("axis", 1)).dense("f", "l")
}

func (g *graph) scores(batch any) *graph { return g.out("y", onnx.Float, batch, refClasses) }

// norm adds a BatchNormalization of the scores.
func (g *graph) norm(outs string, attrs ...*onnxpb.AttributeProto) *graph {
	ones := []float32{1, 1, 1}
	return g.f32("g1", []int64{3}, ones...).f32("g2", []int64{3}, ones...).f32("g3", []int64{3}, ones...).f32("g4", []int64{3}, ones...).
		node("BatchNormalization", "l g1 g2 g3 g4", outs, attrs...)
}

// TestRefusals lists what cannot be smoothed, with the words that tell why and what
// to do.
func TestRefusals(t *testing.T) {
	random := func(op string, in string, attrs ...*onnxpb.AttributeProto) func(testing.TB) *graph {
		return func(t testing.TB) *graph {
			return plain(t, 15, "N").node(op, in, "r", attrs...).node("Add", "l r", "y").scores("N")
		}
	}
	for _, tt := range []struct {
		name  string
		build func(t testing.TB) *graph
		decl  models.Declaration
		words []string
	}{
		{"RandomNormalLike", random("RandomNormalLike", "l"), models.Declaration{}, []string{"random", "RandomNormalLike"}},
		{"RandomUniform", random("RandomUniform", "", aInts("shape", 1, 3)), models.Declaration{}, []string{"random"}},
		{"Bernoulli", random("Bernoulli", "l"), models.Declaration{}, []string{"Bernoulli"}},
		{"Multinomial", func(t testing.TB) *graph {
			return plain(t, 13, "N").node("Multinomial", "l", "y", aInt("sample_size", 1), aInt("dtype", 7)).out("y", onnx.Int64, "N", 1)
		}, models.Declaration{}, []string{"Multinomial"}},
		{"random inside a branch", func(t testing.TB) *graph {
			branch := func(op string) *onnxpb.GraphProto {
				return &onnxpb.GraphProto{Name: proto.String(op), Node: []*onnxpb.NodeProto{node(op, []string{"l"}, []string{"o"})}, Output: []*onnxpb.ValueInfoProto{info("o", onnx.Float, "N", 3)}}
			}
			return plain(t, 13, "N").add(onnx.NewTensor("c", nil, []bool{true})).
				node("If", "c", "y", aGraph("then_branch", branch("Identity")), aGraph("else_branch", branch("RandomUniformLike"))).scores("N")
		}, models.Declaration{}, []string{"RandomUniformLike"}},
		{"random inside the model's own function", func(t testing.TB) *graph {
			g := plain(t, 15, "N").opset("local", 1).scores("N")
			n := node("Shake", []string{"l"}, []string{"y"})
			n.Domain = proto.String("local")
			g.p.Graph.Node = append(g.p.Graph.Node, n)
			g.p.Functions = []*onnxpb.FunctionProto{{
				Name: proto.String("Shake"), Domain: proto.String("local"), Input: []string{"a"}, Output: []string{"b"},
				OpsetImport: g.p.OpsetImport[:1], Node: []*onnxpb.NodeProto{node("RandomNormalLike", []string{"a"}, []string{"b"})},
			}}
			return g
		}, models.Declaration{}, []string{"RandomNormalLike"}},
		{"BatchNormalization in training mode", func(t testing.TB) *graph {
			return plain(t, 15, "N").norm("y m v", aInt("training_mode", 1)).scores("N")
		}, models.Declaration{}, []string{"training mode", "BatchNormalization"}},
		{"BatchNormalization with training outputs", func(t testing.TB) *graph {
			return plain(t, 9, "N").norm("y a b c d").scores("N")
		}, models.Declaration{}, []string{"training mode"}},
		{"BatchNormalization of opset 6 without is_test", func(t testing.TB) *graph {
			return plain(t, 6, "N").norm("y").scores("N")
		}, models.Declaration{}, []string{"training mode"}},
		{"opset 6", func(t testing.TB) *graph { return plain(t, 6, "N").norm("y", aInt("is_test", 1)).scores("N") }, models.Declaration{}, []string{"opset 6"}},
		{"Dropout in training mode", func(t testing.TB) *graph {
			return plain(t, 13, "N").f32("r", nil, 0.5).add(onnx.NewTensor("on", nil, []bool{true})).node("Dropout", "l r on", "y").scores("N")
		}, models.Declaration{}, []string{"training mode", "Dropout"}},
		{"Dropout by an input, fixed to training", func(t testing.TB) *graph {
			return plain(t, 13, "N").in("on", onnx.Bool).f32("r", nil, 0.5).node("Dropout", "l r on", "y").scores("N")
		}, models.Declaration{Input: models.InputDeclaration{Fix: map[string]string{"on": "true"}}}, []string{"training mode"}},
		{"an input that is not fixed", func(t testing.TB) *graph {
			return plain(t, 13, "N").in("on", onnx.Bool).f32("r", nil, 0.5).node("Dropout", "l r on", "y").scores("N")
		}, models.Declaration{Input: models.InputDeclaration{Name: "x"}}, []string{"on", "--fix"}},
		{"several inputs", func(t testing.TB) *graph {
			return plain(t, 13, "N").in("z", onnx.Float, "N", 3).node("Add", "l z", "y").scores("N")
		}, models.Declaration{}, []string{"several inputs", "--input"}},
		{"several outputs", func(t testing.TB) *graph {
			return plain(t, 13, "N").node("Neg", "l", "y").scores("N").out("l", onnx.Float, "N", 3)
		}, models.Declaration{}, []string{"several outputs", "--output"}},
		{"no input reaches the output", func(t testing.TB) *graph {
			return plain(t, 13, "N").node("Identity", "B", "y").out("y", onnx.Float, 3)
		}, models.Declaration{}, []string{"no input"}},
		{"string input", func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.String, "N", 3).node("Identity", "x", "y").out("y", onnx.String, "N", 3)
		}, models.Declaration{}, []string{"string"}},
		{"integer input of unknown scale", func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Int64, "N", 3).node("Cast", "x", "y", aInt("to", 1)).out("y", onnx.Float, "N", 3)
		}, models.Declaration{}, []string{"--scale"}},
		{"regression", func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, "N", 1).node("Neg", "x", "y").out("y", onnx.Float, "N", 1)
		}, models.Declaration{}, []string{"regression", "--decision threshold"}},
		{"regression of unknown width", func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, "N", 1).node("Neg", "x", "y").out("y", onnx.Float, "N", "K")
		}, models.Declaration{}, []string{"regression"}},
		{"image output", func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, "N", 3, 4, 4).node("Neg", "x", "y").out("y", onnx.Float, "N", 3, 4, 4)
		}, models.Declaration{}, []string{"not one vector of scores"}},
		{"string labels", func(t testing.TB) *graph {
			return plain(t, 13, "N").node("Cast", "l", "y", aInt("to", 8)).out("y", onnx.String, "N", 3)
		}, models.Declaration{}, []string{"strings"}},
		{"labels of unknown number", func(t testing.TB) *graph {
			return plain(t, 13, "N").node("Cast", "l", "i", aInt("to", 7)).i64("z", 0).node("Gather", "i z", "y", aInt("axis", 1)).out("y", onnx.Int64, "N", 1)
		}, outputs("", "label"), []string{"number of classes"}},
		{"NaN weight", func(t testing.TB) *graph {
			return plain(t, 13, "N").f32("bad", []int64{3}, 0, float32(nan), 0).node("Add", "l bad", "y").scores("N")
		}, models.Declaration{}, []string{"NaN", "bad"}},
		{"infinite weight", func(t testing.TB) *graph {
			return plain(t, 13, "N").f32("bad", []int64{3}, 0, float32(inf), 0).node("Mul", "l bad", "y").scores("N")
		}, models.Declaration{}, []string{"infinite", "bad"}},
		{"rows that see each other", func(t testing.TB) *graph {
			return plain(t, 13, 4).node("ReduceMean", "l", "m", aInts("axes", 0), aInt("keepdims", 1)).node("Sub", "l m", "y").scores(4)
		}, models.Declaration{}, []string{"batches of 4 rows", "ReduceMean", "votes may depend on each other"}},
		{"wrong size", func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, "N", 3, 4, 4).node("Flatten", "x", "y", aInt("axis", 1)).out("y", onnx.Float, "N", 48)
		}, models.Declaration{}, []string{"[3,4,4]", "[3,2,2]"}},
		{"no batch axis", func(t testing.TB) *graph {
			return newGraph(t, 13).in("x", onnx.Float, 3, 2, 2).node("Neg", "x", "y").out("y", onnx.Float, 3, 2, 2)
		}, models.Declaration{}, []string{"without a batch axis"}},
		{"rows along the second axis of the output", func(t testing.TB) *graph {
			return plain(t, 13, "N").node("Transpose", "l", "y", aInts("perm", 1, 0)).out("y", onnx.Float, 3, "N")
		}, models.Declaration{}, []string{"first axis"}},
		{"NaN in a Constant", func(t testing.TB) *graph {
			bad, err := onnx.NewTensor("v", nil, []float32{float32(nan)})
			if err != nil {
				t.Fatal(err)
			}
			value := &onnxpb.AttributeProto{Name: proto.String("value"), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: bad}
			return plain(t, 13, "N").node("Constant", "", "bad", value).node("Add", "l bad", "y").scores("N")
		}, models.Declaration{}, []string{"NaN", "bad"}},
		{"wrong size, declared layout", func(t testing.TB) *graph { return plain(t, 13, "N").node("Neg", "l", "y").scores("N") },
			models.Declaration{Input: models.InputDeclaration{Layout: declare.NHWC}}, []string{"[3,2,2]", "nhwc"}},
		{"dynamic quantisation over a fixed batch", func(t testing.TB) *graph {
			return plain(t, 13, 4).node("DynamicQuantizeLinear", "l", "q s z").node("DequantizeLinear", "q s z", "y").scores(4)
		}, models.Declaration{}, []string{"DynamicQuantizeLinear", "batch"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source := refShape
			if tt.name == "string input" || tt.name == "integer input of unknown scale" || strings.HasPrefix(tt.name, "regression") || tt.name == "image output" {
				source = nil
			}
			g := tt.build(t)
			m, err := g.open(models.Options{Declared: tt.decl, SourceShape: source})
			var refusal *models.Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("opened as %v, error %v; want a refusal", m, err)
			}
			for _, w := range append(tt.words, "m.onnx") {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "\n") || refusal.Remedy == "" {
				t.Errorf("not one line with a remedy: %q", err)
			}
		})
	}
}

// TestRefusedSequence is the classifier of scikit-learn: a label and a sequence of
// maps.
func TestRefusedSequence(t *testing.T) {
	dir := shared.Path(t)
	path := filepath.Join(dir, "models", "sklearn_randomforest.onnx")
	rt := runtimetest.Open(t)
	_, err := models.Open(context.Background(), rt, path, models.Options{})
	var refusal *models.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "--decision label") {
		t.Fatalf("error %v; want a refusal that names --decision label", err)
	}
	label, err := models.Open(context.Background(), rt, path, models.Options{Declared: outputs("", "label")})
	if err != nil {
		t.Fatal(err)
	}
	scores, err := models.Open(context.Background(), rt, path, models.Options{Declared: outputs("probabilities", "")})
	if err != nil {
		t.Fatal(err)
	}
	if label.Classes() != 3 || scores.Classes() != 3 {
		t.Errorf("%d and %d classes, want 3", label.Classes(), scores.Classes())
	}
	// Typical flowers of the three kinds.
	rows := [][]float64{{5.1, 3.5, 1.4, 0.2}, {5.9, 2.8, 4.2, 1.3}, {6.5, 3.0, 5.8, 2.2}}
	a, b := classify(t, label, rows), classify(t, scores, rows)
	if want := []int32{0, 1, 2}; !slices.Equal(a, want) || !slices.Equal(b, want) {
		t.Errorf("labels %v by the model, %v by its scores; want %v", a, b, want)
	}
	if err := scores.Close(); err != nil {
		t.Error(err)
	}
}

// TestDeclarationFaults are wrong uses: they wrap ErrDeclaration and are no refusals.
func TestDeclarationFaults(t *testing.T) {
	in := func(d models.InputDeclaration) models.Declaration { return models.Declaration{Input: d} }
	for _, tt := range []struct {
		name string
		decl models.Declaration
		word string
	}{
		{"unknown input", in(models.InputDeclaration{Name: "z"}), "z"},
		{"unknown output", outputs("z", ""), "z"},
		{"unknown fix", in(models.InputDeclaration{Fix: map[string]string{"z": "1"}}), "z"},
		{"fix that is no number", in(models.InputDeclaration{Fix: map[string]string{"x": "one"}}), "one"},
		{"two means for three channels", in(models.InputDeclaration{Mean: []float64{1, 2}}), "2 values"},
		{"std 0", in(models.InputDeclaration{Std: []float64{0}}), "positive"},
		{"std NaN", in(models.InputDeclaration{Std: []float64{nan}}), "positive"},
		{"scale 0", in(models.InputDeclaration{Scale: ptr(0.0)}), "scale"},
		{"mean and std of different lengths", in(models.InputDeclaration{Mean: []float64{1, 2, 3}, Std: []float64{1, 2}}), "std 2"},
		{"unknown layout", in(models.InputDeclaration{Layout: "chwn"}), "chwn"},
		{"unknown decision", outputs("", "vote"), "vote"},
		{"threshold over three scores", outputs("", "threshold:0.5"), "argmax"},
		{"threshold NaN", outputs("", "threshold:nan"), "nan"},
		{"too few labels", models.Declaration{Labels: []string{"a", "b"}}, "2 labels"},
		{"unknown kind", models.Declaration{Output: models.OutputDeclaration{Kind: "odds"}}, "odds"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := plain(t, 13, "N").node("Neg", "l", "y").scores("N").open(models.Options{Declared: tt.decl, SourceShape: refShape})
			var refusal *models.Refusal
			if !errors.Is(err, declare.Err) || errors.As(err, &refusal) || !strings.Contains(err.Error(), tt.word) {
				t.Errorf("error %v; want ErrDeclaration that says %q", err, tt.word)
			}
		})
	}
}

// TestUnreadable: files that are none, and folders.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	rt := runtimetest.Open(t)
	whole, err := os.ReadFile(plain(t, 13, "N").node("Neg", "l", "y").scores("N").write())
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range subtest.Rows(map[string][]byte{"empty": nil, "text": []byte("not a model\n"), "half": whole[:len(whole)/2], "zeros": make([]byte, 100)}) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name+".onnx")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := models.Open(context.Background(), rt, path, models.Options{SkipLoadTrial: true})
			var refusal *models.Refusal
			if err == nil || errors.As(err, &refusal) || errors.Is(err, declare.Err) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: error %v", name, err)
			}
		})
	}
	if _, err := models.Open(context.Background(), rt, filepath.Join(dir, "absent.onnx"), models.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	if _, err := models.Open(context.Background(), rt, dir, models.Options{}); !errors.Is(err, declare.Err) {
		t.Errorf("folder: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := models.Inspect(ctx, "x.onnx", models.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestDamagedFiles opens files with a few bytes flipped, as users do: in a process of
// its own first. Whatever onnxruntime makes of them, this process goes on.
func TestDamagedFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process for each file")
	}
	ctx, rt, dir := context.Background(), runtimetest.Open(t), t.TempDir()
	whole, err := os.ReadFile(plain(t, 13, 1).i64("s", 1, refClasses).node("Reshape", "l s", "y").scores(1).write())
	if err != nil {
		t.Fatal(err)
	}
	opened := 0
	for i := range 12 {
		b := slices.Clone(whole)
		for k := range 1 + i%3 {
			b[(i*len(b)/12+k*41)%len(b)] ^= byte(1 << (i % 8))
		}
		path := filepath.Join(dir, "damaged.onnx")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := models.Open(ctx, rt, path, models.Options{SourceShape: refShape, CacheDir: dir})
		if err == nil {
			opened++ // a flipped weight is a model too
			if m.Classes() != refClasses {
				t.Errorf("file %d: %d classes", i, m.Classes())
			}
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("file %d: more than one line: %v", i, err)
		}
	}
	if opened == 12 {
		t.Error("no damage was noticed")
	}
	// The whole file is tried once and then known.
	path := filepath.Join(dir, "whole.onnx")
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := models.Open(ctx, rt, path, models.Options{SourceShape: refShape, CacheDir: dir}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "known-models")); err != nil {
		t.Errorf("nothing is known to load: %v", err)
	}
}
