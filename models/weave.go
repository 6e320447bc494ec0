package models

import (
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// weaver writes nodes for a working copy of a graph, in the notation of the graph's operator set.
// Names of new values begin with "ucan.".
type weaver struct {
	*onnx.NodeWriter
	opset int64
}

func newWeaver(p *onnxpb.ModelProto, m *onnx.Model) *weaver {
	return &weaver{NodeWriter: onnx.NewNodeWriter(p.Graph), opset: m.Opset("")}
}

// name returns an unused value name.
func (w *weaver) name(base string) string { return w.Fresh("ucan." + base) }

// op adds a node with one output and returns the output's name.
func (w *weaver) op(operator string, inputs []string, attrs ...onnx.Attr) string {
	out := w.name(operator)
	w.opTo(out, operator, inputs, attrs...)
	return out
}

// opTo is op with a given output name.
func (w *weaver) opTo(out, operator string, inputs []string, attrs ...onnx.Attr) {
	w.Node("", operator, inputs, []string{out}, attrs...)
}

// floats stores float32 values of the given element type, a float type.
func (w *weaver) floats(base string, dims []int64, dt onnx.DType, values ...float64) (string, error) {
	name := w.name(base)
	var (
		t   *onnxpb.TensorProto
		err error
	)
	if dt == onnx.Double {
		t, err = onnx.NewTensor(name, dims, values)
	} else {
		f := make([]float32, len(values))
		for i, v := range values {
			f[i] = float32(v)
		}
		t, err = onnx.NewTensor(name, dims, f)
	}
	if err != nil {
		return "", err
	}
	return w.Constant(t), nil
}

// ints stores int64 values as a vector.
func (w *weaver) ints(base string, values ...int64) (string, error) {
	t, err := onnx.NewTensor(w.name(base), []int64{int64(len(values))}, values)
	if err != nil {
		return "", err
	}
	return w.Constant(t), nil
}

// cast converts a value to another element type.
func (w *weaver) cast(in string, to onnx.DType) string {
	return w.op("Cast", []string{in}, onnx.Int("to", int64(to)))
}

// reshape gives a value the shape dims.
func (w *weaver) reshape(in string, dims ...int64) (string, error) {
	shape, err := w.ints("shape", dims...)
	if err != nil {
		return "", err
	}
	return w.op("Reshape", []string{in, shape}), nil
}

// reduce applies ReduceMax, ReduceMin or ReduceSum along one axis. Their axes became an input in
// opset 13 (ReduceSum) and 18 (the others).
func (w *weaver) reduce(operator, in string, axis, keep int64) (string, error) {
	since := int64(18)
	if operator == "ReduceSum" {
		since = 13
	}
	if w.opset < since {
		return w.op(operator, []string{in}, onnx.Ints("axes", axis), onnx.Int("keepdims", keep)), nil
	}
	axes, err := w.ints("axes", axis)
	if err != nil {
		return "", err
	}
	return w.op(operator, []string{in, axes}, onnx.Int("keepdims", keep)), nil
}

// tensorInfo declares a tensor value; a negative size is the symbol N.
func tensorInfo(name string, dt onnx.DType, dims ...int64) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, n := range dims {
		d := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: n}}
		if n < 0 {
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "N"}
		}
		shape.Dim = append(shape.Dim, d)
	}
	elem := int32(dt)
	return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: &elem, Shape: shape},
	}}}
}
