package arch_test

import (
	"context"
	"testing"

	"ucan/fixtures/digits"
	"ucan/runtime/autodiff"
	"ucan/runtime/runtimetest"

	"ucan/models/arch"
)

// TestDescent takes a few plain gradient steps on drawn digits; the loss on
// them falls well below that of chance, ln 10 = 2.3.
func TestDescent(t *testing.T) {
	rt := runtimetest.Open(t)
	const batch = 20
	for _, c := range []struct {
		name  string
		rate  float32
		steps int
	}{{"mnist-cnn", 0.05, 20}, {"mlp", 0.05, 40}, {"resnet20", 0.1, 12}, {"vit-tiny", 0.01, 20}} {
		if testing.Short() && c.name != "mlp" {
			continue
		}
		set := config(c.name, 1, digits.Size, digits.Size)
		set.Mean, set.Std = []float64{0.13}, []float64{0.31}
		n := network(t, set)
		x := executor(t, rt, n, batch)
		draw := digits.New(3)
		for i := range batch {
			images := x.Floats(arch.Images)
			x.Ints("labels")[i] = int64(draw.Image(i, images[i*digits.Size*digits.Size:][:digits.Size*digits.Size]))
		}
		running := n.NewRunning()
		loss := descend(t, n, x, c.steps, c.rate, running)
		t.Logf("%s: %.2f", c.name, loss)
		if first, last := loss[0], loss[c.steps-1]; !(last < 1.2 && last < 0.5*first) {
			t.Errorf("%s: the loss goes from %.3f to %.3f", c.name, first, last)
		}
		m, err := n.Export(present(n, x), running)
		if err != nil {
			t.Fatal(err)
		}
		if right := correct(infer(t, rt, m, x.Floats(arch.Images), batch), x.Ints("labels")); right < batch/2 {
			t.Errorf("%s: the exported model knows %d of %d training images", c.name, right, batch)
		}
	}
}

func descend(t *testing.T, n *arch.Network, x *autodiff.Executor, steps int, rate float32, running arch.Running) []float64 {
	t.Helper()
	var loss []float64
	for range steps {
		if err := x.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
		loss = append(loss, x.Loss("loss"))
		if err := running.Update(n.Statistics(), len(x.Ints("labels")), 0.3, x.Result); err != nil {
			t.Fatal(err)
		}
		for _, w := range n.Weights() {
			v, g := x.Weight(w.Name), x.Grad("loss", w.Name)
			for i := range v {
				v[i] -= rate * g[i]
			}
		}
		x.Changed()
	}
	return loss
}

func correct(logits []float32, labels []int64) int {
	right := 0
	for i, l := range labels {
		best := 0
		for k, v := range logits[i*classes:][:classes] {
			if v > logits[i*classes+best] {
				best = k
			}
		}
		if int64(best) == l {
			right++
		}
	}
	return right
}
