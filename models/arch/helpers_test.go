package arch_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"ucan/models/arch"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
)

const classes = 10

// config is that of the tests: small images where the network takes them.
func config(name string, input ...int) arch.Config {
	c := arch.Config{Name: name, Input: input, Classes: classes, Seed: 7}
	for range input[0] {
		c.Mean, c.Std = append(c.Mean, 0.45), append(c.Std, 0.25)
	}
	return c
}

func network(t testing.TB, c arch.Config) *arch.Network {
	t.Helper()
	n, err := arch.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// executor opens one training step of a network as training runs it, on one
// thread.
func executor(t testing.TB, rt *runtime.Runtime, n *arch.Network, batch int64) *autodiff.Executor {
	return executorFor(t, rt, n, batch, true, n.Rules())
}

func executorFor(t testing.TB, rt *runtime.Runtime, n *arch.Network, batch int64, cpu bool, rules map[string]autodiff.Rule) *autodiff.Executor {
	t.Helper()
	o := autodiff.Options{
		Losses: []autodiff.Loss{autodiff.DefaultCrossEntropy()}, Wrt: []string{arch.Images},
		Sizes: map[string]int64{"N": batch}, CPU: cpu, Rules: rules,
	}
	for _, w := range n.Weights() {
		o.Wrt = append(o.Wrt, w.Name)
	}
	x, err := autodiff.NewExecutor(context.Background(), rt, n.Training(), autodiff.ExecutorOptions{
		Options: o, Mode: autodiff.WeightsAsInputs, Session: runtime.SessionOptions{IntraOp: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// perturb moves a vector off its initial value, so that scales of 1 and shifts
// of 0 hide no mistake. Normalised values are shifted by 4 deviations, two
// channels up and one down, which leaves few of them near the kink of Relu,
// where rounding would decide. testdata/torch_step.py does the same.
func perturb(name string, v []float32) {
	for i := range v {
		v[i] += float32(0.1 * math.Sin(float64(i+1)))
		if !strings.HasSuffix(name, ".norm.shift") {
			continue
		}
		if i%3 == 2 {
			v[i] -= 4
		} else {
			v[i] += 4
		}
	}
}

// fill sets images and labels to values that testdata/torch_step.py makes too.
func fill(images []float32, labels []int64) {
	for i := range images {
		images[i] = float32((i*7919+13)%1009) / 1009
	}
	for i := range labels {
		labels[i] = int64(i*3) % classes
	}
}

// prepare perturbs vectors and fills the batch.
func prepare(n *arch.Network, x *autodiff.Executor) {
	for _, w := range n.Weights() {
		if len(w.Shape) == 1 {
			perturb(w.Name, x.Weight(w.Name))
		}
	}
	x.Changed()
	fill(x.Floats(arch.Images), x.Ints("labels"))
}

func present(n *arch.Network, x *autodiff.Executor) map[string][]float32 {
	out := make(map[string][]float32)
	for _, w := range n.Weights() {
		out[w.Name] = x.Weight(w.Name)
	}
	return out
}

// infer returns the logits of a model.
func infer(t testing.TB, rt *runtime.Runtime, m *onnx.Model, images []float32, batch int) []float32 {
	t.Helper()
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := rt.NewSession(context.Background(), b, runtime.SessionOptions{IntraOp: 1, Outputs: []string{arch.Logits}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in, _ := m.Input(arch.Images)
	dims := []int64{int64(batch)}
	for _, d := range in.Shape[1:] {
		dims = append(dims, d.Size)
	}
	x, err := runtime.NewTensor(rt, dims, images)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	logits := make([]float32, batch*classes)
	y, err := runtime.NewTensor(rt, []int64{int64(batch), classes}, logits)
	if err != nil {
		t.Fatal(err)
	}
	defer y.Close()
	if err := s.Run(context.Background(), []*runtime.Tensor{x}, []*runtime.Tensor{y}); err != nil {
		t.Fatal(err)
	}
	return logits
}

// distance returns ‖a − b‖/‖b‖.
func distance(a, b []float32) float64 {
	var d, s float64
	for i := range b {
		d += float64(a[i]-b[i]) * float64(a[i]-b[i])
		s += float64(b[i]) * float64(b[i])
	}
	return math.Sqrt(d / s)
}
