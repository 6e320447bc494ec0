package autodiff

import (
	"fmt"
	"slices"

	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// typed is what is done with tensors of one element type.
type typed struct {
	// toRuntime and fromRuntime copy the elements.
	toRuntime   func(rt *runtime.Runtime, t *onnxpb.TensorProto) (*runtime.Tensor, error)
	fromRuntime func(name string, t *runtime.Tensor) (*onnxpb.TensorProto, error)
	// empty makes a zeroed tensor.
	empty func(rt *runtime.Runtime, dims ...int64) (*runtime.Tensor, error)
	copy  func(to, from *runtime.Tensor)
}

func typedAs[T onnx.Element]() typed {
	return typed{
		toRuntime: func(rt *runtime.Runtime, t *onnxpb.TensorProto) (*runtime.Tensor, error) {
			data, err := onnx.TensorData[T](t)
			if err != nil {
				return nil, err
			}
			return runtime.NewTensor(rt, t.GetDims(), data)
		},
		fromRuntime: func(name string, t *runtime.Tensor) (*onnxpb.TensorProto, error) {
			return onnx.NewTensor(name, t.Shape(), runtime.Data[T](t))
		},
		empty: runtime.Empty[T],
		copy:  func(to, from *runtime.Tensor) { copy(dataOf[T](to), dataOf[T](from)) },
	}
}

// typedOf returns the functions for an element type.
func typedOf(dt onnx.DType) (typed, error) {
	switch dt {
	case onnx.Float:
		return typedAs[float32](), nil
	case onnx.Double:
		return typedAs[float64](), nil
	case onnx.Float16:
		return typedAs[onnx.Half](), nil
	case onnx.Int64:
		return typedAs[int64](), nil
	case onnx.Int32:
		return typedAs[int32](), nil
	case onnx.Uint8:
		return typedAs[uint8](), nil
	case onnx.Bool:
		return typedAs[bool](), nil
	}
	return typed{}, fmt.Errorf("autodiff: tensors of type %v are not supported", dt)
}

// emptyTensor returns a zeroed tensor of the given element type.
func emptyTensor(rt *runtime.Runtime, dt onnx.DType, dims []int64) (*runtime.Tensor, error) {
	k, err := typedOf(dt)
	if err != nil {
		return nil, err
	}
	return k.empty(rt, dims...)
}

// dataOf returns the elements of a tensor, nil for no tensor and for one of another type.
func dataOf[T onnx.Element](t *runtime.Tensor) []T {
	if t == nil {
		return nil
	}
	return runtime.Data[T](t)
}

// filled returns a tensor of one repeated value, for probing: 0.5 for real numbers, 0 for others.
func filled(name string, dt onnx.DType, dims []int64) (*onnxpb.TensorProto, error) {
	if _, err := typedOf(dt); err != nil {
		return nil, fmt.Errorf("input %q: %w", name, err)
	}
	n, err := onnx.Elements(dims)
	if err != nil {
		return nil, err
	}
	if n > 1<<28 {
		return nil, fmt.Errorf("autodiff: input %q of dimensions %v is too large to probe", name, dims)
	}
	value := 0.0
	if dt.IsFloat() {
		value = 0.5
	}
	return onnx.NewNumbers(name, dt, dims, slices.Repeat([]float64{value}, int(n)))
}
