package dataset

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/npy"
	"ucan/smooth"
)

func TestParseSpec(t *testing.T) {
	t.Setenv("HOME", "/home/someone")
	for text, want := range subtest.Rows(map[string]Spec{
		"mnist:a/b?split=train":                 {Kind: "mnist", Paths: []string{"a/b"}, Params: map[string]string{"split": "train"}},
		"CIFAR10:x.bin,y.bin.gz":                {Kind: "cifar10", Paths: []string{"x.bin", "y.bin.gz"}, Params: map[string]string{}},
		`folder:C:\data`:                        {Kind: "folder", Paths: []string{`C:\data`}, Params: map[string]string{}},
		"npy:a%2Cb.npy?scale=1/255":             {Kind: "npy", Paths: []string{"a,b.npy"}, Params: map[string]string{"scale": "1/255"}},
		"npz:~/d.npz?x=a&y=b":                   {Kind: "npz", Paths: []string{"/home/someone/d.npz"}, Params: map[string]string{"x": "a", "y": "b"}},
		"digits":                                {Kind: "digits", Params: map[string]string{}},
		"tar:t.tar?labels=l%26.csv&label=class": {Kind: "tar", Paths: []string{"t.tar"}, Params: map[string]string{"labels": "l&.csv", "label": "class"}},
	}) {
		t.Run(text, func(t *testing.T) {
			got, err := ParseSpec(text)
			if err != nil || got.Kind != want.Kind || !slices.Equal(got.Paths, want.Paths) || len(got.Params) != len(want.Params) {
				t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
				return
			}
			for k, v := range want.Params {
				if got.Params[k] != v {
					t.Errorf("%s: option %s is %q, want %q", text, k, got.Params[k], v)
				}
			}
		})
	}
	for text, want := range subtest.Rows(map[string]string{
		"":                            "no kind of source",
		"imagenet:x":                  `unknown kind of source "imagenet"; use one of mnist`,
		"mnist":                       "write it as mnist:DIR",
		"mnist:":                      "an empty path",
		"mnist:a,b":                   "2 paths given",
		"npy:a,b,c":                   "3 paths given",
		"mnist:a?split":               "is not key=value",
		"mnist:a?split=":              "is not key=value",
		"mnist:a?x=1":                 `unknown key "x"; mnist takes classes, split`,
		"mnist:a?split=t&split=u":     "given twice",
		"npy:%zz":                     "literal %",
		"npz:a?x=%zz":                 "literal %",
		"mnist:a\x00b":                "NUL",
		"cifar10:a,,b":                "an empty path",
		"mnist:/nonexistent?split=no": "want t10k or train",
		"mnist:/nonexistent":          "no such file",
	}) {
		t.Run(text, func(t *testing.T) {
			_, err := Open(context.Background(), text, Options{})
			if !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", text, err, want)
			}
		})
	}
	for _, opt := range []Options{{Resize: -1}, {Crop: -1}, {Resize: 1 << 20}, {Classes: -1}} {
		if _, err := Open(context.Background(), "digits", opt); !errors.Is(err, ErrSpec) {
			t.Errorf("%+v: %v, want ErrSpec", opt, err)
		}
	}
}

// checkAll reads every input of a source that opened, within reason.
func checkAll(t *testing.T, back backend, info Info) {
	t.Helper()
	s := &Source{back: back, info: info}
	if err := s.finish(context.Background(), Spec{Params: map[string]string{}}); err != nil {
		return
	}
	size := 1
	for _, d := range s.info.Shape {
		size *= d
	}
	for i := range min(s.Len(), 20) {
		item, err := s.At(context.Background(), i)
		var fault *ItemError
		if err != nil {
			if !errors.As(err, &fault) {
				t.Errorf("input %d: %v is not an ItemError", i, err)
			}
			continue
		}
		if len(item.X) != size || item.SHA256 != smooth.InputID(item.X) || item.Label < -1 {
			t.Errorf("input %d: %d values for shape %v, label %d", i, len(item.X), s.info.Shape, item.Label)
		}
		for _, v := range item.X {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) || (info.Image && (v < 0 || v > 1)) {
				t.Errorf("input %d holds %v", i, v)
			}
		}
	}
}

func FuzzSpec(f *testing.F) {
	for _, s := range []string{"mnist:a?split=train", "cifar10:a,b", "digits?n=3&seed=1", "npz:~/x?x=%41", "::,,??&&=="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := ParseSpec(text)
		if err != nil {
			if !errors.Is(err, ErrSpec) {
				t.Errorf("%q: %v is not ErrSpec", text, err)
			}
			return
		}
		for _, p := range spec.Paths {
			if p == "" {
				t.Errorf("%q: an empty path came through", text)
			}
		}
	})
}

