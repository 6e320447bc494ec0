package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

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
	raw := make([]byte, 0, len(data)*dt.Size())
	le := binary.LittleEndian
	switch d := any(data).(type) {
	case []float32:
		for _, v := range d {
			raw = le.AppendUint32(raw, math.Float32bits(v))
		}
	case []float64:
		for _, v := range d {
			raw = le.AppendUint64(raw, math.Float64bits(v))
		}
	case []Half:
		for _, v := range d {
			raw = le.AppendUint16(raw, uint16(v))
		}
	case []int8:
		for _, v := range d {
			raw = append(raw, byte(v))
		}
	case []int16:
		for _, v := range d {
			raw = le.AppendUint16(raw, uint16(v))
		}
	case []int32:
		for _, v := range d {
			raw = le.AppendUint32(raw, uint32(v))
		}
	case []int64:
		for _, v := range d {
			raw = le.AppendUint64(raw, uint64(v))
		}
	case []uint8:
		raw = append(raw, d...)
	case []uint16:
		for _, v := range d {
			raw = le.AppendUint16(raw, v)
		}
	case []uint32:
		for _, v := range d {
			raw = le.AppendUint32(raw, v)
		}
	case []uint64:
		for _, v := range d {
			raw = le.AppendUint64(raw, v)
		}
	case []bool:
		for _, v := range d {
			b := byte(0)
			if v {
				b = 1
			}
			raw = append(raw, b)
		}
	}
	t := &onnxpb.TensorProto{
		DataType: proto.Int32(int32(dt)),
		Dims:     append([]int64(nil), dims...),
		RawData:  raw,
	}
	if name != "" {
		t.Name = proto.String(name)
	}
	return t, nil
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
		decodeRaw(any(out), t.RawData)
		return out, nil
	}
	var out any
	switch DTypeOf[T]() {
	case Float:
		out = append([]float32(nil), t.FloatData...)
	case Double:
		out = append([]float64(nil), t.DoubleData...)
	case Int64:
		out = append([]int64(nil), t.Int64Data...)
	case Int32:
		out = append([]int32(nil), t.Int32Data...)
	case Uint64:
		out = append([]uint64(nil), t.Uint64Data...)
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
	var have int64
	if t.RawData != nil {
		if dt.Size() == 0 {
			return 0, fmt.Errorf("onnx: tensor %q: elements of type %v are not supported", t.GetName(), dt)
		}
		have = int64(len(t.RawData))
		if have%int64(dt.Size()) != 0 {
			have = -1
		} else {
			have /= int64(dt.Size())
		}
	} else {
		switch dt {
		case Float:
			have = int64(len(t.FloatData))
		case Double:
			have = int64(len(t.DoubleData))
		case Int64:
			have = int64(len(t.Int64Data))
		case Uint32, Uint64:
			have = int64(len(t.Uint64Data))
		case String:
			have = int64(len(t.StringData))
		default:
			have = int64(len(t.Int32Data))
		}
	}
	if have != n {
		return 0, fmt.Errorf("onnx: tensor %q: its data does not fit its dimensions %v", t.GetName(), t.Dims)
	}
	return n, nil
}

// decodeRaw fills out, a slice of one of the Element types, from little-endian bytes of the same
// number of elements.
func decodeRaw(out any, raw []byte) {
	le := binary.LittleEndian
	switch o := out.(type) {
	case []float32:
		for i := range o {
			o[i] = math.Float32frombits(le.Uint32(raw[4*i:]))
		}
	case []float64:
		for i := range o {
			o[i] = math.Float64frombits(le.Uint64(raw[8*i:]))
		}
	case []Half:
		for i := range o {
			o[i] = Half(le.Uint16(raw[2*i:]))
		}
	case []int8:
		for i := range o {
			o[i] = int8(raw[i])
		}
	case []int16:
		for i := range o {
			o[i] = int16(le.Uint16(raw[2*i:]))
		}
	case []int32:
		for i := range o {
			o[i] = int32(le.Uint32(raw[4*i:]))
		}
	case []int64:
		for i := range o {
			o[i] = int64(le.Uint64(raw[8*i:]))
		}
	case []uint8:
		copy(o, raw)
	case []uint16:
		for i := range o {
			o[i] = le.Uint16(raw[2*i:])
		}
	case []uint32:
		for i := range o {
			o[i] = le.Uint32(raw[4*i:])
		}
	case []uint64:
		for i := range o {
			o[i] = le.Uint64(raw[8*i:])
		}
	case []bool:
		for i := range o {
			o[i] = raw[i] != 0
		}
	}
}

// Float32s returns the elements of a float, double or float16 tensor as float32, rounding doubles
// to nearest.
func Float32s(t *onnxpb.TensorProto) ([]float32, error) {
	switch TensorType(t) {
	case Float:
		return TensorData[float32](t)
	case Double:
		d, err := TensorData[float64](t)
		return convert(d, func(v float64) float32 { return float32(v) }), err
	case Float16:
		d, err := TensorData[Half](t)
		return convert(d, Half.Float32), err
	}
	return nil, fmt.Errorf("onnx: tensor %q of type %v does not hold real numbers", t.GetName(), TensorType(t))
}

// Int64s returns the elements of an int32, int64, int8, uint8 or bool tensor as int64.
func Int64s(t *onnxpb.TensorProto) ([]int64, error) {
	switch TensorType(t) {
	case Int64:
		return TensorData[int64](t)
	case Int32:
		d, err := TensorData[int32](t)
		return convert(d, func(v int32) int64 { return int64(v) }), err
	case Int8:
		d, err := TensorData[int8](t)
		return convert(d, func(v int8) int64 { return int64(v) }), err
	case Uint8:
		d, err := TensorData[uint8](t)
		return convert(d, func(v uint8) int64 { return int64(v) }), err
	case Bool:
		d, err := TensorData[bool](t)
		return convert(d, func(v bool) int64 {
			if v {
				return 1
			}
			return 0
		}), err
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
