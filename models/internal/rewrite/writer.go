package rewrite

import (
	"errors"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// writer writes nodes for a working copy of a graph, in the notation of the graph's operator set.
// Names of new values begin with "ucan.". Errors are kept in err, so that calls can be nested.
type writer struct {
	*onnx.NodeWriter
	opset int64
	err   error
}

func newWriter(p *onnxpb.ModelProto, m *onnx.Model) *writer {
	return &writer{NodeWriter: onnx.NewNodeWriter(p.Graph), opset: m.Opset("")}
}

// name returns an unused value name.
func (w *writer) name(base string) string { return w.Fresh("ucan." + base) }

// op adds a node with one output and returns the output's name.
func (w *writer) op(operator string, inputs []string, attrs ...onnx.Attr) string {
	out := w.name(operator)
	w.opTo(out, operator, inputs, attrs...)
	return out
}

// opTo is op with a given output name.
func (w *writer) opTo(out, operator string, inputs []string, attrs ...onnx.Attr) {
	w.Node("", operator, inputs, []string{out}, attrs...)
}

// tensor stores a constant under a name made of base.
func tensor[T onnx.Element](w *writer, base string, dims []int64, values []T) string {
	t, err := onnx.NewTensor(w.name(base), dims, values)
	if err != nil {
		w.err = errors.Join(w.err, err)
		return ""
	}
	return w.Constant(t)
}

// floats stores values as Double, or as float32 for any other type.
func (w *writer) floats(base string, dims []int64, dt onnx.DType, values ...float64) string {
	if dt == onnx.Double {
		return tensor(w, base, dims, values)
	}
	f := make([]float32, len(values))
	for i, v := range values {
		f[i] = float32(v)
	}
	return tensor(w, base, dims, f)
}

// scalar stores one float32.
func (w *writer) scalar(base string, value float64) string {
	return w.floats(base, nil, onnx.Float, value)
}

// ints stores int64 values as a vector.
func (w *writer) ints(base string, values ...int64) string {
	return tensor(w, base, []int64{int64(len(values))}, values)
}

// cast converts a value to another element type.
func (w *writer) cast(in string, to onnx.DType) string {
	return w.op("Cast", []string{in}, onnx.Int("to", int64(to)))
}

// reshape gives a value the shape dims.
func (w *writer) reshape(in string, dims ...int64) string {
	shape := w.ints("shape", dims...)
	return w.op("Reshape", []string{in, shape})
}

// reduce applies ReduceMax, ReduceMin or ReduceSum along one axis. Their axes became an input in
// opset 13 (ReduceSum) and 18 (the others).
func (w *writer) reduce(operator, in string, axis, keep int64) string {
	since := int64(18)
	if operator == "ReduceSum" {
		since = 13
	}
	if w.opset < since {
		return w.op(operator, []string{in}, onnx.Ints("axes", axis), onnx.Int("keepdims", keep))
	}
	axes := w.ints("axes", axis)
	return w.op(operator, []string{in, axes}, onnx.Int("keepdims", keep))
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
