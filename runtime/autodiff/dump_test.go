package autodiff_test

import (
	"context"
	"os"
	"testing"

	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

func TestDump(t *testing.T) {
	dir := os.Getenv("UCAN_DUMP")
	if dir == "" {
		t.Skip()
	}
	rt := runtimetest.Open(t)
	eng := autodiff.OnRuntime(rt)
	r20, err := onnx.Read(sharedModel(t, "cifar10_resnet20_sigma025.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*onnx.Model{"mnist": mnistCNN(t), "r20": r20} {
		if err := m.Write(dir + "/" + name + ".onnx"); err != nil {
			t.Fatal(err)
		}
		for k, o := range map[string]autodiff.Options{"input": {}, "train": {Wrt: autodiff.Trainable(m)}, "promo": {Wrt: autodiff.Trainable(m), Promote: true}} {
			o.Losses = []autodiff.Loss{autodiff.DefaultCrossEntropy()}
			o.CPU, o.Sizes = true, map[string]int64{"N": 128}
			g, err := autodiff.Differentiate(context.Background(), eng, m, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Model.Write(dir + "/" + name + "_" + k + ".onnx"); err != nil {
				t.Fatal(err)
			}
		}
	}
}
