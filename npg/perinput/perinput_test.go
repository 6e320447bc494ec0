package perinput

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/smooth/family"
	"ucan/smooth/stream"
)

// linear is p = sigmoid(w·x) over two classes: class 1 has probability sigmoid(w·x). Its Gaussian
// smoothing is known, so results can be checked by hand.
type linear struct{ w []float64 }

func (l linear) Probabilities(_ context.Context, x []float32) ([]float32, error) {
	d := len(l.w)
	out := make([]float32, 0, len(x)/d*2)
	for r := 0; r < len(x); r += d {
		z := 0.0
		for i, w := range l.w {
			z += w * float64(x[r+i])
		}
		p := 1 / (1 + math.Exp(-z))
		out = append(out, float32(1-p), float32(p))
	}
	return out, nil
}

func (l linear) Gradient(_ context.Context, x, p, weights []float32) ([]float32, error) {
	d := len(l.w)
	out := make([]float32, len(x))
	for r := range len(x) / d {
		q := float64(p[2*r+1])
		slope := q * (1 - q) * float64(weights[2*r+1]-weights[2*r])
		for i, w := range l.w {
			out[r*d+i] = float32(slope * w)
		}
	}
	return out, nil
}

func small() Config {
	c := DefaultConfig()
	c.Iterations, c.Samples, c.Votes, c.GridSize = 60, 64, 256, 16
	c.Limits.Ceiling = 4
	return c
}

// The classifier looks at one coordinate of four. Noise on the other three costs nothing, so their
// scales rise to the ceiling; on the one that matters it stays near the start.
func TestScaleRisesWhereTheClassifierDoesNotLook(t *testing.T) {
	t.Parallel()
	f := linear{w: []float64{8, 0, 0, 0}}
	x := []float32{1, 0, 0, 0}
	c := small()
	r, err := Optimise(context.Background(), f, x, smooth.InputID(x), c)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Certifiable || r.Class != 1 {
		t.Fatalf("certifiable %v, class %d", r.Certifiable, r.Class)
	}
	for i := 1; i < 4; i++ {
		if r.Sigma[i] < 2*r.Start {
			t.Errorf("σ[%d] = %v, start %v: free coordinates must grow", i, r.Sigma[i], r.Start)
		}
	}
	if r.Sigma[0] > r.Sigma[1]/2 {
		t.Errorf("σ = %v: the coordinate that matters must stay behind", r.Sigma)
	}
	if r.ALM <= 1.3*r.StartALM || r.Proxy <= r.StartProxy {
		t.Errorf("ALM %v from %v, proxy %v from %v", r.ALM, r.StartALM, r.Proxy, r.StartProxy)
	}
}

func TestNeverBelowTheStartNorAboveTheCeiling(t *testing.T) {
	t.Parallel()
	x := []float32{0.9, 0.2, -0.3}
	for seed := range uint64(8) {
		c := small()
		c.Seed, c.Limits = seed, npg.Limits{Floor: 0.1, Ceiling: 0.7}
		c.LearningRate = 0.3 // steps large enough to run into both bounds
		r, err := Optimise(context.Background(), linear{w: []float64{3, -2, 1}}, x, smooth.InputID(x), c)
		if err != nil {
			t.Fatal(err)
		}
		if r.Start < 0.1 {
			t.Errorf("start %v lies below the floor", r.Start)
		}
		for i, s := range r.Sigma {
			if s < r.Start || s > 0.7 {
				t.Errorf("seed %d: σ[%d] = %v outside [%v, 0.7]", seed, i, s, r.Start)
			}
		}
		if r.ALM < r.StartALM {
			t.Errorf("seed %d: ALM %v below that of the start, %v", seed, r.ALM, r.StartALM)
		}
	}
}

// Under noise σ on a halfspace at distance m, p_A = Φ(m/σ): every scale certifies radius m but for
// the bound on p, which costs most where p is near 1. The best start is thus the widest noise whose
// bound still holds: not the narrowest.
func TestStartMaximisesTheRadius(t *testing.T) {
	t.Parallel()
	f := linear{w: []float64{40, 0}}
	x := []float32{0.5, 0}
	c := small()
	c.Iterations = 0
	r, err := Optimise(context.Background(), f, x, smooth.InputID(x), c)
	if err != nil {
		t.Fatal(err)
	}
	// With 256 votes at α = 0.001 no scale below σ₀ = m/Φ⁻¹(p_max) is limited by p: p_max =
	// 0.001^(1/256) = 0.973, Φ⁻¹ = 1.93, σ₀ = 0.26. Beyond it the radius falls again, slowly.
	if r.Start < 0.2 || r.Start > 0.5 {
		t.Errorf("start %v, want near 0.26", r.Start)
	}
	if r.ALM != r.StartALM || slices.Max(r.Sigma) != r.Start {
		t.Errorf("without iterations the start must come back: %+v", r)
	}
}

func TestAnInputWithoutACertificateKeepsTheStart(t *testing.T) {
	x := []float32{0, 0} // on the boundary: p = 1/2 whatever the noise
	r, err := Optimise(context.Background(), linear{w: []float64{2, 1}}, x, smooth.InputID(x), small())
	if err != nil {
		t.Fatal(err)
	}
	if r.Certifiable || slices.Max(r.Sigma) != r.Start || slices.Min(r.Sigma) != r.Start {
		t.Errorf("%+v, want the isotropic start", r)
	}
}

