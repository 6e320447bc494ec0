package autodiff

import (
	"context"
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// Context is what a [Rule] sees: one node, what is known of its values, and the graph to add
// operators to.
type Context struct {
	// Builder builds the gradient graph; its values may read any value of the forward graph.
	Builder *onnx.Builder
	// Node is the forward node, for reading.
	Node *onnxpb.NodeProto

	pass
	ctx   context.Context
	eng   Engine
	facts facts
	grads []onnx.Value
	need  []bool
}

// pass is what helpers see that work between nodes as well, where gradients are added and stacked:
// they have no node, and so no method of [Context] that reads it.
type pass struct {
	b      *onnx.Builder
	cpu    bool
	shared *shared
}

// Inputs returns the number of inputs of the node, omitted ones included.
func (c *Context) Inputs() int { return len(c.Node.GetInput()) }

// Has reports whether input i is there: given and not omitted.
func (c *Context) Has(i int) bool { return i < c.Inputs() && c.Node.Input[i] != "" }

// Needs reports whether the gradient of input i is wanted.
func (c *Context) Needs(i int) bool { return i < len(c.need) && c.need[i] }

// In returns input i, the zero Value when it is omitted.
func (c *Context) In(i int) onnx.Value {
	if !c.Has(i) {
		return onnx.Value{}
	}
	return c.Builder.Value(c.Node.Input[i])
}

// Out returns output i.
func (c *Context) Out(i int) onnx.Value { return c.Builder.Value(c.Node.Output[i]) }

// Grad returns the gradient of output i, the zero Value when no loss depends on it. It has the
// shape of the output. A rule runs only when at least one output has a gradient.
func (c *Context) Grad(i int) onnx.Value {
	if i >= len(c.grads) {
		return onnx.Value{}
	}
	return c.grads[i]
}

// InDims returns the dimensions of input i, −1 for those that vary from run to run. The result must
// not be changed.
func (c *Context) InDims(i int) []int64 { return c.facts[c.Node.Input[i]].dims }

// OutDims returns the dimensions of output i, as InDims does.
func (c *Context) OutDims(i int) []int64 { return c.facts[c.Node.Output[i]].dims }

// DType returns the element type of output 0, which is that of its gradient.
func (c *Context) DType() onnx.DType { return c.facts[c.Node.Output[0]].dtype }

// InDType returns the element type of input i.
func (c *Context) InDType(i int) onnx.DType { return c.facts[c.Node.Input[i]].dtype }

// Const returns the value of input i when it is a constant that no gradient is wanted for, or nil.
func (c *Context) Const(i int) *onnxpb.TensorProto {
	if !c.Has(i) || c.Needs(i) {
		return nil
	}
	return c.facts[c.Node.Input[i]].value
}

// ConstInts returns the integers of input i, or of the attribute that held them in older opsets; ok
// is false when the node has neither. It is an error when the input is not constant.
func (c *Context) ConstInts(i int, attr string) (v []int64, ok bool, err error) {
	if a := onnx.FindAttr(c.Node, attr); attr != "" && a != nil {
		return slices.Clone(a.GetInts()), true, nil
	}
	if !c.Has(i) {
		return nil, false, nil
	}
	t := c.Const(i)
	if t == nil {
		return nil, false, fmt.Errorf("its input %d (%q) is not constant", i, c.Node.Input[i])
	}
	v, err = onnx.Int64s(t)
	return v, true, err
}

// Scalar returns a scalar constant of the gradient's type.
func (c *Context) Scalar(v float64) onnx.Value { return c.Builder.Scalar(c.DType(), v) }

// ShapeOf returns the dimensions of input i as a value: a constant where they are fixed.
func (c *Context) ShapeOf(i int) onnx.Value {
	if dims := c.InDims(i); fixed(dims) {
		return c.Builder.Ints(dims...)
	}
	return c.Builder.Shape(c.In(i))
}

// LikeInput gives g, which has as many elements as input i, its shape.
func (c *Context) LikeInput(g onnx.Value, i int) onnx.Value {
	dims := c.InDims(i)
	vary := 0
	for _, d := range dims {
		if d < 0 {
			vary++
		}
	}
	if vary <= 1 && !slices.Contains(dims, 0) {
		return c.Builder.Reshape(g, dims...) // −1 stands for what remains
	}
	return c.Builder.ReshapeTo(g, c.ShapeOf(i))
}

// Reduce sums g, which has the dimensions from, down to the shape of input i: the adjoint of
// broadcasting input i to from.
func (c *Context) Reduce(g onnx.Value, from []int64, i int) onnx.Value {
	return reduceTo(c.Builder, g, from, c.InDims(i))
}

// reduceTo sums g of dimensions from over the axes that broadcasting added to or widened in to.
func reduceTo(b *onnx.Builder, g onnx.Value, from, to []int64) onnx.Value {
	lead := len(from) - len(to)
	var added, widened []int64
	for a := range from {
		switch {
		case a < lead:
			added = append(added, int64(a))
		case to[a-lead] == 1 && from[a] != 1:
			widened = append(widened, int64(a))
		}
	}
	switch {
	case len(added) == 0 && len(widened) == 0:
		return g
	case len(widened) == 0:
		return b.Sum(g, false, added...)
	}
	g = b.Sum(g, true, append(slices.Clone(added), widened...)...)
	if len(added) > 0 {
		g = b.Squeeze(g, added...)
	}
	return g
}

// BroadcastLike widens g, whose dimensions are 1 or those of input i, to the shape of input i.
func (c *Context) BroadcastLike(g onnx.Value, i int) onnx.Value {
	return c.Builder.Expand(g, c.ShapeOf(i))
}

// Float returns a real-valued attribute, or def.
func (c *Context) Float(name string, def float32) float64 {
	return float64(onnx.AttrFloat(c.Node, name, def))
}

// Evaluate runs a graph of constants that build makes, and returns its one output. It serves rules
// that need numbers, such as the weights of an interpolation.
func (c *Context) Evaluate(build func(b *onnx.Builder) onnx.Value) (*onnxpb.TensorProto, error) {
	b := onnx.NewBuilder("constant", c.Builder.Opset())
	b.OutputUntyped("y", build(b))
	m, err := b.Build()
	if err != nil {
		return nil, err
	}
	out, err := c.eng.Eval(c.ctx, m, nil)
	if err != nil {
		return nil, err
	}
	return out["y"], nil
}

// one is the result of a rule for a node with a gradient for its first input only.
func one(g onnx.Value) ([]onnx.Value, error) { return []onnx.Value{g}, nil }
