package models_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ucan/fixtures/shared"
	"ucan/models"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// scoresOf returns the scores of rows through a model.
func scoresOf(t testing.TB, m *models.Model, rows [][]float64) [][]float32 {
	t.Helper()
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	var x []float32
	for _, r := range rows {
		for _, v := range r {
			x = append(x, float32(v))
		}
	}
	s, err := m.Scores(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]float32
	for i := range rows {
		out = append(out, s[i*m.ScoreWidth():(i+1)*m.ScoreWidth()])
	}
	return out
}

func near(got []float32, want []float64, rel float64) bool {
	return slices.EqualFunc(got, want, func(g float32, w float64) bool {
		return math.Abs(float64(g)-w) <= rel*max(1, math.Abs(w))
	})
}

// TestPreprocessing: the classifier sees (x·scale − mean)/std, a value a channel, in
// every layout and element type; the noise, which is part of x, is scaled with it.
func TestPreprocessing(t *testing.T) {
	mean, std := []float64{0.5, 0.25, -1}, []float64{0.5, 2, 4}
	rows := refRows(20)
	rows[3][5], rows[4][0] = 7, -3 // noise leaves [0,1]
	for _, tt := range []struct {
		name  string
		build func() *graph
		decl  models.InputDeclaration
		see   func(v float64, channel int) float64
	}{
		{"nchw", func() *graph { return plain(t, 13, "N").node("Identity", "l", "y").scores("N") },
			models.InputDeclaration{Scale: ptr(2.0), Mean: mean, Std: std},
			func(v float64, c int) float64 { return (v*2 - mean[c]) / std[c] }},
		{"opset 7, fixed batch", func() *graph { return plain(t, 7, 1).node("Identity", "l", "y").scores(1) },
			models.InputDeclaration{Mean: mean, Std: []float64{0.5}},
			func(v float64, c int) float64 { return (v - mean[c]) / 0.5 }},
		{"nhwc", func() *graph {
			return newGraph(t, 13).in("x", onnx.Float, "N", 2, 2, 3).node("Transpose", "x", "c", aInts("perm", 0, 3, 1, 2)).
				node("Flatten", "c", "f", aInt("axis", 1)).dense("f", "y").scores("N")
		}, models.InputDeclaration{Mean: mean, Std: std}, func(v float64, c int) float64 { return (v - mean[c]) / std[c] }},
		{"flat", func() *graph { return newGraph(t, 13).in("x", onnx.Float, "N", refDim).dense("x", "y").scores("N") },
			models.InputDeclaration{Mean: mean, Std: std}, func(v float64, c int) float64 { return (v - mean[c]) / std[c] }},
		{"float64", func() *graph {
			return newGraph(t, 13).in("x", onnx.Double, "N", 3, 2, 2).node("Cast", "x", "d", aInt("to", 1)).
				node("Flatten", "d", "f", aInt("axis", 1)).dense("f", "y").scores("N")
		}, models.InputDeclaration{Mean: []float64{0.125}}, func(v float64, _ int) float64 { return v - 0.125 }},
		{"uint8 rounds and clips", func() *graph {
			return newGraph(t, 13).in("x", onnx.Uint8, "N", 3, 2, 2).node("Cast", "x", "d", aInt("to", 1)).
				node("Flatten", "d", "f", aInt("axis", 1)).dense("f", "y").scores("N")
		}, models.InputDeclaration{}, func(v float64, _ int) float64 { return min(max(math.RoundToEven(v*255), 0), 255) }},
		{"int8 with an offset", func() *graph {
			return newGraph(t, 13).in("x", onnx.Int8, "N", 3, 2, 2).node("Cast", "x", "d", aInt("to", 1)).
				node("Flatten", "d", "f", aInt("axis", 1)).dense("f", "y").scores("N")
		}, models.InputDeclaration{Scale: ptr(256.0), Mean: []float64{128}}, func(v float64, _ int) float64 { return min(max(v*256-128, -128), 127) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := tt.build().open(models.Options{Declared: models.Declaration{Input: tt.decl}, SourceShape: refShape})
			if err != nil {
				t.Fatal(err)
			}
			for i, got := range scoresOf(t, m, rows) {
				seen := make([]float64, refDim)
				for j, v := range rows[i] {
					seen[j] = tt.see(v, j/4)
				}
				if want := refScores(seen); !near(got, want, 1e-5) {
					t.Errorf("row %d: scores %v, want %v", i, got, want)
				}
			}
			p := m.Preprocessing()
			if p.Input != "x" || p.Output != "y" || p.Inferred != (tt.decl.Mean == nil && tt.decl.Scale == nil) {
				t.Errorf("record %+v", p)
			}
		})
	}
}

