package onnx

import (
	"encoding/binary"
	"iter"
	"math"

	"ucan/runtime/onnx/onnxpb"
)

// blockElements is the number of elements that Blocks hands out at a time.
const blockElements = 8 << 10

// Blocks goes through the elements of a float, double or float16 tensor in order, a block at a
// time, for who looks at all of large weights: the tensor is not copied whole. A block is valid
// until the next one. The errors are those of [Float64s]; one ends it.
func Blocks(t *onnxpb.TensorProto) iter.Seq2[[]float64, error] {
	return func(yield func([]float64, error) bool) {
		n, err := tensorElements(t)
		decode := rawDecoder(TensorType(t))
		if err != nil || t.RawData == nil || decode == nil || n <= blockElements {
			all, ferr := Float64s(t)
			yield(all, ferr)
			return
		}
		size, block := TensorType(t).Size(), make([]float64, blockElements)
		for raw := t.RawData; len(raw) > 0; {
			k := min(len(raw)/size, blockElements)
			for i := range k {
				block[i] = decode(raw[i*size:])
			}
			if !yield(block[:k], nil) {
				return
			}
			raw = raw[k*size:]
		}
	}
}

// rawDecoder returns what reads an element of raw data, nil for types that hold no real numbers.
func rawDecoder(t DType) func(b []byte) float64 {
	switch t {
	case Float:
		return func(b []byte) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) }
	case Double:
		return func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }
	case Float16:
		return func(b []byte) float64 { return float64(Half(binary.LittleEndian.Uint16(b)).Float32()) }
	default:
		return nil
	}
}
