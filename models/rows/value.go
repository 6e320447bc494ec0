package rows

import (
	"bytes"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// kind is what a statement says of a tensor; see the package's documentation.
type kind int

const (
	mixed kind = iota
	constant
	sized
	perRow
)

// value is the statement about one tensor. Values are shared and never changed.
type value struct {
	kind kind
	// The axis that holds the rows, and how: index (u·N + i)·inner + w is of row i.
	axis         int
	outer, inner int64
	// dims are the extents; meaningful with ranked set.
	dims   []dim
	ranked bool
	// elements are those of a small tensor of numbers in row-major order, where they are
	// known; nil otherwise. Sized values always have them.
	elements []num
	dtype    onnx.DType // of the elements, where they are known
	// tensor holds the data of a constant of the file, or nil.
	tensor *onnxpb.TensorProto
	why    *Break // of mixed
}

func (v *value) rank() int { return len(v.dims) }

// constantOf describes a tensor of the file.
func constantOf(t *onnxpb.TensorProto) *value {
	v := &value{kind: constant, tensor: t, ranked: true, dims: make([]dim, len(t.GetDims()))}
	for i, d := range t.GetDims() {
		if d < 0 {
			return unknownConstant(nil, false)
		}
		v.dims[i] = fixed(d)
	}
	v.elements, v.dtype = elementsOf(t)
	return v
}

// unknownConstant is a constant of which only the extents are known, if those.
func unknownConstant(dims []dim, ranked bool) *value {
	return &value{kind: constant, dims: dims, ranked: ranked}
}

// shaped is a constant of known extents.
func shaped(dims []dim) *value { return unknownConstant(dims, true) }

// rowsOf describes a tensor of rows.
func rowsOf(dims []dim, axis int, outer, inner int64) *value {
	return &value{kind: perRow, dims: dims, ranked: true, axis: axis, outer: outer, inner: inner}
}

// like keeps v's rows under other extents, the axis included.
func (v *value) like(dims []dim, axis int) *value {
	if v.kind != perRow {
		return shaped(dims)
	}
	return rowsOf(dims, axis, v.outer, v.inner)
}

// sameRows says that two tensors of rows hold them in the same manner, apart from the
// axis.
func (v *value) sameRows(w *value) bool { return v.outer == w.outer && v.inner == w.inner }

// scalar returns the only element, where it is known.
func (v *value) scalar() (num, bool) {
	if v == nil || len(v.elements) != 1 || !v.elements[0].ok {
		return num{}, false
	}
	return v.elements[0], true
}

// plainInts returns the elements where all are known integers that do not depend on N.
func (v *value) plainInts() ([]int64, bool) {
	if v == nil || v.elements == nil {
		return nil, false
	}
	out := make([]int64, len(v.elements))
	for i, e := range v.elements {
		if !e.ok || e.n != 0 || e.c != float64(int64(e.c)) {
			return nil, false
		}
		out[i] = int64(e.c)
	}
	return out, true
}

// join is the strongest statement that holds for both, where one exists.
func join(a, b *value) (*value, bool) {
	switch {
	case a.kind == mixed:
		return a, true
	case b.kind == mixed:
		return b, true
	case a.kind == sized || b.kind == sized:
		if a.kind == b.kind && slices.Equal(a.elements, b.elements) && slices.Equal(a.dims, b.dims) {
			return a, true
		}
		return nil, false
	case a.kind != b.kind:
		return nil, false
	case a.kind == constant && (!a.ranked || !b.ranked || len(a.dims) != len(b.dims)):
		return unknownConstant(nil, false), true
	case a.kind == perRow && (a.axis != b.axis || !a.sameRows(b) || len(a.dims) != len(b.dims)):
		return nil, false
	}
	dims := make([]dim, len(a.dims))
	for i := range dims {
		dims[i] = a.dims[i]
		if dims[i] != b.dims[i] {
			dims[i] = openDim
		}
		if a.kind == perRow && i == a.axis && dims[i].open {
			return nil, false
		}
	}
	out := a.like(dims, a.axis)
	if a.kind == constant && a.elements != nil && a.dtype == b.dtype && slices.Equal(a.elements, b.elements) && slices.Equal(a.dims, b.dims) {
		out.elements, out.dtype = a.elements, a.dtype
		if a.tensor == b.tensor {
			out.tensor = a.tensor
		}
	}
	return out, true
}

// equal compares statements, for fixpoints.
func equal(a, b *value) bool {
	return a.kind == b.kind && a.axis == b.axis && a.outer == b.outer && a.inner == b.inner && a.ranked == b.ranked &&
		slices.Equal(a.dims, b.dims) && slices.Equal(a.elements, b.elements) && a.dtype == b.dtype && a.tensor == b.tensor
}

// repeats says that a constant of the file has the same content at every row of an axis
// of outer·batch·inner indices.
func (v *value) repeats(axis int, outer, batch, inner int64) bool {
	if v.tensor == nil || axis >= len(v.dims) || v.dims[axis] != fixed(outer*batch*inner) {
		return false
	}
	size := int64(onnx.TensorType(v.tensor).Size())
	raw := v.tensor.GetRawData()
	total, ok := sizeKnown(v.dims)
	if size == 0 || raw == nil || !ok || total*size != int64(len(raw)) || total == 0 {
		return false
	}
	after, _ := sizeKnown(v.dims[axis+1:])
	block := inner * after * size
	for at := int64(0); at < int64(len(raw)); at += batch * block {
		first := raw[at : at+block]
		for i := int64(1); i < batch; i++ {
			if !bytes.Equal(first, raw[at+i*block:at+(i+1)*block]) {
				return false
			}
		}
	}
	return true
}