// denoiserFile writes a model that halves its input, in the given layout and opset.
func denoiserFile(t testing.TB, opset int64, batch any, dims ...any) string {
	g := newGraph(t, opset).in("x", onnx.Float, append([]any{batch}, dims...)...).f32("half", nil, 0.5).
		node("Mul", "x half", "y").out("y", onnx.Float, append([]any{batch}, dims...)...)
	return g.write()
}

// TestDenoiser composes x → x/2 in front of the preprocessing: across opsets, fixed
// batches and layouts, and with the same names in both files.
func TestDenoiser(t *testing.T) {
	rows := refRows(12)
	for _, tt := range []struct {
		name      string
		file      string
		opset     int64
		batch     any
		plan      string
		wantFixed int
	}{
		{"open batches", denoiserFile(t, 13, "N", 3, 2, 2), 13, "N", "dynamic", 0},
		{"older denoiser of batch 1", denoiserFile(t, 9, 1, 3, 2, 2), 17, "N", "rewritten", 0},
		{"newer denoiser, classifier of batch 1", denoiserFile(t, 18, "N", 3, 2, 2), 11, 1, "rewritten", 0},
		{"channels last", denoiserFile(t, 13, "N", 2, 2, 3), 13, "N", "dynamic", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			decl := models.Declaration{Denoiser: tt.file, Input: models.InputDeclaration{Mean: []float64{0.25, 0.5, 0.75}}}
			m, err := plain(t, tt.opset, tt.batch).node("Identity", "l", "y").scores(tt.batch).
				open(models.Options{Declared: decl, SourceShape: refShape})
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Report().Batching.Plan; got != tt.plan || m.FixedBatch() != tt.wantFixed {
				t.Errorf("plan %s, fixed batch %d", got, m.FixedBatch())
			}
			if len(m.Preprocessing().Denoiser) != 64 {
				t.Errorf("the denoiser's hash is not recorded: %+v", m.Preprocessing())
			}
			for i, got := range scoresOf(t, m, rows) {
				seen := make([]float64, refDim)
				for j, v := range rows[i] {
					seen[j] = v/2 - []float64{0.25, 0.5, 0.75}[j/4]
				}
				if want := refScores(seen); !near(got, want, 1e-5) {
					t.Errorf("row %d: scores %v, want %v", i, got, want)
				}
			}
		})
	}
	g := plain(t, 13, "N").node("Identity", "l", "y").scores("N")
	_, err := g.open(models.Options{SourceShape: refShape, Declared: models.Declaration{Denoiser: denoiserFile(t, 13, "N", 3, 4, 4)}})
	if err == nil {
		t.Error("a denoiser of another size was composed")
	}
}

