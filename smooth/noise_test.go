package smooth_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"ucan/smooth"
	"ucan/smooth/family"
)

func TestSealRejects(t *testing.T) {
	g, err := family.New("gaussian", nil)
	if err != nil {
		t.Fatal(err)
	}
	ok := smooth.Noise{Family: g, Norm: family.L2, Lambda: 1}
	for _, tt := range []struct {
		name string
		want string
		dim  int
		edit func(n *smooth.Noise)
	}{
		{"dimension", "dimension 0", 0, func(*smooth.Noise) {}},
		{"family", "no noise family", 2, func(n *smooth.Noise) { n.Family = nil }},
		{"incomplete family", "lacks a sampler", 2, func(n *smooth.Noise) { n.Family = nameOnly{g} }},
		{"norm", "no norm", 2, func(n *smooth.Noise) { n.Norm = 0 }},
		{"lambda 0", "lambda is 0", 2, func(n *smooth.Noise) { n.Lambda = 0 }},
		{"lambda negative", "lambda is -1", 2, func(n *smooth.Noise) { n.Lambda = -1 }},
		{"lambda NaN", "lambda is NaN", 2, func(n *smooth.Noise) { n.Lambda = math.NaN() }},
		{"lambda infinite", "lambda is +Inf", 2, func(n *smooth.Noise) { n.Lambda = math.Inf(1) }},
		{"lambda beyond float32", "lambda is 1e+39", 2, func(n *smooth.Noise) { n.Lambda = 1e39 }},
		{"lambda below float32", "lambda is 1e-46", 2, func(n *smooth.Noise) { n.Lambda = 1e-46 }},
		{"mu of another dimension", "2 values and the input 3", 3, func(n *smooth.Noise) { n.Fields = fieldsOf(t, 2, []float32{0, 0}, nil, nil) }},
		{"sigma of another dimension", "2 values and the input 1", 1, func(n *smooth.Noise) { n.Fields = fieldsOf(t, 2, nil, []float32{1, 1}, nil) }},
		{"product overflows", "range of float32", 2, func(n *smooth.Noise) { n.Lambda, n.Fields = 1e30, fieldsOf(t, 2, nil, []float32{1, 1e30}, nil) }},
		{"product underflows", "range of float32", 2, func(n *smooth.Noise) { n.Lambda, n.Fields = 1e-30, fieldsOf(t, 2, nil, []float32{1, 1e-30}, nil) }},
	} {
		n := ok
		tt.edit(&n)
		_, err := n.Seal(tt.dim)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line about %q", tt.name, err, tt.want)
		}
	}
}

// nameOnly is a family that can neither sample nor certify.
type nameOnly struct{ f family.Family }

func (n nameOnly) Name() string               { return "name-only" }
func (n nameOnly) Params() map[string]float64 { return nil }
func (n nameOnly) Norms() []family.Norm       { return n.f.Norms() }

func TestSealCopiesAndQuantises(t *testing.T) {
	g, err := family.New("gaussian", nil)
	if err != nil {
		t.Fatal(err)
	}
	sigma, mu := []float32{.5, 2}, []float32{1, 1}
	s, err := smooth.Noise{Family: g, Norm: family.L2, Lambda: 0.12, Fields: fieldsOf(t, 2, mu, sigma, nil)}.Seal(2)
	if err != nil {
		t.Fatal(err)
	}
	sigma[0], mu[0] = 100, 100
	n := s.Noise()
	n.Sigma()[1], n.Mu()[1] = 100, 100
	if !slices.Equal(n.Sigma(), []float32{.5, 2}) || !slices.Equal(n.Mu(), []float32{1, 1}) {
		t.Error("a sealed noise changed with the caller's fields")
	}
	if n.Lambda != float64(float32(0.12)) {
		t.Errorf("lambda %v, want the float32 nearest to 0.12", n.Lambda)
	}
	if sd, ok := s.Sigma(); !ok || sd != n.Lambda {
		t.Errorf("standard deviation %v, %v of gaussian noise at scale %v", sd, ok, n.Lambda)
	}
	// λ min s Φ⁻¹(p), Φ⁻¹(0.999) = 3.090232306167813540 (mpmath).
	want := n.Lambda * .5 * 3.0902323061678135
	if r, err := s.Radius(0.999); err != nil || r > want || r < want*(1-1e-12) {
		t.Errorf("radius %v (%v), want %v from below", r, err, want)
	}
	for _, p := range []float64{0, 0.3, 0.5} {
		if r, err := s.Radius(p); err != nil || r != 0 {
			t.Errorf("radius %v (%v) at p %v, want 0", r, err, p)
		}
	}
	for _, p := range []float64{-0.1, 1.1, math.NaN()} {
		if r, err := s.Radius(p); err == nil {
			t.Errorf("radius %v at p %v, want an error", r, p)
		}
	}
}

