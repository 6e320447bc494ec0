package denoiser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/models/arch/denoise"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
	"ucan/smooth"
	"ucan/train"
	"ucan/train/denoiser"
	"ucan/train/generator"
)

const rows, draws, classes = 3, 2, 4

var (
	mean   = []float64{0.4, 0.5, 0.6}
	signal = []float64{0.25, 0.5, 0.75}
	spread = []float64{0.5, 0.75, 1}
)

// torchCase is a step of testdata/torch_steps.py.
type torchCase struct {
	Arch          string
	Shape         []int
	Width, Depth  int
	Map, Estimate bool
	Objective     string
	Classifiers   int
	Loss          float64
	Gradients     map[string][3]float64
}

// pseudo are numbers between −1/2 and 1/2 that depend on the name.
func pseudo(name string, count int) []float32 {
	k := 0
	for _, c := range []byte(name) {
		k += int(c)
	}
	out := make([]float32, count)
	for i := range out {
		out[i] = float32(float64(((i+k)*7919+13)%1009)/1009 - 0.5)
	}
	return out
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// frozen is classifier k of testdata/torch_steps.py: a normalisation by stored statistics and a sum
// of three terms, which have rules of their own in the denoiser.
func frozen(t testing.TB, k int, shape []int) generator.Base {
	t.Helper()
	b := onnx.NewBuilder("frozen", 17)
	dims := []onnx.Dim{onnx.Sym("batch")}
	for _, d := range shape {
		dims = append(dims, onnx.Fixed(int64(d)))
	}
	x := b.Input("x", onnx.Float, dims...)
	fixed := func(name string, add float32, dims ...int64) onnx.Value {
		n := int64(1)
		for _, d := range dims {
			n *= d
		}
		v := pseudo(fmt.Sprintf("%d.%s", k, name), int(n))
		for i := range v {
			v[i] += add
		}
		return onnx.Tensor(b, name, dims, v)
	}
	z := b.Gemm(b.Flatten(x, 1), fixed("dense1", 0, 8, int64(size(shape))), onnx.Value{}, true)
	z = b.BatchNorm(z, fixed("scale", 1, 8), fixed("shift", 0, 8), fixed("mean", 0, 8), fixed("variance", 1, 8), 1e-5)
	z = b.Op("Sum", []onnx.Value{z, b.Relu(z), fixed("more", 0, 8)})
	b.Output("scores", b.Gemm(z, fixed("dense2", 0, classes, 8), onnx.Value{}, true), onnx.Float, onnx.Sym("batch"), onnx.Fixed(classes))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return generator.Base{Graph: m, Input: "x", Scores: "scores", Head: generator.Logits}
}

// answers are labels that a classifier gives one after another, whatever it is asked.
type answers struct {
	input []float32
	next  int
}

func (a *answers) Input() []float32 { return a.input }

func (a *answers) Classify(_ context.Context, n int) ([]int32, error) {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(a.next * 3 % classes)
		a.next++
	}
	return out, nil
}

func (c torchCase) net(t testing.TB) denoise.Config {
	t.Helper()
	n := denoise.Config{
		Name: c.Arch, Shape: c.Shape, Width: c.Width, Depth: c.Depth, Estimate: c.Estimate, Seed: 1,
		Mean: mean[:c.Shape[0]], Signal: signal[:c.Shape[0]], Spread: spread[:c.Shape[0]],
		Front: func(b *onnx.Builder, y onnx.Value) onnx.Value {
			return b.Add(b.Mul(y, b.Scalar(onnx.Float, 0.5)), b.Scalar(onnx.Float, 0.125))
		},
	}
	if c.Map {
		for i := range size(c.Shape) {
			n.Map = append(n.Map, float32(i%5+1))
		}
	}
	return n
}

