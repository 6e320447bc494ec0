package basis

import (
	"fmt"
	"strconv"
	"strings"
)

// maxAxis is the longest axis a transform may have: its matrices hold maxAxis²
// values.
const maxAxis = 1024

// dctPrefix begins the names of DCT transforms.
const dctPrefix = "dct2:"

// Transform is an orthonormal transform of images [channels, height, width]: each
// channel's plane X is turned into coefficients H X Wᵀ, with one orthonormal matrix
// H for its columns and one, W, for its rows. Coefficients keep the layout of
// values: coefficient (c, u, v) lies where value (c, y, x) does. It is safe for
// concurrent use.
type Transform struct {
	channels      int
	rows, columns *axis // along the height and along the width
}

// DCT2 returns the orthonormal two-dimensional DCT-II of each channel of inputs of
// the shape: [C, H, W], [H, W], or [d] for one row of d values. Coefficient (c, 0, 0)
// is the channel's mean times √(HW), and frequencies rise with u and v.
//
// It returns an error for another shape, and for an axis longer than 1,024.
//
// Source: Ahmed, Natarajan, Rao, "Discrete cosine transform", 1974.
func DCT2(shape []int) (*Transform, error) {
	var full [3]int
	switch len(shape) {
	case 1:
		full = [3]int{1, 1, shape[0]}
	case 2:
		full = [3]int{1, shape[0], shape[1]}
	case 3:
		full = [3]int(shape)
	default:
		return nil, fmt.Errorf("basis: inputs of shape %v are no images; a transform needs [channels, height, width]", shape)
	}
	for i, n := range full {
		if n < 1 || n > maxAxis {
			return nil, fmt.Errorf("basis: axis %d of the shape %v has length %d; it must be 1 to %d", i, shape, n, maxAxis)
		}
	}
	t := &Transform{channels: full[0], rows: newDCT(full[1])}
	if t.columns = t.rows; full[2] != full[1] {
		t.columns = newDCT(full[2])
	}
	return t, nil
}

// Parse returns the transform of a name that [Transform.Name] gave, such as
// "dct2:3x32x32".
func Parse(name string) (*Transform, error) {
	sizes, ok := strings.CutPrefix(name, dctPrefix)
	parts := strings.Split(sizes, "x")
	if !ok || len(parts) != 3 {
		return nil, fmt.Errorf("basis: unknown basis %.60q: write it like %q", name, dctPrefix+"3x32x32")
	}
	shape := make([]int, len(parts))
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || strconv.Itoa(n) != part {
			return nil, fmt.Errorf("basis: unknown basis %.60q: write it like %q", name, dctPrefix+"3x32x32")
		}
		shape[i] = n
	}
	return DCT2(shape)
}

// Name returns what certificates store: "dct2:CxHxW".
func (t *Transform) Name() string {
	s := t.Shape()
	return fmt.Sprintf("%s%dx%dx%d", dctPrefix, s[0], s[1], s[2])
}

// Shape returns channels, height and width.
func (t *Transform) Shape() [3]int { return [3]int{t.channels, t.rows.n, t.columns.n} }

// Dim returns the number of coordinates, channels·height·width.
func (t *Transform) Dim() int { return t.channels * t.plane() }

// plane is the number of coordinates of one channel.
func (t *Transform) plane() int { return t.rows.n * t.columns.n }

// Matrices returns copies of the matrices H (height × height) and W (width × width),
// row-major in float32, as noise is drawn with them: a channel's plane Z of scaled
// coefficients becomes the noise Hᵀ Z W. Graphs that make the noise themselves use them.
func (t *Transform) Matrices() (h, w []float32) {
	return t.rows.single(), t.columns.single()
}

// Coefficients writes Uᵀx to dst. Both have length Dim and must not overlap. The
// result differs from the exact one by at most Resolution·‖x‖₂ in ℓ2.
func (t *Transform) Coefficients(dst, x []float64) {
	tmp := make([]float64, t.plane())
	h, w, n := t.rows.n, t.columns.n, t.plane()
	for c := range t.channels {
		// tmp = X Wᵀ, dst = H tmp
		times(tmp, x[c*n:(c+1)*n], t.columns.exactT, h, w, w)
		times(dst[c*n:(c+1)*n], t.rows.exact, tmp, h, h, w)
	}
}

// Values writes U c to dst: the inverse of Coefficients, with the same bound on its
// error.
func (t *Transform) Values(dst, c []float64) {
	tmp := make([]float64, t.plane())
	h, w, n := t.rows.n, t.columns.n, t.plane()
	for i := range t.channels {
		times(tmp, c[i*n:(i+1)*n], t.columns.exact, h, w, w)
		times(dst[i*n:(i+1)*n], t.rows.exactT, tmp, h, h, w)
	}
}

// Resolution bounds the relative error of Coefficients and Values.
//
// A dot product of n terms with entries that are wrong by entryError relative is off
// by at most (entryError + n·2⁻⁵³)·Σ|a||x|, to first order, and ‖ |A| ‖₂ ≤ ‖A‖_F = √n
// bounds that sum's ℓ2 norm over all outputs by √n ‖x‖. The two passes add up; the
// factor 1.01 covers the terms of second order.
func (t *Transform) Resolution() float64 { return 1.01 * (t.rows.error() + t.columns.error()) }

// times writes the m×n product of a (m×k) and b (k×n), all row-major.
func times(dst, a, b []float64, m, k, n int) {
	for i := range m {
		row := dst[i*n : (i+1)*n]
		clear(row)
		for l, f := range a[i*k : (i+1)*k] {
			for j, v := range b[l*n : (l+1)*n] {
				row[j] += f * v
			}
		}
	}
}

// Squared writes Σ_i U_ik² v_i to dst[k]: the variance of the coefficients of independent
// coordinates with variances v. Both have length Dim and must not overlap.
func (t *Transform) Squared(dst, v []float64) {
	t.squared(dst, v, squares(t.rows.exact), squares(t.columns.exactT))
}

// SquaredInverse writes Σ_k U_ik² v_k to dst[i]: the variance of the coordinates of independent
// coefficients with variances v. Both have length Dim and must not overlap.
func (t *Transform) SquaredInverse(dst, v []float64) {
	t.squared(dst, v, squares(t.rows.exactT), squares(t.columns.exact))
}

func (t *Transform) squared(dst, v, left, right []float64) {
	h, w, n := t.rows.n, t.columns.n, t.plane()
	tmp := make([]float64, n)
	for c := range t.channels {
		times(tmp, v[c*n:(c+1)*n], right, h, w, w)
		times(dst[c*n:(c+1)*n], left, tmp, h, h, w)
	}
}
