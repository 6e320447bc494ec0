package base_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/fixtures/subtest"
	"ucan/models"
	"ucan/models/arch"
	"ucan/models/demo"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
	"ucan/train"
	"ucan/train/base"
	"ucan/train/optim"
)

func network(t testing.TB, name string, shape ...int) *arch.Network {
	t.Helper()
	n, err := arch.New(arch.Config{Name: name, Input: shape, Classes: 10, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func config(rows, draws int) base.Config {
	return base.Config{
		Rows: rows, Draws: draws, Momentum: 0.1, Entropy: 0.5, Mode: autodiff.WeightsAsInputs,
		Session: runtime.SessionOptions{IntraOp: 2, Config: calm()},
	}
}

func objective(t testing.TB, rt *runtime.Runtime, net *base.Net, c base.Config) *base.Objective {
	t.Helper()
	o, err := base.New(context.Background(), rt, net, c)
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

// batch makes random noisy images in which the label's stripe is bright.
func batch(rows, draws, dim int, seed uint64) *train.Batch {
	r := rand.New(rand.NewPCG(seed, 1))
	b := &train.Batch{Rows: rows, Draws: draws, Noisy: make([]float32, rows*draws*dim), Labels: make([]int64, rows)}
	for i := range b.Labels {
		b.Labels[i] = int64(r.IntN(10))
		for j := range draws * dim {
			v := r.Float32() * 0.5
			if (j%dim)*10/dim == int(b.Labels[i]) {
				v += 0.5
			}
			b.Noisy[i*draws*dim+j] = v
		}
	}
	return b
}

// linear is the classifier x·W + b over 6 values and 4 classes.
func linear(t *testing.T, softmax bool) (*models.Model, *runtime.Runtime) {
	t.Helper()
	rt := runtimetest.Open(t)
	r := rand.New(rand.NewPCG(7, 7))
	b := onnx.NewBuilder("linear", 17)
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(6))
	w, bias := make([]float32, 24), make([]float32, 4)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	for i := range bias {
		bias[i] = float32(r.NormFloat64())
	}
	y := b.Gemm(x, onnx.Tensor(b, "w", []int64{6, 4}, w), onnx.Tensor(b, "bias", []int64{4}, bias), false)
	if softmax {
		y = b.Softmax(y, 1)
	}
	b.Output("y", y, onnx.Float, onnx.Sym("N"), onnx.Fixed(4))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	model, err := models.OpenBytes(context.Background(), rt, "linear", bytes, models.Options{SourceShape: []int{6}, SkipLoadTrial: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = model.Close() })
	return model, rt
}

// definition is the loss of the package's documentation, in float64, for a linear classifier.
func definition(w, bias []float32, b *train.Batch, c base.Config) float64 {
	total := 0.0
	for r := range b.Rows {
		mean := make([]float64, 4)
		var logs [][]float64
		for j := range b.Draws {
			z := make([]float64, 4)
			norm := 0.0
			for k := range z {
				z[k] = float64(bias[k])
				for i := range 6 {
					z[k] += float64(b.Noisy[(r*b.Draws+j)*6+i]) * float64(w[4*i+k])
				}
				norm += math.Exp(z[k])
			}
			for k := range z {
				z[k] -= math.Log(norm)
				mean[k] += math.Exp(z[k]) / float64(b.Draws)
				target := c.Smoothing / 4
				if int64(k) == b.Labels[r] {
					target += 1 - c.Smoothing
				}
				total -= target * z[k] / float64(b.Draws)
			}
			logs = append(logs, z)
		}
		for k, p := range mean {
			total -= c.Consistency * c.Entropy * p * math.Log(p)
			for _, z := range logs {
				total += c.Consistency * p * (math.Log(p) - z[k]) / float64(b.Draws)
			}
		}
	}
	return total / float64(b.Rows)
}

// TestLoss compares loss and gradients with the definition and its central differences, for a
// classifier that returns logits and one that returns probabilities.
func TestLoss(t *testing.T) {
	t.Parallel()
	for _, softmax := range []bool{false, true} {
		model, rt := linear(t, softmax)
		for _, c := range []base.Config{
			config(5, 1),
			func() base.Config { c := config(5, 1); c.Smoothing = 0.1; return c }(),
			func() base.Config { c := config(5, 3); c.Smoothing, c.Consistency = 0.2, 10; return c }(),
			func() base.Config { c := config(5, 2); c.Consistency, c.Entropy = 3, 0; return c }(),
		} {
			net, err := base.FromModel(context.Background(), autodiff.OnRuntime(rt), model)
			if err != nil {
				t.Fatal(err)
			}
			o := objective(t, rt, net, c)
			b := batch(5, c.Draws, 6, 3)
			for i := range b.Labels {
				b.Labels[i] %= 4
			}
			m, err := o.Step(context.Background(), b)
			if err != nil {
				t.Fatal(err)
			}
			ps := o.Parameters()
			if len(ps) != 2 || !ps[0].Decay || ps[1].Decay {
				t.Fatalf("parameters %+v", ps)
			}
			w, bias := slices.Clone(ps[0].Values), slices.Clone(ps[1].Values)
			if want := definition(w, bias, b, c); math.Abs(m.Loss-want) > 1e-5*math.Abs(want) {
				t.Errorf("softmax %v, %+v: loss %v, want %v", softmax, c, m.Loss, want)
			}
			for p, values := range [][]float32{w, bias} {
				for i := range values {
					const h = 1.0 / 256
					old := values[i]
					values[i] = old + h
					up := definition(w, bias, b, c)
					values[i] = old - h
					down := definition(w, bias, b, c)
					values[i] = old
					want, got := (up-down)/(2*h), float64(ps[p].Grad[i])
					if math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
						t.Errorf("softmax %v, %+v: gradient %d of %s is %v, want %v", softmax, c, i, ps[p].Name, got, want)
					}
				}
			}
		}
	}
}

// TestStepsRepeat: with two threads a step is a function of weights and batch, bit for bit, for
// every architecture, and moves the running averages towards the batch's statistics.
func TestStepsRepeat(t *testing.T) {
	rt := runtimetest.Open(t)
	for _, c := range []struct {
		name  string
		shape []int
	}{{"mnist-cnn", []int{1, 28, 28}}, {"resnet20", []int{3, 8, 8}}, {"vit-tiny", []int{3, 8, 8}}, {"mlp", []int{1, 28, 28}}} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.name == "resnet20" {
				t.Skip("slow")
			}
			dim := c.shape[0] * c.shape[1] * c.shape[2]
			b := batch(8, 1, dim, 5)
			var first [][]float32
			for attempt := range 2 {
				o := objective(t, rt, base.FromArch(network(t, c.name, c.shape...)), config(8, 1))
				var got [][]float32
				for range 2 {
					if _, err := o.Step(context.Background(), b); err != nil {
						t.Fatal(err)
					}
				}
				for _, p := range o.Parameters() {
					got = append(got, slices.Clone(p.Grad))
				}
				for _, s := range o.State() {
					got = append(got, slices.Clone(s.Values))
				}
				if attempt == 0 {
					first = got
					continue
				}
				for i := range got {
					if !slices.Equal(got[i], first[i]) {
						t.Fatalf("attempt %d: tensor %d differs", attempt, i)
					}
				}
			}
		})
	}
}

