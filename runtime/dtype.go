package runtime

import (
	"fmt"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"
)

// DType is the element type of a tensor. Its values are those of ONNX's
// TensorProto.DataType, so they can be compared with a graph's own.
type DType int32

// Element types that tensors can have. Others appear in the metadata of a
// session's inputs and outputs only.
const (
	Undefined  DType = 0
	Float32    DType = 1
	Uint8      DType = 2
	Int8       DType = 3
	Uint16     DType = 4
	Int16      DType = 5
	Int32      DType = 6
	Int64      DType = 7
	String     DType = 8
	Bool       DType = 9
	Float16    DType = 10
	Float64    DType = 11
	Uint32     DType = 12
	Uint64     DType = 13
	Complex64  DType = 14
	Complex128 DType = 15
	BFloat16   DType = 16
)

// dtypeNames are numpy's, which is what users of exported models know.
var dtypeNames = [...]string{
	Undefined: "undefined", Float32: "float32", Uint8: "uint8", Int8: "int8",
	Uint16: "uint16", Int16: "int16", Int32: "int32", Int64: "int64",
	String: "string", Bool: "bool", Float16: "float16", Float64: "float64",
	Uint32: "uint32", Uint64: "uint64", Complex64: "complex64",
	Complex128: "complex128", BFloat16: "bfloat16",
}

// String returns the type's numpy name, such as "float32".
func (d DType) String() string {
	if d >= 0 && int(d) < len(dtypeNames) {
		return dtypeNames[d]
	}
	return fmt.Sprintf("onnx type %d", int32(d))
}

// Size returns the bytes of one element, 0 for types without a fixed size or
// that tensors here cannot hold.
func (d DType) Size() int {
	switch d {
	case Uint8, Int8, Bool:
		return 1
	case Uint16, Int16, Float16:
		return 2
	case Float32, Int32, Uint32:
		return 4
	case Float64, Int64, Uint64:
		return 8
	case Undefined, String, Complex64, Complex128, BFloat16:
	}
	return 0
}

// ortType maps to the binding's constants, whose numbering is onnxruntime's
// and differs from ONNX's in no type used here but is not promised to agree.
func (d DType) ortType() ort.TensorElementDataType {
	switch d {
	case Float32:
		return ort.TensorElementDataTypeFloat
	case Uint8:
		return ort.TensorElementDataTypeUint8
	case Int8:
		return ort.TensorElementDataTypeInt8
	case Uint16:
		return ort.TensorElementDataTypeUint16
	case Int16:
		return ort.TensorElementDataTypeInt16
	case Int32:
		return ort.TensorElementDataTypeInt32
	case Int64:
		return ort.TensorElementDataTypeInt64
	case Bool:
		return ort.TensorElementDataTypeBool
	case Float16:
		return ort.TensorElementDataTypeFloat16
	case Float64:
		return ort.TensorElementDataTypeDouble
	case Uint32:
		return ort.TensorElementDataTypeUint32
	case Uint64:
		return ort.TensorElementDataTypeUint64
	case Undefined, String, Complex64, Complex128, BFloat16:
	}
	return ort.TensorElementDataTypeUndefined
}

// Half holds the bits of an IEEE 754 half-precision number, dtype Float16.
type Half uint16

// Element are the Go types whose slices can back a Tensor.
type Element interface {
	float32 | float64 | Half | uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | bool
}

// DTypeOf returns the element type that slices of T have in a graph.
func DTypeOf[T Element]() DType {
	var v T
	switch any(v).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case Half:
		return Float16
	case uint8:
		return Uint8
	case int8:
		return Int8
	case uint16:
		return Uint16
	case int16:
		return Int16
	case uint32:
		return Uint32
	case int32:
		return Int32
	case uint64:
		return Uint64
	case int64:
		return Int64
	case bool:
		return Bool
	}
	return Undefined
}

// bytesOf views a slice as bytes without copying.
func bytesOf[T Element](data []T) []byte {
	if len(data) == 0 {
		return nil
	}
	var v T
	return unsafe.Slice((*byte)(unsafe.Pointer(&data[0])), len(data)*int(unsafe.Sizeof(v)))
}