func TestMaxRadius(t *testing.T) {
	noise := gaussian(t, 3, 0.5, nil, []float32{1, .25, 2})
	// Cohen's: α^(1/n) is the bound at n votes of n. Φ⁻¹(.001^(1/100000)) =
	// 3.811456563389951 (mpmath).
	want := 0.5 * .25 * 3.811456563389951
	if r, err := noise.MaxRadius(100_000, 0.001); err != nil || math.Abs(r/want-1) > 1e-9 {
		t.Errorf("largest radius %v (%v), want %v", r, err, want)
	}
	// .001^(1/9) < 1/2: nine samples can never certify at α = .001.
	if r, err := noise.MaxRadius(9, 0.001); err != nil || r != 0 {
		t.Errorf("largest radius of 9 samples %v (%v), want 0", r, err)
	}
	if r, err := noise.MaxRadius(10, 0.001); err != nil || r <= 0 {
		t.Errorf("largest radius of 10 samples %v (%v), want above 0", r, err)
	}
	for _, bad := range []struct {
		n     int64
		alpha float64
	}{{0, .1}, {-1, .1}, {1, 0}, {1, 1}, {1, math.NaN()}} {
		if r, err := noise.MaxRadius(bad.n, bad.alpha); err == nil {
			t.Errorf("n %d, alpha %v: radius %v, want an error", bad.n, bad.alpha, r)
		}
	}
}

func TestLambdaFor(t *testing.T) {
	g, err := family.New("gaussian", nil)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := smooth.LambdaFor(g, 10, 0.25); err != nil || l != 0.25 {
		t.Errorf("gaussian: lambda %v (%v) of sigma 0.25", l, err)
	}
	for _, sigma := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if l, err := smooth.LambdaFor(g, 10, sigma); err == nil {
			t.Errorf("sigma %v: lambda %v, want an error", sigma, l)
		}
	}
	if _, err := smooth.LambdaFor(nameOnly{g}, 10, 1); err == nil {
		t.Error("a family without a scale gave a lambda")
	}
}

func TestGrids(t *testing.T) {
	// 0.12 is no float32: the radii are multiples of σ/2·min s all the same.
	for _, lambda := range []float64{0.12, 0.25, 0.5, 1} {
		n := gaussian(t, 2, lambda, nil, []float32{2, 4})
		g, err := n.DefaultGrid()
		if err != nil {
			t.Fatal(err)
		}
		if len(g.Radii) != 8 || g.Levels[0] != 0.5 || g.Radii[0] != 0 {
			t.Fatalf("default grid %+v, want eight radii from 0", g)
		}
		for i, r := range g.Radii {
			want := math.Round(1e9*lambda*float64(i)) / 1e9 // λ·min s·z, z = i/2
			if got, err := n.Radius(g.Levels[i]); r != want || err != nil || got < want || got > want*(1+1e-9) {
				t.Errorf("lambda %v: radius %d is %v, want %v; its level certifies %v (%v)", lambda, i, r, want, got, err)
			}
		}
	}
	noise := gaussian(t, 2, 0.25, nil, []float32{2, 4})
	asked := []float64{0, 0.1, 0.25, 1, 3}
	g, err := noise.NewGrid(asked)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range g.Levels { // at p = Φ(6) neighbouring float64 certify 1.5e-9 apart
		got, err := noise.Radius(p)
		if err != nil || got < asked[i] || got > asked[i]*(1+1e-8) {
			t.Errorf("level %v certifies %v (%v), want %v and not less", p, got, err, asked[i])
		}
		if below, err := noise.Radius(p - 1e-6); i > 0 && (err != nil || below >= asked[i]) {
			t.Errorf("level %v is not the smallest: 1e-6 less certifies %v (%v)", p, below, err)
		}
	}
	for _, bad := range [][]float64{{}, {1, 1}, {1, .5}, {-1}, {math.NaN()}, {math.Inf(1)}, {1e6}} {
		if g, err := noise.NewGrid(bad); err == nil {
			t.Errorf("grid %v was accepted as %+v", bad, g)
		}
	}
	if _, err := noise.GridOf([]float64{0.4}); err == nil {
		t.Error("a level below 1/2 was accepted")
	}
}
