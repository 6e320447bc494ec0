//go:build !amd64 || purego

package optim

// vector is false: there is no vector kernel.
const vector = false

func applyVector(_ *adamStep, _, _, _, _ *float32, _ int) { panic("optim: no vector kernel") } // guarded by vector
