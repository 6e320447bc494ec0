package arch_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"ucan/models/arch"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// gradient returns the graph of one training step: the cross-entropy and its
// gradients by all weights.
func gradient(t testing.TB, eng autodiff.Engine, n *arch.Network, batch int64, o autodiff.Options) *autodiff.Gradient {
	t.Helper()
	for _, w := range n.Weights() {
		o.Wrt = append(o.Wrt, w.Name)
	}
	o.Losses = []autodiff.Loss{autodiff.DefaultCrossEntropy()}
	o.Sizes = map[string]int64{"N": batch}
	o.Rules = n.Rules()
	g, err := autodiff.Differentiate(context.Background(), eng, n.Training(), o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestWriteGraphs writes the graphs that testdata/torch_step.py times, at
// batch 128, into the folder that UCAN_GRAPHS names.
func TestWriteGraphs(t *testing.T) {
	dir := os.Getenv("UCAN_GRAPHS")
	if dir == "" {
		t.Skip("UCAN_GRAPHS names no folder to write to")
	}
	eng := autodiff.OnRuntime(runtimetest.Open(t))
	write := func(name string, m *onnx.Model) {
		if err := m.Write(filepath.Join(dir, name+".onnx")); err != nil {
			t.Fatal(err)
		}
	}
	for name, input := range torchInputs() {
		n, err := arch.New(arch.Config{Name: name, Input: input, Classes: 10, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		write(name, n.Training())
		write(name+".constants", gradient(t, eng, n, 128, autodiff.Options{CPU: true}).Model)
		write(name+".inputs", gradient(t, eng, n, 128, autodiff.Options{CPU: true, Promote: true}).Model)
	}
}
