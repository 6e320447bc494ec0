package infer

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/shared"
	"ucan/fixtures/subtest"
	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// TestMain lets this binary be the process in which graphs are tried.
func TestMain(m *testing.M) {
	if code, child := runtime.RunProbeChild(os.Args[1:]); child {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// linear returns a graph of the shape whose outputs are factors times its input.
func linear(t *testing.T, dims []onnx.Dim, outputs []string, factors ...float64) []byte {
	t.Helper()
	b := onnx.NewBuilder("linear", 17)
	x := b.Input("x", onnx.Float, dims...)
	for i, name := range outputs {
		b.Output(name, b.Mul(x, b.Scalar(onnx.Float, factors[i])), onnx.Float, dims...)
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func example(graphs map[bundle.Role][]byte) *bundle.Bundle {
	return &bundle.Bundle{Kind: npg.KindCertification, Shape: []int{1, 2, 3}, Limits: npg.DefaultLimits(), MuScale: 0.5, Graphs: graphs}
}

var batched = []onnx.Dim{onnx.Sym("N"), onnx.Fixed(1), onnx.Fixed(2), onnx.Fixed(3)}

func TestOpenBundles(t *testing.T) {
	rt := runtimetest.Open(t)
	x := []float32{1, -2, 3, -4, 5, -6}
	for name, c := range subtest.Rows(map[string]struct {
		bundle    *bundle.Bundle
		mu, sigma float32 // factors of x
	}{
		"two graphs":    {example(map[bundle.Role][]byte{bundle.Mu: linear(t, batched, []string{"a"}, 2), bundle.Sigma: linear(t, batched, []string{"b"}, 3)}), 1, 6},
		"sigma alone":   {example(map[bundle.Role][]byte{bundle.Sigma: linear(t, batched, []string{"b"}, 3)}), 0, 3},
		"one graph":     {example(map[bundle.Role][]byte{bundle.Joint: linear(t, batched, []string{"mu", "sigma"}, 2, 3)}), 1, 3},
		"one output":    {example(map[bundle.Role][]byte{bundle.Joint: linear(t, batched, []string{"y"}, 3)}), 0, 3},
		"fixed batch":   {example(map[bundle.Role][]byte{bundle.Sigma: linear(t, []onnx.Dim{onnx.Fixed(1), onnx.Fixed(1), onnx.Fixed(2), onnx.Fixed(3)}, []string{"b"}, 3)}), 0, 3},
		"flat":          {example(map[bundle.Role][]byte{bundle.Sigma: linear(t, []onnx.Dim{onnx.Sym("N"), onnx.Fixed(6)}, []string{"b"}, 3)}), 0, 3},
		"no batch":      {example(map[bundle.Role][]byte{bundle.Sigma: linear(t, []onnx.Dim{onnx.Fixed(1), onnx.Fixed(2), onnx.Fixed(3)}, []string{"b"}, 3)}), 0, 3},
		"open all over": {example(map[bundle.Role][]byte{bundle.Sigma: linear(t, []onnx.Dim{onnx.Sym("N"), onnx.Sym("C"), onnx.Sym("H"), onnx.Sym("W")}, []string{"b"}, 3)}), 0, 3},
	}) {
		t.Run(name, func(t *testing.T) {
			g, err := Open(t.Context(), rt, c.bundle, runtime.SessionOptions{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			p, err := g.Parameters(t.Context(), x)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for i, v := range x {
				if got, want := p.Sigma()[i], float32(math.Abs(float64(v*c.sigma))); got != want {
					t.Errorf("%s: s[%d] = %v, want %v", name, i, got, want)
				}
				if c.mu != 0 && p.Mu()[i] != c.mu*v || c.mu == 0 && p.Mu() != nil {
					t.Errorf("%s: μ = %v", name, p.Mu())
					break
				}
			}
			if err := g.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := g.Parameters(t.Context(), x); err == nil {
				t.Errorf("%s: runs after it was closed", name)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	rt := runtimetest.Open(t)
	before := runtime.Live()
	wrong := []onnx.Dim{onnx.Sym("N"), onnx.Fixed(1), onnx.Fixed(3), onnx.Fixed(3)}
	for name, c := range subtest.Rows(map[string]struct {
		graphs map[bundle.Role][]byte
		want   string
	}{
		"other size":      {map[bundle.Role][]byte{bundle.Sigma: linear(t, wrong, []string{"b"}, 3)}, "batch of 1"},
		"two outputs":     {map[bundle.Role][]byte{bundle.Sigma: linear(t, batched, []string{"a", "b"}, 3, 3)}, "2 outputs"},
		"mu alone":        {map[bundle.Role][]byte{bundle.Joint: linear(t, batched, []string{"mu"}, 3)}, "sigma"},
		"other names":     {map[bundle.Role][]byte{bundle.Joint: linear(t, batched, []string{"a", "b"}, 3, 3)}, "mu and sigma"},
		"not ONNX":        {map[bundle.Role][]byte{bundle.Sigma: []byte("not ONNX")}, "graph sigma"},
		"second is wrong": {map[bundle.Role][]byte{bundle.Mu: linear(t, batched, []string{"b"}, 3), bundle.Sigma: linear(t, wrong, []string{"b"}, 3)}, "graph sigma"},
	}) {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), rt, example(c.graphs), runtime.SessionOptions{})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: error %v, want one line about %q", name, err, c.want)
			}
		})
	}
	if after := runtime.Live(); after != before {
		t.Errorf("objects are left open: %+v, before %+v", after, before)
	}
}

// The authors' published generators: σ is 1 everywhere and μ near its cap of 1.
func TestPublishedGenerators(t *testing.T) {
	rt := runtimetest.Open(t)
	graphs := map[bundle.Role][]byte{
		bundle.Mu:    shared.Read(t, "models", "ucan_cifar10_npg_mean.onnx"),
		bundle.Sigma: shared.Read(t, "models", "ucan_cifar10_npg_sigma.onnx"),
	}
	g, err := Open(t.Context(), rt, &bundle.Bundle{
		Kind: npg.KindCertification, Shape: []int{3, 32, 32}, Limits: npg.DefaultLimits(), MuScale: 1, Graphs: graphs,
	}, runtime.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	x := make([]float32, 3072)
	for i := range x {
		x[i] = float32(i%251) / 250
	}
	p, err := g.Parameters(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if s := p.Sigma(); slices.Min(s) < 0.99 || slices.Max(s) > 1 {
		t.Errorf("σ from %v to %v, published: 1 everywhere", slices.Min(s), slices.Max(s))
	}
	var square float64
	for _, m := range p.Mu() {
		square += float64(m) * float64(m)
	}
	if n := math.Sqrt(square); n < 40 || n > math.Sqrt(3072) {
		t.Errorf("‖μ‖ = %v, published: some 54 of 55.4", n)
	}
	again, err := g.Parameters(t.Context(), x)
	if err != nil || !slices.Equal(again.Mu(), p.Mu()) || !slices.Equal(again.Sigma(), p.Sigma()) {
		t.Errorf("a second run gives other bits (%v)", err)
	}
}
