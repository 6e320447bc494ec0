package autodiff_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"ucan/fixtures/shared"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// TestWriteGraphs writes the graphs that testdata/torch_compare.py times, at batch 128, into the
// folder that UCAN_GRAPHS names.
func TestWriteGraphs(t *testing.T) {
	dir := os.Getenv("UCAN_GRAPHS")
	if dir == "" {
		t.Skip("UCAN_GRAPHS names no folder to write to")
	}
	rt := runtimetest.Open(t)
	eng := autodiff.OnRuntime(rt)
	resnet, err := onnx.Read(shared.Path(t, "models", "cifar10_resnet20_sigma025.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*onnx.Model{"mnist-cnn": mnistCNN(t), "resnet20": resnet} {
		if err := m.Write(filepath.Join(dir, name+".onnx")); err != nil {
			t.Fatal(err)
		}
		weights := autodiff.Trainable(m)
		for kind, o := range map[string]autodiff.Options{
			"input": {CPU: true}, "training": {Wrt: weights, CPU: true}, "training-inputs": {Wrt: weights, Promote: true, CPU: true},
		} {
			o.Losses = []autodiff.Loss{autodiff.DefaultCrossEntropy()}
			o.Sizes = map[string]int64{"N": 128}
			g, err := autodiff.Differentiate(context.Background(), eng, m, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Model.Write(filepath.Join(dir, name+"."+kind+".onnx")); err != nil {
				t.Fatal(err)
			}
		}
	}
}
