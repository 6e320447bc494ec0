package infer

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/npg"
	"ucan/smooth"
)

// network is a Network in Go.
type network func(x []float32) [][]float32

func (f network) Evaluate(_ context.Context, x []float32) ([][]float32, error) { return f(x), nil }

func each(f func(x float32) float32) network {
	return func(x []float32) [][]float32 {
		y := slices.Clone(x)
		for i, v := range x {
			y[i] = f(v)
		}
		return [][]float32{y}
	}
}

func config() Config { return Config{Dim: 3, Limits: npg.DefaultLimits(), MuScale: 0.5} }

// μ = c·G₁(x), s = |G₂(x + μ)|.
func TestSigmaReadsTheShiftedInput(t *testing.T) {
	c := config()
	c.Mu = each(func(x float32) float32 { return 2 * x })
	c.Sigma = each(func(x float32) float32 { return -3 * x })
	g, err := NewGenerator(c)
	if err != nil {
		t.Fatal(err)
	}
	p, err := g.Parameters(t.Context(), []float32{1, -2, 4})
	if err != nil || !slices.Equal(p.Mu(), []float32{1, -2, 4}) || !slices.Equal(p.Sigma(), []float32{6, 12, 24}) {
		t.Errorf("μ = %v, s = %v (%v)", p.Mu(), p.Sigma(), err)
	}
	if g.Guarantee() != smooth.Pinned {
		t.Errorf("guarantee %q", g.Guarantee())
	}
	c.FixedMean = true
	g, err = NewGenerator(c)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = g.Parameters(t.Context(), []float32{1, -2, 4}); err != nil || p.Mu() != nil || !slices.Equal(p.Sigma(), []float32{3, 6, 12}) {
		t.Errorf("fixed mean: μ = %v, s = %v (%v)", p.Mu(), p.Sigma(), err)
	}
}

func TestOneNetworkReadsTheInput(t *testing.T) {
	c := config()
	c.Joint = network(func(x []float32) [][]float32 { return [][]float32{{-1, 2, 3}, {2, 4, 6}} })
	g, err := NewGenerator(c)
	if err != nil {
		t.Fatal(err)
	}
	p, err := g.Parameters(t.Context(), []float32{9, 9, 9})
	if err != nil || !slices.Equal(p.Mu(), []float32{1, 2, 3}) || !slices.Equal(p.Sigma(), []float32{1, 2, 3}) {
		t.Errorf("μ = %v, s = %v (%v)", p.Mu(), p.Sigma(), err)
	}
	c.Joint = network(func(x []float32) [][]float32 { return [][]float32{{1, 2, 3}} })
	if g, err = NewGenerator(c); err != nil {
		t.Fatal(err)
	}
	if p, err = g.Parameters(t.Context(), []float32{9, 9, 9}); err != nil || p.Mu() != nil {
		t.Errorf("sigma alone: μ = %v (%v)", p.Mu(), err)
	}
}

// What a network gives is never taken on trust: zeros go to the floor, NaN is an error.
func TestDegenerateNetworks(t *testing.T) {
	c := config()
	c.Sigma = each(func(float32) float32 { return 0 })
	g, err := NewGenerator(c)
	if err != nil {
		t.Fatal(err)
	}
	if p, zeroErr := g.Parameters(t.Context(), []float32{1, 2, 3}); zeroErr != nil || p.Floored != 3 || p.Sigma()[0] < npg.DefaultFloor {
		t.Errorf("zero: %v, %d at the floor (%v)", p.Sigma(), p.Floored, zeroErr)
	}
	c.Sigma = each(func(float32) float32 { return float32(math.NaN()) })
	if g, err = NewGenerator(c); err != nil {
		t.Fatal(err)
	}
	if _, err = g.Parameters(t.Context(), []float32{1, 2, 3}); !errors.Is(err, smooth.ErrSigma) {
		t.Errorf("NaN: %v", err)
	}
	if _, err = g.Parameters(t.Context(), []float32{1}); err == nil {
		t.Error("an input of another size was taken")
	}
	c.Mu, c.Sigma = each(func(float32) float32 { return float32(math.Inf(1)) }), each(func(float32) float32 { return 1 })
	if g, err = NewGenerator(c); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Parameters(t.Context(), []float32{1, 2, 3}); err == nil {
		t.Error("an infinite offset was sealed")
	}
}

func TestNewGeneratorRefuses(t *testing.T) {
	one := each(func(x float32) float32 { return x })
	for name, c := range subtest.Rows(map[string]Config{
		"nothing":   {Dim: 1, Limits: npg.DefaultLimits()},
		"both":      {Dim: 1, Limits: npg.DefaultLimits(), Sigma: one, Joint: one},
		"mu beside": {Dim: 1, Limits: npg.DefaultLimits(), Mu: one, Joint: one},
		"limits":    {Dim: 1, Sigma: one},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := NewGenerator(c); err == nil {
				t.Errorf("%s: accepted", name)
			}
		})
	}
}
