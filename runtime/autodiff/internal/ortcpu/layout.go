package ortcpu

import (
	"context"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// Layout says what the provider computes in blocks of channels.
type Layout struct {
	// Block is the number of channels in a block, 1 where the provider has no such layout.
	Block int64
	// Groups says that it computes a convolution with a group for every channel and a block of
	// results for each. From onnxruntime 1.29 on, it refuses groups of less than a block.
	Groups bool
}

// evaluate runs a graph on the provider.
type evaluate = func(context.Context, *onnx.Model, []*onnxpb.TensorProto) (map[string]*onnxpb.TensorProto, error)

// ReadLayout returns the provider's layout, by running its operators.
func ReadLayout(ctx context.Context, opset int64, eval evaluate) (l Layout, err error) {
	y, err := try(ctx, opset, eval, 4, func(_ *onnx.Builder, x onnx.Value) (string, []onnx.Value, []onnx.Attr) {
		return "ReorderInput", []onnx.Value{x}, nil
	})
	if err != nil || len(y.GetDims()) != 4 {
		return Layout{Block: 1}, err
	}
	const channels = 2
	l.Block = max(1, y.GetDims()[1])
	if l.Block > 1 {
		y, err = try(ctx, opset, eval, channels, func(b *onnx.Builder, x onnx.Value) (string, []onnx.Value, []onnx.Attr) {
			n := channels * l.Block
			w := onnx.Tensor(b, "w", []int64{n, 1, 1, 1}, slices.Repeat([]float32{1}, int(n)))
			return "Conv", []onnx.Value{x, w}, []onnx.Attr{onnx.Int("group", channels), onnx.Ints("kernel_shape", 1, 1)}
		})
		l.Groups = y != nil
	}
	return l, err
}

// try returns what an operator of the layout makes of a pixel of some channels, nil where the
// provider refuses it.
func try(ctx context.Context, opset int64, eval evaluate, channels int64, operator func(*onnx.Builder, onnx.Value) (string, []onnx.Value, []onnx.Attr)) (*onnxpb.TensorProto, error) {
	b := onnx.NewBuilder("layout", opset)
	op, inputs, attrs := operator(b, b.Input("x", onnx.Float, onnx.Dims(1, channels, 1, 1)...))
	b.OutputUntyped("y", b.Custom(domain, op, 1, inputs, attrs...)[0])
	m, err := b.Build()
	if err != nil {
		return nil, err
	}
	t, err := onnx.NewTensor("x", []int64{1, channels, 1, 1}, make([]float32, channels))
	if err != nil {
		return nil, err
	}
	out, err := eval(ctx, m, []*onnxpb.TensorProto{t})
	if err != nil {
		return nil, ctx.Err() // refused, where the context still runs
	}
	return out["y"], nil
}
