//go:build !purego

// Package cpu tells what vector instructions may be used.
package cpu

// HasAVX2 reports whether the processor and the operating system do AVX2. Without
// it, and under the build tag purego, plain Go computes the same bits.
func HasAVX2() bool {
	const (
		osxsave = 1 << 27 // leaf 1, c
		avx     = 1 << 28
		avx2    = 1 << 5 // leaf 7, b
		ymm     = 1<<1 | 1<<2
	)
	if top, _, _, _ := cpuid(0, 0); top < 7 {
		return false
	}
	_, _, c, _ := cpuid(1, 0)
	if c&(osxsave|avx) != osxsave|avx || xgetbv()&ymm != ymm {
		return false
	}
	_, b, _, _ := cpuid(7, 0)
	return b&avx2 != 0
}

func cpuid(leaf, sub uint32) (a, b, c, d uint32)

func xgetbv() uint32
