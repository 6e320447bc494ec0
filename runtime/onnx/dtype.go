package onnx

import (
	"fmt"
	"math"
	"strings"

	"ucan/runtime/onnx/onnxpb"
)

// DType is the element type of a tensor, numbered as in the ONNX schema.
type DType int32

// The element types that tensors can be converted to and from Go slices for; the schema has more.
const (
	Undefined DType = 0
	Float     DType = 1 // float32
	Uint8     DType = 2
	Int8      DType = 3
	Uint16    DType = 4
	Int16     DType = 5
	Int32     DType = 6
	Int64     DType = 7
	String    DType = 8
	Bool      DType = 9
	Float16   DType = 10
	Double    DType = 11 // float64
	Uint32    DType = 12
	Uint64    DType = 13
	BFloat16  DType = 16
)

// String returns the schema's name in lower case, such as "float" or "int64".
func (d DType) String() string {
	if name, ok := onnxpb.TensorProto_DataType_name[int32(d)]; ok {
		return strings.ToLower(name)
	}
	return fmt.Sprintf("dtype(%d)", int32(d))
}

// Size returns the bytes of one element, and 0 for strings, types packed into parts of a byte, and
// unknown types.
func (d DType) Size() int {
	switch d {
	case Uint8, Int8, Bool:
		return 1
	case Uint16, Int16, Float16, BFloat16:
		return 2
	case Float, Int32, Uint32:
		return 4
	case Double, Int64, Uint64, 14: // complex64
		return 8
	case 15: // complex128
		return 16
	case 17, 18, 19, 20, 24: // the 8-bit floats
		return 1
	}
	return 0
}

// IsFloat reports whether d is a real floating-point type: those that gradients exist for.
func (d DType) IsFloat() bool {
	return d == Float || d == Double || d == Float16 || d == BFloat16
}

// Half is an IEEE 754 binary16 number as its bits.
type Half uint16

// HalfFromFloat32 rounds f to the nearest half, ties to even; what is too large becomes an
// infinity.
func HalfFromFloat32(f float32) Half {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	exp := int32(b>>23&0xff) - 127
	man := b & 0x7fffff
	switch {
	case exp == 128: // infinity or NaN
		if man != 0 {
			return Half(sign | 0x7e00 | uint16(man>>13))
		}
		return Half(sign | 0x7c00)
	case exp > 15:
		return Half(sign | 0x7c00)
	case exp >= -14:
		h := uint32(exp+15)<<10 | man>>13
		return Half(sign | uint16(roundEven(h, man&0x1fff, 0x1000)))
	case exp >= -25: // subnormal, or rounding up to the smallest one
		man |= 0x800000
		shift := uint32(-exp - 1) // 14 … 24
		h := man >> shift
		rest := man & (1<<shift - 1)
		return Half(sign | uint16(roundEven(h, rest, 1<<(shift-1))))
	}
	return Half(sign)
}

// roundEven rounds h up when the dropped rest is above half of a unit, or equal to it and h odd. A
// carry into the exponent is what IEEE 754 wants.
func roundEven(h, rest, half uint32) uint32 {
	if rest > half || rest == half && h&1 == 1 {
		h++
	}
	return h
}

// Float32 returns the exact value of h.
func (h Half) Float32() float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h >> 10 & 0x1f)
	man := uint32(h & 0x3ff)
	switch exp {
	case 0:
		v := float32(man) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | man<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | man<<13)
}
