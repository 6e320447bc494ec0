//go:build !purego

package optim

import "ucan/smooth/cpu"

// vector tells whether the processor and the operating system do AVX2. Without it,
// and under the build tag purego, plain Go computes the same bits.
var vector = cpu.HasAVX2()

// applyVector is adamStep.scalar for the first n &^ 7 values.
//
//go:noescape
func applyVector(s *adamStep, w, grad, m, v *float32, n int)
