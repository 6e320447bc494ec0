package onnx

import (
	"encoding/binary"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx/onnxpb"
)

// Element is a Go type that tensors hold.
type Element interface {
	float32 | float64 | Half | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | bool
}

// DTypeOf returns the element type of a Go type.
func DTypeOf[T Element]() DType {
	var z T
	switch any(z).(type) {
	case float32:
		return Float
	case float64:
		return Double
	case Half:
		return Float16
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	}
	return Bool
}

// Elements returns the number of elements of a tensor of the given dimensions: 1 for a scalar. It
// fails for negative dimensions and for products beyond 2⁶² (so that the bytes may still be counted
// in an int64 after a check).
func Elements(dims []int64) (int64, error) {
	n := int64(1)
	zero := false
	for _, d := range dims {
		if d < 0 {
			return 0, fmt.Errorf("onnx: dimension %d is negative", d)
		}
		if d == 0 {
			zero = true
			continue
		}
		if n > (1<<62)/d {
			return 0, fmt.Errorf("onnx: dimensions %v overflow", dims)
		}
		n *= d
	}
	if zero {
		return 0, nil
	}
	return n, nil
}

// NewTensor returns a tensor of the given name and dimensions holding a copy of data in row-major
// order. It fails when the number of elements differs.
func NewTensor[T Element](name string, dims []int64, data []T) (*onnxpb.TensorProto, error) {
	n, err := Elements(dims)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	if n != int64(len(data)) {
		return nil, fmt.Errorf("onnx: tensor %q: dimensions %v hold %d elements, got %d", name, dims, n, len(data))
	}
	dt := DTypeOf[T]()
	raw, err := binary.Append(make([]byte, 0, len(data)*dt.Size()), binary.LittleEndian, data)
	if err != nil {
		return nil, fmt.Errorf("onnx: tensor %q: %w", name, err)
	}
	t := &onnxpb.TensorProto{
		DataType: proto.Int32(int32(dt)),
		Dims:     slices.Clone(dims),
		RawData:  raw,
	}
	if name != "" {
		t.Name = proto.String(name)
	}
	return t, nil
}

// NewNumbers is [NewTensor] for an element type that is known only when the program runs. Reals are
// rounded to nearest, integers cut off.
func NewNumbers(name string, dt DType, dims []int64, values []float64) (*onnxpb.TensorProto, error) {
	switch dt {
	case Float:
		return NewTensor(name, dims, convert(values, func(v float64) float32 { return float32(v) }))
	case Double:
		return NewTensor(name, dims, values)
	case Float16:
		return NewTensor(name, dims, convert(values, func(v float64) Half { return HalfFromFloat32(float32(v)) }))
	case Int64:
		return NewTensor(name, dims, convert(values, func(v float64) int64 { return int64(v) }))
	case Int32:
		return NewTensor(name, dims, convert(values, func(v float64) int32 { return int32(v) }))
	case Int8:
		return NewTensor(name, dims, convert(values, func(v float64) int8 { return int8(v) }))
	case Uint8:
		return NewTensor(name, dims, convert(values, func(v float64) uint8 { return uint8(v) }))
	case Bool:
		return NewTensor(name, dims, convert(values, func(v float64) bool { return v != 0 }))
	}
	return nil, fmt.Errorf("onnx: a tensor of type %v cannot be made of numbers", dt)
}

// TensorType returns the element type of t.
func TensorType(t *onnxpb.TensorProto) DType { return DType(t.GetDataType()) }

// isExternal reports whether the data of t is kept in another file.
func isExternal(t *onnxpb.TensorProto) bool {
	return t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL
}

