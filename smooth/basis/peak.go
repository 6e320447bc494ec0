package basis

import "math"

// Peak returns ‖U e_k‖_∞, the largest absolute entry of the k-th basis vector, within
// 3·entryError relative. A step of t along the vector moves no coordinate of the input by
// more than t times it.
//
// U being separable, it is the product of the largest entries of a row of H and one of W.
func (t *Transform) Peak(k int) float64 {
	k %= t.plane()
	return t.rows.peaks[k/t.columns.n] * t.columns.peaks[k%t.columns.n]
}

// findPeaks keeps the largest absolute entry of every row.
func (a *axis) findPeaks() {
	a.peaks = make([]float64, a.n)
	for u := range a.peaks {
		for _, v := range a.exact[u*a.n : (u+1)*a.n] {
			a.peaks[u] = max(a.peaks[u], math.Abs(v))
		}
	}
}
