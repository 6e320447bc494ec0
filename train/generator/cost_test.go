package generator_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"ucan/npg/net"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
	"ucan/train"
	"ucan/train/generator"
)

func TestCostTmp(t *testing.T) {
	rt := runtimetest.Open(t)
	base, err := onnx.Read("../../../shared/models/cifar10_resnet20_sigma025.onnx")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(base.Inputs(), base.Outputs())
	for _, kind := range []net.Kind{net.Dataset, net.Certification} {
		for _, mode := range []string{"constants", "inputs"} {
			cfg := net.DefaultConfig()
			cfg.Kind, cfg.Shape, cfg.MuScale = kind, []int{3, 32, 32}, 1
			n, err := net.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			var ws []generator.Weight
			for _, w := range n.Weights() {
				ws = append(ws, generator.Weight{Name: w.Name, Decay: w.Decay, Rate: 1})
			}
			start := time.Now()
			o, err := generator.New(context.Background(), rt, generator.Config{
				Generator: n.Model(), Weights: ws, Base: generator.Base{Graph: base, Input: base.Inputs()[0].Name, Scores: base.Outputs()[0].Name, Head: generator.Logits},
				Shape: cfg.Shape, Basis: net.Pixel, Rows: 128, Draws: 1, Loss: generator.DefaultLoss(), Threads: 2, Mode: mode,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Log("open", time.Since(start))
			b := &train.Batch{Rows: 128, Draws: 1, Clean: make([]float32, 128*3072), Noise: make([]float32, 128*3072), Labels: make([]int64, 128)}
			for i := range b.Noise {
				b.Clean[i] = float32(i%255) / 255
				b.Noise[i] = float32(i%511)/255 - 1
			}
			var ts []float64
			var m train.Metrics
			for range 5 {
				start := time.Now()
				if m, err = o.Step(context.Background(), b); err != nil {
					t.Fatal(err)
				}
				ts = append(ts, time.Since(start).Seconds()*1e6/128)
			}
			slices.Sort(ts)
			t.Logf("%s %s: %.0f µs/sample  %v", kind, mode, ts[2], m)
			_ = os.Stdout
			o.Close()
		}
	}
}
