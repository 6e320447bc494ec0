//go:build !purego

package basis

import "ucan/smooth/cpu"

// vector tells whether the vector kernels may be used.
var vector = cpu.HasAVX2()

// productVector is product with AVX2. Fused multiplication is left out on purpose: its
// bits could not be had everywhere.
func productVector(dst, a, b []float32, m, k, n int) {
	i := 0
	for ; i+4 <= m; i += 4 {
		product4(&dst[i*n], &a[i*k], &b[0], k, n)
	}
	for ; i < m; i++ {
		product1(&dst[i*n], &a[i*k], &b[0], k, n)
	}
}

// product4 computes four rows of dst from four rows of a: k ≥ 1, n a positive multiple
// of 8.
//
//go:noescape
func product4(dst, a, b *float32, k, n int)

// product1 computes one row.
//
//go:noescape
func product1(dst, a, b *float32, k, n int)
