package runtime

import (
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"

	"ucan/runtime/onnx"
)

// ortType returns the binding's number of an element type, and Undefined for those that tensors
// here cannot hold. The binding's numbering is that of onnxruntime, which is not promised to agree
// with that of ONNX.
func ortType(d onnx.DType) ort.TensorElementDataType {
	table := [...]ort.TensorElementDataType{
		onnx.Float: ort.TensorElementDataTypeFloat, onnx.Double: ort.TensorElementDataTypeDouble,
		onnx.Float16: ort.TensorElementDataTypeFloat16, onnx.Bool: ort.TensorElementDataTypeBool,
		onnx.Int8: ort.TensorElementDataTypeInt8, onnx.Uint8: ort.TensorElementDataTypeUint8,
		onnx.Int16: ort.TensorElementDataTypeInt16, onnx.Uint16: ort.TensorElementDataTypeUint16,
		onnx.Int32: ort.TensorElementDataTypeInt32, onnx.Uint32: ort.TensorElementDataTypeUint32,
		onnx.Int64: ort.TensorElementDataTypeInt64, onnx.Uint64: ort.TensorElementDataTypeUint64,
	}
	if d < 0 || int(d) >= len(table) {
		return ort.TensorElementDataTypeUndefined
	}
	return table[d] // others are 0, which is Undefined
}

// fromORT is the inverse of ortType; it returns Undefined for what tensors here cannot hold.
func fromORT(t ort.TensorElementDataType) onnx.DType {
	for d := onnx.Undefined; d <= onnx.BFloat16; d++ {
		if ortType(d) == t {
			return d
		}
	}
	return onnx.Undefined
}

// bytesOf views a slice as bytes without copying.
func bytesOf[T onnx.Element](data []T) []byte {
	if len(data) == 0 {
		return nil
	}
	var v T
	return unsafe.Slice((*byte)(unsafe.Pointer(&data[0])), len(data)*int(unsafe.Sizeof(v)))
}
