package perinput

import (
	"context"
	"math"
	"testing"

	"ucan/fixtures/digits"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
	"ucan/smooth"
	"ucan/smooth/stream"
)

// demoNetwork opens the demonstration CNN at a batch.
func demoNetwork(t testing.TB, batch int) *Network {
	t.Helper()
	rt := runtimetest.Open(t)
	graph, err := onnx.Read("../../models/demo/digits_cnn.onnx")
	if err != nil {
		t.Fatal(err)
	}
	n, err := OpenNetwork(context.Background(), rt, Base{
		Graph: graph, Input: "input", Output: "logits", Softmax: true, Batch: batch, Session: runtime.SessionOptions{IntraOp: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// Rows that do not fill the last batch, and directional derivatives against differences.
func TestNetworkGradient(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := demoNetwork(t, 4)
	const rows = 6
	x := make([]float32, rows*digits.Pixels)
	for i := range rows {
		digits.New(digits.TestSeed).Image(i, x[i*digits.Pixels:(i+1)*digits.Pixels])
	}
	source := stream.New(1, [32]byte{}, stream.Audit).Source(0)
	weights, direction, noise := make([]float32, rows*n.Classes()), make([]float32, len(x)), make([]float32, len(x))
	source.NormalInto(weights)
	source.NormalInto(direction)
	source.NormalInto(noise)
	for i := range x {
		x[i] += 0.7 * noise[i] // far from certainty, where probabilities have slopes
	}
	p, err := n.Probabilities(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	for r := range rows {
		sum := 0.0
		for _, v := range p[r*n.Classes() : (r+1)*n.Classes()] {
			sum += float64(v)
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("probabilities of row %d sum to %v", r, sum)
		}
	}
	g, err := n.Gradient(ctx, x, p, weights)
	if err != nil {
		t.Fatal(err)
	}
	got := 0.0
	for i, v := range g {
		got += float64(v) * float64(direction[i])
	}
	value := func(h float32) float64 {
		moved := make([]float32, len(x))
		for i := range x {
			moved[i] = x[i] + h*direction[i]
		}
		q, err := n.Probabilities(ctx, moved)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i, v := range q {
			sum += float64(v) * float64(weights[i])
		}
		return sum
	}
	const h = 2e-4 // ReLU kinks fall within larger steps, rounding within smaller ones
	want := (value(h) - value(-h)) / (2 * h)
	if math.Abs(got-want) > 0.01*math.Abs(want) {
		t.Errorf("directional derivative %v, differences give %v", got, want)
	}
}

func TestNetworkRefusesWrongRows(t *testing.T) {
	ctx, n := context.Background(), demoNetwork(t, 2)
	if _, err := n.Probabilities(ctx, make([]float32, 10)); err == nil {
		t.Error("10 values were taken for rows of 784")
	}
	if _, err := n.Gradient(ctx, make([]float32, digits.Pixels), make([]float32, 10), make([]float32, 9)); err == nil {
		t.Error("9 weights were taken for 10 classes")
	}
}

// On real images the optimised field is never below its start, and better in the ALM, estimated by
// votes, for most inputs.
func TestDigitsImprove(t *testing.T) {
	t.Parallel()
	n := demoNetwork(t, 64)
	c := DefaultConfig()
	c.Iterations, c.Samples, c.Votes, c.GridSize = 20, 48, 100, 8
	c.Low, c.High, c.Limits.Ceiling = 0.1, 1.2, 3
	better, inputs := 0, 3
	if testing.Short() {
		inputs = 1
	}
	for i := range inputs {
		x := make([]float32, digits.Pixels)
		label := digits.New(digits.TestSeed).Image(i, x)
		r, err := Optimise(context.Background(), n, x, smooth.InputID(x), c)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Certifiable || r.Class != label {
			t.Errorf("digit %d: certifiable %v as %d, is %d", i, r.Certifiable, r.Class, label)
		}
		for j, s := range r.Sigma {
			if s < r.Start || s > 3 {
				t.Fatalf("digit %d: σ[%d] = %v outside [%v, 3]", i, j, s, r.Start)
			}
		}
		if r.ALM < r.StartALM {
			t.Errorf("digit %d: ALM %v below the start's %v", i, r.ALM, r.StartALM)
		}
		if r.ALM > 1.05*r.StartALM && r.Proxy > r.StartProxy {
			better++
		}
		t.Logf("digit %d: start %.3f, ALM %.3f from %.3f, proxy %.3f from %.3f, θ = %v", i, r.Start, r.ALM, r.StartALM, r.Proxy, r.StartProxy, r.Blend)
	}
	if better < (inputs+1)/2 {
		t.Errorf("%d of %d digits improved by more than 5 %%", better, inputs)
	}
}
