package arch_test

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/models"
	"ucan/models/arch"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

func TestParameterCounts(t *testing.T) {
	for _, c := range []struct {
		name  string
		input []int
		want  int
	}{
		// He et al. 2015, Table 6: 0.27 M and 1.7 M. The 1×1 shortcuts with
		// their normalisation add 16·32 + 64 + 32·64 + 128 to option A's
		// 269,722 (and 1,727,962).
		{"resnet20", []int{3, 32, 32}, 272474},
		{"resnet110", []int{3, 32, 32}, 1730714},
		// 320 + 9,248 + 18,496 + 36,928, then 3,136·256 + 256 and 2,570.
		{"mnist-cnn", []int{1, 28, 28}, 870634},
		{"mlp", []int{1, 28, 28}, 784*256 + 256 + 256*256 + 256 + 2570},
		// Patches 48·128 + 128, positions 64·128, blocks of 4·(128² + 128) +
		// 2·128·256 + 384 + 4·128, norm 256, dense 1,290.
		{"vit-tiny", []int{3, 32, 32}, 6272 + 8192 + 6*(66048+65536+384+512) + 256 + 1290},
	} {
		got := 0
		for _, w := range network(t, config(c.name, c.input...)).Weights() {
			got += len(w.Values)
		}
		if got != c.want {
			t.Errorf("%s has %d parameters, want %d", c.name, got, c.want)
		}
	}
}

// TestExportEqualsTraining runs both graphs where they must agree: the
// statistics of the batch itself as running averages.
func TestExportEqualsTraining(t *testing.T) {
	subtest.Long(t)
	rt := runtimetest.Open(t)
	for _, c := range []arch.Config{
		config("mnist-cnn", 1, 28, 28), config("mnist-cnn", 3, 13, 18), config("resnet20", 3, 32, 32), config("resnet20", 1, 9, 14),
		config("vit-tiny", 1, 28, 28), config("vit-tiny", 3, 32, 32), config("mlp", 1, 28, 28),
	} {
		n := network(t, c)
		const batch = 6
		x := executor(t, rt, n, batch)
		prepare(n, x)
		if err := x.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
		running := n.NewRunning()
		for name := range running {
			running[name] = x.Result(name)
		}
		m, err := n.Export(present(n, x), running)
		if err != nil {
			t.Fatal(err)
		}
		if d := distance(infer(t, rt, m, x.Floats(arch.Images), batch), x.Result(arch.Logits)); !(d < 1e-4) {
			t.Errorf("%s %v: the exported logits differ by %g", c.Name, c.Input, d)
		}
	}
}

// TestRules compares gradients as training computes them, by the rules of the
// package and in the layout of the CPU provider, with those by the rules of
// every operator in the plain layout.
func TestRules(t *testing.T) {
	subtest.Long(t)
	rt := runtimetest.Open(t)
	for _, c := range []arch.Config{config("resnet20", 3, 16, 16), config("mnist-cnn", 1, 12, 12)} {
		n := network(t, c)
		var grads [2]map[string][]float32
		for i, x := range []*autodiff.Executor{executorFor(t, rt, n, 5, false, nil), executor(t, rt, n, 5)} {
			prepare(n, x)
			if err := x.Step(context.Background()); err != nil {
				t.Fatal(err)
			}
			grads[i] = map[string][]float32{arch.Images: x.Grad("loss", arch.Images)}
			for _, w := range n.Weights() {
				grads[i][w.Name] = x.Grad("loss", w.Name)
			}
		}
		for name := range grads[0] {
			// Shifts get little: the next normalisation takes out most of it.
			if d := distance(grads[1][name], grads[0][name]); !(d < 1e-3) {
				t.Errorf("%s: the gradients of %s differ by %g", c.Name, name, d)
			}
		}
	}
}

func TestGradients(t *testing.T) {
	subtest.Long(t)
	rt := runtimetest.Open(t)
	for _, c := range []arch.Config{
		config("mnist-cnn", 1, 8, 8), config("resnet20", 3, 8, 8), config("vit-tiny", 1, 8, 8), config("mlp", 1, 6, 6),
	} {
		o := autodiff.DefaultCheckOptions()
		o.Batch, o.Directions, o.Seed = 3, 6, 5
		r, err := autodiff.Check(context.Background(), rt, network(t, c).Training(), o)
		if err != nil {
			t.Fatal(err)
		}
		if !(r.MedianRelativeError < 1e-4 && r.MaxRelativeError < 5e-3) {
			t.Errorf("%s: %+v", c.Name, r)
		}
	}
}

