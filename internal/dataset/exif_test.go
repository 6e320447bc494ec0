package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
)

// tiffBlock is Exif data with an orientation behind another tag.
func tiffBlock(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II*\x00")
	if order.String() == binary.BigEndian.String() {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	for _, e := range [][2]uint16{{0x0110, 65}, {0x0112, orientation}} {
		b = order.AppendUint16(order.AppendUint16(b, e[0]), 3)
		b = order.AppendUint16(order.AppendUint32(b, 1), e[1])
		b = append(b, 0, 0)
	}
	return order.AppendUint32(b, 0)
}

func withEXIF(t testing.TB, file []byte, kind string, tiff []byte) []byte {
	t.Helper()
	switch kind {
	case "jpeg":
		body := append([]byte("Exif\x00\x00"), tiff...)
		segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2))
		return slices.Concat(file[:2], segment, body, file[2:])
	case "png":
		const header = 8 + 25 // the signature and IHDR
		chunk := append([]byte("eXIf"), tiff...)
		chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk))
		return slices.Concat(file[:header], binary.BigEndian.AppendUint32(nil, uint32(len(tiff))), chunk, file[header:])
	case "webp":
		// An extended file: VP8X with the flag for Exif and the size, then the picture.
		x := append([]byte("VP8X\x0a\x00\x00\x00"), 8, 0, 0, 0, 36, 0, 0, 28, 0, 0)
		e := binary.LittleEndian.AppendUint32([]byte("EXIF"), uint32(len(tiff)))
		body := slices.Concat([]byte("WEBP"), x, file[12:], e, tiff)
		return slices.Concat([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body)
	}
	t.Fatalf("no file of kind %s", kind)
	return nil
}

// What Pillow's ImageOps.exif_transpose makes of a picture with the rows abc and def.
func TestOrientations(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 3, 2))
	for i := range 6 {
		img.SetGray(i%3, i/3, color.Gray{Y: uint8('a' + i)})
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	for o, want := range []string{0: "abc/def", 1: "abc/def", 2: "cba/fed", 3: "fed/cba", 4: "def/abc", 5: "ad/be/cf", 6: "da/eb/fc", 7: "fc/eb/da", 8: "cf/be/ad", 9: "abc/def"} {
		t.Run(fmt.Sprint(o), func(t *testing.T) {
			for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
				got, err := decodeImage(withEXIF(t, file.Bytes(), "png", tiffBlock(order, uint16(o))), 1)
				if err != nil {
					t.Fatal(err)
				}
				var rows []string
				for row := range slices.Chunk(got.pix, got.w) {
					rows = append(rows, string(row))
				}
				if text := strings.Join(rows, "/"); text != want {
					t.Errorf("%s: %s, want %s", order, text, want)
				}
			}
		})
	}
}

// Every format that keeps an orientation is turned by it, and is told.
func TestOrientationByFormat(t *testing.T) {
	for name, kind := range subtest.Rows(map[string]string{"j420.jpg": "jpeg", "gray.jpg": "jpeg", "rgb.png": "png", "lossless.webp": "webp", "lossy.webp": "webp"}) {
		t.Run(name, func(t *testing.T) {
			file := mustRead(t, "testdata/"+name)
			plain, err := decodeImage(file, 3)
			if err != nil {
				t.Fatal(err)
			}
			tagged := withEXIF(t, file, kind, tiffBlock(binary.BigEndian, 6))
			got, err := decodeImage(tagged, 3)
			if err != nil {
				t.Fatal(err)
			}
			if want := plain.turned(6); got.h != plain.w || !slices.Equal(got.pix, want.pix) {
				t.Errorf("%d×%d pixels of a picture of %d×%d", got.w, got.h, plain.w, plain.h)
			}
			ending := filepath.Ext(name)
			dir := writeFiles(t, map[string][]byte{"1" + ending: tagged, "2" + ending: tagged})
			if notes := mustOpen(t, "folder:"+dir, Options{}).Info().Notes; len(notes) != 1 || !strings.Contains(notes[0], "2 of the first 2 images are turned") {
				t.Errorf("notes %q", notes)
			}
		})
	}
}

func FuzzOrientation(f *testing.F) {
	tiff := tiffBlock(binary.LittleEndian, 8)
	f.Add(tiff)
	for name, kind := range map[string]string{"gray.jpg": "jpeg", "gray.png": "png", "lossy.webp": "webp"} {
		f.Add(withEXIF(f, mustRead(f, "testdata/"+name), kind, tiff))
	}
	f.Add([]byte("\xff\xd8\xff\xe1\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, format := range []string{"jpeg", "png", "webp", "tiff", "bmp"} {
			if o := orientation(b, format); o < 1 || o > 8 {
				t.Errorf("%s: orientation %d", format, o)
			}
		}
	})
}
