package wiener

import (
	"ucan/runtime/onnx"
)

// Names of the graph's input and output, both float32 [N, shape…] in the source's layout.
const (
	Noisy = "noisy"
	Clean = "clean"
)

// opset is the version of the operators: the oldest that runtimes of the day are all tested with.
const opset = 17

// Graph writes the filter as ONNX: products with small matrices, each row by itself. The same
// filter gives the same bytes.
func (f *Filter) Graph() (*onnx.Model, error) {
	b := onnx.NewBuilder("wiener", opset)
	dims := []onnx.Dim{onnx.Sym("N")}
	for _, n := range f.Shape {
		dims = append(dims, onnx.Fixed(int64(n)))
	}
	b.Output(Clean, f.Add(b, b.Input(Noisy, onnx.Float, dims...)), onnx.Float, dims...)
	return b.Build()
}

// Add adds the filter to a graph, behind a value [N, shape…].
func (f *Filter) Add(b *onnx.Builder, x onnx.Value) onnx.Value {
	one := []int64{1}
	for _, n := range f.Shape {
		one = append(one, int64(n))
	}
	if f.whole != nil {
		d := int64(len(f.bias))
		x = b.MatMul(x, tensor(b, "filter", []int64{d, d}, transposed(f.whole, int(d))))
	} else {
		x = f.diagonal(b, x, one)
	}
	return b.Add(x, tensor(b, "bias", one, f.bias))
}

// diagonal adds U diag(g) Uᵀ; one are the dimensions of a row.
func (f *Filter) diagonal(b *onnx.Builder, x onnx.Value, one []int64) onnx.Value {
	t := f.basis.Transform
	if t == nil {
		return b.Mul(x, tensor(b, "gain", one, f.gain))
	}
	shape := t.Shape()
	channels, h, w := int64(shape[0]), int64(shape[1]), int64(shape[2])
	rows, columns := t.Matrices()
	colour := f.basis.Colour
	rotate := func(x onnx.Value, name string, matrix []float64) onnx.Value {
		if colour == nil {
			return x
		}
		return b.Op("Conv", []onnx.Value{x, tensor(b, name, []int64{channels, channels, 1, 1}, matrix)})
	}
	product := func(x onnx.Value, left, right string, l, r []float32) onnx.Value {
		if w > 1 {
			x = b.MatMul(x, onnx.Tensor(b, right, []int64{w, w}, r))
		}
		if h > 1 {
			x = b.MatMul(onnx.Tensor(b, left, []int64{h, h}, l), x)
		}
		return x
	}
	x = rotate(x, "colour", colour)
	x = product(x, "rows", "columns_back", rows, transposed(columns, int(w)))
	x = b.Mul(x, tensor(b, "gain", one, f.gain))
	x = product(x, "rows_back", "columns", transposed(rows, int(h)), columns)
	return rotate(x, "colour_back", transposed(colour, int(channels)))
}

// tensor adds a constant, in float32.
func tensor(b *onnx.Builder, name string, dims []int64, values []float64) onnx.Value {
	narrow := make([]float32, len(values))
	for i, v := range values {
		narrow[i] = float32(v)
	}
	return onnx.Tensor(b, name, dims, narrow)
}

// transposed returns the transpose of an n × n matrix; nil for nil.
func transposed[T float32 | float64](a []T, n int) []T {
	if a == nil {
		return nil
	}
	out := make([]T, len(a))
	for i := range n {
		for j := range n {
			out[j*n+i] = a[i*n+j]
		}
	}
	return out
}
