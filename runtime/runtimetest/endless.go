package runtimetest

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx/onnxpb"
)

// When says for which inputs a model of [Endless] does not end.
type When string

// The values of [When].
const (
	// Nonzero: some value of the batch is not 0.
	Nonzero When = `
		node { op_type: "Abs" input: "u" output: "a" }
		node { op_type: "ReduceMax" input: "a" output: "m" attribute { name: "keepdims" type: INT i: 0 } }
		node { op_type: "Greater" input: "m" input: "zero" output: "again" }`
	// Several: the batch has more than one row.
	Several When = `
		node { op_type: "Shape" input: "u" output: "s" }
		node { op_type: "Gather" input: "s" input: "first" output: "n" }
		node { op_type: "Greater" input: "n" input: "one" output: "again" }`
)

// Endless is a classifier of 4 values and 3 classes with a loop that does not end for
// some inputs. It stops when onnxruntime is told to: between two operators.
func Endless(t testing.TB, when When) []byte {
	t.Helper()
	const rows = `type { tensor_type { elem_type: 1 shape { dim { dim_param: "N" } dim { dim_value: %d } } } }`
	text := `
		ir_version: 8 opset_import { version: 17 }
		graph {
			name: "endless"
			initializer { name: "w" dims: 4 dims: 3 data_type: 1 float_data: [1, 2, 3, 4, 5, 6, 9, 8, 7, -6, 5, -4] }
			initializer { name: "zero" data_type: 1 float_data: 0 }
			initializer { name: "one" data_type: 7 int64_data: 1 }
			initializer { name: "first" data_type: 7 int64_data: 0 }
			initializer { name: "begin" data_type: 9 int32_data: 1 }
			input { name: "x" ` + fmt.Sprintf(rows, 4) + ` }
			node {
				op_type: "Loop" input: "" input: "begin" input: "x" output: "v"
				attribute { name: "body" type: GRAPH g {
					name: "body"
					input { name: "i" type { tensor_type { elem_type: 7 shape { } } } }
					input { name: "c" type { tensor_type { elem_type: 9 shape { } } } }
					input { name: "u" ` + fmt.Sprintf(rows, 4) + ` }
					` + string(when) + `
					node { op_type: "Identity" input: "u" output: "kept" }
					output { name: "again" type { tensor_type { elem_type: 9 shape { } } } }
					output { name: "kept" ` + fmt.Sprintf(rows, 4) + ` }
				} }
			}
			node { op_type: "MatMul" input: "v" input: "w" output: "y" }
			output { name: "y" ` + fmt.Sprintf(rows, 3) + ` }
		}`
	var m onnxpb.ModelProto
	if err := prototext.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	b, err := proto.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
