//go:build !amd64 || purego

package stream

// vector is false: there are no vector kernels.
const vector = false

func firstTries(*[128]fastLayer, *[block]uint64, *[2 * block]float32) (miss [2]uint64) {
	panic("stream: no vector kernel") // guarded by vector
}

func affineVector(_, _ *float32, _ float32, _ int) { panic("stream: no vector kernel") }

func affineFieldVector(_, _, _ *float32, _ int) { panic("stream: no vector kernel") }
