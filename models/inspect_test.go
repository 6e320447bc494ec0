package models_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime/onnx"
)

func finding(r models.Report, kind, word string) bool {
	return slices.ContainsFunc(r.Findings, func(f models.Finding) bool { return f.Kind == kind && strings.Contains(f.Text, word) })
}

// TestInspectNormalisation recognises what a graph does to its input first.
func TestInspectNormalisation(t *testing.T) {
	dims := []int64{1, 3, 1, 1}
	type step func(*graph) *graph
	for _, tt := range []struct {
		name      string
		build     step
		operators []string
		mean, std []float64
		words     string
	}{
		{"sub and div", func(g *graph) *graph {
			return g.f32("m", dims, 0.5, 0.25, 0.75).f32("s", dims, 0.5, 2, 4).node("Sub", "x m", "a").node("Div", "a s", "b")
		}, []string{"Sub", "Div"}, []float64{0.5, 0.25, 0.75}, []float64{0.5, 2, 4}, "(x − [0.5 0.25 0.75])/[0.5 2 4]"},
		{"mul and add", func(g *graph) *graph {
			return g.f32("m", nil, 2).f32("s", nil, -1).node("Mul", "x m", "a").node("Add", "a s", "b")
		}, []string{"Mul", "Add"}, []float64{0.5}, []float64{0.5}, "normalises"},
		{"constant first", func(g *graph) *graph {
			return g.f32("m", nil, 3).node("Sub", "m x", "a").node("Relu", "a", "b")
		}, []string{"Sub"}, []float64{3}, []float64{-1}, "normalises"},
		{"batch normalisation", func(g *graph) *graph {
			return g.f32("g", []int64{3}, 1, 1, 2).f32("b0", []int64{3}, 0, 0, 0).f32("m", []int64{3}, 1, 2, 3).f32("v", []int64{3}, 4, 1, 1).
				node("BatchNormalization", "x g b0 m v", "b", aFloat("epsilon", 0))
		}, []string{"BatchNormalization"}, []float64{1, 2, 3}, []float64{2, 1, 0.5}, "normalises"},
		{"pixels of 0…255", func(g *graph) *graph {
			return g.f32("m", nil, 127.5).node("Sub", "x m", "a").node("Div", "a m", "b")
		}, []string{"Sub", "Div"}, []float64{127.5}, []float64{127.5}, "normalises"},
		{"a mean image", func(g *graph) *graph {
			return g.f32("m", []int64{1, 48}, make([]float32, 48)...).node("Flatten", "x", "a").node("Sub", "a m", "b")
		}, []string{"Sub"}, nil, nil, "normalises"},
		{"nothing", func(g *graph) *graph { return g.node("Relu", "x", "b") }, nil, nil, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := tt.build(newGraph(t, 13).in("x", onnx.Float, "N", 3, 4, 4)).node("Flatten", "b", "y", aInt("axis", 1)).out("y", onnx.Float, "N", 48)
			r, err := models.Inspect(context.Background(), g.write(), models.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if tt.operators == nil {
				if r.Inside != nil || !finding(r, "guessed", "none found inside") {
					t.Errorf("found %+v", r.Inside)
				}
				return
			}
			if r.Inside == nil || !slices.Equal(r.Inside.Operators, tt.operators) {
				t.Fatalf("found %+v, want %v", r.Inside, tt.operators)
			}
			close := func(a, b float64) bool { return math.Abs(a-b) < 1e-6 }
			if !slices.EqualFunc(r.Inside.Mean, tt.mean, close) || !slices.EqualFunc(r.Inside.Std, tt.std, close) {
				t.Errorf("found %+v, want mean %v, std %v", r.Inside, tt.mean, tt.std)
			}
			if !finding(r, "found", tt.words) {
				t.Errorf("no finding says %q: %+v", tt.words, r.Findings)
			}
			if want := strings.HasPrefix(tt.name, "pixels"); finding(r, "warning", "255") != want {
				t.Errorf("warning about 0…255 pixels: want %v; %+v", want, r.Findings)
			}
			// A mean on top of constants that change something is probably one too many. A scale is
			// not, nor is a mean before constants that are not known or a layer's.
			known := tt.mean != nil && !strings.Contains(tt.words, "change nothing") && !slices.Contains(tt.operators, "BatchNormalization")
			r, err = models.Inspect(context.Background(), g.write(), models.Options{Declared: input([]float64{0.5}, nil)})
			if err != nil || finding(r, "warning", "twice") != known {
				t.Errorf("error %v; a warning that the data is normalised twice: want %t, %+v", err, known, r.Findings)
			}
			scale := 255.0
			d := models.Declaration{}
			d.Input.Scale = &scale
			if r, err = models.Inspect(context.Background(), g.write(), models.Options{Declared: d}); err != nil || finding(r, "warning", "twice") {
				t.Errorf("error %v, a scale alone is called a second normalisation", err)
			}
		})
	}
}

