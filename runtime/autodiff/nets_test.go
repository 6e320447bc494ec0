package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"testing"

	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// maker adds layers with random weights to a graph.
type maker struct {
	b *onnx.Builder
	t testing.TB
	r randSource
	n int
}

func (k *maker) weight(scale float64, dims ...int64) onnx.Value {
	w := make([]float32, elements(dims))
	for i := range w {
		w[i] = float32(k.r.NormFloat64() * scale)
	}
	k.n++
	return onnx.Tensor(k.b, fmt.Sprint("w", k.n), dims, w)
}

// around returns weights near 1: scales, and variances.
func (k *maker) around(dims ...int64) onnx.Value {
	w := make([]float32, elements(dims))
	for i := range w {
		w[i] = float32(0.75 + 0.5*k.r.Float64())
	}
	k.n++
	return onnx.Tensor(k.b, fmt.Sprint("s", k.n), dims, w)
}

func (k *maker) build(y onnx.Value, classes int64) *onnx.Model {
	k.t.Helper()
	k.b.Output("logits", y, onnx.Float, onnx.Sym("N"), onnx.Fixed(classes))
	m, err := k.b.Build()
	if err != nil {
		k.t.Fatal(err)
	}
	return m
}

// vit is a vision transformer: patches of 4×4 of [N,3,16,16] by a convolution, a class token,
// positions, two blocks of attention with two heads and an MLP, 10 classes.
func vit(t testing.TB, opset int64) *onnx.Model {
	b := onnx.NewBuilder("vit", opset)
	k := &maker{b: b, t: t, r: rng(21)}
	const dim, heads, head, tokens = 24, 2, 12, 17
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(3), onnx.Fixed(16), onnx.Fixed(16))
	h := b.Conv(x, k.weight(0.2, dim, 3, 4, 4), k.weight(0.1, dim), onnx.Window{Strides: []int64{4, 4}})
	h = b.Transpose(b.Reshape(h, 0, dim, -1), 0, 2, 1) // [N, 16, dim]
	batch := b.Slice(b.Shape(h), []int64{0}, []int64{1}, []int64{0}, nil)
	token := b.Expand(k.weight(0.2, 1, 1, dim), b.Concat(0, batch, b.Ints(1, dim)))
	h = b.Add(b.Concat(1, token, h), k.weight(0.2, 1, tokens, dim))
	for range 2 {
		n := b.LayerNorm(h, k.around(dim), k.weight(0.1, dim), -1, 1e-5)
		qkv := b.Add(b.MatMul(n, k.weight(0.2, dim, 3*dim)), k.weight(0.1, 3*dim))
		qkv = b.Transpose(b.Reshape(qkv, 0, tokens, 3, heads, head), 2, 0, 3, 1, 4) // [3, N, heads, tokens, head]
		q, kk, v := b.Gather(qkv, b.Int64(0), 0), b.Gather(qkv, b.Int64(1), 0), b.Gather(qkv, b.Int64(2), 0)
		scores := b.Mul(b.MatMul(q, b.Transpose(kk, 0, 1, 3, 2)), b.Scalar(onnx.Float, 1/math.Sqrt(head)))
		a := b.MatMul(b.Softmax(scores, -1), v)
		a = b.Reshape(b.Transpose(a, 0, 2, 1, 3), 0, tokens, dim)
		h = b.Add(h, b.Add(b.MatMul(a, k.weight(0.2, dim, dim)), k.weight(0.1, dim)))
		n = b.LayerNorm(h, k.around(dim), k.weight(0.1, dim), -1, 1e-5)
		f := b.Gelu(b.Add(b.MatMul(n, k.weight(0.2, dim, 2*dim)), k.weight(0.1, 2*dim)), onnx.Float)
		h = b.Add(h, b.Add(b.MatMul(f, k.weight(0.15, 2*dim, dim)), k.weight(0.1, dim)))
	}
	h = b.LayerNorm(h, k.around(dim), k.weight(0.1, dim), -1, 1e-5)
	return k.build(b.Gemm(b.Gather(h, b.Int64(0), 1), k.weight(0.2, dim, 10), k.weight(0.1, 10), false), 10)
}

// resnet20 is the CIFAR ResNet-20 with BatchNormalization.
func resnet20(t testing.TB) *onnx.Model {
	b := onnx.NewBuilder("resnet20", 17)
	k := &maker{b: b, t: t, r: rng(22)}
	conv := func(x onnx.Value, in, out, stride, size int64) onnx.Value {
		win := onnx.Window{Kernel: []int64{size, size}, Strides: []int64{stride, stride}}
		if size == 3 {
			win.Pads = []int64{1, 1, 1, 1}
		}
		y := b.Conv(x, k.weight(1.2/math.Sqrt(float64(in*size*size)), out, in, size, size), onnx.Value{}, win)
		return b.BatchNorm(y, k.around(out), k.weight(0.1, out), k.weight(0.1, out), k.around(out), 1e-5)
	}
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(3), onnx.Fixed(32), onnx.Fixed(32))
	h := b.Relu(conv(x, 3, 16, 1, 3))
	in := int64(16)
	for _, out := range []int64{16, 32, 64} {
		for block := range 3 {
			stride, skip := int64(1), h
			if block == 0 && out != 16 {
				stride = 2
				skip = conv(h, in, out, 2, 1)
			}
			h = b.Relu(b.Add(conv(b.Relu(conv(h, in, out, stride, 3)), out, out, 1, 3), skip))
			in = out
		}
	}
	h = b.Flatten(b.GlobalAveragePool(h), 1)
	return k.build(b.Gemm(h, k.weight(0.2, 64, 10), k.weight(0.1, 10), false), 10)
}

func TestVisionTransformer(t *testing.T) {
	rt := runtimetest.Open(t)
	for _, opset := range []int64{17, 20} {
		for _, batch := range []int64{1, 16} {
			checkDirections(t, rt, vit(t, opset), batch, "linear", "cross-entropy")
		}
	}
}

func TestResNetWithBatchNorm(t *testing.T) {
	rt := runtimetest.Open(t)
	for _, batch := range []int64{1, 16} {
		if batch > 1 && (testing.Short() || os.Getenv("UCAN_LONG") == "") {
			continue // a minute and more in float64
		}
		checkDirections(t, rt, resnet20(t), batch, "linear", "cross-entropy")
	}
}

func TestCheck(t *testing.T) {
	rt := runtimetest.Open(t)
	res, err := autodiff.Check(context.Background(), rt, smallNet(t), autodiff.DefaultCheckOptions())
	if err != nil {
		t.Fatal(err)
	}
	if res.MaxRelativeError > 1e-5 || res.Reference != "float64" || res.Directions != 16 || !(res.GradientNorm > 0) {
		t.Errorf("check of a small net: %+v", res)
	}
	if _, err := autodiff.Check(context.Background(), rt, smallNet(t), autodiff.CheckOptions{}); err == nil {
		t.Error("zero options are accepted")
	}
}
