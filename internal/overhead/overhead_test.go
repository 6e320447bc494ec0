package overhead

import (
	"context"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/smooth/family"
)

func config(t *testing.T) Config {
	t.Helper()
	sealed, err := smooth.Noise{Family: family.Gaussian{}, Norm: family.L2, Lambda: 0.25}.Seal(4)
	if err != nil {
		t.Fatal(err)
	}
	calls := func() smooth.Classifier {
		return smooth.ClassifierFunc(4, 8, func(x []float32) int32 {
			if x[0] > 0 {
				return 1
			}
			return 0
		})
	}
	return Config{
		Classifiers: []smooth.Classifier{calls(), calls()}, Dim: 4, Classes: 2, Noise: sealed,
		Statistics: smooth.FixedN{N0: 10, N: 500, Alpha: .001}, Rounds: 4, Input: []float32{1, 0, 0, 0},
	}
}

func TestOverhead(t *testing.T) {
	result, err := Overhead(context.Background(), config(t))
	if err != nil {
		t.Fatal(err)
	}
	if result.Samples != 510 || len(result.Ratios) != 4 {
		t.Errorf("%d samples, %d ratios", result.Samples, len(result.Ratios))
	}
	if !(result.Ratio > 0) || result.Bare <= 0 || result.Certified <= 0 || !(result.NoiseNanoseconds > 0) {
		t.Errorf("result %+v", result)
	}
}

func TestBareClassifiesEverySampleOnce(t *testing.T) {
	c := config(t)
	rows := make([]int, len(c.Classifiers))
	for i, inner := range c.Classifiers {
		c.Classifiers[i] = countRows{inner, &rows[i]}
	}
	if err := c.bare(context.Background(), 101); err != nil {
		t.Fatal(err)
	}
	if total := rows[0] + rows[1]; total != 101 {
		t.Errorf("%d rows were classified, want 101", total)
	}
}

type countRows struct {
	smooth.Classifier
	rows *int
}

func (c countRows) Classify(ctx context.Context, rows int) ([]int32, error) {
	*c.rows += rows
	return c.Classifier.Classify(ctx, rows)
}

func TestConfigIsChecked(t *testing.T) {
	for name, spoil := range subtest.Rows(map[string]func(*Config){
		"no classifier": func(c *Config) { c.Classifiers = nil },
		"no rounds":     func(c *Config) { c.Rounds = 0 },
		"wrong input":   func(c *Config) { c.Input = nil },
		"no samples":    func(c *Config) { c.Statistics.N = 0 },
	}) {
		t.Run(name, func(t *testing.T) {
			c := config(t)
			spoil(&c)
			if _, err := Overhead(context.Background(), c); err == nil {
				t.Errorf("%s: accepted", name)
			}
		})
	}
}

// The time of a noise value is that of the noise as it is made, in a basis as on the lattice, not
// of the family alone.
func TestNoiseTime(t *testing.T) {
	dct, err := basis.DCT2([]int{1, 8, 8})
	if err != nil {
		t.Fatal(err)
	}
	field := make([]float32, 64)
	for i := range field {
		field[i] = 1 + float32(i)/64
	}
	times := map[string]float64{}
	for name, noise := range subtest.Rows(map[string]smooth.Noise{
		"isotropic": {},
		"field":     {Fields: fieldsOf(t, field, nil)},
		"dct":       {Fields: fieldsOf(t, field, dct)},
		"lattice":   {Arithmetic: smooth.Lattice},
	}) {
		t.Run(name, func(t *testing.T) {
			noise.Family, noise.Norm, noise.Lambda = family.Gaussian{}, family.L2, 0.25
			sealed, sealErr := noise.Seal(64)
			if sealErr != nil {
				t.Fatal(sealErr)
			}
			if times[name], err = NoiseTime(t.Context(), sealed, make([]float32, 64)); err != nil || !(times[name] > 0) {
				t.Errorf("%s: %v ns, %v", name, times[name], err)
			}
		})
	}
	t.Logf("ns a value: %v", times)
	sealed, err := smooth.Noise{Family: family.Gaussian{}, Norm: family.L2, Lambda: 0.25}.Seal(64)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NoiseTime(t.Context(), sealed, make([]float32, 63)); err == nil {
		t.Error("an input of another dimension was timed")
	}
}

func TestMedian(t *testing.T) {
	if m := median([]float64{3, 1, 2}); m != 2 {
		t.Errorf("median of three is %v", m)
	}
	if m := median([]float64{4, 1, 2, 3}); m != 2.5 {
		t.Errorf("median of four is %v", m)
	}
}

// fieldsOf returns fields without an offset.
func fieldsOf(tb testing.TB, sigma []float32, u *basis.Transform) smooth.Fields {
	tb.Helper()
	f, err := smooth.NewFields(len(sigma), nil, sigma, u)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}
