package autodiff_test

import (
	"context"
	"math"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// checkSeeds checks m with inputs and directions of several seeds and returns the sums.
func checkSeeds(t *testing.T, rt *rtType, m *onnx.Model, seeds int, rules map[string]autodiff.Rule) (wrong, undecided, directions int) {
	t.Helper()
	for seed := range seeds {
		o := autodiff.DefaultCheckOptions()
		o.Seed, o.Directions, o.Rules = uint64(seed+1), 8, rules
		r, err := autodiff.Check(context.Background(), rt, m, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", r)
		wrong, undecided, directions = wrong+r.WrongDirections, undecided+r.UndecidedDirections, directions+r.Directions
	}
	return wrong, undecided, directions
}

// clips is a small MobileNet v2: inverted residuals with BatchNormalization and 35 Clips, so that
// there are many kinks near any input.
func clips(t testing.TB) *onnx.Model {
	b := onnx.NewBuilder("clips", 17)
	k := &maker{b: b, t: t, r: rng(44)}
	layer := func(x onnx.Value, in, out, group, size, stride int64) onnx.Value {
		pad := size / 2
		w := k.weight(1.4/math.Sqrt(float64(in/group*size*size)), out, in/group, size, size)
		y := b.Op("Conv", []onnx.Value{x, w}, onnx.Ints("strides", stride, stride), onnx.Ints("pads", pad, pad, pad, pad), onnx.Int("group", group))
		return b.BatchNorm(y, k.around(out), k.weight(0.3, out), k.weight(0.1, out), k.around(out), 1e-5)
	}
	clip := func(x onnx.Value) onnx.Value { return b.Clip(x, b.Scalar(onnx.Float, 0), b.Scalar(onnx.Float, 6)) }
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(3), onnx.Fixed(32), onnx.Fixed(32))
	h := clip(layer(x, 3, 16, 1, 3, 2))
	for i := range 17 {
		stride := int64(1)
		if i == 3 || i == 9 {
			stride = 2
		}
		y := clip(layer(h, 16, 48, 1, 1, 1))
		y = layer(clip(layer(y, 48, 48, 48, 3, stride)), 48, 16, 1, 1, 1)
		if stride == 1 {
			y = b.Add(y, h)
		}
		h = y
	}
	h = b.Flatten(b.GlobalAveragePool(h), 1)
	return k.build(b.Gemm(h, k.weight(0.5, 16, 10), k.weight(0.1, 10), false), 10)
}

// saturated has equal weights everywhere, so that all classes get one score: the gradient is 0, but
// for rounding that large weights blow up.
func saturated(t testing.TB) *onnx.Model {
	b := onnx.NewBuilder("saturated", 17)
	k := &maker{b: b, t: t, r: rng(45)}
	same := func(dims ...int64) onnx.Value {
		w := make([]float32, elements(dims))
		for i := range w {
			w[i] = 0.7
		}
		return onnx.Tensor(b, "same", dims, w)
	}
	h := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(3), onnx.Fixed(16), onnx.Fixed(16))
	in := int64(3)
	for range 6 {
		h = b.Relu(b.Conv(h, same(32, in, 3, 3), same(32), onnx.Window{Pads: []int64{1, 1, 1, 1}}))
		in = 32
	}
	h = b.Flatten(b.GlobalAveragePool(h), 1)
	return k.build(b.Softmax(b.Gemm(h, same(32, 100), same(100), false), 1), 100)
}

// rough returns the absolute value of a wave that is shorter than what float32 resolves.
func rough(t testing.TB) *onnx.Model {
	b := onnx.NewBuilder("rough", 17)
	k := &maker{b: b, t: t, r: rng(46)}
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(8))
	h := b.Abs(b.Op("Sin", []onnx.Value{b.Mul(x, b.Scalar(onnx.Float, 3e8))}))
	return k.build(b.MatMul(h, k.weight(1, 8, 3)), 3)
}

// TestCheckBlamesNoRightGradient has models at which differences or float32 show little.
func TestCheckBlamesNoRightGradient(t *testing.T) {
	rt := runtimetest.Open(t)
	t.Run("many kinks", func(t *testing.T) {
		subtest.Long(t)
		t.Parallel()
		if wrong, undecided, n := checkSeeds(t, rt, clips(t), 2, nil); wrong > 0 || undecided > n/2 {
			t.Errorf("%d wrong, %d undecided of %d", wrong, undecided, n)
		}
	})
	t.Run("zero", func(t *testing.T) {
		t.Parallel()
		r, err := autodiff.Check(context.Background(), rt, saturated(t), autodiff.DefaultCheckOptions())
		if err != nil || !r.Zero || r.WrongDirections > 0 || r.UndecidedDirections > 0 {
			t.Errorf("%+v, %v", r, err)
		}
	})
	t.Run("rough", func(t *testing.T) {
		t.Parallel()
		if wrong, undecided, n := checkSeeds(t, rt, rough(t), 2, nil); wrong > 0 || undecided == 0 {
			t.Errorf("%d wrong, %d undecided of %d", wrong, undecided, n)
		}
	})
}

// TestCheckFindsWrongGradients plants errors in the rules.
func TestCheckFindsWrongGradients(t *testing.T) {
	rt := runtimetest.Open(t)
	scaled := func(factor float64) autodiff.Rule {
		return func(c *autodiff.Context) ([]onnx.Value, error) {
			return []onnx.Value{c.Builder.Mul(c.Grad(0), c.Scalar(factor))}, nil
		}
	}
	none := func(*autodiff.Context) ([]onnx.Value, error) { return nil, nil }
	for name, c := range subtest.Rows(map[string]struct {
		model *onnx.Model
		rules map[string]autodiff.Rule
	}{
		"Relu lets all pass":  {smallNet(t), map[string]autodiff.Rule{"Relu": scaled(1)}},
		"Relu stops all":      {smallNet(t), map[string]autodiff.Rule{"Relu": none}},
		"Clip lets all pass":  {clips(t), map[string]autodiff.Rule{"Clip": scaled(1)}},
		"Clip turns the sign": {clips(t), map[string]autodiff.Rule{"Clip": scaled(-1)}},
		"Add, 2 % too little": {clips(t), map[string]autodiff.Rule{"Add": func(c *autodiff.Context) ([]onnx.Value, error) {
			g := c.Builder.Mul(c.Grad(0), c.Scalar(0.98))
			return []onnx.Value{g, g}, nil
		}}},
		"a gradient where 0 is it": {saturated(t), map[string]autodiff.Rule{"Softmax": scaled(1)}},
	}) {
		t.Run(name, func(t *testing.T) {
			if len(c.model.Nodes()) > 50 {
				subtest.Long(t)
			}
			t.Parallel()
			if wrong, undecided, n := checkSeeds(t, rt, c.model, 1, c.rules); wrong < n/2 {
				t.Errorf("%d wrong, %d undecided of %d", wrong, undecided, n)
			}
		})
	}
}