// TestLearns fits a few batches and checks that the exported classifier has learned them, running
// averages included.
func TestLearns(t *testing.T) {
	t.Parallel()
	rt := runtimetest.Open(t)
	for _, name := range []string{"mlp", "resnet20"} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "resnet20" {
				t.Skip("slow")
			}
			o := objective(t, rt, base.FromArch(network(t, name, 1, 8, 8)), config(32, 2))
			c := optim.DefaultConfig("adamw")
			opt, err := optim.New(c, o.Parameters())
			if err != nil {
				t.Fatal(err)
			}
			var last train.Metrics
			for s := range 40 {
				if last, err = o.Step(context.Background(), batch(32, 2, 64, uint64(s%8))); err != nil {
					t.Fatal(err)
				}
				opt.Update(optim.Update{Step: int64(s + 1), Rate: 5e-3, Scale: 1})
			}
			if last.Noisy < 0.9 {
				t.Errorf("accuracy %v after 40 steps", last.Noisy)
			}
			m, err := o.Export()
			if err != nil {
				t.Fatal(err)
			}
			first, err := m.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			again, _ := o.Export()
			second, _ := again.Marshal()
			if !slices.Equal(first, second) {
				t.Error("two exports of the same weights differ")
			}
			model, err := models.OpenBytes(context.Background(), rt, name, first, models.Options{SourceShape: []int{1, 8, 8}, SkipLoadTrial: true})
			if err != nil {
				t.Fatal(err)
			}
			defer model.Close()
			b := batch(100, 1, 64, 77)
			scores, err := model.Scores(context.Background(), b.Noisy)
			if err != nil {
				t.Fatal(err)
			}
			right := 0
			for i, l := range b.Labels {
				if s := scores[10*i : 10*i+10]; slices.Max(s) == s[l] {
					right++
				}
			}
			if right < 80 {
				t.Errorf("the exported classifier knows %d of 100", right)
			}
		})
	}
}

