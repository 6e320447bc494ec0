package denoise_test

import (
	"math"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/models/arch"
	"ucan/models/arch/denoise"
	"ucan/models/rows"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// cases are denoisers of every kind, on inputs whose sides are odd where they may be.
func cases() map[string]denoise.Config {
	halved := func(b *onnx.Builder, y onnx.Value) onnx.Value { return b.Mul(y, b.Scalar(onnx.Float, 0.5)) }
	return map[string]denoise.Config{
		"dncnn":                  {Name: "dncnn", Shape: []int{3, 7, 5}, Width: 4, Depth: 3},
		"dncnn, map":             {Name: "dncnn", Shape: []int{3, 7, 5}, Width: 4, Depth: 3, Map: make([]float32, 105), Front: halved},
		"ffdnet":                 {Name: "ffdnet", Shape: []int{3, 7, 5}, Width: 4, Depth: 3, Estimate: true},
		"unet":                   {Name: "unet", Shape: []int{1, 9, 14}, Width: 4},
		"unet, filter":           {Name: "unet", Shape: []int{3, 16, 16}, Width: 4, Depth: 2, Front: halved, Mean: []float64{1, 2, 3}, Signal: []float64{1, 2, 3}, Spread: []float64{2, 3, 4}},
		"conv1d":                 {Name: "conv1d", Shape: []int{2, 9}, Width: 4, Depth: 3},
		"conv1d, one channel":    {Name: "conv1d", Shape: []int{9}, Width: 4, Depth: 3, Front: halved},
		"mlp":                    {Name: "mlp", Shape: []int{6}, Width: 5, Front: halved},
		"mlp of images":          {Name: "mlp", Shape: []int{2, 3, 3}, Width: 5, Depth: 2},
		"mlp of columns, scales": {Name: "mlp", Shape: []int{2}, Width: 5, Mean: []float64{100, -5}, Signal: []float64{30, 2}, Spread: []float64{31, 3}},
	}
}

func network(t *testing.T, c denoise.Config) *arch.Network {
	t.Helper()
	n, err := denoise.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// input has n rows of some values.
func input(t *testing.T, c denoise.Config, n int) ([]float32, *onnxpb.TensorProto) {
	t.Helper()
	dims, total := []int64{int64(n)}, n
	for _, d := range c.Shape {
		dims, total = append(dims, int64(d)), total*d
	}
	v := make([]float32, total)
	for i := range v {
		v[i] = float32(math.Sin(float64(i*i + 1)))
	}
	x, err := onnx.NewTensor(denoise.Noisy, dims, v)
	if err != nil {
		t.Fatal(err)
	}
	return v, x
}

func clean(t *testing.T, m *onnx.Model, x *onnxpb.TensorProto) []float32 {
	t.Helper()
	out, err := autodiff.OnRuntime(runtimetest.Open(t)).Eval(t.Context(), m, []*onnxpb.TensorProto{x})
	if err != nil {
		t.Fatal(err)
	}
	v, err := onnx.Float32s(out[denoise.Clean])
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func weights(n *arch.Network, change func(name string, v []float32)) map[string][]float32 {
	out := make(map[string][]float32)
	for _, w := range n.Weights() {
		change(w.Name, w.Values)
		out[w.Name] = w.Values
	}
	return out
}

// TestStart: before the first step a denoiser returns its first estimate, in training and exported.
func TestStart(t *testing.T) {
	for name, c := range subtest.Rows(cases()) {
		t.Run(name, func(t *testing.T) {
			n := network(t, c)
			v, x := input(t, c, 3)
			exported, err := n.Export(weights(n, func(string, []float32) {}), n.NewRunning())
			if err != nil {
				t.Fatal(err)
			}
			for kind, m := range map[string]*onnx.Model{"training": n.Training(), "exported": exported} {
				for i, got := range clean(t, m, x) {
					want := v[i]
					if c.Front != nil {
						want /= 2
					}
					if got != want {
						t.Fatalf("%s: value %d is %v; want %v", kind, i, got, want)
					}
				}
			}
		})
	}
}

// TestExport: with the statistics of a batch as running averages, the exported denoiser computes
// for that batch what training does, and its rows are proved independent.
func TestExport(t *testing.T) {
	eng := autodiff.OnRuntime(runtimetest.Open(t))
	for name, c := range subtest.Rows(cases()) {
		t.Run(name, func(t *testing.T) {
			n := network(t, c)
			w := weights(n, func(name string, v []float32) {
				for i := range v {
					v[i] += 0.3 * float32(math.Cos(float64(7*i+len(name))))
				}
			})
			trained, err := n.Training().WithFloats(w)
			if err != nil {
				t.Fatal(err)
			}
			_, x := input(t, c, 3)
			out, err := eng.Eval(t.Context(), trained, []*onnxpb.TensorProto{x})
			if err != nil {
				t.Fatal(err)
			}
			running := n.NewRunning()
			for name := range running {
				if running[name], err = onnx.Float32s(out[name]); err != nil {
					t.Fatal(err)
				}
			}
			exported, err := n.Export(w, running)
			if err != nil {
				t.Fatal(err)
			}
			want, err := onnx.Float32s(out[denoise.Clean])
			if err != nil {
				t.Fatal(err)
			}
			first := clean(t, n.Training(), x)
			moved := 0.0
			for i, got := range clean(t, exported, x) {
				if d := math.Abs(float64(got - want[i])); d > 1e-4*(1+math.Abs(float64(want[i]))) {
					t.Fatalf("value %d is %v; in training %v", i, got, want[i])
				}
				moved = max(moved, math.Abs(float64(got-first[i])))
			}
			if moved < 1e-3 {
				t.Errorf("the weights moved no value by more than %v", moved)
			}
			if p := rows.Prove(exported, denoise.Noisy, denoise.Clean, 0); !p.Proved {
				t.Errorf("rows are not proved independent: %v", p)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range subtest.Rows(map[string]struct {
		config denoise.Config
		says   string
	}{
		"unknown":          {denoise.Config{Name: "resnet", Shape: []int{1, 8, 8}}, "no denoiser is called"},
		"series of unet":   {denoise.Config{Name: "unet", Shape: []int{1, 8}}, "takes no inputs of shape"},
		"images of conv1d": {denoise.Config{Name: "conv1d", Shape: []int{1, 8, 8}}, "takes no inputs of shape"},
		"small unet":       {denoise.Config{Name: "unet", Shape: []int{1, 7, 8}}, "at least 8×8"},
		"depth":            {denoise.Config{Name: "dncnn", Shape: []int{1, 8, 8}, Depth: 1}, "a depth of 1"},
		"width":            {denoise.Config{Name: "dncnn", Shape: []int{1, 8, 8}, Width: 5000}, "a width of 5000"},
		"map":              {denoise.Config{Name: "dncnn", Shape: []int{1, 8, 8}, Map: make([]float32, 3)}, "a noise map of 3 values"},
		"estimate":         {denoise.Config{Name: "mlp", Shape: []int{8}, Estimate: true}, "cannot be estimated"},
		"scales":           {denoise.Config{Name: "mlp", Shape: []int{2}, Mean: []float64{0, 0}, Signal: []float64{1, 0}, Spread: []float64{1, 1}}, "not a positive number"},
		"channels":         {denoise.Config{Name: "mlp", Shape: []int{2}, Mean: []float64{0}, Signal: []float64{1}, Spread: []float64{1}}, "normalise 2 channels"},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := denoise.New(c.config); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want an error that says %q", err, c.says)
			}
		})
	}
}
