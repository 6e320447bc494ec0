package autodiff

import (
	"fmt"

	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// toRuntime returns a tensor of onnxruntime over a copy of t's elements.
func toRuntime(rt *runtime.Runtime, t *onnxpb.TensorProto) (*runtime.Tensor, error) {
	switch dt := onnx.TensorType(t); dt {
	case onnx.Float:
		return copyToRuntime[float32](rt, t)
	case onnx.Double:
		return copyToRuntime[float64](rt, t)
	case onnx.Int64:
		return copyToRuntime[int64](rt, t)
	case onnx.Int32:
		return copyToRuntime[int32](rt, t)
	case onnx.Uint8:
		return copyToRuntime[uint8](rt, t)
	case onnx.Bool:
		return copyToRuntime[bool](rt, t)
	case onnx.Float16:
		return copyToRuntime[onnx.Half](rt, t)
	default:
		return nil, fmt.Errorf("autodiff: tensors of type %v are not supported", dt)
	}
}

func copyToRuntime[T onnx.Element](rt *runtime.Runtime, t *onnxpb.TensorProto) (*runtime.Tensor, error) {
	data, err := onnx.TensorData[T](t)
	if err != nil {
		return nil, err
	}
	return runtime.NewTensor(rt, t.GetDims(), data)
}

// fromRuntime returns a copy of t under the given name.
func fromRuntime(name string, t *runtime.Tensor) (*onnxpb.TensorProto, error) {
	switch t.DType() {
	case onnx.Float:
		return onnx.NewTensor(name, t.Shape(), runtime.Data[float32](t))
	case onnx.Double:
		return onnx.NewTensor(name, t.Shape(), runtime.Data[float64](t))
	case onnx.Int64:
		return onnx.NewTensor(name, t.Shape(), runtime.Data[int64](t))
	case onnx.Int32:
		return onnx.NewTensor(name, t.Shape(), runtime.Data[int32](t))
	case onnx.Uint8:
		return onnx.NewTensor(name, t.Shape(), runtime.Data[uint8](t))
	case onnx.Bool:
		return onnx.NewTensor(name, t.Shape(), runtime.Data[bool](t))
	case onnx.Float16:
		return onnx.NewTensor(name, t.Shape(), runtime.Data[onnx.Half](t))
	}
	return nil, fmt.Errorf("autodiff: tensors of type %v are not supported", t.DType())
}

// emptyTensor returns a zeroed tensor of the given element type.
func emptyTensor(rt *runtime.Runtime, dt onnx.DType, dims []int64) (*runtime.Tensor, error) {
	switch dt {
	case onnx.Float:
		return runtime.Empty[float32](rt, dims...)
	case onnx.Double:
		return runtime.Empty[float64](rt, dims...)
	case onnx.Int64:
		return runtime.Empty[int64](rt, dims...)
	case onnx.Int32:
		return runtime.Empty[int32](rt, dims...)
	case onnx.Uint8:
		return runtime.Empty[uint8](rt, dims...)
	case onnx.Bool:
		return runtime.Empty[bool](rt, dims...)
	case onnx.Float16:
		return runtime.Empty[onnx.Half](rt, dims...)
	}
	return nil, fmt.Errorf("autodiff: tensors of type %v are not supported", dt)
}

// filled returns a tensor of one repeated value, for probing.
func filled(name string, dt onnx.DType, dims []int64) (*onnxpb.TensorProto, error) {
	n, err := onnx.Elements(dims)
	if err != nil {
		return nil, err
	}
	if n > 1<<28 {
		return nil, fmt.Errorf("autodiff: input %q of dimensions %v is too large to probe", name, dims)
	}
	switch dt {
	case onnx.Float:
		return onnx.NewTensor(name, dims, repeat(n, float32(0.5)))
	case onnx.Double:
		return onnx.NewTensor(name, dims, repeat(n, 0.5))
	case onnx.Float16:
		return onnx.NewTensor(name, dims, repeat(n, onnx.HalfFromFloat32(0.5)))
	case onnx.Int64:
		return onnx.NewTensor(name, dims, make([]int64, n))
	case onnx.Int32:
		return onnx.NewTensor(name, dims, make([]int32, n))
	case onnx.Uint8:
		return onnx.NewTensor(name, dims, make([]uint8, n))
	case onnx.Bool:
		return onnx.NewTensor(name, dims, make([]bool, n))
	}
	return nil, fmt.Errorf("autodiff: input %q: type %v is not supported", name, dt)
}

func repeat[T any](n int64, v T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = v
	}
	return out
}
