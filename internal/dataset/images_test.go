package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/shared"
	"ucan/fixtures/subtest"
)

// expectations is testdata/expected.json, written by testdata/make.py with
// Pillow and NumPy.
type expectations struct {
	Images map[string]struct {
		RGB    string  `json:"rgb"`
		Gray   string  `json:"gray"`
		Pixels []uint8 `json:"-"`
		Raw    []int   `json:"pixels"`
	} `json:"images"`
	Resize []struct {
		Side   int    `json:"side"`
		Crop   int    `json:"crop"`
		Shape  []int  `json:"shape"`
		SHA256 string `json:"sha256"`
	} `json:"resize"`
	Arrays map[string]struct {
		Integer bool     `json:"integer"`
		SHA256  []string `json:"sha256"`
	} `json:"arrays"`
}

func expected(t *testing.T) expectations {
	t.Helper()
	b, err := os.ReadFile("testdata/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var e expectations
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func hexSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// Lossless images must be Pillow's to the byte. A JPEG may differ by the
// rounding of the inverse cosine transform, a lossy WebP by that of its filter.
func TestDecodeAsPillow(t *testing.T) {
	t.Parallel()
	e := expected(t)
	if len(e.Images) < 10 {
		t.Fatalf("only %d images in expected.json", len(e.Images))
	}
	for name, want := range e.Images {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		rgb, err := decodeImage(b, 3)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		gray, err := decodeImage(b, 1)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want.Raw == nil {
			if hexSum(rgb.pix) != want.RGB {
				t.Errorf("%s: colours differ from Pillow's", name)
			}
			if hexSum(gray.pix) != want.Gray {
				t.Errorf("%s: grey values differ from Pillow's", name)
			}
			continue
		}
		most, sum := 0, 0
		for i, v := range want.Raw {
			d := int(rgb.pix[i]) - v
			most, sum = max(most, d, -d), sum+max(d, -d)
		}
		mean := float64(sum) / float64(len(want.Raw))
		t.Logf("%s: largest difference %d, mean %.3f", name, most, mean)
		if most > 4 || mean > 0.1 {
			t.Errorf("%s: differs from Pillow's pixels by up to %d, %.3f on average; want at most 4 and 0.1", name, most, mean)
		}
	}
}

func TestResizeAsPillow(t *testing.T) {
	t.Parallel()
	e := expected(t)
	b, err := os.ReadFile("testdata/rgb.png")
	if err != nil {
		t.Fatal(err)
	}
	img, err := decodeImage(b, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range e.Resize {
		s := &Source{opt: Options{Resize: tc.Side, Crop: tc.Crop}}
		got, err := s.prepare(img)
		if err != nil {
			t.Errorf("resize %d, crop %d: %v", tc.Side, tc.Crop, err)
			continue
		}
		if !slices.Equal(got.shape(), tc.Shape) || hexSum(got.pix) != tc.SHA256 {
			t.Errorf("resize %d, crop %d: shape %v or bytes differ from Pillow's %v", tc.Side, tc.Crop, got.shape(), tc.Shape)
		}
	}
}

func TestPrepareFaults(t *testing.T) {
	for _, tc := range []struct {
		w, h int
		opt  Options
		want string
	}{
		{5, 5, Options{Crop: 6}, "less than the crop of 6"},
		{1, 9000, Options{Resize: 100}, "too large"},
	} {
		s := &Source{opt: tc.opt}
		if _, err := s.prepare(newBitmap(1, tc.h, tc.w)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%d×%d with %+v: %v, want %q", tc.w, tc.h, tc.opt, err, tc.want)
		}
	}
}

// bomb is a valid PNG header that claims 2³¹−1 pixels a side.
func bomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	copy(raw[16:], []byte{0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff})
	return raw
}

func TestUnreadableImages(t *testing.T) {
	good, err := os.ReadFile("testdata/rgb.png")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range subtest.Rows(map[string][]byte{"empty": nil, "text": []byte("no image"), "truncated": good[:len(good)/2], "bomb": bomb(t)}) {
		t.Run(name, func(t *testing.T) {
			if _, err := decodeImage(b, 3); err == nil || !strings.Contains(err.Error(), "unreadable") {
				t.Errorf("%s: %v, want an unreadable image", name, err)
			}
		})
	}
}

// writePNG makes a small picture of one colour.
func writePNG(t *testing.T, path string, w, h int, c color.Color) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		img.Set(i%w, i/w, c)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestImageNetSample(t *testing.T) {
	t.Parallel()
	dir := shared.Path(t)
	s := mustOpen(t, "tar:"+dir+"/data/imagenet_sample/images224.tar?labels=labels.csv", Options{Classes: 1000})
	if s.Len() != 100 || s.Info().Name != "tar:images224.tar" || !slices.Equal(s.Info().Shape, []int{3, 224, 224}) {
		t.Fatalf("%d inputs, %+v", s.Len(), s.Info())
	}
	for i := range s.Len() {
		item, err := s.At(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		if item.Label != 10*i { // every tenth class, in order
			t.Errorf("input %d has label %d, want %d", i, item.Label, 10*i)
		}
	}
	zip := mustOpen(t, "zip:"+dir+"/data/cifar10/train.zip", Options{})
	if zip.Len() != 25000 || zip.Info().Classes != 10 || zip.Info().Labels[3] != "cat" || !slices.Equal(zip.Info().Shape, []int{3, 32, 32}) {
		t.Errorf("zip: %d inputs, %+v", zip.Len(), zip.Info())
	}
}
