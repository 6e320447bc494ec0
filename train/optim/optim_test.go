package optim_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/train/optim"
)

// reference is testdata/torch_optim.json, made by testdata/torch_optim.py.
type reference struct {
	Start     []float32   `json:"start"`
	Gradients [][]float32 `json:"gradients"`
	Rates     []float64   `json:"rates"`

	SGD              [][]float64 `json:"sgd"`
	SGDMomentum      [][]float64 `json:"sgd_momentum"`
	SGDMomentumDecay [][]float64 `json:"sgd_momentum_decay"`
	SGDNesterovDecay [][]float64 `json:"sgd_nesterov_decay"`
	SGDDecay         [][]float64 `json:"sgd_decay"`
	AdamW            [][]float64 `json:"adamw"`
	AdamWPlain       [][]float64 `json:"adamw_plain"`
	OneCycle         []float64   `json:"onecycle"`
	Cosine           []float64   `json:"cosine"`
	Step             []float64   `json:"step"`
}

func readReference(t *testing.T) reference {
	t.Helper()
	b, err := os.ReadFile("testdata/torch_optim.json")
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func near(a, b, tolerance float64) bool {
	return math.Abs(a-b) <= tolerance*math.Max(math.Abs(a), math.Abs(b))
}

// TestAgainstTorch takes PyTorch's steps on PyTorch's gradients.
func TestAgainstTorch(t *testing.T) {
	ref := readReference(t)
	for name, c := range subtest.Rows(map[string]struct {
		config optim.Config
		want   [][]float64
	}{
		"sgd":                {optim.Config{Name: "sgd"}, ref.SGD},
		"sgd momentum":       {optim.Config{Name: "sgd", Momentum: 0.9}, ref.SGDMomentum},
		"sgd momentum decay": {optim.Config{Name: "sgd", Momentum: 0.9, WeightDecay: 0.05}, ref.SGDMomentumDecay},
		"sgd nesterov decay": {optim.Config{Name: "sgd", Momentum: 0.9, Nesterov: true, WeightDecay: 0.05}, ref.SGDNesterovDecay},
		"sgd decay":          {optim.Config{Name: "sgd", WeightDecay: 0.05}, ref.SGDDecay},
		"adamw":              {optim.Config{Name: "adamw", Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.1}, ref.AdamW},
		"adamw plain":        {optim.Config{Name: "adamw", Beta1: 0.8, Beta2: 0.95, Epsilon: 1e-8}, ref.AdamWPlain},
	}) {
		t.Run(name, func(t *testing.T) {
			w, g := slices.Clone(ref.Start), make([]float32, len(ref.Start))
			o, err := optim.New(c.config, []optim.Parameter{{Name: "w", Values: w, Grad: g, Decay: true, Rate: 1}})
			if err != nil {
				t.Fatal(err)
			}
			for s := range ref.Gradients {
				// Gradients that are twice as large and scaled by a half give the same step.
				for i, v := range ref.Gradients[s] {
					g[i] = 2 * v
				}
				o.Update(optim.Update{Step: int64(s + 1), Rate: ref.Rates[s], Scale: 0.5})
				for i := range w {
					if math.Abs(float64(w[i])-c.want[s][i]) > 2e-6 {
						t.Fatalf("step %d: weight %d is %v, want %v", s+1, i, w[i], c.want[s][i])
					}
				}
			}
		})
	}
}

// TestRateAndDecay are per parameter.
func TestRateAndDecay(t *testing.T) {
	for _, name := range optim.Names() {
		c := optim.DefaultConfig(name)
		a, b := []float32{1}, []float32{1}
		zero := []float32{0}
		o, err := optim.New(c, []optim.Parameter{
			{Name: "a", Values: a, Grad: zero, Decay: true, Rate: 2},
			{Name: "b", Values: b, Grad: []float32{0}, Rate: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		o.Update(optim.Update{Step: 1, Rate: 0.5, Scale: 1})
		shrink := 1 - 2*0.5*c.WeightDecay
		if name == "sgd" { // Nesterov's first step is (1 + momentum) times the decay's gradient
			shrink = 1 - 2*0.5*(1+c.Momentum)*c.WeightDecay
		}
		if b[0] != 1 || !near(float64(a[0]), shrink, 1e-6) {
			t.Errorf("%s: weights %v and %v, want %v and 1", name, a[0], b[0], shrink)
		}
	}
}

func TestSchedules(t *testing.T) {
	ref := readReference(t)
	for kind, want := range subtest.Rows(map[string][]float64{"onecycle": ref.OneCycle, "cosine": ref.Cosine, "step": ref.Step}) {
		t.Run(kind, func(t *testing.T) {
			s := optim.DefaultSchedule(kind, 0.1, 20)
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
			for i, w := range want {
				if got := s.Rate(int64(i)); math.Abs(got-w) > 1e-9 {
					t.Errorf("%s: rate of step %d is %v, want %v", kind, i, got, w)
				}
			}
		})
	}
	s := optim.DefaultSchedule("cosine", 1, 100)
	s.Warmup, s.Final = 10, 0.1
	for step, want := range map[int64]float64{0: 0.1, 4: 0.5, 9: 1, 10: 1, 55: 0.55} {
		if got := s.Rate(step); !near(got, want, 1e-12) {
			t.Errorf("warm-up and cosine: rate of step %d is %v, want %v", step, got, want)
		}
	}
	if s = optim.DefaultSchedule("constant", 0.3, 5); s.Rate(4) != 0.3 {
		t.Errorf("constant: %v", s.Rate(4))
	}
	for _, n := range []int64{1, 2, 3} { // the shortest runs stay finite
		for _, kind := range optim.Schedules() {
			for step := range n {
				if r := optim.DefaultSchedule(kind, 1, n).Rate(step); !(r >= 0 && r <= 1) {
					t.Errorf("%s over %d steps: rate %v at %d", kind, n, r, step)
				}
			}
		}
	}
}

func TestNormAndClip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var ps []optim.Parameter
	want := 0.0
	for _, n := range []int{1, 5, 4096, 70001} {
		p := optim.Parameter{Name: string(rune('a' + len(ps))), Values: make([]float32, n), Grad: make([]float32, n), Rate: 1}
		for i := range p.Grad {
			p.Grad[i] = float32(r.NormFloat64())
			want += float64(p.Grad[i]) * float64(p.Grad[i])
		}
		ps = append(ps, p)
	}
	want = math.Sqrt(want)
	norm := optim.NewNorm(ps)
	if got := norm.Of(); !near(got, want, 1e-12) {
		t.Errorf("norm %v, want %v", got, want)
	}
	for _, c := range []struct{ norm, limit, want float64 }{{2, 0, 1}, {2, 4, 1}, {8, 4, 0.5}} {
		if got := optim.ClipScale(c.norm, c.limit); got != c.want {
			t.Errorf("ClipScale(%v, %v) = %v, want %v", c.norm, c.limit, got, c.want)
		}
	}
	ps[2].Grad[17] = float32(math.NaN())
	if got := norm.Of(); !math.IsNaN(got) {
		t.Errorf("norm with a NaN is %v", got)
	}
}

// TestAverage follows the recursion in float64.
func TestAverage(t *testing.T) {
	w := []float32{1, -2}
	a, err := optim.NewAverage(0.9, []optim.Tensor{{Name: "w", Values: w}})
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{1, -2}
	for step := int64(1); step <= 200; step++ {
		w[0], w[1] = w[0]*0.99, w[1]+0.01
		a.Update(step)
		d := min(0.9, float64(step)/float64(step+9))
		for i := range want {
			want[i] = d*want[i] + (1-d)*float64(w[i])
		}
	}
	live := slices.Clone(w)
	a.Swap()
	for i := range want {
		if !near(float64(w[i]), want[i], 1e-5) {
			t.Errorf("average %d is %v, want %v", i, w[i], want[i])
		}
	}
	a.Swap()
	if !slices.Equal(w, live) {
		t.Errorf("live weights %v, want %v", w, live)
	}
}

// TestSplitDoesNotMatter updates one large tensor and the same numbers in many small ones.
func TestSplitDoesNotMatter(t *testing.T) {
	const n = 200_000 // beyond what one goroutine takes alone
	r := rand.New(rand.NewPCG(3, 4))
	w, g := make([]float32, n), make([]float32, n)
	for i := range w {
		w[i], g[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
	}
	for _, name := range optim.Names() {
		whole, parts := slices.Clone(w), slices.Clone(w)
		one := []optim.Parameter{{Name: "w", Values: whole, Grad: g, Decay: true, Rate: 1}}
		var many []optim.Parameter
		for from := 0; from < n; from += 7777 {
			to := min(n, from+7777)
			many = append(many, optim.Parameter{Name: string(rune('A' + from/7777)), Values: parts[from:to], Grad: g[from:to], Decay: true, Rate: 1})
		}
		for _, ps := range [][]optim.Parameter{one, many} {
			o, err := optim.New(optim.DefaultConfig(name), ps)
			if err != nil {
				t.Fatal(err)
			}
			for s := range 3 {
				o.Update(optim.Update{Step: int64(s + 1), Rate: 0.01, Scale: 0.7})
			}
		}
		if !slices.Equal(whole, parts) {
			t.Errorf("%s: the split into tensors changes bits", name)
		}
	}
}

func TestFaults(t *testing.T) {
	v := []float32{1}
	good := []optim.Parameter{{Name: "w", Values: v, Grad: v, Rate: 1}}
	for name, c := range subtest.Rows(map[string]optim.Config{
		"name":     {Name: "lbfgs"},
		"momentum": {Name: "sgd", Momentum: 1},
		"nesterov": {Name: "sgd", Nesterov: true},
		"beta":     {Name: "adamw", Beta1: 0.9, Beta2: 1, Epsilon: 1e-8},
		"epsilon":  {Name: "adamw", Beta1: 0.9, Beta2: 0.9},
		"decay":    {Name: "sgd", WeightDecay: math.NaN()},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := optim.New(c, good); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
	for name, ps := range subtest.Rows(map[string][]optim.Parameter{
		"none":    nil,
		"unnamed": {{Values: v, Grad: v, Rate: 1}},
		"twice":   {good[0], good[0]},
		"lengths": {{Name: "w", Values: v, Grad: nil, Rate: 1}},
		"rate":    {{Name: "w", Values: v, Grad: v}},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := optim.New(optim.DefaultConfig("sgd"), ps); err == nil || !strings.Contains(err.Error(), "invalid parameter") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	for name, s := range subtest.Rows(map[string]optim.Schedule{
		"kind":   {Kind: "plateau", Peak: 1, Steps: 1},
		"peak":   {Kind: "constant", Steps: 1},
		"steps":  {Kind: "constant", Peak: 1},
		"warmup": {Kind: "constant", Peak: 1, Steps: 3, Warmup: 3},
		"gamma":  {Kind: "step", Peak: 1, Steps: 3},
		"final":  {Kind: "cosine", Peak: 1, Steps: 3, Final: 2},
	}) {
		t.Run(name, func(t *testing.T) {
			if err := s.Validate(); !errors.Is(err, optim.ErrConfig) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	if _, err := optim.NewAverage(1, nil); !errors.Is(err, optim.ErrConfig) {
		t.Errorf("average: %v", err)
	}
}

func BenchmarkUpdate(b *testing.B) {
	const n = 1 << 20
	for _, name := range optim.Names() {
		b.Run(name, func(b *testing.B) {
			w, g := make([]float32, n), make([]float32, n)
			for i := range g {
				g[i] = float32(i%13) - 6
			}
			o, err := optim.New(optim.DefaultConfig(name), []optim.Parameter{{Name: "w", Values: w, Grad: g, Decay: true, Rate: 1}})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(4 * n)
			for s := range b.N {
				o.Update(optim.Update{Step: int64(s + 1), Rate: 1e-3, Scale: 1})
			}
		})
	}
}
