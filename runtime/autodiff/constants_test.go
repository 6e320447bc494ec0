package autodiff_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

func tensorAttr(name string, t *onnxpb.TensorProto) onnx.Attr {
	a := &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_TENSOR.Enum(), T: t}
	return onnx.AttrsOf(&onnxpb.NodeProto{Attribute: []*onnxpb.AttributeProto{a}})[0]
}

// constantNode adds a Constant node with the value of t.
func constantNode(b *onnx.Builder, t *onnxpb.TensorProto) onnx.Value {
	return b.Op("Constant", nil, tensorAttr("value", t))
}

// TestWeightsOfNodes writes the weight of a layer in the ways in which files do.
func TestWeightsOfNodes(t *testing.T) {
	rt := runtimetest.Open(t)
	tensor := func(t *onnxpb.TensorProto, err error) *onnxpb.TensorProto {
		if err != nil {
			panic(err)
		}
		return t
	}
	w := tensor(onnx.NewTensor("w", []int64{2, 3}, []float32{1, -2, 3, -4, 5, -6}))
	half := tensor(onnx.NewTensor("h", []int64{2, 3}, []onnx.Half{0x3c00, 0x3c00, 0x3c00, 0x4000, 0x4000, 0x4000}))
	small := tensor(onnx.NewTensor("q", []int64{2, 3}, []int8{1, 2, 3, 4, 5, 6}))
	one := tensor(onnx.NewTensor("one", []int64{1}, []float32{0.5}))
	for name, weight := range subtest.Rows(map[string]func(b *onnx.Builder) onnx.Value{
		"Constant":               func(b *onnx.Builder) onnx.Value { return constantNode(b, w) },
		"Identity of a Constant": func(b *onnx.Builder) onnx.Value { return b.Identity(constantNode(b, w)) },
		"Identity":               func(b *onnx.Builder) onnx.Value { return b.Identity(b.Initializer(w)) },
		"Transpose":              func(b *onnx.Builder) onnx.Value { return b.Transpose(b.Reshape(b.Initializer(w), 3, 2), 1, 0) },
		"ConstantOfShape": func(b *onnx.Builder) onnx.Value {
			return b.Op("ConstantOfShape", []onnx.Value{b.Ints(2, 3)}, tensorAttr("value", one))
		},
		"Cast of float16": func(b *onnx.Builder) onnx.Value { return b.Cast(b.Initializer(half), onnx.Float) },
		"DequantizeLinear": func(b *onnx.Builder) onnx.Value {
			return b.Op("DequantizeLinear", []onnx.Value{b.Initializer(small), b.Scalar(onnx.Float, 0.25)})
		},
		"DequantizeLinear of nodes": func(b *onnx.Builder) onnx.Value {
			return b.Op("DequantizeLinear", []onnx.Value{constantNode(b, small), b.Scalar(onnx.Float, 0.25)})
		},
	}) {
		t.Run(name, func(t *testing.T) {
			b := onnx.NewBuilder("layer", 17)
			x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(2))
			b.Output("y", b.MatMul(x, weight(b)), onnx.Float, onnx.Sym("N"), onnx.Fixed(3))
			m, err := b.Build()
			if err == nil {
				m, err = autodiff.WithWeights(context.Background(), autodiff.OnRuntime(rt), m)
			}
			if err != nil {
				t.Fatal(err)
			}
			found := autodiff.Trainable(m)
			if len(found) != 1 {
				t.Fatalf("found %v", found)
			}
			g, err := autodiff.Differentiate(context.Background(), autodiff.OnRuntime(rt), m, autodiff.Options{Wrt: found, Losses: []autodiff.Loss{autodiff.DefaultLinear()}})
			if err != nil || g.Output("linear", found[0]) == "" {
				t.Errorf("%+v, %v", g, err)
			}
		})
	}
	t.Run("too large", func(t *testing.T) {
		b := onnx.NewBuilder("layer", 17)
		x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(2))
		b.OutputUntyped("y", b.MatMul(x, b.Op("ConstantOfShape", []onnx.Value{b.Ints(2, 1<<40)})))
		m, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		_, err = autodiff.WithWeights(context.Background(), autodiff.OnRuntime(rt), m)
		if !errors.Is(err, autodiff.ErrNotDifferentiable) || strings.Contains(fmt.Sprint(err), "\n") {
			t.Errorf("error %v", err)
		}
	})
}

// TestNamedConstant takes the gradient by a Constant node that is named.
func TestNamedConstant(t *testing.T) {
	rt := runtimetest.Open(t)
	b := onnx.NewBuilder("layer", 17)
	w, err := onnx.NewTensor("w", []int64{2, 3}, []float32{1, -2, 3, -4, 5, -6})
	if err != nil {
		t.Fatal(err)
	}
	c := constantNode(b, w)
	b.Output("y", b.MatMul(b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(2)), c), onnx.Float, onnx.Sym("N"), onnx.Fixed(3))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, promote := range []bool{true, false} {
		g, err := autodiff.Differentiate(context.Background(), autodiff.OnRuntime(rt), m, autodiff.Options{
			Wrt: []string{c.Name()}, Losses: []autodiff.Loss{autodiff.DefaultLinear()}, Promote: promote,
		})
		if err != nil || g.Output("linear", c.Name()) != c.Name()+".grad" || (len(g.Promoted) == 1) != promote {
			t.Errorf("promote %v: %+v, %v", promote, g, err)
		}
	}
}
