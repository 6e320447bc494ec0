package rows

import (
	"math"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// num is an element n·N + c of a small tensor; ok false says that it is not known.
type num struct {
	n, c float64
	ok   bool
}

func plain(c float64) num { return num{c: c, ok: true} }

// sane drops numbers that the type does not hold exactly for every N below MostRows.
func (a num) sane(dt onnx.DType) num {
	n, c := math.Abs(a.n), math.Abs(a.c)
	fits := false
	switch dt {
	case onnx.Int64:
		fits = n <= 1<<32 && c <= 1<<52
	case onnx.Int32:
		fits = n <= 1<<10 && c <= 1<<30
	case onnx.Bool:
		fits = n == 0
	case onnx.Float, onnx.Double:
		// What float32 holds, a result in either type rounds to.
		fits = n == 0 && float64(float32(a.c)) == a.c
	}
	if !fits {
		return num{}
	}
	return a
}

func (d dim) num() num {
	if d.open {
		return num{}
	}
	return num{float64(d.n), float64(d.c), true}
}

// dim returns the extent that a number says.
func (a num) dim() (dim, bool) {
	if !a.ok || a.n < 0 || a.n != math.Trunc(a.n) || a.c != math.Trunc(a.c) || math.Abs(a.n) > largest || math.Abs(a.c) > largest {
		return openDim, false
	}
	return dim{n: int64(a.n), c: int64(a.c)}, true
}

// mostElements bounds the tensors whose elements are followed.
const mostElements = 256

// elementsOf reads a small tensor of numbers; nil where it is large or of another type.
// Numbers of 64 bits beyond float64's integers stay, rounded, for the sake of ends of
// Slice: arithmetic drops them.
func elementsOf(t *onnxpb.TensorProto) ([]num, onnx.DType) {
	n, err := onnx.Elements(t.GetDims())
	if err != nil || n > mostElements {
		return nil, onnx.Undefined
	}
	dt := onnx.TensorType(t)
	switch dt {
	case onnx.Float:
		if f, err := onnx.Float32s(t); err == nil {
			return convert(f), dt
		}
	case onnx.Double:
		if f, err := onnx.TensorData[float64](t); err == nil {
			return convert(f), dt
		}
	case onnx.Int64, onnx.Int32, onnx.Bool:
		f, err := onnx.Int64s(t)
		if err == nil && (dt != onnx.Bool || !slices.ContainsFunc(f, func(v int64) bool { return v != 0 && v != 1 })) {
			return convert(f), dt
		}
	}
	return nil, onnx.Undefined
}

func convert[T int64 | float32 | float64](in []T) []num {
	out := make([]num, len(in))
	for i, v := range in {
		out[i] = plain(float64(v))
	}
	return out
}

// depends says that some element depends on N, or is not known.
func depends(elements []num) bool {
	for _, e := range elements {
		if !e.ok || e.n != 0 {
			return true
		}
	}
	return false
}

// vector makes the statement about a small tensor with the given elements. Unknown
// elements are only made from sized ones, so such a tensor counts as sized.
func vector(dims []dim, elements []num, dt onnx.DType) *value {
	v := &value{kind: constant, dims: dims, ranked: true, elements: elements, dtype: dt}
	if depends(elements) {
		v.kind = sized
	}
	return v
}
