//go:build !amd64 || purego

package basis

// vector is false: there are no vector kernels.
const vector = false

func productVector(_, _, _ []float32, _, _, _ int) { panic("basis: no vector kernel") } // guarded by vector
