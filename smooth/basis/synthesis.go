package basis

import "ucan/smooth/stream"

// Scratch is the memory that Synthesise needs. One belongs to one goroutine.
type Scratch struct {
	half  []float32 // Z W of one channel, rows of stride values
	plane []float32 // Hᵀ (Z W) where the rows are padded
}

// NewScratch returns memory for Synthesise.
func (t *Transform) NewScratch() *Scratch {
	n := t.rows.n * t.columns.stride
	return &Scratch{half: make([]float32, n), plane: make([]float32, n)}
}

// Synthesise writes base + Û z to dst, where Û is the transform with the float32
// matrices of [Transform.Matrices] and z are coefficients: dst[i] is base[i] plus the
// sum for i, which is rounded to float32 before. All three have length Dim; dst may be
// neither of the others. Every platform computes the same bits. It allocates nothing.
func (t *Transform) Synthesise(dst, base, z []float32, s *Scratch) {
	h, w, n, stride := t.rows.n, t.columns.n, t.plane(), t.columns.stride
	for c := range t.channels {
		out := dst[c*n : (c+1)*n]
		product(s.half, z[c*n:(c+1)*n], t.columns.padded, h, w, stride)
		if stride == w {
			product(out, t.rows.transposed, s.half, h, h, stride)
		} else {
			product(s.plane, t.rows.transposed, s.half, h, h, stride)
			for y := range h {
				copy(out[y*w:(y+1)*w], s.plane[y*stride:y*stride+w])
			}
		}
	}
	stream.Affine(dst[:t.Dim()], base, 1)
}

// Defect bounds ‖UᵀÛ − I‖₂ = ‖Û − U‖₂ for the float32 matrices Û = Ĥᵀ ⊗ Ŵᵀ:
// with Ĥ = H(I + F) and Ŵ = W(I + G) it is at most ‖F‖ + ‖G‖ + ‖F‖‖G‖.
func (t *Transform) Defect() float64 {
	f, g := t.rows.defect, t.columns.defect
	return (f + g + f*g) * (1 + 0x1p-40)
}

// product writes the m×n product of a (m×k) and b (k×n), row-major, n a multiple of
// lanes. Every entry is the float32 sum of float32 products in the order of k, from 0.
func product(dst, a, b []float32, m, k, n int) {
	dst, a, b = dst[:m*n], a[:m*k], b[:k*n]
	if vector {
		productVector(dst, a, b, m, k, n)
		return
	}
	productPlain(dst, a, b, m, k, n)
}

// productPlain is product in plain Go.
func productPlain(dst, a, b []float32, m, k, n int) {
	for i := range m {
		row := dst[i*n : (i+1)*n]
		clear(row)
		for l, f := range a[i*k : (i+1)*k] {
			for j, v := range b[l*n : (l+1)*n] {
				row[j] += float32(f * v) // the conversion forbids fusing
			}
		}
	}
}