func FuzzIDX(f *testing.F) {
	f.Add(idxBytes([]int{2, 2, 2}, ramp(8)), idxBytes([]int{2}, []byte{1, 11}))
	f.Add(idxBytes([]int{1 << 30, 1 << 14, 1 << 14}, nil), []byte{})
	f.Fuzz(func(t *testing.T, images, labels []byte) {
		s, err := newIDXStore(memoryBlob(images), memoryBlob(labels))
		if err == nil {
			checkAll(t, s, Info{Name: "fuzz", Shape: []int{1, s.header.dims[1], s.header.dims[2]}, Classes: 10, Image: true})
		} else if !errors.Is(err, ErrFormat) {
			t.Errorf("%v is not ErrFormat", err)
		}
	})
}

func FuzzCIFAR(f *testing.F) {
	f.Add(ramp(3073), true)
	f.Add(ramp(2*3074), false)
	f.Fuzz(func(t *testing.T, b []byte, ten bool) {
		s, classes := &cifarStore{labelBytes: 1}, 10
		if !ten {
			s, classes = &cifarStore{labelBytes: 2, labelAt: 1}, 100
		}
		if err := s.add(memoryBlob(b)); err == nil {
			checkAll(t, s, Info{Name: "fuzz", Shape: []int{3, 32, 32}, Classes: classes, Image: true})
		}
	})
}

func FuzzNPY(f *testing.F) {
	for _, name := range []string{"a_le_f2", "a_be_f8", "a_i1", "v2", "fortran", "labels"} {
		f.Add(mustRead(f, "testdata/"+name+".npy"))
	}
	labels := mustRead(f, "testdata/labels.npy")
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := openArray(memoryBlob(b))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("%v is not ErrFormat", err)
			}
			return
		}
		y, err := openArray(memoryBlob(labels))
		if err != nil {
			t.Fatal(err)
		}
		for _, labelled := range []*npy.Array{nil, y, x} {
			s := &arrayStore{}
			if info, err := s.assemble(Spec{Kind: "npy", Params: map[string]string{"scale": "1/255"}}, x, labelled); err == nil {
				checkAll(t, s, info)
			}
		}
	})
}

func FuzzNPZ(f *testing.F) {
	f.Add(mustRead(f, "testdata/stored.npz"))
	f.Add(mustRead(f, "testdata/packed.npz"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &arrayStore{}
		info, err := s.fromNPZ(context.Background(), Spec{Kind: "npz", Params: map[string]string{"scale": "1"}}, memoryBlob(b))
		if err == nil {
			checkAll(t, s, info)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("a,label,b\n1,cat,2\n3,dog,4\n"), "")
	f.Add([]byte("1,2\n3,1e999\n"), "1")
	f.Add([]byte("a;b\n1,5;2\n"), "b")
	f.Add([]byte("\xff\xfea\x00;\x00b\x00\n\x001\x00;\x002\x00"), "")
	f.Fuzz(func(t *testing.T, b []byte, label string) {
		spec := Spec{Kind: "csv", Params: map[string]string{}}
		if label != "" {
			spec.Params["label"] = label
		}
		s, info, err := parseCSV(context.Background(), memoryBlob(b), spec)
		if err == nil {
			checkAll(t, s, info)
		} else if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrSpec) {
			t.Errorf("%v is neither ErrFormat nor ErrSpec", err)
		}
	})
}

func FuzzArchives(f *testing.F) {
	f.Add([]byte("PK\x05\x06"), true)
	f.Add(ramp(1024), false)
	f.Fuzz(func(t *testing.T, b []byte, isZip bool) {
		s := &imageStore{closer: func() error { return nil }}
		var err error
		if isZip {
			err = s.addZip(memoryBlob(b))
		} else {
			err = s.addTar(context.Background(), memoryBlob(b))
		}
		if err != nil || len(s.entries) == 0 {
			return
		}
		if info, err := s.assemble(context.Background(), Spec{Kind: "zip", Paths: []string{"x"}, Params: map[string]string{}}); err == nil {
			checkAll(t, s, info)
		}
	})
}

func FuzzImage(f *testing.F) {
	for _, name := range []string{"rgb.png", "palette.png", "j420.jpg", "lossy.webp", "rgb.bmp", "rgb.tiff"} {
		f.Add(mustRead(f, "testdata/"+name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := decodeImage(b, 3)
		if err == nil && len(img.pix) != 3*img.w*img.h {
			t.Errorf("%d bytes for %d×%d pixels", len(img.pix), img.w, img.h)
		}
	})
}

func FuzzLabels(f *testing.F) {
	f.Add([]byte("file,label\na,1\n"), "")
	f.Add([]byte("a,1\nb,2\n"), "x")
	f.Fuzz(func(t *testing.T, b []byte, column string) {
		if _, err := parseLabels(memoryBlob(b), column); err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrSpec) {
			t.Errorf("%v is neither ErrFormat nor ErrSpec", err)
		}
	})
}
