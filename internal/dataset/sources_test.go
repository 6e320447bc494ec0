package dataset

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ucan/fixtures/digits"
	"ucan/fixtures/subtest"
)

// idxBytes makes an IDX file of bytes.
func idxBytes(dims []int, data []byte) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, data...)
}

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func writeFiles(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func ramp(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func TestMNISTFaults(t *testing.T) {
	images, labels := idxBytes([]int{3, 2, 2}, ramp(12)), idxBytes([]int{3}, []byte{7, 10, 9})
	const in, ln = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
	for name, tc := range subtest.Rows(map[string]struct {
		files map[string][]byte
		kind  error
		want  string
	}{
		"none":        {map[string][]byte{"x": nil}, ErrSpec, "holds no images of the split t10k"},
		"no labels":   {map[string][]byte{in: images}, ErrSpec, "holds no labels"},
		"truncated":   {map[string][]byte{in: images[:20], ln: labels}, ErrFormat, "truncated"},
		"appended":    {map[string][]byte{in: append(slices.Clone(images), 1), ln: labels}, ErrFormat, "something appended"},
		"magic":       {map[string][]byte{in: labels, ln: labels}, ErrFormat, "magic number 00000801, want 00000803"},
		"absurd":      {map[string][]byte{in: idxBytes([]int{3, 1 << 31, 1 << 31}, nil), ln: labels}, ErrFormat, "impossible"},
		"many":        {map[string][]byte{in: idxBytes([]int{1<<32 - 1, 28, 28}, nil), ln: labels}, ErrFormat, "impossible"},
		"count":       {map[string][]byte{in: images, ln: idxBytes([]int{2}, []byte{1, 2})}, ErrFormat, "3 images but 2 labels"},
		"empty":       {map[string][]byte{in: nil, ln: labels}, ErrFormat, "too short"},
		"gzip broken": {map[string][]byte{in: gz(t, images)[:25], ln: labels}, ErrFormat, "damaged or truncated"},
	}) {
		t.Run(name, func(t *testing.T) {
			dir := writeFiles(t, tc.files)
			if _, err := Open(context.Background(), "mnist:"+dir, Options{}); !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, want %q", name, err, tc.want)
			}
		})
	}
	// The good pair, gzipped or under the other name, and a label outside the classes.
	dir := writeFiles(t, map[string][]byte{"t10k-images.idx3-ubyte": gz(t, images), ln + ".gz": gz(t, labels)})
	s := mustOpen(t, "mnist:"+dir, Options{})
	item, err := s.At(context.Background(), 0)
	if err != nil || item.Label != 7 || !slices.Equal(item.X, []float32{0, 1. / 255, 2. / 255, 3. / 255}) || !slices.Equal(item.Shape, []int{1, 2, 2}) {
		t.Errorf("input 0: %+v, %v", item, err)
	}
	var fault *ItemError
	if item, err := s.At(context.Background(), 1); !errors.As(err, &fault) || item.Label != 10 || item.X != nil {
		t.Errorf("label 10: %+v, %v; want an ItemError that keeps the label", item, err)
	}
	if _, err := s.At(context.Background(), 2); err != nil {
		t.Errorf("the input after a bad one: %v", err)
	}
	wide := mustOpen(t, "mnist:"+dir+"?classes=11", Options{})
	if item, err := wide.At(context.Background(), 1); err != nil || item.Label != 10 {
		t.Errorf("with 11 classes: %+v, %v", item, err)
	}
	for _, i := range []int{-1, 3} {
		if _, err := s.At(context.Background(), i); err == nil || errors.As(err, &fault) {
			t.Errorf("index %d: %v, want an error of the call", i, err)
		}
	}
}

func TestCIFAR(t *testing.T) {
	record := func(label byte) []byte { return append([]byte{label}, ramp(3072)...) }
	dir := writeFiles(t, map[string][]byte{
		"a.bin": slices.Concat(record(3), record(4)), "b.bin.gz": gz(t, record(5)), "short.bin": record(1)[:3000], "c100.bin": append([]byte{9}, record(42)...), "empty.bin": nil,
	})
	s := mustOpen(t, "cifar10:"+dir+"/a.bin,"+dir+"/b.bin.gz", Options{})
	if s.Len() != 3 || s.Info().Name != "cifar10:a.bin,b.bin" {
		t.Errorf("%d inputs, name %q", s.Len(), s.Info().Name)
	}
	for i, want := range []int{3, 4, 5} {
		item, err := s.At(context.Background(), i)
		// the first value of the green plane is byte 1024 of the ramp, that is 0
		if err != nil || item.Label != want || item.X[1] != 1./255 || item.X[1024+7] != 7./255 || item.X[1023] != 1 {
			t.Errorf("input %d: label %d, %v", i, item.Label, err)
		}
	}
	for label, want := range subtest.Rows(map[string]int{"": 42, "?label=coarse": 9, "?label=fine": 42}) {
		t.Run(label, func(t *testing.T) {
			s := mustOpen(t, "cifar100:"+dir+"/c100.bin"+label, Options{})
			if item, err := s.At(context.Background(), 0); err != nil || item.Label != want {
				t.Errorf("cifar100%s: label %d, %v; want %d", label, item.Label, err, want)
			}
		})
	}
	for spec, want := range subtest.Rows(map[string]string{"/short.bin": "3000 bytes are not a whole number of 3073-byte records", "/empty.bin": "not a whole number", "/none.bin": "check the path", "": "is a folder"}) {
		t.Run(spec, func(t *testing.T) {
			if _, err := Open(context.Background(), "cifar10:"+dir+spec, Options{}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", spec, err, want)
			}
		})
	}
}

func TestDigits(t *testing.T) {
	s := mustOpen(t, "digits?n=12&seed=5", Options{})
	if s.Len() != 12 || s.Info().Name != "digits:n=12,seed=5" {
		t.Errorf("%d inputs, name %q", s.Len(), s.Info().Name)
	}
	want := make([]float32, digits.Pixels)
	label := digits.New(5).Image(11, want)
	item, err := s.At(context.Background(), 11)
	if err != nil || item.Label != label || !slices.Equal(item.X, want) {
		t.Errorf("digit 11: label %d, %v; or its values are not the generator's", item.Label, err)
	}
	small := mustOpen(t, "digits?n=1", Options{Resize: 14, Crop: 10})
	if item, err := small.At(context.Background(), 0); err != nil || !slices.Equal(item.Shape, []int{1, 10, 10}) || !slices.Equal(small.Info().Shape, item.Shape) {
		t.Errorf("resized: shape %v, %v", item.Shape, err)
	}
	for _, spec := range []string{"digits?n=0", "digits?n=x", "digits?seed=-1", "digits:x", "digits?m=1"} {
		if _, err := Open(context.Background(), spec, Options{}); !errors.Is(err, ErrSpec) {
			t.Errorf("%s: %v, want ErrSpec", spec, err)
		}
	}
}

// imageTree writes the same pictures as folder, zip and tar, plain and gzipped.
func imageTree(t *testing.T) (specs []string) {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "set")
	for i, name := range []string{"dog/b.png", "dog/a.png", "cat/z.png", "cat/deep/y.png", "ant/x.png"} {
		writePNG(t, filepath.Join(root, filepath.FromSlash(name)), 4, 3, color.RGBA{uint8(50 * i), 10, 20, 255})
	}
	for _, junk := range []string{"dog/.hidden.png", "__MACOSX/cat.png", "notes.txt"} {
		path := filepath.Join(root, filepath.FromSlash(junk))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var zb, tb bytes.Buffer
	zw, tw := zip.NewWriter(&zb), tar.NewWriter(&tb)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		w, err := zw.Create(filepath.ToSlash(rel))
		if err != nil {
			return err
		}
		if _, err = w.Write(b); err != nil {
			return err
		}
		if err = tw.WriteHeader(&tar.Header{Name: "./" + filepath.ToSlash(rel), Size: int64(len(b)), Mode: 0o644}); err != nil {
			return err
		}
		_, err = tw.Write(b)
		return err
	})
	if err = errors.Join(err, zw.Close(), tw.Close()); err != nil {
		t.Fatal(err)
	}
	files := writeFiles(t, map[string][]byte{"s.zip": zb.Bytes(), "s.tar": tb.Bytes(), "s.tar.gz": gz(t, tb.Bytes())})
	return []string{"folder:" + root, "zip:" + files + "/s.zip", "tar:" + files + "/s.tar", "tar:" + files + "/s.tar.gz"}
}