// config is the objective of a case; one input at a time is asked for its label.
func (c torchCase) config(t testing.TB) denoiser.Config {
	t.Helper()
	net, err := denoise.New(c.net(t))
	if err != nil {
		t.Fatal(err)
	}
	o := denoiser.Config{
		Net: net, Shape: c.Shape, Signal: signal[:c.Shape[0]], Stages: []denoiser.Stage{{Objective: c.Objective, Epochs: 1}},
		Rows: rows, Draws: draws, Momentum: 0.1, Mode: autodiff.WeightsAsInputs,
		Session: runtime.SessionOptions{IntraOp: 1}, Labeler: smooth.Classifier(&answers{input: make([]float32, size(c.Shape))}),
	}
	for k := range c.Classifiers {
		o.Classifiers = append(o.Classifiers, frozen(t, k, c.Shape))
	}
	return o
}

func open(t testing.TB, rt *runtime.Runtime, c denoiser.Config) *denoiser.Objective {
	t.Helper()
	o, err := denoiser.New(t.Context(), rt, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// setWeights gives every weight the values of testdata/torch_steps.py.
func setWeights(o *denoiser.Objective, shapes map[string][]int64) {
	for _, p := range o.Parameters() {
		fan := int64(1)
		dims := shapes[p.Name]
		for _, d := range dims[1:] {
			fan *= d
		}
		if len(dims) == 1 {
			fan = 16
		}
		scale, offset := float32(2/math.Sqrt(float64(fan))), float32(0)
		if strings.HasSuffix(p.Name, ".norm.scale") {
			offset = 1
		}
		for i, v := range pseudo(p.Name, len(p.Values)) {
			p.Values[i] = v*scale + offset
		}
	}
}

// batch is that of testdata/torch_steps.py.
func batch(shape []int) *train.Batch {
	d := size(shape)
	b := &train.Batch{Rows: rows, Draws: draws, Clean: pseudo("clean", rows*d), Noisy: pseudo("noise", rows*draws*d), Labels: make([]int64, rows)}
	for i := range b.Clean {
		b.Clean[i] += 0.5
	}
	for i := range b.Noisy {
		b.Noisy[i] += b.Clean[i/(draws*d)*d+i%d]
	}
	for i := range b.Labels {
		b.Labels[i] = int64(i * 3 % classes)
	}
	return b
}

// TestTorch compares training steps with PyTorch's in float64 on the same weights: the loss, and of
// each gradient the norm and two projections, to 1e-4 of the norm. The networks of
// testdata/torch_steps.py are written from their descriptions.
func TestTorch(t *testing.T) {
	rt := runtimetest.Open(t)
	raw, err := os.ReadFile("testdata/torch_steps.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []torchCase
	if err = json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]torchCase)
	for _, c := range cases {
		byName[c.Arch+" "+c.Objective] = c
	}
	if len(byName) != 15 {
		t.Fatalf("%d steps are stored", len(byName))
	}
	for name, c := range subtest.Rows(byName) {
		t.Run(name, func(t *testing.T) {
			config := c.config(t)
			o := open(t, rt, config)
			shapes := make(map[string][]int64)
			for _, w := range config.Net.Weights() {
				shapes[w.Name] = w.Shape
			}
			setWeights(o, shapes)
			b := batch(c.Shape)
			if c.Objective == denoiser.Stability {
				b.Labels = make([]int64, rows) // not read
			}
			m, err := o.Step(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(m.Loss-c.Loss) > 1e-5*c.Loss {
				t.Errorf("the loss is %.9g, PyTorch's %.9g", m.Loss, c.Loss)
			}
			if len(o.Parameters()) != len(c.Gradients) {
				t.Errorf("%d weights; PyTorch has %d", len(o.Parameters()), len(c.Gradients))
			}
			for _, p := range o.Parameters() {
				want, ok := c.Gradients[p.Name]
				if !ok {
					t.Errorf("PyTorch has no weight %s", p.Name)
				}
				for i, got := range projections(p.Grad) {
					if d := math.Abs(got - want[i]); !(d <= 1e-4*want[0]) {
						t.Errorf("projection %d of the gradient of %s is %.9g, PyTorch's %.9g (norm %.3g)", i, p.Name, got, want[i], want[0])
					}
				}
			}
		})
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
