package generator_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ucan/fixtures/subtest"
	"ucan/npg"
	"ucan/npg/net"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
	"ucan/smooth/stream"
	"ucan/train"
	"ucan/train/generator"
	"ucan/train/optim"
)

// torchCase is one step that PyTorch was asked for: train/testdata/torch_generator.py.
type torchCase struct {
	net         net.Config
	loss        generator.Loss
	rows, draws int
	joint       bool
}

func torchCases() map[string]torchCase {
	small := func(kind npg.Kind, basis net.Basis, hold net.Hold, muScale float64) net.Config {
		return net.Config{
			Kind: kind, Basis: basis, Shape: []int{2, 6, 8}, Floor: 0.05, Ceiling: 1.5, Start: 0.3, Hold: hold, MuScale: muScale, Seed: 5,
		}
	}
	picture := func(hold net.Hold, muScale float64) net.Config { // of one channel, where the form for training is another
		c := small(npg.KindCertification, net.Pixel, hold, muScale)
		c.Shape = []int{1, 7, 9}
		return c
	}
	return map[string]torchCase{
		"certification of one channel": {picture(net.HoldNothing, 0), generator.Loss{
			Volume: generator.Volume{LogMean: 0.3}, Reg: 0.2}, 3, 2, false},
		"certification of one channel with mu": {picture(net.HoldNothing, 0.3), generator.Loss{
			Volume: generator.Volume{Area: 0.4}}, 3, 1, false},
		"certification": {small(npg.KindCertification, net.Pixel, net.HoldNothing, 0.4), generator.Loss{
			Volume: generator.Volume{LogMean: 0.3}, Reg: 0.2, Smoothing: 0.1, Consistency: 0.5}, 3, 3, false},
		"certification held": {small(npg.KindCertification, net.Pixel, net.HoldLogMean, 0), generator.Loss{
			Volume: generator.Volume{Min: 0.7}}, 4, 1, false},
		"certification held mean": {small(npg.KindCertification, net.Pixel, net.HoldMean, 0.2), generator.Loss{
			Volume: generator.Volume{Area: 0.4}}, 2, 2, false},
		"dataset joint": {small(npg.KindDataset, net.Pixel, net.HoldNothing, 0.4), generator.Loss{
			Volume: generator.Volume{Area: 0.5, Min: 0.2}}, 4, 2, true},
		"dataset dct": {small(npg.KindDataset, net.DCT, net.HoldLogMean, 0), generator.Loss{
			Volume: generator.Volume{Mean: 0.4}, Reg: 0.1}, 3, 2, false},
		"pattern": {small(npg.KindPattern, net.Pixel, net.HoldNothing, 0), generator.Loss{
			Volume: generator.Volume{LogMean: 0.4}}, 3, 2, false},
		"pattern dct": {small(npg.KindPattern, net.DCT, net.HoldNothing, 0), generator.Loss{
			Volume: generator.Volume{Mean: 0.4}}, 3, 2, false},
	}
}

// smoothNet is a classifier without kinks: what rounding decides at a kink would not be the same in
// PyTorch.
func smoothNet(t testing.TB, shape []int) *onnx.Model {
	t.Helper()
	source := stream.New(7, [32]byte{}, stream.NPG).Source(0)
	b := onnx.NewBuilder("f", 17)
	weight := func(name string, scale float32, dims ...int64) onnx.Value {
		n, err := onnx.Elements(dims)
		if err != nil {
			t.Fatal(err)
		}
		v := make([]float32, n)
		source.NormalInto(v)
		for i := range v {
			v[i] *= scale
		}
		w, err := onnx.NewTensor(name, dims, v)
		if err != nil {
			t.Fatal(err)
		}
		return b.Initializer(w)
	}
	dims := []onnx.Dim{onnx.Sym("N")}
	for _, d := range shape {
		dims = append(dims, onnx.Fixed(int64(d)))
	}
	x := b.Input("image", onnx.Float, dims...)
	pads := onnx.Window{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}}
	h := b.Tanh(b.Conv(x, weight("c1.w", 0.5, 6, int64(shape[0]), 3, 3), weight("c1.b", 0.1, 6), pads))
	h = b.Softplus(b.Conv(h, weight("c2.w", 0.3, 8, 6, 3, 3), weight("c2.b", 0.1, 8), pads))
	h = b.Gemm(b.Flatten(h, 1), weight("d.w", 0.1, int64(8*shape[1]*shape[2]), 4), weight("d.b", 0.1, 4), false)
	b.Output("logits", h, onnx.Float, onnx.Sym("N"), onnx.Fixed(4))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// open makes the objective of a case and a batch for it.
