package data

import (
	"errors"
	"fmt"
	"strings"

	"ucan/smooth/stream"
)

// Augment configures how images are varied before noise is added. The zero value leaves them as
// they are.
type Augment struct {
	// Pad is how many pixels are added on every side before an image of the old size is cut out at
	// a random place, ≥ 0.
	Pad int
	// Reflect pads by mirroring at the border pixels (without repeating them), instead of by zeros.
	Reflect bool
	// Flip mirrors left and right with probability one half.
	Flip bool
}

// cropPad is how many pixels "crop" and "reflect" add on every side.
const cropPad = 4

// ColourAugment is usual for colour images: crop and flip.
func ColourAugment() Augment { return Augment{Pad: cropPad, Flip: true} }

// ParseAugment reads a list of names: "none" alone, or any of "crop" (4 zeros on every side),
// "reflect" (the same with mirrored borders) and "flip".
func ParseAugment(names []string) (Augment, error) {
	var a Augment
	for _, name := range names {
		switch strings.TrimSpace(name) {
		case "none":
			if len(names) > 1 {
				return a, errors.New("none stands alone")
			}
		case "crop":
			a.Pad = cropPad
		case "reflect":
			a.Pad, a.Reflect = cropPad, true
		case "flip":
			a.Flip = true
		default:
			return a, fmt.Errorf("unknown augmentation %q: use none, crop, reflect or flip", name)
		}
	}
	return a, nil
}

// none reports whether images stay as they are.
func (a Augment) none() bool { return a.Pad == 0 && !a.Flip }

// Validate checks a against the shape of the images.
func (a Augment) Validate(shape []int) error {
	if a.none() {
		return nil
	}
	if len(shape) != 3 {
		return fmt.Errorf("%w: inputs of shape %v are not images (C, H, W) and cannot be cropped or flipped; use --augment none", ErrData, shape)
	}
	if a.Pad < 0 || a.Pad >= min(shape[1], shape[2]) {
		return fmt.Errorf("%w: images of %d×%d cannot be padded by %d pixels; pad less", ErrData, shape[1], shape[2], a.Pad)
	}
	return nil
}

// apply writes a varied copy of src, of shape (C, H, W), to dst. It draws three words whatever it
// does with them.
func (a Augment) apply(dst, src []float32, shape []int, source *stream.Source) {
	down, right, flip := source.Uint64(), source.Uint64(), source.Uint64()
	if a.none() {
		copy(dst, src)
		return
	}
	places := uint64(2*a.Pad + 1)
	dy, dx := int(below(down, places))-a.Pad, int(below(right, places))-a.Pad
	mirrored := a.Flip && flip>>63 == 1
	height, width := shape[1], shape[2]
	for row := range shape[0] * height {
		y := a.place(row%height+dy, height)
		out := dst[row*width : (row+1)*width]
		if y < 0 {
			clear(out)
			continue
		}
		plane := row / height * height
		in := src[(plane+y)*width : (plane+y+1)*width]
		for x := range out {
			from := x
			if mirrored {
				from = width - 1 - x
			}
			if from = a.place(from+dx, width); from < 0 {
				out[x] = 0
			} else {
				out[x] = in[from]
			}
		}
	}
}

// place maps a coordinate outside 0 … n−1 into it by reflection, or to −1 where zeros are padded.
func (a Augment) place(i, n int) int {
	switch {
	case i >= 0 && i < n:
		return i
	case !a.Reflect:
		return -1
	case i < 0:
		return -i
	}
	return 2*(n-1) - i
}
