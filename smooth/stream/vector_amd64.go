//go:build !purego

package stream

import "ucan/smooth/cpu"

// vector tells whether the processor and the operating system do AVX2. Without it,
// and under the build tag purego, plain Go computes the same bits.
var vector = cpu.HasAVX2()

// fillLanes puts steps·4 words of the four generators into w, a step after the other.
//
//go:noescape
func fillLanes(l *lanes, w *words, steps int)

// firstTries puts the outcomes of the first tries of 64·chunks values into o, and
// into the first chunks words of miss which of them failed: their cells do not lie
// wholly under the density.
//
//go:noescape
func firstTries(layers *[layers]fastLayer, w *words, o *float32, miss *misses, chunks int)

// affineVector is Affine for the first n &^ 7 values.
//
//go:noescape
func affineVector(dst, base *float32, scale float32, n int)

// affineFieldVector is AffineField for the first n &^ 7 values.
//
//go:noescape
func affineFieldVector(dst, base, scale *float32, n int)
