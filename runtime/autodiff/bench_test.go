package autodiff_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"ucan/fixtures/shared"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// mnistCNN is the convolutional network of the MNIST experiments: 3×3 convolutions 32, 32, pooling,
// 64, 64, pooling, dense 256, 10.
func mnistCNN(t testing.TB) *onnx.Model {
	t.Helper()
	r := rng(3)
	b := onnx.NewBuilder("mnist", 17)
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(1), onnx.Fixed(28), onnx.Fixed(28))
	weight := func(name string, scale float64, dims ...int64) onnx.Value {
		w := make([]float32, elements(dims))
		for i := range w {
			w[i] = float32(r.NormFloat64() * scale)
		}
		return onnx.Tensor(b, name, dims, w)
	}
	conv := func(x onnx.Value, name string, in, out int64) onnx.Value {
		w := weight(name+".w", 1.4/float64(3*in), out, in, 3, 3)
		return b.Relu(b.Conv(x, w, weight(name+".b", 0.1, out), onnx.Window{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}}))
	}
	pool := onnx.Window{Kernel: []int64{2, 2}, Strides: []int64{2, 2}}
	h := conv(conv(x, "c1", 1, 32), "c2", 32, 32)
	h = b.MaxPool(h, pool)
	h = conv(conv(h, "c3", 32, 64), "c4", 64, 64)
	h = b.MaxPool(h, pool)
	h = b.Flatten(h, 1)
	h = b.Relu(b.Gemm(h, weight("d1.w", 0.025, 3136, 256), weight("d1.b", 0.1, 256), false))
	h = b.Gemm(h, weight("d2.w", 0.08, 256, 10), weight("d2.b", 0.1, 10), false)
	b.Output("logits", h, onnx.Float, onnx.Sym("N"), onnx.Fixed(10))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// costRunner opens a session that runs m on zeros at batch 128.
func costRunner(t testing.TB, rt *runtime.Runtime, eng autodiff.Engine, m *onnx.Model, batch int64, threads int, outputs []string) *runner {
	t.Helper()
	feeds := make(map[string]value)
	shapes := make(map[string][]int64)
	r := rng(5)
	for _, in := range m.Inputs() {
		var dims []int64
		for _, d := range in.Shape {
			if d.IsFixed() {
				dims = append(dims, d.Size)
			} else {
				dims = append(dims, batch)
			}
		}
		v := value{dims: dims, data: make([]float64, elements(dims))}
		for i := range v.data {
			switch {
			case !in.Type.IsFloat():
			case m.Initializer(in.Name) == nil && len(dims) == 4 && dims[0] == batch:
				v.data[i] = r.Float64()
			default:
				v.data[i] = r.NormFloat64() * 0.05
			}
		}
		feeds[in.Name] = v
	}
	for _, o := range m.Outputs() {
		dims := []int64{}
		for _, d := range o.Shape {
			if d.IsFixed() {
				dims = append(dims, d.Size)
			} else {
				dims = append(dims, batch)
			}
		}
		shapes[o.Name] = dims
	}
	rn, err := openRunner(rt, m, feeds, outputs, shapes, runtime.SessionOptions{IntraOp: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rn.close(t) })
	return rn
}

// BenchmarkCost measures, interleaved, the input gradient and the training gradient of the
// cross-entropy against the forward pass, at batch 128 on 2 threads: forward-ms, and input-x,
// training-x (weights constant) and training-inputs-x (weights as inputs) as multiples of it,
// medians.
func BenchmarkCost(b *testing.B) {
	rt := runtimetest.Open(b)
	eng := autodiff.OnRuntime(rt)
	const batch = 128
	models := map[string]func() *onnx.Model{
		"mnist-cnn": func() *onnx.Model { return mnistCNN(b) },
		"resnet20": func() *onnx.Model {
			m, err := onnx.Read(shared.Path(b, "models", "cifar10_resnet20_sigma025.onnx"))
			if err != nil {
				b.Fatal(err)
			}
			return m
		},
	}
	for _, name := range []string{"mnist-cnn", "resnet20"} {
		b.Run(name, func(b *testing.B) {
			m := models[name]()
			loss := []autodiff.Loss{autodiff.DefaultCrossEntropy()}
			sizes := map[string]int64{"N": batch}
			grad := func(o autodiff.Options) *runner {
				o.Losses, o.Sizes = loss, sizes
				g, err := autodiff.Differentiate(context.Background(), eng, m, o)
				if err != nil {
					b.Fatal(err)
				}
				outs := append([]string{}, g.Losses...)
				for _, w := range g.Wrt {
					outs = append(outs, g.Output("loss", w))
				}
				return costRunner(b, rt, eng, g.Model, batch, 2, outs)
			}
			weights := autodiff.Trainable(m)
			runs := []*runner{
				costRunner(b, rt, eng, m, batch, 2, nil),
				grad(autodiff.Options{CPU: true}),
				grad(autodiff.Options{Wrt: weights, CPU: true}),
				grad(autodiff.Options{Wrt: weights, Promote: true, CPU: true}),
			}
			times := make([][]float64, len(runs))
			for range b.N {
				for i, r := range runs {
					start := time.Now()
					if err := r.sess.Run(context.Background(), r.ins, r.outs); err != nil {
						b.Fatal(err)
					}
					times[i] = append(times[i], time.Since(start).Seconds())
				}
			}
			med := make([]float64, len(runs))
			for i := range times {
				slices.Sort(times[i])
				med[i] = times[i][len(times[i])/2]
			}
			b.ReportMetric(med[0]*1e3, "forward-ms")
			b.ReportMetric(med[1]/med[0], "input-x")
			b.ReportMetric(med[2]/med[0], "training-x")
			b.ReportMetric(med[3]/med[0], "training-inputs-x")
		})
	}
}
