package dataset

import "image"

// JPEG stores colour at half the resolution of brightness. Go's decoder leaves
// it at that; libjpeg, and so Pillow, torchvision and OpenCV, through which
// models were trained, interpolates it. This file does as libjpeg does (its
// "fancy upsampling", jdsample.c, and colour conversion, jdcolor.c), so that
// images come out as the model knew them, but for the last bit or two of the
// inverse cosine transform.

// smoothChroma fills the planes r, g, b from a decoded JPEG or lossy WebP, whose
// pixels convert turns into colours.
func smoothChroma(img *image.YCbCr, r, g, b []uint8, convert func(y, cb, cr uint8) (r, g, b uint8)) {
	box := img.Bounds()
	w, h := box.Dx(), box.Dy()
	cb, cr := chromaRow(img, img.Cb), chromaRow(img, img.Cr)
	u, v := make([]uint8, w+1), make([]uint8, w+1)
	for y := range h {
		cb(y, u)
		cr(y, v)
		luma := img.Y[img.YOffset(box.Min.X, box.Min.Y+y):]
		for x := range w {
			r[y*w+x], g[y*w+x], b[y*w+x] = convert(luma[x], u[x], v[x])
		}
	}
}

// chromaRow gives a function that fills one row of a colour plane at full width.
// dst has room for one value more than the row.
func chromaRow(img *image.YCbCr, plane []uint8) func(y int, dst []uint8) {
	box := img.Bounds()
	w, h := box.Dx(), box.Dy()
	half := (w + 1) / 2
	row := func(y int) []uint8 {
		return plane[img.COffset(box.Min.X, y):]
	}
	switch {
	case img.SubsampleRatio == image.YCbCrSubsampleRatio422 && half > 2:
		return func(y int, dst []uint8) { stretchRow(row(box.Min.Y + y)[:half], dst) }
	case img.SubsampleRatio == image.YCbCrSubsampleRatio420 && half > 2:
		sums := make([]int32, half)
		rows := (h + 1) / 2
		return func(y int, dst []uint8) {
			near := y / 2
			far := near - 1 + 2*(y%2)
			far = min(max(far, 0), rows-1)
			a, b := row(box.Min.Y + 2*near)[:half], row(box.Min.Y + 2*far)[:half]
			for i := range sums {
				sums[i] = 3*int32(a[i]) + int32(b[i])
			}
			stretchSums(sums, dst)
		}
	}
	return func(y int, dst []uint8) {
		for x := range w {
			dst[x] = plane[img.COffset(box.Min.X+x, box.Min.Y+y)]
		}
	}
}

// stretchRow doubles a row: each output is 3/4 of the nearer and 1/4 of the
// farther input, rounded alternately down and up (libjpeg's h2v1).
func stretchRow(src, dst []uint8) {
	last := len(src) - 1
	for i, s := range src {
		v := 3 * int32(s)
		before, after := src[max(i-1, 0)], src[min(i+1, last)]
		put(dst, 2*i, (v+int32(before)+1)>>2)
		put(dst, 2*i+1, (v+int32(after)+2)>>2)
	}
}

// stretchSums doubles a row of vertical sums 3a + b (libjpeg's h2v2).
func stretchSums(src []int32, dst []uint8) {
	last := len(src) - 1
	for i, s := range src {
		put(dst, 2*i, (3*s+src[max(i-1, 0)]+8)>>4)
		put(dst, 2*i+1, (3*s+src[min(i+1, last)]+7)>>4)
	}
}

func put(dst []uint8, i int, v int32) {
	if i < len(dst) {
		dst[i] = uint8(v) // a weighted mean of bytes is a byte
	}
}

// yccToRGB is JFIF's conversion with libjpeg's rounding: 16-bit fractions.
func yccToRGB(y, cb, cr uint8) (r, g, b uint8) {
	const half = 1 << 15
	l, u, v := int32(y), int32(cb)-128, int32(cr)-128
	return clampByte(l + (91881*v+half)>>16),
		clampByte(l + (-22554*u-46802*v+half)>>16),
		clampByte(l + (116130*u+half)>>16)
}

// webpToRGB is the conversion of lossy WebP with libwebp's rounding: its values
// span 16 to 235 (BT.601), where Go takes them for JPEG's full range.
func webpToRGB(y, cb, cr uint8) (r, g, b uint8) {
	l, u, v := (int32(y)*19077)>>8, int32(cb), int32(cr)
	return clampByte((l + (v*26149)>>8 - 14234) >> 6),
		clampByte((l - (u*6419)>>8 - (v*13320)>>8 + 8708) >> 6),
		clampByte((l + (u*33050)>>8 - 17685) >> 6)
}