// TestPreparedEqualsOriginal runs real files as they are, at their own batch and on
// rows prepared in Go, and demands the same scores of the prepared graphs.
func TestPreparedEqualsOriginal(t *testing.T) {
	dir := shared.Path(t)
	rt := runtimetest.Open(t)
	mnistRows, cifarRows := mnist(t), cifar(t)
	vectors := func(d int) images {
		im := images{shape: []int{d}}
		for i := range 64 * d {
			im.x = append(im.x, float32(math.Sin(float64(i*i))))
		}
		return im
	}
	for _, tt := range []struct {
		file      string
		rows      images
		mean, std []float64
		hwc       bool
		decision  string
	}{
		{"mnistfc_256x2", mnistRows, nil, nil, false, ""},
		{"zoo_mnist_8", mnistRows, nil, nil, false, ""},
		{"cifar10_resnet_2b", cifarRows, []float64{0.4914, 0.4822, 0.4465}, []float64{0.2471, 0.2435, 0.2616}, false, ""},
		{"oval21_cifar_wide_kw", cifarRows, []float64{0.485, 0.456, 0.406}, []float64{0.225, 0.225, 0.225}, false, ""},
		{"marabou_cifar10_small", cifarRows, nil, nil, true, ""},
		{"cifar10_resnet20_sigma025", cifarRows, nil, nil, false, ""},
		{"acasxu_1_1", vectors(5), nil, nil, false, "argmin"},
		{"rl_cartpole", vectors(4), nil, nil, false, ""},
		{"rl_lunarlander", vectors(8), nil, nil, false, ""},
		{"rl_dubinsrejoin", vectors(8), nil, nil, false, ""},
		{"collins_rul_full_20", vectors(400), nil, nil, false, "threshold:80"},
	} {
		t.Run(tt.file, func(t *testing.T) {
			path := filepath.Join(dir, "models", tt.file+".onnx")
			m, err := models.Open(context.Background(), rt, path, models.Options{
				SourceShape: tt.rows.shape, SkipLoadTrial: true,
				Declared: models.Declaration{
					Input:  models.InputDeclaration{Mean: tt.mean, Std: tt.std},
					Output: models.OutputDeclaration{Decision: tt.decision},
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			d, width := m.Dim(), m.ScoreWidth()
			const n = 16
			got, err := m.Scores(context.Background(), tt.rows.x[:n*d])
			if err != nil {
				t.Fatal(err)
			}
			labels := classify(t, m, float64Rows(tt.rows.x[:n*d], d))
			for i := range n {
				x := tt.rows.x[i*d : (i+1)*d]
				want := original(t, rt, path, prepareInGo(x, tt.rows.shape, tt.mean, tt.std, tt.hwc), width)
				s := got[i*width : (i+1)*width]
				if !near(s, want, 1e-5) {
					t.Fatalf("row %d: scores %v, original %v", i, s, want)
				}
				if l := decide(want, tt.decision); labels[i] != l {
					t.Errorf("row %d: label %d, original %d", i, labels[i], l)
				}
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func float64Rows(x []float32, d int) [][]float64 {
	var out [][]float64
	for at := 0; at < len(x); at += d {
		row := make([]float64, d)
		for i := range row {
			row[i] = float64(x[at+i])
		}
		out = append(out, row)
	}
	return out
}

// prepareInGo is the preprocessing and the layout written out.
func prepareInGo(x []float32, shape []int, mean, std []float64, hwc bool) []float32 {
	out := make([]float32, len(x))
	plane := len(x) / shape[0]
	for i, v := range x {
		c := i / plane
		y := float64(v)
		if mean != nil {
			y = (y - mean[c]) / std[c]
		}
		at := i
		if hwc {
			at = i%plane*shape[0] + c
		}
		out[at] = float32(y)
	}
	return out
}

// decide is the decision written out.
func decide(s []float64, decision string) int32 {
	switch decision {
	case "argmin":
		neg := make([]float64, len(s))
		for i := range s {
			neg[i] = -s[i]
		}
		return argmax(neg)
	case "threshold:80":
		if s[0] > 80 {
			return 1
		}
		return 0
	}
	return argmax(s)
}

// original runs the untouched file on one row.
func original(t testing.TB, rt *runtime.Runtime, path string, x []float32, width int) []float64 {
	t.Helper()
	ctx := context.Background()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sess, err := rt.NewSession(ctx, b, runtime.SessionOptions{IntraOp: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer sess.Close()
	one := func(dims []int64) []int64 {
		out := slices.Clone(dims)
		for i := range out {
			out[i] = max(out[i], 1)
		}
		return out
	}
	in, err := runtime.NewTensor(rt, one(sess.Inputs()[0].Dims), x)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	y := make([]float32, width)
	out, err := runtime.NewTensor(rt, one(sess.Outputs()[0].Dims), y)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := sess.Run(ctx, []*runtime.Tensor{in}, []*runtime.Tensor{out}); err != nil {
		t.Fatal(err)
	}
	s := make([]float64, width)
	for i, v := range y {
		s[i] = float64(v)
	}
	return s
}

// TestPrepareTwice: a prepared graph is an ONNX file like any other.
func TestPrepareTwice(t *testing.T) {
	m, err := plain(t, 13, "N").node("Identity", "l", "y").scores("N").open(models.Options{SourceShape: refShape})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Graph().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := models.OpenBytes(context.Background(), runtimetest.Open(t), "again", b,
		models.Options{Declared: outputs("ucan.scores", ""), SkipLoadTrial: true})
	if err != nil {
		t.Fatal(err)
	}
	rows := refRows(9)
	if a, b := classify(t, m, rows), classify(t, again, rows); !slices.Equal(a, b) || again.Name() != "again" {
		t.Errorf("%s: labels %v, then %v", again.Name(), a, b)
	}
	if sum := again.SHA256(); sum == m.SHA256() || len(sum) != 64 {
		t.Errorf("hash %q of another file", sum)
	}
}
