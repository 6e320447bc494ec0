package base_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/models"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
	"ucan/smooth/basis"
	"ucan/train"
	"ucan/train/base"
)

// stored is what train/testdata/torch_objective.py wrote.
type stored struct {
	Rows       int                  `json:"rows"`
	Draws      int                  `json:"draws"`
	Noisy      []float32            `json:"noisy"`
	Labels     []int64              `json:"labels"`
	Weights    map[string][]float32 `json:"weights"`
	Objectives map[string]struct {
		Loss   float64 `json:"loss"`
		Config struct {
			Consistency float64   `json:"consistency"`
			Entropy     float64   `json:"entropy"`
			Radius      float64   `json:"radius"`
			Steps       int       `json:"steps"`
			Scale       []float32 `json:"scale"`
			// Frequencies says that the scales are those of a DCT of 2 × 3 values.
			Frequencies bool `json:"frequencies"`
		} `json:"config"`
		Gradients map[string][]float64 `json:"gradients"`
	} `json:"objectives"`
}

func readStored(t *testing.T) stored {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "torch_objective.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s stored
	if err = json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// network is the script's: tanh between two linear maps.
func (s stored) network(t *testing.T) *base.Net {
	t.Helper()
	ctx, rt := context.Background(), runtimetest.Open(t)
	b := onnx.NewBuilder("stored", 17)
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(6))
	weight := func(name string, dims ...int64) onnx.Value {
		tensor, err := onnx.NewTensor(name, dims, s.Weights[name])
		if err != nil {
			t.Fatal(err)
		}
		return b.Initializer(tensor)
	}
	h := b.Op("Tanh", []onnx.Value{b.Add(b.MatMul(x, weight("w1", 6, 5)), weight("b1", 5))})
	b.Output("y", b.Add(b.MatMul(h, weight("w2", 5, 4)), weight("b2", 4)), onnx.Float, onnx.Sym("N"), onnx.Fixed(4))
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := g.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	model, err := models.OpenBytes(ctx, rt, "stored", bytes, models.Options{SourceShape: []int{6}, SkipLoadTrial: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = model.Close() })
	net, err := base.FromModel(ctx, autodiff.OnRuntime(rt), model)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// TestObjectivesOfPyTorch: loss and gradients of every objective are those of PyTorch.
func TestObjectivesOfPyTorch(t *testing.T) {
	t.Parallel()
	s := readStored(t)
	for name, want := range subtest.Rows(s.Objectives) {
		t.Run(name, func(t *testing.T) {
			net := s.network(t)
			c := config(s.Rows, s.Draws)
			c.Consistency, c.Entropy = want.Config.Consistency, want.Config.Entropy
			c.Attack = base.Attack{Radius: want.Config.Radius, Steps: want.Config.Steps, Scale: want.Config.Scale}
			if want.Config.Frequencies {
				dct, err := basis.DCT2([]int{1, 2, 3})
				if err != nil {
					t.Fatal(err)
				}
				c.Attack.Basis = dct
			}
			o := objective(t, runtimetest.Open(t), net, c)
			got, err := o.Step(context.Background(), &train.Batch{Rows: s.Rows, Draws: s.Draws, Noisy: s.Noisy, Labels: s.Labels})
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got.Loss-want.Loss) > 1e-4*math.Abs(want.Loss) {
				t.Errorf("loss %v, PyTorch's is %v", got.Loss, want.Loss)
			}
			found := 0
			for _, p := range o.Parameters() {
				g, ok := want.Gradients[p.Name]
				if !ok {
					t.Errorf("weight %q is not PyTorch's", p.Name)
					continue
				}
				found++
				largest := 0.0
				for _, v := range g {
					largest = math.Max(largest, math.Abs(v))
				}
				for i, v := range g {
					if math.Abs(float64(p.Grad[i])-v) > 1e-4*largest {
						t.Errorf("gradient %d of %s is %v, PyTorch's is %v", i, p.Name, p.Grad[i], v)
					}
				}
			}
			if found != len(want.Gradients) {
				t.Errorf("%d weights of %d", found, len(want.Gradients))
			}
		})
	}
}

// TestAttackGrows: the radius begins small and ends at its size, and no attack is the radius 0.
func TestAttackGrows(t *testing.T) {
	t.Parallel()
	s := readStored(t)
	losses := map[int64]float64{}
	for _, step := range []int64{0, 4, 9, 1000} {
		net := s.network(t)
		c := config(s.Rows, s.Draws)
		c.Attack = base.Attack{Radius: 0.6, Steps: 2, Warmup: 10}
		o := objective(t, runtimetest.Open(t), net, c)
		got, err := o.Step(context.Background(), &train.Batch{Rows: s.Rows, Draws: s.Draws, Noisy: s.Noisy, Labels: s.Labels, Step: step})
		if err != nil {
			t.Fatal(err)
		}
		losses[step] = got.Loss
	}
	plain, full := s.Objectives["gaussian"].Loss, s.Objectives["smoothadv"].Loss
	if !(plain < losses[0] && losses[0] < losses[4] && losses[4] < losses[9]) || math.Abs(losses[9]-full) > 1e-4*full || losses[9] != losses[1000] {
		t.Errorf("losses %v; %v without an attack and %v with all of it", losses, plain, full)
	}
}
