package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"  // decoder
	_ "image/jpeg" // decoder
	_ "image/png"  // decoder
	"io"
	"path"
	"slices"
	"strings"

	_ "golang.org/x/image/bmp"  // decoder
	_ "golang.org/x/image/tiff" // decoder
	_ "golang.org/x/image/webp" // decoder
)

// maxImageBytes bounds one encoded image.
const maxImageBytes = 256 << 20

// isImageName reports whether a file's name is that of an image we decode.
func isImageName(name string) bool {
	return slices.Contains([]string{".png", ".jpg", ".jpeg", ".jpe", ".gif", ".bmp", ".tif", ".tiff", ".webp"}, strings.ToLower(path.Ext(name)))
}

// readLimited reads all of r, which claims to hold size bytes.
func readLimited(r io.Reader, size int64) ([]byte, error) {
	if size > maxImageBytes {
		return nil, fmt.Errorf("the image file has %d bytes, more than %d", size, maxImageBytes)
	}
	b, err := io.ReadAll(io.LimitReader(r, maxImageBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > maxImageBytes {
		return nil, fmt.Errorf("the image file has more than %d bytes", maxImageBytes)
	}
	return b, nil
}

// lookAt reports whether the file holds a picture without colour, and whether its orientation will
// turn it, from its header.
func lookAt(b []byte) (gray, turned bool, err error) {
	cfg, format, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return false, false, err
	}
	gray = cfg.ColorModel == color.GrayModel || cfg.ColorModel == color.Gray16Model
	if p, ok := cfg.ColorModel.(color.Palette); ok {
		gray = !slices.ContainsFunc(p, func(c color.Color) bool {
			r, g, b, _ := c.RGBA()
			return r != g || g != b
		})
	}
	return gray, orientation(b, format) != 1, nil
}

// decodeImage turns an encoded image into bytes in planes, one channel (luma) or
// three (red, green, blue). Transparency is dropped, not blended; 16-bit channels
// lose their lower half: what Pillow's convert("RGB") or convert("L") does. Then the
// orientation noted by cameras is applied, as by Pillow's ImageOps.exif_transpose.
func decodeImage(b []byte, channels int) (*bitmap, error) {
	cfg, format, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("unreadable image: %w", err)
	}
	if cfg.Width < 1 || cfg.Height < 1 || cfg.Width > maxImageSide || cfg.Height > maxImageSide || cfg.Width*cfg.Height > maxPixels {
		return nil, fmt.Errorf("unreadable image: %d×%d pixels are outside 1 to %d a side and %d in all", cfg.Width, cfg.Height, maxImageSide, maxPixels)
	}
	img, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("unreadable %s image: %w", format, err)
	}
	if size := img.Bounds().Size(); size.X != cfg.Width || size.Y != cfg.Height {
		return nil, fmt.Errorf("unreadable %s image: its header says %d×%d pixels, it has %d×%d", format, cfg.Width, cfg.Height, size.X, size.Y)
	}
	rgb := planes(img, format).turned(orientation(b, format))
	if channels == 1 {
		return luma(rgb), nil
	}
	return rgb, nil
}

// planes splits an image into red, green and blue bytes.
func planes(img image.Image, format string) *bitmap {
	box := img.Bounds()
	w, h := box.Dx(), box.Dy()
	out := newBitmap(3, h, w)
	r, g, b := out.pix[:w*h], out.pix[w*h:2*w*h], out.pix[2*w*h:]
	if ycc, ok := img.(*image.YCbCr); ok {
		convert := yccToRGB
		if format == "webp" {
			convert = webpToRGB
		}
		smoothChroma(ycc, r, g, b, convert)
		return out
	}
	at := 0
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			r[at], g[at], b[at] = pixel(img, x, y)
			at++
		}
	}
	return out
}

// pixel reads a colour without its transparency.
func pixel(img image.Image, x, y int) (r, g, b uint8) {
	switch img := img.(type) {
	case *image.Gray:
		v := img.GrayAt(x, y).Y
		return v, v, v
	case *image.Gray16:
		v := uint8(img.Gray16At(x, y).Y >> 8)
		return v, v, v
	case *image.RGBA:
		c := img.RGBAAt(x, y)
		if c.A == 0xff {
			return c.R, c.G, c.B
		}
	case *image.NRGBA:
		c := img.NRGBAAt(x, y)
		return c.R, c.G, c.B
	case *image.NRGBA64:
		c := img.NRGBA64At(x, y)
		return uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8)
	case *image.Paletted:
		if c, ok := img.At(x, y).(color.NRGBA); ok {
			return c.R, c.G, c.B
		}
	}
	c, ok := color.NRGBA64Model.Convert(img.At(x, y)).(color.NRGBA64)
	if !ok {
		return 0, 0, 0 // a model converts to its own type, always
	}
	return uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8)
}

// luma is Pillow's grey value: (19595 R + 38470 G + 7471 B + 2¹⁵) / 2¹⁶.
func luma(rgb *bitmap) *bitmap {
	out := newBitmap(1, rgb.h, rgb.w)
	n := rgb.h * rgb.w
	for i := range out.pix {
		out.pix[i] = uint8((19595*uint32(rgb.pix[i]) + 38470*uint32(rgb.pix[n+i]) + 7471*uint32(rgb.pix[2*n+i]) + 1<<15) >> 16)
	}
	return out
}
