package rewrite

import (
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// writer writes nodes for a working copy of a graph, in the notation of the graph's operator set.
// Names of new values begin with "ucan.".
type writer struct {
	*onnx.NodeWriter
	opset int64
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

// floats stores values as Double, or as float32 for any other type.
func (w *writer) floats(base string, dims []int64, dt onnx.DType, values ...float64) string {
	if dt == onnx.Double {
		return onnx.Store(w.NodeWriter, w.name(base), dims, values...)
	}
	f := make([]float32, len(values))
	for i, v := range values {
		f[i] = float32(v)
	}
	return onnx.Store(w.NodeWriter, w.name(base), dims, f...)
}

// scalar stores one float32.
func (w *writer) scalar(base string, value float64) string {
	return w.floats(base, nil, onnx.Float, value)
}

// ints stores int64 values as a vector.
func (w *writer) ints(base string, values ...int64) string {
	return onnx.Store(w.NodeWriter, w.name(base), []int64{int64(len(values))}, values...)
}

// cast converts a value to another element type.
func (w *writer) cast(in string, to onnx.DType) string {
	return w.op("Cast", []string{in}, onnx.Int("to", int64(to)))
}

// reshape gives a value the shape dims.
func (w *writer) reshape(in string, dims ...int64) string {
	return w.op("Reshape", []string{in, w.ints("shape", dims...)})
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
	return w.op(operator, []string{in, w.ints("axes", axis)}, onnx.Int("keepdims", keep))
}

// info declares a tensor; a negative size is the symbol N.
func info(name string, dt onnx.DType, sizes ...int64) *onnxpb.ValueInfoProto {
	dims := onnx.Dims(sizes...)
	for i, n := range sizes {
		if n < 0 {
			dims[i] = onnx.Sym("N")
		}
	}
	return onnx.Declare(name, dt, dims...)
}
