package dataset

import (
	"fmt"
	"math"
)

// maxPixels bounds the size of one decoded image.
const maxPixels = 1 << 26

// resizeBits is the number of fraction bits of the filter weights, as in Pillow
// for 8-bit images.
const resizeBits = 32 - 8 - 2

// prepare resizes and crops an image as declared. The input is not changed.
func (s *Source) prepare(img *bitmap) (*bitmap, error) {
	if side := s.opt.Resize; side > 0 {
		w, h, err := shortSide(img.w, img.h, side)
		if err != nil {
			return nil, err
		}
		img = resizeBilinear(img, w, h)
	}
	if side := s.opt.Crop; side > 0 {
		if side > img.w || side > img.h {
			return nil, fmt.Errorf("it has %d×%d pixels, less than the crop of %d; resize to %d or more first", img.w, img.h, side, side)
		}
		img = cropCentre(img, side)
	}
	return img, nil
}

// shortSide gives the size whose shorter side is side; the longer one is rounded
// down, as torchvision does.
func shortSide(w, h, side int) (int, int, error) {
	nw, nh := side, side
	if w <= h {
		nh = side * h / w
	} else {
		nw = side * w / h
	}
	if nw > maxImageSide || nh > maxImageSide || nw*nh > maxPixels {
		return 0, 0, fmt.Errorf("it has %d×%d pixels and would become %d×%d, too large", w, h, nw, nh)
	}
	return nw, nh, nil
}

// cropCentre cuts the central square; an odd margin is halved by rounding to
// even, as torchvision does.
func cropCentre(img *bitmap, side int) *bitmap {
	left := int(math.RoundToEven(float64(img.w-side) / 2))
	top := int(math.RoundToEven(float64(img.h-side) / 2))
	out := newBitmap(img.c, side, side)
	for c := range img.c {
		for y := range side {
			from := (c*img.h+top+y)*img.w + left
			copy(out.pix[(c*side+y)*side:][:side], img.pix[from:from+side])
		}
	}
	return out
}

// kernel holds the filter weights of one output row or column: the weights
// apply to the inputs from first on.
type kernel struct {
	first   int
	weights []int32
}

// kernels computes Pillow's bilinear (triangle) filter, whose support grows with
// the reduction so that shrinking averages instead of skipping (antialiasing).
// The weights of one output sum to 1 before they are rounded to fixed point.
func kernels(in, out int) []kernel {
	scale := float64(in) / float64(out)
	width := math.Max(scale, 1)
	inverse := 1 / width
	ks := make([]kernel, out)
	for i := range ks {
		centre := (float64(i) + 0.5) * scale
		low := max(int(centre-width+0.5), 0)
		high := min(int(centre+width+0.5), in)
		w := make([]float64, high-low)
		sum := 0.0
		for j := range w {
			w[j] = math.Max(0, 1-math.Abs((float64(j+low)-centre+0.5)*inverse))
			sum += w[j]
		}
		ks[i] = kernel{first: low, weights: make([]int32, len(w))}
		for j := range w {
			if sum != 0 {
				w[j] /= sum
			}
			ks[i].weights[j] = int32(0.5 + w[j]*(1<<resizeBits))
		}
	}
	return ks
}

// resizeBilinear scales an image as Pillow's Image.resize with BILINEAR does, to
// the byte: columns first, then rows, each pass rounded to bytes.
func resizeBilinear(img *bitmap, w, h int) *bitmap {
	if w != img.w {
		out := newBitmap(img.c, img.h, w)
		ks := kernels(img.w, w)
		for row := range img.c * img.h {
			src, dst := img.pix[row*img.w:][:img.w], out.pix[row*w:][:w]
			for x, k := range ks {
				acc := int32(1 << (resizeBits - 1))
				for j, weight := range k.weights {
					acc += int32(src[k.first+j]) * weight
				}
				dst[x] = clampByte(acc >> resizeBits)
			}
		}
		img = out
	}
	if h != img.h {
		out := newBitmap(img.c, h, img.w)
		ks := kernels(img.h, h)
		acc := make([]int32, img.w)
		for c := range img.c {
			for y, k := range ks {
				for x := range acc {
					acc[x] = 1 << (resizeBits - 1)
				}
				for j, weight := range k.weights {
					src := img.pix[(c*img.h+k.first+j)*img.w:][:img.w]
					for x, v := range src {
						acc[x] += int32(v) * weight
					}
				}
				dst := out.pix[(c*h+y)*img.w:][:img.w]
				for x, v := range acc {
					dst[x] = clampByte(v >> resizeBits)
				}
			}
		}
		img = out
	}
	return img
}

func clampByte(v int32) uint8 { return uint8(min(max(v, 0), 255)) }