func TestSameSeedSameBits(t *testing.T) {
	x := []float32{1, 0.1, -0.2}
	run := func(seed uint64) []float32 {
		c := small()
		c.Seed = seed
		r, err := Optimise(context.Background(), linear{w: []float64{4, 1, 0}}, x, smooth.InputID(x), c)
		if err != nil {
			t.Fatal(err)
		}
		return r.Sigma
	}
	if a, b := run(3), run(3); !slices.Equal(a, b) {
		t.Errorf("two runs give %v and %v", a, b)
	}
	if a, b := run(3), run(4); slices.Equal(a, b) {
		t.Error("another seed gives the same field: the noise does not depend on it")
	}
}

// The gradient of slopes, against central differences on the same noise, in the pixel and in the
// DCT basis, with one bound (Laplace) and with two (Gaussian).
func TestSlopesAgainstDifferences(t *testing.T) {
	shape := []int{1, 2, 3}
	dct, err := basis.DCT2(shape)
	if err != nil {
		t.Fatal(err)
	}
	laplace, err := family.New("laplace", nil)
	if err != nil {
		t.Fatal(err)
	}
	f := linear{w: []float64{1.5, -1, 0.5, 2, 0.3, -0.7}}
	x := []float32{0.5, 0.1, 0.2, 0.6, 0.3, 0.4}
	for name, change := range subtest.Rows(map[string]func(*Config){
		"gaussian": func(*Config) {},
		"dct":      func(c *Config) { c.Basis = dct },
		"laplace":  func(c *Config) { c.Family, c.Norm = laplace, family.L1 },
	}) {
		t.Run(name, func(t *testing.T) {
			c := small()
			c.Samples, c.Lambda = 40, 0.8
			change(&c)
			o := &optimiser{config: c, classifier: f, x: x, noise: drawer{config: c, key: stream.New(1, smooth.InputID(x), stream.NPG), x: x}}
			sigma := []float32{0.5, 0.7, 0.4, 0.6, 0.9, 0.3}
			grad, waste := make([]float64, 6), make([]float64, 6)
			if _, err := o.slopes(context.Background(), sigma, 1, 0, grad); err != nil {
				t.Fatal(err)
			}
			for i := range sigma {
				const h = 0.01
				var at [2]float64
				for k, e := range []float64{math.Exp(-h), math.Exp(h)} {
					moved := slices.Clone(sigma)
					moved[i] = float32(float64(sigma[i]) * e)
					g, err := o.slopes(context.Background(), moved, 1, 0, waste)
					if err != nil {
						t.Fatal(err)
					}
					at[k] = g.value
				}
				want := (at[1] - at[0]) / (2 * h)
				if math.Abs(grad[i]-want) > 1e-3*math.Abs(want)+1e-5 {
					t.Errorf("%s: ∂G/∂log σ[%d] = %.6g, differences give %.6g", name, i, grad[i], want)
				}
			}
		})
	}
}

func TestVolumeGradient(t *testing.T) {
	at := []float64{-1, 0.5, -1, 0.2}
	grad, waste := make([]float64, 4), make([]float64, 4)
	volume(at, 2, grad)
	for i := range at {
		if at[i] == -1 {
			continue // the minimum has a kink where it is shared
		}
		up, down := slices.Clone(at), slices.Clone(at)
		up[i] += 1e-6
		down[i] -= 1e-6
		want := (volume(up, 2, waste) - volume(down, 2, waste)) / 2e-6
		if math.Abs(grad[i]-want) > 1e-6 {
			t.Errorf("gradient %v, want %v", grad[i], want)
		}
	}
	total := 0.0
	for _, g := range grad {
		total += g
	}
	// Scaling all σ by e^h scales the volume by e^h: the gradients sum to its value.
	if value := volume(at, 2, waste); math.Abs(total-value) > 1e-12 {
		t.Errorf("gradients sum to %v, want %v", total, value)
	}
}

func TestRefusals(t *testing.T) {
	ctx, f := context.Background(), linear{w: []float64{1, 1}}
	x := []float32{1, 1}
	for name, change := range subtest.Rows(map[string]func(*Config){
		"alpha": func(c *Config) { c.Alpha = 0 }, "samples": func(c *Config) { c.Samples = 0 },
		"search": func(c *Config) { c.Low = 3 }, "floor": func(c *Config) { c.Limits.Floor = 0 },
		"outside": func(c *Config) { c.Limits.Ceiling = 0.01 }, "rate": func(c *Config) { c.LearningRate = math.NaN() },
		"lambda": func(c *Config) { c.Lambda = math.Inf(1) }, "kappa": func(c *Config) { c.Kappa = -1 },
		"family": func(c *Config) { c.Family = nil },
	}) {
		t.Run(name, func(t *testing.T) {
			c := small()
			change(&c)
			if _, err := Optimise(ctx, f, x, [32]byte{}, c); err == nil {
				t.Errorf("a wrong %s was accepted", name)
			}
		})
	}
	for _, bad := range [][]float32{nil, {1, float32(math.NaN())}} {
		if _, err := Optimise(ctx, f, bad, [32]byte{}, small()); !errors.Is(err, ErrInput) {
			t.Errorf("input %v: error %v, want ErrInput", bad, err)
		}
	}
}

// failing counts calls and fails from the n-th on.
type failing struct {
	linear
	left *int
}

var errBroken = errors.New("broken")

func (f failing) Probabilities(ctx context.Context, x []float32) ([]float32, error) {
	if *f.left--; *f.left < 0 {
		return nil, errBroken
	}
	return f.linear.Probabilities(ctx, x)
}

func TestAFailingClassifierIsAnError(t *testing.T) {
	x := []float32{1, 0.5}
	for _, after := range []int{0, 17, 80} {
		if _, err := Optimise(context.Background(), failing{linear{w: []float64{3, 1}}, &after}, x, smooth.InputID(x), small()); !errors.Is(err, errBroken) {
			t.Errorf("error %v, want the classifier's", err)
		}
	}
}
