package arch_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/models/arch"
	"ucan/runtime/autodiff"
	"ucan/runtime/runtimetest"
)

// TestTorch compares a training step with PyTorch's on the same weights:
// the loss, and of each gradient the norm and two projections.
// testdata/torch_step.json is made by testdata/torch_step.py (PyTorch 2.15.0,
// float64) from the graphs of TestWriteGraphs. Errors are relative
// to the norm of the gradient: 1e-4, and 1e-3 for shifts, whose gradient is what
// is left of numbers thousands of times larger, since the next normalisation
// takes a common shift out.
func TestTorch(t *testing.T) {
	rt := runtimetest.Open(t)
	raw, err := os.ReadFile("testdata/torch_step.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		Loss      float64
		Gradients map[string][3]float64
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for name, input := range torchInputs() {
		if testing.Short() && name != "mnist-cnn" {
			continue
		}
		n := network(t, arch.Config{Name: name, Input: input, Classes: classes, Seed: 1})
		for kind, x := range subtest.Rows(map[string]*autodiff.Executor{
			"as trained": executor(t, rt, n, 8), "by the rules of operators": executorFor(t, rt, n, 8, false, nil),
		}) {
			t.Run(kind, func(t *testing.T) {
				prepare(n, x)
				if err := x.Step(context.Background()); err != nil {
					t.Fatal(err)
				}
				w := want[name]
				if math.Abs(x.Loss("loss")-w.Loss) > 1e-5*w.Loss {
					t.Errorf("%s, %s: the loss is %.9g, PyTorch's %.9g", name, kind, x.Loss("loss"), w.Loss)
				}
				if len(w.Gradients) != len(n.Weights())+1 {
					t.Errorf("%s: %d gradients are stored for %d weights and the images", name, len(w.Gradients), len(n.Weights()))
				}
				for value, p := range w.Gradients {
					got := projections(x.Grad("loss", value))
					limit := 1e-4 * p[0]
					if strings.HasSuffix(value, ".norm.shift") {
						limit *= 10
					}
					for i := range got {
						if d := math.Abs(got[i] - p[i]); !(d <= limit) {
							t.Errorf("%s, %s: projection %d of the gradient of %s is %.9g, PyTorch's %.9g", name, kind, i, value, got[i], p[i])
						}
					}
				}
			})
		}
	}
}

// projections returns the norm of g and two inner products with it.
func projections(g []float32) (p [3]float64) {
	for i, v := range g {
		x := float64(v)
		p[0] += x * x
		p[1] += x * math.Cos(float64(i))
		p[2] += x * float64(i*31%17-8) / 8
	}
	p[0] = math.Sqrt(p[0])
	return p
}

func torchInputs() map[string][]int {
	return map[string][]int{"mnist-cnn": {1, 28, 28}, "resnet20": {3, 32, 32}}
}
