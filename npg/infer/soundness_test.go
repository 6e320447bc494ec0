package infer

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/npg/bundle"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/soundness"
	"ucan/runtime/runtimetest"
)

// field returns a graph of x [N,1,2,3] whose named outputs make makes of it.
func field(t *testing.T, make func(b *onnx.Builder, x onnx.Value) []onnx.Value, outputs ...string) []byte {
	t.Helper()
	b := onnx.NewBuilder("field", 17)
	for i, v := range make(b, b.Input("x", onnx.Float, batched...)) {
		b.Output(outputs[i], v, onnx.Float, batched...)
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

// TestRandomGeneratorsAreRefused: what is refused in a classifier is refused in a generator, in
// whichever of its graphs and however they are given.
func TestRandomGeneratorsAreRefused(t *testing.T) {
	rt := runtimetest.Open(t)
	random := func(b *onnx.Builder, x onnx.Value) []onnx.Value {
		return []onnx.Value{b.Add(b.Abs(x), b.Op("RandomUniformLike", []onnx.Value{x}))}
	}
	sound := linear(t, batched, []string{"y"}, 3)
	for name, c := range subtest.Rows(map[string]struct {
		graphs map[bundle.Role][]byte
		want   string
	}{
		"sigma":                     {map[bundle.Role][]byte{bundle.Sigma: field(t, random, "y")}, "RandomUniformLike"},
		"mu beside a sound sigma":   {map[bundle.Role][]byte{bundle.Mu: field(t, random, "y"), bundle.Sigma: sound}, "RandomUniformLike"},
		"one graph, sigma":          {map[bundle.Role][]byte{bundle.Joint: field(t, random, "sigma")}, "RandomUniformLike"},
		"one graph, only mu random": {map[bundle.Role][]byte{bundle.Joint: field(t, func(b *onnx.Builder, x onnx.Value) []onnx.Value { return []onnx.Value{b.Abs(x), random(b, x)[0]} }, "sigma", "mu")}, "RandomUniformLike"},
		"noise that reads no input": {map[bundle.Role][]byte{bundle.Sigma: field(t, func(b *onnx.Builder, x onnx.Value) []onnx.Value {
			return []onnx.Value{b.Add(x, b.Op("RandomNormal", nil, onnx.Ints("shape", 1, 1, 2, 3)))}
		}, "y")}, "RandomNormal"},
		"coins": {map[bundle.Role][]byte{bundle.Sigma: field(t, func(b *onnx.Builder, x onnx.Value) []onnx.Value {
			return []onnx.Value{b.Op("Bernoulli", []onnx.Value{b.Sigmoid(x)})}
		}, "y")}, "Bernoulli"},
		"dropout in training": {map[bundle.Role][]byte{bundle.Sigma: field(t, func(b *onnx.Builder, x onnx.Value) []onnx.Value {
			on := onnx.Tensor(b, "on", nil, []bool{true})
			return []onnx.Value{b.Op("Dropout", []onnx.Value{x, b.Scalar(onnx.Float, 0.25), on})}
		}, "y")}, "training mode"},
		"normalisation in training": {map[bundle.Role][]byte{bundle.Sigma: field(t, func(b *onnx.Builder, x onnx.Value) []onnx.Value {
			one := func(v float32) onnx.Value { return onnx.Tensor(b, "c", []int64{1}, []float32{v}) }
			return []onnx.Value{b.OpN("BatchNormalization", 3, []onnx.Value{x, one(1), one(0), one(0), one(1)}, onnx.Int("training_mode", 1))[0]}
		}, "y")}, "training mode"},
	}) {
		t.Run(name, func(t *testing.T) {
			opened, err := Open(t.Context(), rt, example(c.graphs), runtime.SessionOptions{})
			var refusal *soundness.Refusal
			if !errors.As(err, &refusal) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, error %v; want a refusal with %q", name, opened, err, c.want)
			}
		})
	}
}

// TestSoundGeneratorsAreOpened: chance that no field depends on, and a scale over the whole batch,
// which is one input here.
func TestSoundGeneratorsAreOpened(t *testing.T) {
	rt := runtimetest.Open(t)
	for name, data := range subtest.Rows(map[string][]byte{
		"chance that is not read": field(t, func(b *onnx.Builder, x onnx.Value) []onnx.Value {
			return []onnx.Value{b.Abs(x), b.Op("RandomNormalLike", []onnx.Value{x})}
		}, "sigma", "spare"),
		"dynamic quantisation": field(t, func(b *onnx.Builder, x onnx.Value) []onnx.Value {
			q := b.OpN("DynamicQuantizeLinear", 3, []onnx.Value{x})
			return []onnx.Value{b.Abs(b.Op("DequantizeLinear", q))}
		}, "sigma"),
	}) {
		t.Run(name, func(t *testing.T) {
			g, err := Open(t.Context(), rt, example(map[bundle.Role][]byte{bundle.Joint: data}), runtime.SessionOptions{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			x := []float32{0.5, -0.25, 1, 0.75, -1, 0.125}
			first, err := g.Parameters(t.Context(), x)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err = g.Parameters(t.Context(), []float32{90, -70, 3, 4, 5, 6}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if again, err := g.Parameters(t.Context(), x); err != nil || !slices.Equal(again.Sigma(), first.Sigma()) {
				t.Errorf("%s: %v after another input, %v before (%v)", name, again.Sigma(), first.Sigma(), err)
			}
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
