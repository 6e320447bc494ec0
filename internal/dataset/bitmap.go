package dataset

// bitmap is an 8-bit image in planes: pix[(c·h + y)·w + x].
type bitmap struct {
	c, h, w int
	pix     []uint8
}

func newBitmap(c, h, w int) *bitmap {
	return &bitmap{c: c, h: h, w: w, pix: make([]uint8, c*h*w)}
}

// floats converts the bytes to float32 in [0, 1]: b becomes float32(b)/255,
// correctly rounded.
func (b *bitmap) floats() []float32 {
	out := make([]float32, len(b.pix))
	for i, v := range b.pix {
		out[i] = float32(v) / 255
	}
	return out
}

func (b *bitmap) shape() []int { return []int{b.c, b.h, b.w} }