func exported(t testing.TB, n *arch.Network) *onnx.Model {
	t.Helper()
	weights := make(map[string][]float32)
	for _, w := range n.Weights() {
		weights[w.Name] = w.Values
	}
	m, err := n.Export(weights, n.NewRunning())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDeterministicBytes(t *testing.T) {
	for _, name := range arch.Names() {
		c := config(name, 3, 32, 32)
		var files [3][]byte
		for i := range files {
			c.Seed = uint64(9 + i/2)
			n := network(t, c)
			for _, m := range []*onnx.Model{n.Training(), exported(t, n)} {
				b, err := m.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				files[i] = append(files[i], b...)
			}
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Errorf("%s: the same seed makes different bytes", name)
		}
		if bytes.Equal(files[0], files[2]) {
			t.Errorf("%s: different seeds make the same weights", name)
		}
	}
}

// TestExportIsPlain looks for what other runtimes might not load.
func TestExportIsPlain(t *testing.T) {
	subtest.Long(t)
	rt := runtimetest.Open(t)
	for _, name := range arch.Names() {
		c := config(name, 1, 28, 28)
		m := exported(t, network(t, c))
		if s := m.Opsets(); len(s) != 1 || s[""] < 13 {
			t.Errorf("%s imports %v", name, s)
		}
		if in := m.Inputs(); len(in) != 1 || in[0].String() != "images: float[N,1,28,28]" {
			t.Errorf("%s takes %v", name, in)
		}
		if out := m.Outputs(); len(out) != 1 || out[0].String() != "logits: float[N,10]" {
			t.Errorf("%s returns %v", name, out)
		}
		if ops := m.Operators(); ops["BatchNormalization"] > 0 {
			t.Errorf("%s normalises batches: %v", name, ops)
		}
		b, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		opened, err := models.OpenBytes(context.Background(), rt, name, b, models.Options{SourceShape: c.Input})
		if err != nil {
			t.Errorf("%s is refused: %v", name, err)
			continue
		}
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestKaiming checks the deviation of initial weights.
func TestKaiming(t *testing.T) {
	for _, w := range network(t, config("mnist-cnn", 1, 28, 28)).Weights() {
		want, ok := map[string]float64{
			"conv3.weight": math.Sqrt(2.0 / (32 * 9)), "dense1.weight": math.Sqrt(2.0 / 3136), "dense2.weight": math.Sqrt(1.0 / 256),
		}[w.Name]
		if !ok {
			continue
		}
		var s float64
		for _, v := range w.Values {
			s += float64(v) * float64(v)
		}
		got := math.Sqrt(s / float64(len(w.Values)))
		// The standard error of a deviation is 1/√(2n); five of them.
		if math.Abs(got/want-1) > 5/math.Sqrt(2*float64(len(w.Values))) {
			t.Errorf("%s has deviation %g, want %g", w.Name, got, want)
		}
	}
}

func TestDecay(t *testing.T) {
	for _, name := range arch.Names() {
		for _, w := range network(t, config(name, 3, 32, 32)).Weights() {
			if want := strings.HasSuffix(w.Name, ".weight"); w.Decay != want {
				t.Errorf("%s: decay of %s is %v", name, w.Name, w.Decay)
			}
		}
	}
}

func TestRefusedConfigurations(t *testing.T) {
	ok := config("mlp", 1, 8, 8)
	for _, c := range []struct {
		edit func(*arch.Config)
		want string
	}{
		{func(c *arch.Config) { c.Name = "vgg" }, "there are mnist-cnn, resnet20"},
		{func(c *arch.Config) { c.Input = []int{28, 28} }, "channels, height and width"},
		{func(c *arch.Config) { c.Input = []int{1, 0, 28} }, "at least 1"},
		{func(c *arch.Config) { c.Mean = nil }, "one of each per channel"},
		{func(c *arch.Config) { c.Std = []float64{0} }, "not a positive"},
		{func(c *arch.Config) { c.Mean = []float64{math.NaN()} }, "not finite"},
		{func(c *arch.Config) { c.Classes = 1 }, "at least 2"},
		{func(c *arch.Config) { c.Name, c.Input = "mnist-cnn", []int{1, 3, 8} }, "at least 4×4"},
		{func(c *arch.Config) { c.Name, c.Input = "resnet20", []int{1, 7, 8} }, "at least 8×8"},
		{func(c *arch.Config) { c.Name, c.Input = "vit-tiny", []int{1, 30, 28} }, "multiples of 4"},
		{func(c *arch.Config) { c.Name, c.Input = "vit-tiny", []int{1, 4096, 4096} }, "at most 256 patches"},
		{func(c *arch.Config) { c.Input = []int{1, 100000, 100000} }, "too large"},
	} {
		bad := ok
		c.edit(&bad)
		_, err := arch.New(bad)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v, want %q", bad, err, c.want)
		}
	}
}

func TestRefusedExports(t *testing.T) {
	n := network(t, config("resnet20", 1, 8, 8))
	for _, c := range []struct {
		edit func(w map[string][]float32, r arch.Running)
		want string
	}{
		{func(w map[string][]float32, _ arch.Running) { delete(w, "dense.bias") }, "dense.bias"},
		{func(w map[string][]float32, _ arch.Running) { w["conv.weight"] = make([]float32, 3) }, "3 values"},
		{func(w map[string][]float32, _ arch.Running) { w["conv.weight"][0] = float32(math.NaN()) }, "diverged"},
		{func(_ map[string][]float32, r arch.Running) { delete(r, "conv.norm.mean") }, "conv.norm"},
		{func(_ map[string][]float32, r arch.Running) { r["conv.norm.variance"][2] = -1 }, "variance of channel 2"},
	} {
		w := make(map[string][]float32)
		for _, x := range n.Weights() {
			w[x.Name] = x.Values
		}
		r := n.NewRunning()
		c.edit(w, r)
		if _, err := n.Export(w, r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestRunning(t *testing.T) {
	n := network(t, config("resnet20", 1, 8, 8))
	r := n.NewRunning()
	s := n.Statistics()[:1]
	mean, variance := make([]float32, 16), make([]float32, 16)
	for i := range mean {
		mean[i], variance[i] = 2, 3
	}
	batch := func(name string) []float32 {
		return map[string][]float32{s[0].Mean: mean, s[0].Variance: variance}[name]
	}
	if err := r.Update(s, 2, 0.1, batch); err != nil {
		t.Fatal(err)
	}
	// 128 values a channel: 2 images of 8×8.
	if m, v := r[s[0].Mean][5], r[s[0].Variance][5]; m != float32(0.2) || math.Abs(float64(v)-(0.9+0.3*128/127.0)) > 1e-6 {
		t.Errorf("mean %v, variance %v", m, v)
	}
	if r.Update(s, 2, 0, batch) == nil || r.Update(n.Statistics(), 2, 0.1, batch) == nil {
		t.Error("no momentum, or statistics that are missing, are accepted")
	}
}
