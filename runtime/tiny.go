package runtime

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// tinyModel is the graph of the doctor's trial: y = Relu(x·W), x float32
// [2,3], W = [[1,−1],[2,0],[3,1]], opset 13. It is written field by field so
// that the runtime needs no file.
func tinyModel() []byte {
	w := []float32{1, -1, 2, 0, 3, 1}
	raw := make([]byte, 0, 4*len(w))
	for _, v := range w {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	weight := msg(
		num(1, 3), num(1, 2), // TensorProto.dims
		num(2, uint64(Float32)), // .data_type
		field(8, []byte("w")),   // .name
		field(9, raw),           // .raw_data
	)
	graph := msg(
		field(1, node("MatMul", "h", "x", "w")), field(1, node("Relu", "y", "h")),
		field(2, []byte("tiny")), field(5, weight),
		field(11, value("x", 2, 3)), field(12, value("y", 2, 2)),
	)
	return msg(
		num(1, 7),                 // ModelProto.ir_version
		field(8, msg(num(2, 13))), // .opset_import.version
		field(7, graph),           // .graph
		field(2, []byte("ucan")),  // .producer_name
	)
}

// tinyInput and tinyOutput are a pair that the tiny model must reproduce:
// [1,2,3]·W = (14, 2), [1,0,−1]·W = (−2, −2).
func tinyInput() []float32  { return []float32{1, 2, 3, 1, 0, -1} }
func tinyOutput() []float32 { return []float32{14, 2, 0, 0} }

func node(op, output string, inputs ...string) []byte {
	var b []byte
	for _, in := range inputs {
		b = append(b, field(1, []byte(in))...) // NodeProto.input
	}
	return append(b, msg(field(2, []byte(output)), field(4, []byte(op)))...) // .output, .op_type
}

// value is a ValueInfoProto of a float32 tensor.
func value(name string, dims ...uint64) []byte {
	var shape []byte
	for _, d := range dims {
		shape = append(shape, field(1, num(1, d))...)
	}
	tensor := msg(num(1, uint64(Float32)), field(2, shape))
	return msg(field(1, []byte(name)), field(2, field(1, tensor)))
}

func msg(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func field(n protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), v)
}

func num(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}
