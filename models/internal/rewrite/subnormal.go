package rewrite

import (
	"fmt"
	"math"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// smallestNormal is the smallest positive float32 of full precision, 2⁻¹²⁶.
const smallestNormal = 0x1p-126

// WithoutSubnormals returns m with the subnormal float32 weights of its linear
// operators set to zero, and their number. Weights that training has decayed to
// nothing stay behind as such numbers, which processors handle in microcode: a few
// thousand of them make a network several times slower.
//
// A score moves by less than 2⁻¹²⁶ times the sum of what they were multiplied with.
// Only tensors that nothing but linear operators read are touched: elsewhere a tiny
// number may guard a division.
func WithoutSubnormals(m *onnx.Model) (*onnx.Model, int, error) {
	ix := NewIndex(m)
	total := 0
	var fresh []*onnxpb.TensorProto
	for _, t := range m.Initializers() {
		if onnx.TensorType(t) != onnx.Float || !weightsOnly(ix.Readers[t.GetName()]) {
			continue
		}
		n, err := subnormals(t)
		if err != nil {
			return nil, 0, fmt.Errorf("read the weights: %w", err)
		}
		if n == 0 {
			continue
		}
		data, err := onnx.TensorData[float32](t)
		if err != nil {
			return nil, 0, fmt.Errorf("read the weights: %w", err)
		}
		for i, w := range data {
			if subnormal(w) {
				data[i] = 0
			}
		}
		z, err := onnx.NewTensor(t.GetName(), t.GetDims(), data)
		if err != nil {
			return nil, 0, err
		}
		fresh = append(fresh, z)
		total += n
	}
	if total == 0 {
		return m, 0, nil
	}
	out, err := m.WithInitializers(fresh...)
	return out, total, err
}

func subnormal(w float32) bool { return w != 0 && math.Abs(float64(w)) < smallestNormal }

// subnormals counts the subnormal elements of a float tensor.
func subnormals(t *onnxpb.TensorProto) (int, error) {
	n := 0
	for block, err := range onnx.Blocks(t) {
		if err != nil {
			return 0, err
		}
		for _, w := range block {
			if subnormal(float32(w)) {
				n++
			}
		}
	}
	return n, nil
}

// LinearWeights names the initialisers that nothing but linear operators read: no edit and no proof
// looks at their values.
func LinearWeights(m *onnx.Model) map[string]bool {
	ix := NewIndex(m)
	names := make(map[string]bool)
	for _, t := range m.Initializers() {
		names[t.GetName()] = weightsOnly(ix.Readers[t.GetName()])
	}
	return names
}

// weightsOnly says that all readers of a tensor are linear operators.
func weightsOnly(readers []*onnxpb.NodeProto) bool {
	for _, n := range readers {
		switch n.GetOpType() {
		case "Conv", "ConvTranspose", "Gemm", "MatMul":
		default:
			return false
		}
	}
	return len(readers) > 0
}