// TensorData returns the elements of t, whichever field they are stored in. The element type must
// be T's. It fails for a tensor whose data is in another file (see [Read]) or whose data does not
// fit its dimensions.
func TensorData[T Element](t *onnxpb.TensorProto) ([]T, error) {
	if want := DTypeOf[T](); TensorType(t) != want {
		return nil, fmt.Errorf("onnx: tensor %q is of type %v, not %v", t.GetName(), TensorType(t), want)
	}
	n, err := tensorElements(t)
	if err != nil {
		return nil, err
	}
	if t.RawData != nil {
		out := make([]T, n)
		_, err := binary.Decode(t.RawData, binary.LittleEndian, out)
		return out, err
	}
	var out any
	switch DTypeOf[T]() {
	case Float:
		out = slices.Clone(t.FloatData)
	case Double:
		out = slices.Clone(t.DoubleData)
	case Int64:
		out = slices.Clone(t.Int64Data)
	case Int32:
		out = slices.Clone(t.Int32Data)
	case Uint64:
		out = slices.Clone(t.Uint64Data)
	case Uint32:
		out = convert(t.Uint64Data, func(v uint64) uint32 { return uint32(v) })
	case Float16:
		out = convert(t.Int32Data, func(v int32) Half { return Half(v) })
	case Int8:
		out = convert(t.Int32Data, func(v int32) int8 { return int8(v) })
	case Int16:
		out = convert(t.Int32Data, func(v int32) int16 { return int16(v) })
	case Uint8:
		out = convert(t.Int32Data, func(v int32) uint8 { return uint8(v) })
	case Uint16:
		out = convert(t.Int32Data, func(v int32) uint16 { return uint16(v) })
	default:
		out = convert(t.Int32Data, func(v int32) bool { return v != 0 })
	}
	return out.([]T), nil
}

func convert[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

// tensorElements returns the number of elements of t after checking that its data is at hand and of
// that length.
func tensorElements(t *onnxpb.TensorProto) (int64, error) {
	n, err := Elements(t.Dims)
	if err != nil {
		return 0, fmt.Errorf("tensor %q: %w", t.GetName(), err)
	}
	if isExternal(t) {
		return 0, fmt.Errorf("onnx: tensor %q: its data is in another file; read the model by its path", t.GetName())
	}
	dt := TensorType(t)
	have := len(t.Int32Data)
	switch size := dt.Size(); {
	case t.RawData != nil && size == 0:
		return 0, fmt.Errorf("onnx: tensor %q: elements of type %v are not supported", t.GetName(), dt)
	case t.RawData != nil && len(t.RawData)%size != 0:
		have = -1
	case t.RawData != nil:
		have = len(t.RawData) / size
	case dt == Float:
		have = len(t.FloatData)
	case dt == Double:
		have = len(t.DoubleData)
	case dt == Int64:
		have = len(t.Int64Data)
	case dt == Uint32 || dt == Uint64:
		have = len(t.Uint64Data)
	case dt == String:
		have = len(t.StringData)
	}
	if int64(have) != n {
		return 0, fmt.Errorf("onnx: tensor %q: its data does not fit its dimensions %v", t.GetName(), t.Dims)
	}
	return n, nil
}

// Float32s returns the elements of a float, double or float16 tensor as float32, rounding doubles
// to nearest.
func Float32s(t *onnxpb.TensorProto) ([]float32, error) {
	switch TensorType(t) {
	case Float:
		return TensorData[float32](t)
	case Double:
		return converted(t, func(v float64) float32 { return float32(v) })
	case Float16:
		return converted(t, Half.Float32)
	}
	return nil, fmt.Errorf("onnx: tensor %q of type %v does not hold real numbers", t.GetName(), TensorType(t))
}

// Int64s returns the elements of an int32, int64, int8, uint8 or bool tensor as int64.
func Int64s(t *onnxpb.TensorProto) ([]int64, error) {
	switch TensorType(t) {
	case Int64:
		return TensorData[int64](t)
	case Int32:
		return converted(t, func(v int32) int64 { return int64(v) })
	case Int8:
		return converted(t, func(v int8) int64 { return int64(v) })
	case Uint8:
		return converted(t, func(v uint8) int64 { return int64(v) })
	case Bool:
		return converted(t, func(v bool) int64 {
			if v {
				return 1
			}
			return 0
		})
	}
	return nil, fmt.Errorf("onnx: tensor %q of type %v does not hold integers", t.GetName(), TensorType(t))
}

// Float64s returns the elements of a tensor of floats or integers as float64.
func Float64s(t *onnxpb.TensorProto) ([]float64, error) {
	if TensorType(t) == Double {
		return TensorData[float64](t)
	}
	if TensorType(t).IsFloat() {
		f, err := Float32s(t)
		return convert(f, func(x float32) float64 { return float64(x) }), err
	}
	i, err := Int64s(t)
	return convert(i, func(x int64) float64 { return float64(x) }), err
}

// converted returns f of every element of t.
func converted[A Element, B any](t *onnxpb.TensorProto, f func(A) B) ([]B, error) {
	data, err := TensorData[A](t)
	return convert(data, f), err
}
