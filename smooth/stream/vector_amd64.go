//go:build !purego

package stream

// vector tells whether the processor and the operating system do AVX2. Without it,
// and under the build tag purego, plain Go computes the same bits.
var vector = hasAVX2()

func hasAVX2() bool {
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

// firstTries puts the outcomes of a block's first tries into o. A set bit of miss
// marks a value whose cell does not lie wholly under the density: bit i&63 of
// miss[i/64] for o[i].
//
//go:noescape
func firstTries(layers *[128]fastLayer, w *[block]uint64, o *[2 * block]float32) (miss [2]uint64)

// affineVector is Affine for the first n &^ 7 values.
//
//go:noescape
func affineVector(dst, base *float32, scale float32, n int)

// affineFieldVector is AffineField for the first n &^ 7 values.
//
//go:noescape
func affineFieldVector(dst, base, scale *float32, n int)

func cpuid(leaf, sub uint32) (a, b, c, d uint32)

func xgetbv() uint32
