//go:build !amd64 || purego

// Package cpu tells what vector instructions may be used.
package cpu

// HasAVX2 reports whether AVX2 may be used: not here.
func HasAVX2() bool { return false }