// TestFineTune moves the demonstration model and keeps everything but its weights.
func TestFineTune(t *testing.T) {
	t.Parallel()
	rt := runtimetest.Open(t)
	model, err := models.OpenBytes(context.Background(), rt, "demo", demo.Model(), models.Options{SourceShape: []int{1, 28, 28}, SkipLoadTrial: true})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	net, err := base.FromModel(context.Background(), autodiff.OnRuntime(rt), model)
	if err != nil {
		t.Fatal(err)
	}
	o := objective(t, rt, net, config(8, 1))
	before, err := o.Export()
	if err != nil {
		t.Fatal(err)
	}
	opt, err := optim.New(optim.DefaultConfig("sgd"), o.Parameters())
	if err != nil {
		t.Fatal(err)
	}
	b := batch(8, 1, 784, 1)
	var losses []float64
	for s := range 8 {
		m, stepErr := o.Step(context.Background(), b)
		if stepErr != nil {
			t.Fatal(stepErr)
		}
		losses = append(losses, m.Loss)
		opt.Update(optim.Update{Step: int64(s + 1), Rate: 1e-3, Scale: 1})
	}
	if losses[7] >= losses[0] {
		t.Errorf("losses %v", losses)
	}
	after, err := o.Export()
	if err != nil {
		t.Fatal(err)
	}
	if len(after.Nodes()) != len(before.Nodes()) || len(after.Initializers()) != len(before.Initializers()) {
		t.Error("fine-tuning changed the graph")
	}
	if in, ok := after.Input(arch.Images); !ok || in.Shape[0].IsFixed() {
		t.Errorf("input %v", in)
	}
}

// TestFineTuneOldOpset takes a file of an opset older than what graphs are built in.
func TestFineTuneOldOpset(t *testing.T) {
	t.Parallel()
	rt := runtimetest.Open(t)
	m, err := onnx.Parse(demo.Model())
	if err != nil {
		t.Fatal(err)
	}
	m, err = m.Edit(func(p *onnxpb.ModelProto) error {
		version := int64(11)
		p.IrVersion = proto.Int64(6)
		p.OpsetImport = []*onnxpb.OperatorSetIdProto{{Version: &version}}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	model, err := models.OpenBytes(context.Background(), rt, "old", bytes, models.Options{SourceShape: []int{1, 28, 28}, SkipLoadTrial: true})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	net, err := base.FromModel(context.Background(), autodiff.OnRuntime(rt), model)
	if err != nil {
		t.Fatal(err)
	}
	o := objective(t, rt, net, config(4, 1))
	if _, err := o.Step(context.Background(), batch(4, 1, 784, 1)); err != nil {
		t.Error(err)
	}
}

// TestMemoryStays runs many steps and compares live objects and resident memory.
func TestMemoryStays(t *testing.T) {
	rt := runtimetest.Open(t)
	o := objective(t, rt, base.FromArch(network(t, "mlp", 1, 8, 8)), config(32, 1))
	b := batch(32, 1, 64, 1)
	step := func() {
		if _, err := o.Step(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		step()
	}
	live := runtime.Live()
	if allocs := testing.AllocsPerRun(100, step); allocs > 60 {
		t.Errorf("%v allocations a step", allocs)
	}
	if got := runtime.Live(); got != live {
		t.Errorf("live objects went from %+v to %+v", live, got)
	}
}

func TestConfigFaults(t *testing.T) {
	for name, change := range subtest.Rows(map[string]func(*base.Config){
		"rows":        func(c *base.Config) { c.Rows = 0 },
		"smoothing":   func(c *base.Config) { c.Smoothing = 1 },
		"consistency": func(c *base.Config) { c.Consistency = 1 },
		"momentum":    func(c *base.Config) { c.Momentum = 0 },
		"negative":    func(c *base.Config) { c.Draws, c.Consistency = 2, -1 },
	}) {
		t.Run(name, func(t *testing.T) {
			c := config(4, 1)
			change(&c)
			if err := c.Validate(); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
}
