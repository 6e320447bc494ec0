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
	switch d {
	case onnx.Float:
		return ort.TensorElementDataTypeFloat
	case onnx.Uint8:
		return ort.TensorElementDataTypeUint8
	case onnx.Int8:
		return ort.TensorElementDataTypeInt8
	case onnx.Uint16:
		return ort.TensorElementDataTypeUint16
	case onnx.Int16:
		return ort.TensorElementDataTypeInt16
	case onnx.Int32:
		return ort.TensorElementDataTypeInt32
	case onnx.Int64:
		return ort.TensorElementDataTypeInt64
	case onnx.Bool:
		return ort.TensorElementDataTypeBool
	case onnx.Float16:
		return ort.TensorElementDataTypeFloat16
	case onnx.Double:
		return ort.TensorElementDataTypeDouble
	case onnx.Uint32:
		return ort.TensorElementDataTypeUint32
	case onnx.Uint64:
		return ort.TensorElementDataTypeUint64
	}
	return ort.TensorElementDataTypeUndefined
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