func (c torchCase) open(t testing.TB) (*generator.Objective, *train.Batch) {
	t.Helper()
	rt := runtimetest.Open(t)
	g, weights := newNet(t, c.net)
	base := generator.Base{Graph: smoothNet(t, c.net.Shape), Input: "image", Scores: "logits", Head: generator.Logits}
	if c.joint {
		for _, name := range []string{"c1.w", "c1.b", "c2.w", "c2.b", "d.w", "d.b"} {
			base.Weights = append(base.Weights, generator.Weight{Name: name, Rate: 1})
		}
	}
	o, err := generator.New(context.Background(), rt, generator.Config{
		Generator: g, Weights: weights, MuScale: c.net.MuScale, Base: base, Shape: c.net.Shape, Basis: c.net.Basis,
		Rows: c.rows, Draws: c.draws, Loss: c.loss, Threads: 1, Mode: "inputs",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	// Weights far from the beginning, where the fields are nearly constant.
	source := stream.New(11, [32]byte{}, stream.NPG).Source(0)
	for _, p := range o.Parameters() {
		if strings.HasSuffix(p.Name, "last.weight") {
			noise := make([]float32, len(p.Values))
			source.NormalInto(noise)
			for i := range noise {
				p.Values[i] += 0.05 * noise[i]
			}
		}
	}
	return o, newBatch(c.rows, c.draws, c.net.Dim(), 4)
}

// newNet makes a generator and names its weights.
func newNet(t testing.TB, c net.Config) (*onnx.Model, []generator.Weight) {
	t.Helper()
	n, err := net.New(c)
	if err != nil {
		t.Fatal(err)
	}
	var weights []generator.Weight
	for _, w := range n.Weights() {
		weights = append(weights, generator.Weight{Name: w.Name, Decay: w.Decay, Rate: 1})
	}
	return n.Training(), weights
}

// newBatch is a batch of random images, noise and labels.
func newBatch(rows, draws, dim int, classes int64) *train.Batch {
	source := stream.New(3, [32]byte{}, stream.Train).Source(0)
	b := &train.Batch{Rows: rows, Draws: draws, Clean: make([]float32, rows*dim), Noise: make([]float32, rows*draws*dim)}
	source.UniformInto(b.Clean)
	for i := range b.Clean {
		b.Clean[i] = (b.Clean[i] + 1) / 2
	}
	source.NormalInto(b.Noise)
	for i := range rows {
		b.Labels = append(b.Labels, int64(i*3)%classes)
	}
	return b
}

// TestWriteSteps writes what torch_generator.py needs into the folder UCAN_STEP_DIR.
func TestWriteSteps(t *testing.T) {
	dir := os.Getenv("UCAN_STEP_DIR")
	if dir == "" {
		t.Skip("UCAN_STEP_DIR names no folder to write to")
	}
	type tensor struct {
		Shape  []int     `json:"shape"`
		Values []float32 `json:"values"`
	}
	out := map[string]any{}
	for name, c := range torchCases() {
		o, b := c.open(t)
		n, err := net.New(c.net)
		if err != nil {
			t.Fatal(err)
		}
		weights := map[string]tensor{}
		shapes := map[string][]int{}
		for _, w := range n.Weights() {
			for _, d := range w.Shape {
				shapes[w.Name] = append(shapes[w.Name], int(d))
			}
		}
		for _, p := range o.Parameters() {
			weights[p.Name] = tensor{shapes[p.Name], p.Values}
		}
		v := c.loss.Volume
		out[name] = map[string]any{
			"rows": c.rows, "draws": c.draws, "images": b.Clean, "noise": b.Noise, "labels": b.Labels, "weights": weights,
			"config": map[string]any{
				"kind": c.net.Kind, "basis": c.net.Basis, "shape": c.net.Shape, "floor": c.net.Floor, "ceiling": c.net.Ceiling,
				"start": c.net.Start, "hold": c.net.Hold, "mu_scale": c.net.MuScale, "smoothing": c.loss.Smoothing, "reg": c.loss.Reg,
				"consistency": c.loss.Consistency,
				"volume":      map[string]float64{"min": v.Min, "mean": v.Mean, "logmean": v.LogMean, "area": v.Area},
			},
		}
		if err := smoothNet(t, c.net.Shape).Write(filepath.Join(dir, name+".onnx")); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cases.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestStepAgreesWithPyTorch compares loss and gradients with PyTorch's in float64 on the same
// weights and noise.
func TestStepAgreesWithPyTorch(t *testing.T) {
	subtest.Long(t)
	text, err := os.ReadFile("testdata/torch_steps.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		Loss      float64
		Gradients map[string]struct {
			Norm   float64
			At     []int
			Values []float64
		}
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for name, c := range subtest.Rows(torchCases()) {
		t.Run(name, func(t *testing.T) {
			o, b := c.open(t)
			m, err := o.Step(context.Background(), b)
			if err != nil {
				t.Fatal(err)
			}
			w, ok := want[name]
			if !ok {
				t.Fatal("there is no stored value; run torch_generator.py")
			}
			if math.Abs(m.Loss-w.Loss) > 1e-4*math.Abs(w.Loss) {
				t.Errorf("loss %v, PyTorch %v", m.Loss, w.Loss)
			}
			if len(o.Parameters()) != len(w.Gradients) {
				t.Errorf("%d parameters, PyTorch %d", len(o.Parameters()), len(w.Gradients))
			}
			for _, p := range o.Parameters() {
				g, ok := w.Gradients[p.Name]
				if !ok {
					t.Errorf("PyTorch has no gradient of %s", p.Name)
					continue
				}
				norm := 0.0
				for _, v := range p.Grad {
					norm += float64(v) * float64(v)
				}
				if norm = math.Sqrt(norm); math.Abs(norm-g.Norm) > 1e-4*g.Norm {
					t.Errorf("%s: gradient norm %v, PyTorch %v", p.Name, norm, g.Norm)
				}
				typical := g.Norm / math.Sqrt(float64(len(p.Grad)))
				for i, at := range g.At {
					if got := float64(p.Grad[at]); math.Abs(got-g.Values[i]) > 1e-4*(math.Abs(g.Values[i])+typical) {
						t.Errorf("%s[%d]: gradient %v, PyTorch %v", p.Name, at, got, g.Values[i])
					}
				}
			}
		})
	}
}

// TestServeSteps takes a training step for every line on its standard input, for
// torch_generator.py, which alternates it with PyTorch's: noise, loss, gradients, Adam. Each answer
// is "step SECONDS CPU-SECONDS PEAK-MiB".
func TestServeSteps(t *testing.T) {
	path := os.Getenv("UCAN_STEP_MODEL")
	if path == "" {
		t.Skip("UCAN_STEP_MODEL names no classifier")
	}
	threads, err := strconv.Atoi(os.Getenv("UCAN_STEP_THREADS"))
	if err != nil {
		t.Fatal(err)
	}
	step := newServedStep(t, path, os.Getenv("UCAN_STEP_KIND"), threads)
	step()
	fmt.Println("step 0 0 0")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		start, before := time.Now(), usage(t)
		step()
		after := usage(t)
		cpu := time.Duration(after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano())
		fmt.Println("step", time.Since(start).Seconds(), cpu.Seconds(), float64(after.Maxrss)/1024)
	}
}

func usage(t *testing.T) (u syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// newServedStep is a whole step at batch 128 with one draw.
func newServedStep(t *testing.T, path, kind string, threads int) func() {
	m, err := onnx.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	in, out := m.Inputs()[0], m.Outputs()[0]
	c := net.DefaultConfig()
	name, fixed := strings.CutSuffix(kind, "-fixed")
	c.Kind, c.MuScale = npg.Kind(name), 0.25
	if fixed {
		c.MuScale = 0
	}
	for _, d := range in.Shape[1:] {
		c.Shape = append(c.Shape, int(d.Size))
	}
	g, weights := newNet(t, c)
	const rows = 128
	mode := os.Getenv("UCAN_STEP_MODE")
	if mode == "" {
		mode = "measure"
	}
	o, err := generator.New(context.Background(), runtimetest.Open(t), generator.Config{
		Generator: g, Weights: weights, MuScale: c.MuScale, Shape: c.Shape, Basis: c.Basis, Rows: rows, Draws: 1,
		Base: generator.Base{Graph: m, Input: in.Name, Scores: out.Name, Head: generator.Logits},
		Loss: generator.DefaultLoss(), Threads: threads, Mode: mode,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	config := optim.DefaultConfig("adamw")
	config.WeightDecay = 0
	adam, err := optim.New(config, o.Parameters())
	if err != nil {
		t.Fatal(err)
	}
	b := newBatch(rows, 1, c.Dim(), 10)
	return func() {
		b.Step++
		source := stream.New(1, [32]byte{}, stream.Train).Source(uint64(b.Step))
		source.NormalInto(b.Noise)
		if _, err := o.Step(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		adam.Update(optim.Update{Step: b.Step, Rate: 1e-3, Scale: 1})
	}
}
