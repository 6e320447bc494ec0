//go:build !amd64 || purego

package stream

// vector is false: there are no vector kernels.
const vector = false

func fillLanes(*lanes, *words, int) { panic("stream: no vector kernel") } // guarded by vector

func firstTries(*[layers]fastLayer, *words, *float32, *misses, int) {
	panic("stream: no vector kernel")
}

func affineVector(_, _ *float32, _ float32, _ int) { panic("stream: no vector kernel") }

func affineFieldVector(_, _, _ *float32, _ int) { panic("stream: no vector kernel") }
