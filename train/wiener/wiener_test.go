package wiener

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ucan/internal/dataset"
	"ucan/models/rows"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/smooth/family"
	"ucan/train/spectrum"
)

// inputs is a source of made inputs.
type inputs struct {
	shape []int
	x     [][]float32
}

func (s inputs) Info() dataset.Info { return dataset.Info{Name: "made", Shape: s.shape} }

func (s inputs) At(_ context.Context, i int) (dataset.Item, error) {
	return dataset.Item{Index: i, X: s.x[i], Shape: s.shape, Label: -1}, nil
}

// made draws n smooth inputs of a shape: the sum of a common value of all coordinates, one of the
// neighbours, and a small one of each.
func made(shape []int, n int, seed uint64) inputs {
	rng := rand.New(rand.NewPCG(seed, 1))
	d := 1
	for _, k := range shape {
		d *= k
	}
	s := inputs{shape: shape}
	for range n {
		x := make([]float32, d)
		all, slow := rng.NormFloat64(), 0.0
		for i := range x {
			slow = 0.9*slow + 0.2*rng.NormFloat64()
			x[i] = float32(0.5 + 0.2*all + 0.1*slow + 0.02*rng.NormFloat64())
		}
		s.x = append(s.x, x)
	}
	return s
}

func measured(t *testing.T, s inputs) *spectrum.Moments {
	t.Helper()
	indices := make([]int, len(s.x))
	for i := range indices {
		indices[i] = i
	}
	m, err := spectrum.Measure(t.Context(), s, indices, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// noiseOf seals noise of a scale, a field and a basis.
func noiseOf(t *testing.T, dim int, name string, sigma float64, mu, field []float32, u *basis.Transform) *smooth.SealedNoise {
	t.Helper()
	f, err := family.New(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	lambda, err := smooth.LambdaFor(f, dim, sigma)
	if err != nil {
		t.Fatal(err)
	}
	fields, err := smooth.NewFields(dim, mu, field, u)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := smooth.Noise{Family: f, Norm: f.Norms()[0], Lambda: lambda, Fields: fields}.Seal(dim)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func rising(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = 0.5 + 3*float32(i)/float32(n)
	}
	return out
}

// cases are filters of every kind.
func cases(t *testing.T) map[string]struct {
	data  inputs
	noise *smooth.SealedNoise
} {
	grey, colour, table, series := []int{1, 6, 5}, []int{3, 6, 6}, []int{7}, []int{2, 16}
	u, err := basis.DCT2(colour)
	if err != nil {
		t.Fatal(err)
	}
	mu := make([]float32, 108)
	mu[3], mu[50] = 0.25, -0.5
	type c = struct {
		data  inputs
		noise *smooth.SealedNoise
	}
	return map[string]c{
		"grey":            {made(grey, 300, 1), noiseOf(t, 30, "gaussian", 0.2, nil, nil, nil)},
		"colour":          {made(colour, 300, 2), noiseOf(t, 108, "gaussian", 0.2, nil, nil, nil)},
		"colour, laplace": {made(colour, 300, 2), noiseOf(t, 108, "laplace", 0.2, nil, nil, nil)},
		"frequencies":     {made(colour, 300, 3), noiseOf(t, 108, "gaussian", 0.1, mu, rising(108), u)},
		"field":           {made(colour, 300, 4), noiseOf(t, 108, "gaussian", 0.1, nil, rising(108), nil)},
		"table":           {made(table, 300, 5), noiseOf(t, 7, "gaussian", 0.2, nil, rising(7), nil)},
		"series":          {made(series, 300, 6), noiseOf(t, 32, "uniform", 0.2, nil, nil, nil)},
	}
}

// noisy returns x + μ + n.
func noisy(x []float32, noise *smooth.SealedNoise, rng *rand.Rand) []float64 {
	n := noise.Noise()
	sigma, _ := noise.Sigma()
	z := make([]float64, len(x))
	for i := range z {
		z[i] = sigma * rng.NormFloat64()
		if s := n.Sigma(); s != nil {
			z[i] *= float64(s[i])
		}
	}
	if u := n.Basis(); u != nil {
		c := z
		z = make([]float64, len(x))
		u.Values(z, c)
	}
	mu := n.Mu()
	for i := range z {
		z[i] += float64(x[i])
		if mu != nil {
			z[i] += float64(mu[i])
		}
	}
	return z
}

// TestErrorIsWhatIsMeasured compares the expected error with the mean over inputs and noise, and
// with those of other gains, none of which may be better.
func TestErrorIsWhatIsMeasured(t *testing.T) {
	for name, c := range cases(t) {
		t.Run(name, func(t *testing.T) {
			f, err := Fit(measured(t, c.data), c.noise)
			if err != nil {
				t.Fatal(err)
			}
			if !(f.Error > 0 && f.Error < f.Noise) {
				t.Errorf("expected error %v of noise %v", f.Error, f.Noise)
			}
			rng := rand.New(rand.NewPCG(7, 7))
			// In steps of a tenth of the gain, in both directions.
			got := make(map[float64]float64)
			draws := 0
			for range 4 {
				for _, x := range c.data.x {
					y := noisy(x, c.noise, rng)
					d := f.Apply(y)
					for _, step := range []float64{-0.1, 0, 0.1} {
						sum := 0.0
						for i := range x {
							e := d[i] + step*(d[i]-f.mean[i]) - float64(x[i])
							sum += e * e
						}
						got[step] += sum / float64(len(x))
					}
					draws++
				}
			}
			if mean := got[0] / float64(draws); math.Abs(mean-f.Error) > 0.08*f.Error {
				t.Errorf("mean squared error %v a coordinate; expected %v", mean, f.Error)
			}
			if got[0] > got[0.1] || got[0] > got[-0.1] {
				t.Errorf("the error %v is not least: %v with a tenth more, %v with a tenth less", got[0], got[0.1], got[-0.1])
			}
		})
	}
}

// TestGraphIsTheFilter runs the graph beside the filter in float64, in batches, and asks for the
// proof that rows are independent.
func TestGraphIsTheFilter(t *testing.T) {
	engine := autodiff.OnRuntime(runtimetest.Open(t))
	for name, c := range cases(t) {
		t.Run(name, func(t *testing.T) {
			f, err := Fit(measured(t, c.data), c.noise)
			if err != nil {
				t.Fatal(err)
			}
			m, err := f.Graph()
			if err != nil {
				t.Fatal(err)
			}
			if p := rows.Prove(m, Noisy, Clean, 0); !p.Proved {
				t.Errorf("rows are not proved independent: %v", p)
			}
			const n = 5
			rng := rand.New(rand.NewPCG(8, 8))
			dims := []int64{n}
			for _, k := range f.Shape {
				dims = append(dims, int64(k))
			}
			var batch []float32
			var want []float64
			for i := range n {
				y := noisy(c.data.x[i], c.noise, rng)
				for k := range y {
					y[k] = float64(float32(y[k]))
					batch = append(batch, float32(y[k]))
				}
				want = append(want, f.Apply(y)...)
			}
			x, err := onnx.NewTensor(Noisy, dims, batch)
			if err != nil {
				t.Fatal(err)
			}
			out, err := engine.Eval(t.Context(), m, []*onnxpb.TensorProto{x})
			if err != nil {
				t.Fatal(err)
			}
			got, err := onnx.Float32s(out[Clean])
			if err != nil || len(got) != len(want) {
				t.Fatalf("%d values, %v; want %d", len(got), err, len(want))
			}
			for i, v := range got {
				if math.Abs(float64(v)-want[i]) > 1e-4 {
					t.Fatalf("value %d is %v; want %v", i, v, want[i])
				}
			}
		})
	}
}

func TestSameBytes(t *testing.T) {
	data := made([]int{3, 6, 6}, 300, 2)
	noise := noiseOf(t, 108, "gaussian", 0.2, nil, nil, nil)
	var first []byte
	for range 3 {
		f, err := Fit(measured(t, data), noise)
		if err != nil {
			t.Fatal(err)
		}
		m, err := f.Graph()
		if err != nil {
			t.Fatal(err)
		}
		b, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if !bytes.Equal(b, first) {
			t.Fatal("the same data gave other bytes")
		}
	}
}

// TestColoursAreUsed: channels that say the same are denoised together, for a smaller error than
// one by one.
func TestColoursAreUsed(t *testing.T) {
	m := measured(t, made([]int{3, 6, 6}, 300, 2))
	noise := noiseOf(t, 108, "gaussian", 0.2, nil, nil, nil)
	f, err := Fit(m, noise)
	if err != nil {
		t.Fatal(err)
	}
	if f.Basis != spectrum.ColourDCT {
		t.Errorf("basis %q; want %q", f.Basis, spectrum.ColourDCT)
	}
	_, power, err := m.DCT()
	if err != nil {
		t.Fatal(err)
	}
	alone := 0.0
	for _, p := range power {
		alone += p * 0.04 / (p + 0.04) / 108
	}
	if !(f.Error < 0.9*alone) {
		t.Errorf("error %v; channel by channel it is %v", f.Error, alone)
	}
}

func TestRefusals(t *testing.T) {
	m := measured(t, made([]int{1, 4, 4}, 20, 1))
	f, err := family.New("pareto", map[string]float64{"a": 2})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := smooth.Noise{Family: f, Norm: f.Norms()[0], Lambda: 1}.Seal(16)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Fit(m, sealed); !errors.Is(err, ErrNoise) {
		t.Errorf("noise without variance: %v; want ErrNoise", err)
	}
	if _, err = Fit(m, noiseOf(t, 9, "gaussian", 1, nil, nil, nil)); err == nil {
		t.Error("noise of another dimension was taken")
	}
}

func ExampleFit() {
	m, err := spectrum.Prior([]int{3, 32, 32})
	if err != nil {
		panic(err)
	}
	gaussian, err := family.New("gaussian", nil)
	if err != nil {
		panic(err)
	}
	noise, err := smooth.Noise{Family: gaussian, Norm: family.L2, Lambda: 0.25}.Seal(m.Dim())
	if err != nil {
		panic(err)
	}
	f, err := Fit(m, noise)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s: %.4f of %.4f is left\n", f.Basis, f.Error, f.Noise)
	// Output: dct: 0.0161 of 0.0625 is left
}
