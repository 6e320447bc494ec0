package autodiff

import (
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// Ending is how a model ends, as far as losses ask.
type Ending struct {
	// Operator is Softmax, LogSoftmax or Sigmoid; "" for any other ending. A Softmax may be written
	// as e^z/Σe^z or e^{log softmax}. A Clip or Identity behind it is passed over.
	Operator string
	// Before is the value that goes into it.
	Before string
}

// EndingOf returns how output name of m, of two dimensions, is made.
func EndingOf(m *onnx.Model, name string) Ending {
	e := enders{m: m, maker: make(map[string]*onnxpb.NodeProto)}
	for _, n := range m.Nodes() {
		for _, o := range n.GetOutput() {
			e.maker[o] = n
		}
	}
	clipped := false
	for range len(e.maker) {
		n := e.made(name)
		switch n.GetOpType() {
		case "Clip":
			clipped = true
			name = onnx.InputOf(n, 0)
			continue
		case "Identity":
			name = onnx.InputOf(n, 0)
			continue
		}
		end := e.ending(n)
		if clipped && end.Operator == "LogSoftmax" {
			return Ending{} // what is clipped is no logarithm of a probability any more
		}
		return end
	}
	return Ending{}
}

// enders looks for the ways to write an ending.
type enders struct {
	m     *onnx.Model
	maker map[string]*onnxpb.NodeProto
}

// made returns the node of the default domain that makes a value, or an empty one.
func (e enders) made(name string) *onnxpb.NodeProto {
	n := e.maker[name]
	if n == nil || onnx.NormalDomain(n.GetDomain()) != "" {
		return &onnxpb.NodeProto{}
	}
	return n
}

func (e enders) ending(n *onnxpb.NodeProto) Ending {
	x := onnx.InputOf(n, 0)
	switch op := n.GetOpType(); op {
	case "Sigmoid":
		return Ending{op, x}
	case "Softmax", "LogSoftmax":
		if axis := onnx.AttrInt(n, "axis", -1); axis == -1 || axis == 1 {
			return Ending{op, x}
		}
	case "Exp":
		if inner := e.ending(e.made(x)); inner.Operator == "LogSoftmax" {
			return Ending{"Softmax", inner.Before}
		}
	case "Div":
		sum, exp := e.made(onnx.InputOf(n, 1)), e.made(x)
		if exp.GetOpType() == "Exp" && sum.GetOpType() == "ReduceSum" && onnx.InputOf(sum, 0) == x &&
			onnx.AttrInt(sum, "keepdims", 1) == 1 && e.lastAxis(sum) {
			return Ending{"Softmax", onnx.InputOf(exp, 0)}
		}
	}
	return Ending{}
}

// lastAxis reports whether a reduction of two dimensions is over the second alone.
func (e enders) lastAxis(n *onnxpb.NodeProto) bool {
	axes := onnx.AttrInts(n, "axes")
	if name := onnx.InputOf(n, 1); name != "" {
		t := e.m.Initializer(name)
		if t == nil {
			t, _ = onnx.ConstantValue(e.made(name))
		}
		if t == nil {
			return false
		}
		axes, _ = onnx.Int64s(t)
	}
	return slices.Equal(axes, []int64{1}) || slices.Equal(axes, []int64{-1})
}