// TestReportForms: the same report as text and as JSON, refused or not.
func TestReportForms(t *testing.T) {
	ctx := context.Background()
	g := newGraph(t, 8).in("x", onnx.Float, 1, 3, 2, 2).i64("s", 1, refDim).node("Reshape", "x s", "f").dense("f", "y").
		in("W", onnx.Float, refDim, refClasses).scores(1)
	g.p.ProducerName, g.p.IrVersion = proto.String("a tool"), proto.Int64(3)
	r, err := models.Inspect(ctx, g.write(), models.Options{Declared: models.Declaration{Labels: []string{"cat", "dog", "owl"}}})
	if err != nil {
		t.Fatal(err)
	}
	text := func(r models.Report) string {
		var b bytes.Buffer
		if werr := r.WriteText(&b); werr != nil {
			t.Fatal(werr)
		}
		return b.String()
	}
	for _, want := range []string{
		"m.onnx", r.SHA256, "a tool, IR 3, opset ai.onnx 8", "x: float[1,3,2,2] (data)", "y: float[1,3] (scores)",
		"1 in the file; made symbolic", "target [1 12] → [-1 12]", "[3,2,2]", "argmax, classes: 3", "cat, dog, owl",
		"1 weights are listed among the inputs", "--layout nchw|nhwc|flat", "--scale S --mean a,b,c --std a,b,c",
		"--decision argmax|argmin|threshold[:T]|label", "--output NAME", "--input NAME",
	} {
		if !strings.Contains(text(r), want) {
			t.Errorf("the text does not say %q:\n%s", want, text(r))
		}
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err = json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if back["classes"] != 3.0 || back["sha256"] != r.SHA256 || back["batch"].(map[string]any)["plan"] != "rewritten" || back["refusal"] != nil {
		t.Errorf("JSON %s", b)
	}
	path := plain(t, 13, "N").node("RandomNormalLike", "l", "y").scores("N").write()
	refused, err := models.Inspect(ctx, path, models.Options{})
	var refusal *models.Refusal
	if !errors.As(err, &refusal) || refused.Refusal != refusal || !strings.Contains(text(refused), "refused:") {
		t.Errorf("error %v, report:\n%s", err, text(refused))
	}
}

// TestDeclarationFile: model.yaml beside a file, its faults by line, flags over it.
func TestDeclarationFile(t *testing.T) {
	ctx := context.Background()
	g := plain(t, 13, "N").node("Neg", "l", "y").scores("N").out("l", onnx.Float, "N", refClasses)
	path := g.write()
	dir := filepath.Dir(path)
	write := func(name, s string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := models.Inspect(ctx, path, models.Options{}); err == nil {
		t.Fatal("two outputs were accepted")
	}
	write("model.yaml", "input: {name: x, layout: nchw, scale: 2, mean: [0.1, 0.2, 0.3], std: [1, 2, 3], resize: 8, crop: 2}\noutput: {name: y, kind: logits, decision: argmin}\nlabels: [a, b, c]\n")
	r, err := models.Inspect(ctx, path, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.YAML != "model.yaml" || r.Decision != "argmin" || r.Prep.Scale != 2 || !slices.Equal(r.Prep.Std, []float64{1, 2, 3}) || r.Prep.Inferred {
		t.Errorf("report %+v", r)
	}
	over, err := declare.ParseLayout("NCHW")
	if err != nil {
		t.Fatal(err)
	}
	d, file, err := declare.Resolve(path, models.Declaration{
		Input: models.InputDeclaration{Mean: []float64{0.5}, Layout: over}, Output: models.OutputDeclaration{Decision: "argmax"},
	})
	if err != nil || file == "" || d.Output.Name != "y" || d.Output.Decision != "argmax" || !slices.Equal(d.Input.Mean, []float64{0.5}) ||
		d.Input.Resize != 8 || d.Input.Crop != 2 {
		t.Errorf("declaration %+v of %q, error %v", d, file, err)
	}
	// A file of the model's own name comes first.
	write("m.model.yaml", "output: {name: l}\n")
	if r, err = models.Inspect(ctx, path, models.Options{}); err != nil || r.YAML != "m.model.yaml" || r.Prep.Output != "l" {
		t.Errorf("report of %s for output %s, error %v", r.YAML, r.Prep.Output, err)
	}
	for _, tt := range []struct{ yaml, words string }{
		{"input:\n  mena: [1]\n", `line 2: unknown key "mena"`},
		{"output: {name: y}\nnoise: 1\n", `line 2: unknown key "noise"`},
		{"input:\n  mean: red\n", "line 2"},
		{"input: [\n", "line"},
		{"input: {std: [0, 1, 1]}\n", "positive"},
		{"output: {decision: guess}\n", "guess"},
		{"labels: [a]\n---\nlabels: [b]\n", "more than one document"},
	} {
		write("m.model.yaml", tt.yaml)
		_, err = models.Inspect(ctx, path, models.Options{})
		if !errors.Is(err, declare.Err) || !strings.Contains(err.Error(), tt.words) || !strings.Contains(err.Error(), "m.model.yaml") ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %v, want %q", tt.yaml, err, tt.words)
		}
	}
	write("m.model.yaml", "")
	if r, err = models.Inspect(ctx, path, models.Options{Declared: outputs("l", "")}); err != nil || r.Prep.Output != "l" {
		t.Errorf("an empty file: %v", err)
	}
}

// FuzzInspect: whatever the bytes, an error or a report, in bounded time and memory.
func FuzzInspect(f *testing.F) {
	whole, err := os.ReadFile(plain(f, 13, 1).node("Softmax", "l", "y", aInt("axis", 1)).scores(1).write())
	if err != nil {
		f.Fatal(err)
	}
	for cut := 0; cut < len(whole); cut += 37 {
		f.Add(whole[:cut])
		flipped := slices.Clone(whole)
		flipped[cut] ^= 0x55
		f.Add(flipped)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := models.InspectBytes("fuzzed", b, models.Options{})
		if err == nil && r.Prep.Input == "" {
			t.Errorf("accepted without an input: %+v", r)
		}
		if werr := r.WriteText(&bytes.Buffer{}); werr != nil {
			t.Error(werr)
		}
	})
}
