package arch_test

import (
	"context"
	"errors"
	"testing"

	"ucan/models/arch"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// on measures a graph on images.
func on(t *testing.T, rt *runtime.Runtime, images []float32, dims ...int64) arch.Measure {
	t.Helper()
	x, err := onnx.NewTensor(arch.Images, dims, images)
	if err != nil {
		t.Fatal(err)
	}
	return func(m *onnx.Model) (map[string]*onnxpb.TensorProto, error) {
		return autodiff.OnRuntime(rt).Eval(context.Background(), m, []*onnxpb.TensorProto{x})
	}
}

// TestRenormalise checks on the images that were measured that the graph to train, and what is
// exported from it, compute what the classifier does; and that training by batch statistics takes
// out a change of scale that the classifier itself would feel.
func TestRenormalise(t *testing.T) {
	rt := runtimetest.Open(t)
	for _, c := range []arch.Config{config("resnet20", 3, 16, 16), config("mnist-cnn", 1, 12, 12)} {
		plain := exported(t, network(t, c))
		const batch = 6
		images := make([]float32, batch*c.Input[0]*c.Input[1]*c.Input[2])
		for i := range images {
			images[i] = float32(i*7919%1000) / 1000
		}
		dims := []int64{batch, int64(c.Input[0]), int64(c.Input[1]), int64(c.Input[2])}
		r, err := arch.Renormalise(plain, on(t, rt, images, dims...))
		if err != nil {
			t.Fatal(err)
		}
		want := infer(t, rt, plain, images, batch)
		x, err := autodiff.NewExecutor(context.Background(), rt, r.Training(), autodiff.ExecutorOptions{
			Options: autodiff.Options{
				Wrt: autodiff.Trainable(r.Training()), Losses: []autodiff.Loss{autodiff.DefaultCrossEntropy()}, Output: arch.Logits,
				Sizes: map[string]int64{"N": batch}, CPU: true, Rules: r.Rules(),
			},
			Mode: autodiff.WeightsAsInputs, Session: runtime.SessionOptions{IntraOp: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		copy(x.Floats(arch.Images), images)
		if err = x.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
		if d := distance(x.Result(arch.Logits), want); !(d < 1e-3) {
			t.Errorf("%s: the logits of training differ by %g", c.Name, d)
		}
		running := r.NewRunning()
		for _, s := range r.Statistics() {
			if d := distance(x.Result(s.Variance), running[s.Variance]); !(d < 1e-3) {
				t.Errorf("%s: the variance of %s differs by %g", c.Name, s.Name, d)
			}
		}
		weights := make(map[string][]float32)
		for _, w := range x.Weights() {
			weights[w] = x.Weight(w)
		}
		m, err := r.Export(weights, running)
		if err != nil {
			t.Fatal(err)
		}
		if d := distance(infer(t, rt, m, images, batch), want); !(d < 1e-3) {
			t.Errorf("%s: the exported logits differ by %g", c.Name, d)
		}
		if n := len(m.Nodes()); n != len(plain.Nodes()) {
			t.Errorf("%s: exported with %d nodes, not %d", c.Name, n, len(plain.Nodes()))
		}

		// Three times the weights of every convolution change nothing.
		for _, w := range x.Weights() {
			if len(r.Training().Initializer(w).GetDims()) == 4 {
				for i := range x.Weight(w) {
					x.Weight(w)[i] *= 3
				}
			}
		}
		x.Changed()
		if err := x.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
		if d := distance(x.Result(arch.Logits), want); !(d < 1e-2) {
			t.Errorf("%s: with larger weights the logits differ by %g", c.Name, d)
		}

		delete(weights, r.Statistics()[0].Name+".scale")
		if _, err := r.Export(weights, running); err == nil {
			t.Errorf("%s: exported without a scale", c.Name)
		}
	}
}

func TestRenormaliseRefuses(t *testing.T) {
	rt := runtimetest.Open(t)
	mlp := exported(t, network(t, config("mlp", 1, 6, 6)))
	if _, err := arch.Renormalise(mlp, on(t, rt, make([]float32, 72), 2, 1, 6, 6)); !errors.Is(err, arch.ErrNoRenormalisation) {
		t.Errorf("a network without convolutions: %v", err)
	}
	b := onnx.Extend(exported(t, network(t, config("mnist-cnn", 1, 12, 12))))
	y := b.Value(arch.Logits)
	b.ClearOutputs()
	b.OutputUntyped("scores", b.Op("Sum", []onnx.Value{y, y}))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := arch.Renormalise(m, on(t, rt, make([]float32, 288), 2, 1, 12, 12)); !errors.Is(err, arch.ErrNoRenormalisation) {
		t.Errorf("a Sum behind a convolution: %v", err)
	}
}
