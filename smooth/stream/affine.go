package stream

// NormalAffineInto fills dst with base[i] + float32(scale·ε_i), where ε is what
// [Source.NormalInto] would give: the same bits as that call followed by [Affine],
// while the values are still in the cache. len(base) must be at least len(dst),
// and the two must not overlap.
func (s *Source) NormalAffineInto(dst, base []float32, scale float32) {
	var b blockBuffer
	base = base[:len(dst)]
	for len(dst) > 0 {
		n := min(len(dst), blockValues)
		s.zigguratBlock(&normalLaw, &b, dst[:n])
		Affine(dst[:n], base, scale)
		dst, base = dst[n:], base[n:]
	}
}

// NormalFieldInto is [Source.NormalAffineInto] with one scale a value: len(scale)
// must be at least len(dst).
func (s *Source) NormalFieldInto(dst, base, scale []float32) {
	var b blockBuffer
	base, scale = base[:len(dst)], scale[:len(dst)]
	for len(dst) > 0 {
		n := min(len(dst), blockValues)
		s.zigguratBlock(&normalLaw, &b, dst[:n])
		AffineField(dst[:n], base, scale)
		dst, base, scale = dst[n:], base[n:], scale[n:]
	}
}

// Affine replaces every x of dst by base[i] + float32(scale·x): one rounding after
// the product, one after the sum, so that every platform computes the same bits.
// len(base) must be at least len(dst).
func Affine(dst, base []float32, scale float32) {
	base = base[:len(dst)]
	if n := len(dst) &^ 7; vector && n > 0 {
		affineVector(&dst[0], &base[0], scale, n)
		dst, base = dst[n:], base[n:]
	}
	affine(dst, base, scale)
}

// AffineField is [Affine] with one scale a value: len(scale) must be at least
// len(dst).
func AffineField(dst, base, scale []float32) {
	base, scale = base[:len(dst)], scale[:len(dst)]
	if n := len(dst) &^ 7; vector && n > 0 {
		affineFieldVector(&dst[0], &base[0], &scale[0], n)
		dst, base, scale = dst[n:], base[n:], scale[n:]
	}
	affineField(dst, base, scale)
}

// affine is Affine in plain Go, for operands of one length.
func affine(dst, base []float32, scale float32) {
	base = base[:len(dst)]
	for i, x := range dst {
		dst[i] = base[i] + float32(scale*x) // the conversion forbids fusing
	}
}

// affineField is AffineField in plain Go, for operands of one length.
func affineField(dst, base, scale []float32) {
	base, scale = base[:len(dst)], scale[:len(dst)]
	for i, x := range dst {
		dst[i] = base[i] + float32(scale[i]*x)
	}
}