func TestImageSourcesAgree(t *testing.T) {
	t.Parallel()
	specs := imageTree(t)
	// sorted by path: ant/x, cat/deep/y, cat/z, dog/a, dog/b
	labels, reds := []int{0, 1, 1, 2, 2}, []int{200, 150, 100, 50, 0}
	for _, spec := range specs {
		s := mustOpen(t, spec, Options{})
		if s.Len() != 5 || !slices.Equal(s.Info().Labels, []string{"ant", "cat", "dog"}) || s.Info().Classes != 3 || !slices.Equal(s.Info().Shape, []int{3, 3, 4}) {
			t.Errorf("%s: %d inputs, %+v", spec, s.Len(), s.Info())
			continue
		}
		for i := range labels {
			item, err := s.At(context.Background(), i)
			if err != nil || item.Label != labels[i] || item.X[0] != float32(reds[i])/255 {
				t.Errorf("%s, input %d: label %d, red %v, %v", spec, i, item.Label, item.X[0]*255, err)
			}
		}
	}
}

func TestBadImageAmongGood(t *testing.T) {
	dir := t.TempDir()
	writePNG(t, filepath.Join(dir, "a", "1.png"), 4, 4, color.Black)
	writePNG(t, filepath.Join(dir, "b", "2.png"), 5, 4, color.White)
	if err := os.WriteFile(filepath.Join(dir, "b", "3.png"), []byte("not a picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, "folder:"+dir, Options{})
	for i, want := range map[int]string{1: "declare --resize and --crop", 2: "unreadable image"} {
		var fault *ItemError
		item, err := s.At(context.Background(), i)
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), want) || item.Label != 1 {
			t.Errorf("input %d: label %d, %v; want %q", i, item.Label, err, want)
		}
	}
	if err := os.Remove(filepath.Join(dir, "a", "1.png")); err != nil {
		t.Fatal(err)
	}
	var fault *ItemError
	if _, err := s.At(context.Background(), 0); !errors.As(err, &fault) {
		t.Errorf("a file that went away: %v, want an ItemError", err)
	}
	crop := mustOpen(t, "folder:"+dir, Options{Crop: 4})
	if item, err := crop.At(context.Background(), 0); err != nil || !slices.Equal(item.Shape, []int{3, 4, 4}) {
		t.Errorf("cropped: %v, %v", item.Shape, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.At(ctx, 1); !errors.Is(err, context.Canceled) || errors.As(err, &fault) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestLabelsAndChannels(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		writePNG(t, filepath.Join(dir, "img", fmt.Sprintf("%d.png", i)), 2, 2, color.Gray{Y: uint8(i)})
	}
	csv := func(text string) string {
		path := filepath.Join(dir, "l.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tc := range []struct {
		text, extra string
		labels      []int
		names       []string
	}{
		{"file,class_index,label\n0.png,5,x\n1.png,6,y\n3.png,5,x\n", "", []int{5, 6, -1, 5}, nil},
		{"file,class_index,label\n0.png,5,x\n1.png,6,y\n3.png,5,x\n", "&label=label", []int{0, 1, -1, 0}, []string{"x", "y"}},
		{"some/0.png,2\nsome/1.png,\n", "", []int{2, -1, -1, -1}, nil},
	} {
		s := mustOpen(t, "folder:"+filepath.Join(dir, "img")+"?labels="+csv(tc.text)+tc.extra, Options{})
		for i, want := range tc.labels {
			if item, err := s.At(context.Background(), i); err != nil || item.Label != want {
				t.Errorf("%q%s, input %d: label %d, %v; want %d", tc.text, tc.extra, i, item.Label, err, want)
			}
		}
		if !slices.Equal(s.Info().Labels, tc.names) {
			t.Errorf("%q%s: names %v, want %v", tc.text, tc.extra, s.Info().Labels, tc.names)
		}
	}
	for text, want := range subtest.Rows(map[string]string{
		"":                        "no first line",
		"x.png,1\n":               "none of its 1 files is in the source",
		"a/0.png,1\nb/0.png,2\n":  "several rows have that file name",
		"0.png,1\n0.png,2\n":      "two labels",
		"file,zzz\n0.png,1\n":     "no column of file names",
		"0.png\n":                 "one column only",
		"file,label\n0.png,1,2\n": "wrong number of fields",
	}) {
		t.Run(text, func(t *testing.T) {
			if _, err := Open(context.Background(), "folder:"+filepath.Join(dir, "img")+"?labels="+csv(text), Options{}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", text, err, want)
			}
		})
	}
	for extra, want := range subtest.Rows(map[string]int{"?channels=1": 1, "?channels=3": 3, "": 3}) {
		t.Run(extra, func(t *testing.T) { // RGBA files are colour
			if s := mustOpen(t, "folder:"+filepath.Join(dir, "img")+extra, Options{}); s.Info().Shape[0] != want {
				t.Errorf("%q: shape %v, want %d channels", extra, s.Info().Shape, want)
			}
		})
	}
	grey := writeFiles(t, map[string][]byte{"x/gray.png": mustRead(t, "testdata/gray.png"), "y/gray.jpg": mustRead(t, "testdata/gray.jpg")})
	if s := mustOpen(t, "folder:"+grey, Options{}); s.Info().Shape[0] != 1 {
		t.Errorf("grey files: shape %v, want 1 channel", s.Info().Shape)
	}
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNumericFoldersAreClasses(t *testing.T) {
	dir := t.TempDir()
	for _, class := range []string{"2", "10", "7"} {
		writePNG(t, filepath.Join(dir, class, "i.png"), 2, 2, color.Black)
	}
	s := mustOpen(t, "folder:"+dir, Options{})
	var got []int
	for i := range s.Len() {
		item, err := s.At(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item.Label)
	}
	if !slices.Equal(got, []int{10, 2, 7}) || s.Info().Classes != 11 {
		t.Errorf("labels %v of %d classes, want 10, 2, 7 of 11", got, s.Info().Classes)
	}
}

func TestLabelMap(t *testing.T) {
	m, err := ReadLabelMap(strings.NewReader("# source, model\ncat,281\n\"dog: big\": 207\n 2\t5\n"))
	if err != nil || len(m) != 3 || m["cat"] != 281 || m["dog: big"] != 207 || m["2"] != 5 {
		t.Fatalf("%v, %v", m, err)
	}
	for _, text := range []string{"", "cat\n", "cat,-1\n", "cat,x\n", ",3\n", "a,1\na,2\n"} {
		if _, err := ReadLabelMap(strings.NewReader(text)); !errors.Is(err, ErrSpec) {
			t.Errorf("%q: %v, want ErrSpec", text, err)
		}
	}
	specs := imageTree(t)
	s := mustOpen(t, specs[0], Options{LabelMap: LabelMap{"ant": 9, "1": 4}, Classes: 10})
	var fault *ItemError
	for i, want := range []int{9, 4, 4} {
		if item, err := s.At(context.Background(), i); err != nil || item.Label != want {
			t.Errorf("input %d: label %d, %v; want %d", i, item.Label, err, want)
		}
	}
	if _, err := s.At(context.Background(), 3); !errors.As(err, &fault) || !strings.Contains(err.Error(), `no class for "dog"`) {
		t.Errorf("unmapped: %v", err)
	}
	few := mustOpen(t, specs[0], Options{Classes: 2})
	if _, err := few.At(context.Background(), 4); !errors.As(err, &fault) || !strings.Contains(err.Error(), "the model's 2 classes") {
		t.Errorf("outside the model's classes: %v", err)
	}
}

// The fingerprint tells data apart, and is the same for the same data.
func TestFingerprint(t *testing.T) {
	record := append([]byte{1}, ramp(3072)...)
	other := slices.Clone(record)
	other[100] ^= 1
	dir := writeFiles(t, map[string][]byte{"a.bin": record, "b/a.bin.gz": gz(t, record), "c/a.bin": other})
	print := func(name string) string { return mustOpen(t, "cifar10:"+dir+name, Options{}).Info().Fingerprint }
	a, b, c := print("/a.bin"), print("/b/a.bin.gz"), print("/c/a.bin")
	if len(a) != 64 || a != b || a == c {
		t.Errorf("fingerprints %s, %s, %s: want the first two equal, the third another", a, b, c)
	}
}

// Any number of goroutines may read, in any order, and get the same.
func TestConcurrentAccess(t *testing.T) {
	for _, spec := range append(imageTree(t), "digits?n=5", "npy:testdata/v2.npy", "npz:testdata/packed.npz?scale=1/255") {
		s := mustOpen(t, spec, Options{})
		want := make([][32]byte, s.Len())
		for i := range want {
			item, err := s.At(context.Background(), i)
			if err != nil {
				t.Fatal(err)
			}
			want[i] = item.SHA256
		}
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for k := range 3 * s.Len() {
					i := (k*7 + g) % s.Len()
					item, err := s.At(context.Background(), i)
					if err != nil || item.SHA256 != want[i] {
						t.Errorf("%s, input %d: %v or another digest", spec, i, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

// A long stream goes through a temporary file, a short one through memory, and
// both give the same bytes.
func TestSpill(t *testing.T) {
	subtest.Long(t)
	t.Setenv("TMPDIR", t.TempDir())
	const n = inflateInMemory + 1<<20
	b, err := spill(context.Background(), io.LimitReader(pattern{}, n), n)
	if err != nil {
		t.Fatal(err)
	}
	if b.size != n {
		t.Errorf("%d bytes, want %d", b.size, n)
	}
	for _, off := range []int64{0, inflateInMemory - 3, n - 8} {
		got := make([]byte, 8)
		if err := b.readAt(got, off); err != nil || !slices.Equal(got, bytes.Repeat([]byte("ab"), 5)[off%2:][:8]) {
			t.Errorf("at %d: %q, %v", off, got, err)
		}
	}
	if err := b.readAt(make([]byte, 8), n-7); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("beyond the end: %v", err)
	}
	if err := b.close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("%d temporary files are left, %v", len(left), err)
	}
}

// pattern is an endless stream of "ab" for reads of even length.
type pattern struct{}

func (pattern) Read(p []byte) (int, error) {
	n := len(p) &^ 1
	if n == 0 {
		return 0, io.ErrShortBuffer
	}
	for i := range n {
		p[i] = "ab"[i%2]
	}
	return n, nil
}
