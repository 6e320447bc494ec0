package spectrum

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"ucan/internal/dataset"
)

// inputs is a source of made inputs; those whose index is in bad cannot be used.
type inputs struct {
	shape []int
	x     [][]float32
	bad   []int
}

func (s inputs) Info() dataset.Info { return dataset.Info{Name: "made", Shape: s.shape} }

func (s inputs) At(_ context.Context, i int) (dataset.Item, error) {
	if slices.Contains(s.bad, i) {
		return dataset.Item{}, &dataset.ItemError{Source: "made", Index: i, Err: errors.New("torn")}
	}
	return dataset.Item{Index: i, X: s.x[i], Shape: s.shape, Label: -1}, nil
}

func (s inputs) all() []int {
	out := make([]int, len(s.x))
	for i := range out {
		out[i] = i
	}
	return out
}

// random draws n inputs, around offset, whose neighbours are alike.
func random(shape []int, n int, offset float64) inputs {
	rng := rand.New(rand.NewPCG(3, 4))
	d := 1
	for _, k := range shape {
		d *= k
	}
	s := inputs{shape: shape}
	for range n {
		x, z := make([]float32, d), rng.NormFloat64()
		for i := range x {
			z = 0.8*z + 0.5*rng.NormFloat64()
			x[i] = float32(offset + z)
		}
		s.x = append(s.x, x)
	}
	return s
}

func measure(t *testing.T, s inputs) *Moments {
	t.Helper()
	m, err := Measure(t.Context(), s, s.all(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMomentsAreThoseOfTwoPasses compares with the mean and the power as they are defined, input by
// input, also where the values are large beside their spread.
func TestMomentsAreThoseOfTwoPasses(t *testing.T) {
	for name, s := range map[string]inputs{
		"grey": random([]int{1, 5, 4}, 300, 0), "colour": random([]int{3, 4, 4}, 300, 0.5), "channels": random([]int{6, 3, 3}, 150, 1),
		"series": random([]int{2, 8}, 150, -3), "table": random([]int{6}, 150, 4096),
	} {
		t.Run(name, func(t *testing.T) {
			m := measure(t, s)
			d, n := len(s.x[0]), float64(len(s.x))
			mean := make([]float64, d)
			for _, x := range s.x {
				for i, v := range x {
					mean[i] += float64(v) / n
				}
			}
			near(t, "mean", m.Mean, mean)
			for _, b := range m.Bases() {
				power := make([]float64, d)
				for _, x := range s.x {
					z := make([]float64, d)
					for i, v := range x {
						z[i] = float64(v) - mean[i]
					}
					for k, c := range coefficients(b, z) {
						power[k] += c * c / n
					}
				}
				near(t, b.Name, m.Power(b), power)
			}
			if k := m.Covariance(); (k != nil) != (len(s.shape) == 1) {
				t.Errorf("a covariance for the shape %v: %v", s.shape, k != nil)
			} else if k != nil {
				want := make([]float64, d*d)
				for _, x := range s.x {
					for i := range d {
						for j := range d {
							want[i*d+j] += (float64(x[i]) - mean[i]) * (float64(x[j]) - mean[j]) / n
						}
					}
				}
				near(t, "covariance", k, want)
			}
		})
	}
}

// coefficients is Uᵀz.
func coefficients(b Basis, z []float64) []float64 {
	if b.Transform == nil {
		return z
	}
	mixed := slices.Clone(z)
	if b.Colour != nil {
		channels := b.Transform.Shape()[0]
		plane := len(z) / channels
		clear(mixed)
		for row := range channels {
			for i := range channels {
				for k := range plane {
					mixed[row*plane+k] += b.Colour[row*channels+i] * z[i*plane+k]
				}
			}
		}
	}
	out := make([]float64, len(z))
	b.Transform.Coefficients(out, mixed)
	return out
}

func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-9*(1+math.Abs(want[i])) {
			t.Errorf("%s: value %d is %v; want %v", what, i, got[i], want[i])
			return
		}
	}
}

// TestRotateIsTheVarianceOfNoise draws no noise: it compares with U diag(v) Uᵀ written out.
func TestRotateIsTheVarianceOfNoise(t *testing.T) {
	m := measure(t, random([]int{3, 4, 5}, 60, 0))
	d := m.Dim()
	v := make([]float64, d)
	for i := range v {
		v[i] = 0.1 + float64(i%7)
	}
	for _, from := range m.Bases()[:2] {
		for _, to := range m.Bases() {
			want := make([]float64, d)
			for i := range d {
				// The i-th vector of the noise's basis, in the coordinates of the other.
				e := make([]float64, d)
				e[i] = 1
				if from.Transform != nil {
					c := slices.Clone(e)
					from.Transform.Values(e, c)
				}
				for k, c := range coefficients(to, e) {
					want[k] += c * c * v[i]
				}
			}
			near(t, from.Name+" in "+to.Name, to.Rotate(v, from.Transform), want)
		}
	}
}

func TestSameOnAnyNumberOfProcessors(t *testing.T) {
	s := random([]int{3, 6, 6}, 700, 0.5)
	first := measure(t, s)
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	alone := measure(t, s)
	if !slices.Equal(first.joint, alone.joint) || !slices.Equal(first.Mean, alone.Mean) || !slices.Equal(first.values, alone.values) {
		t.Error("one processor and several gave other bits")
	}
}

func TestUnusableInputs(t *testing.T) {
	s := random([]int{1, 3, 3}, 40, 0)
	whole := measure(t, s)
	s.bad = []int{0, 7}
	m := measure(t, s)
	if m.Inputs != 38 || m.Skipped != 2 || slices.Equal(m.Mean, whole.Mean) {
		t.Errorf("%d inputs measured, %d left out", m.Inputs, m.Skipped)
	}
	s.bad = nil
	s.x[9] = slices.Clone(s.x[9])
	s.x[9][2] = float32(math.NaN())
	if m = measure(t, s); m.Skipped != 1 {
		t.Errorf("an input with NaN: %d left out", m.Skipped)
	}
	for name, bad := range map[string][]int{"many": {1, 2, 3, 4, 5}, "all": s.all()} {
		s.bad = bad
		if _, err := Measure(t.Context(), s, s.all(), nil); !errors.Is(err, ErrData) {
			t.Errorf("%s: %v; want ErrData", name, err)
		}
	}
	if _, err := Measure(t.Context(), s, nil, nil); !errors.Is(err, ErrData) {
		t.Errorf("no input: %v; want ErrData", err)
	}
	s.bad, s.x[3] = nil, s.x[3][:4]
	if _, err := Measure(t.Context(), s, s.all(), nil); !errors.Is(err, ErrData) {
		t.Errorf("an input of another length: %v; want ErrData", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s = random([]int{1, 3, 3}, 40, 0)
	if _, err := Measure(ctx, s, s.all(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v; want context.Canceled", err)
	}
}

func TestPrior(t *testing.T) {
	m, err := Prior([]int{3, 8, 6})
	if err != nil {
		t.Fatal(err)
	}
	_, power, err := m.DCT()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, p := range power {
		sum += p
	}
	if mean := sum / float64(m.Dim()); math.Abs(mean-priorVariance) > 1e-12 {
		t.Errorf("mean power %v; want %v", mean, priorVariance)
	}
	if power[1] <= power[2] || power[6] <= power[12] {
		t.Error("the power does not fall with the frequency")
	}
	for _, shape := range [][]int{{5}, {3, 4}, {3, 5000, 5000}} {
		if _, err := Prior(shape); err == nil {
			t.Errorf("a prior for inputs of shape %v", shape)
		}
	}
}
