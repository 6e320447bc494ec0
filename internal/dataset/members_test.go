package dataset

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
)

func zipped(t testing.TB, change func(*zip.FileHeader), names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, name := range names {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if change != nil {
			change(h)
		}
		f, err := w.CreateHeader(h)
		if err == nil && !strings.HasSuffix(name, "/") {
			_, err = f.Write(onePNG(t, uint8(i)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t testing.TB, change func(*tar.Header), names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, name := range names {
		body := onePNG(t, uint8(i))
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(body))}
		if strings.HasSuffix(name, "/") {
			h.Typeflag, h.Size = tar.TypeDir, 0
		}
		if change != nil {
			change(h)
		}
		err := w.WriteHeader(h)
		if err == nil && h.Size > 0 {
			_, err = w.Write(body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The members of an archive are read where their names and kinds leave no doubt, and told or
// refused otherwise.
func TestMembersOfArchives(t *testing.T) {
	asLink := func(h *tar.Header) {
		if strings.Contains(h.Name, "link") {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, "../a/1.png", 0
		}
	}
	method := func(m uint16) []byte {
		b := zipped(t, nil, "a/1.png", "b/1.png")
		// The method stands at byte 10 of an entry of the directory.
		at := bytes.Index(b, []byte("PK\x01\x02"))
		b[at+10] = byte(m)
		return b
	}
	encrypted := zipped(t, nil, "a/1.png", "b/1.png")
	encrypted[bytes.Index(encrypted, []byte("PK\x01\x02"))+8] |= 1
	zipLink := func(h *zip.FileHeader) {
		if strings.Contains(h.Name, "link") {
			h.SetMode(os.ModeSymlink | 0o777)
		}
	}
	for name, tc := range subtest.Rows(map[string]struct {
		kind    string
		data    []byte
		inputs  int
		classes string
		want    string // in the notes, or in the error where there are no inputs
	}{
		"plain zip":              {"zip", zipped(t, nil, "a/1.png", "b/1.png"), 2, "a b", ""},
		"plain tar":              {"tar", tarred(t, nil, "./a/1.png", "./b/1.png"), 2, "a b", ""},
		"parent in a zip":        {"zip", zipped(t, nil, "a/1.png", "../b/1.png"), 0, "", `member "../b/1.png" leads through ".."`},
		"parent in a tar":        {"tar", tarred(t, nil, "a/1.png", "a/../b/1.png"), 0, "", `leads through ".."`},
		"parent, backslashes":    {"zip", zipped(t, nil, "a/1.png", `..\b\1.png`), 0, "", `leads through ".."`},
		"absolute zip":           {"zip", zipped(t, nil, "/a/1.png", "/b/1.png"), 2, "a b", "2 images have absolute names"},
		"one absolute":           {"tar", tarred(t, nil, "a/1.png", "/b/1.png"), 2, "a b", `1 images have absolute names, such as "/b/1.png"`},
		"backslashes in a zip":   {"zip", zipped(t, nil, `a\1.png`, `b\1.png`), 2, "a b", "which separate its folders"},
		"backslashes in a tar":   {"tar", tarred(t, nil, `a\1.png`, `b\1.png`), 2, "", "which are no folders"},
		"twice in a zip":         {"zip", zipped(t, nil, "a/1.png", "b/1.png", "a/1.png"), 0, "", `two images are named "a/1.png"`},
		"twice but for slashes":  {"zip", zipped(t, nil, "a/1.png", "b/1.png", `a\1.png`), 0, "", `two images are named "a/1.png"`},
		"twice in a tar":         {"tar", tarred(t, nil, "a/1.png", "./a/1.png"), 0, "", `two images are named "a/1.png"`},
		"a link in a tar":        {"tar", tarred(t, asLink, "a/1.png", "b/1.png", "b/link.png"), 2, "a b", `1 images are links, such as "b/link.png"`},
		"a link in a zip":        {"zip", zipped(t, zipLink, "a/1.png", "b/1.png", "b/link.png"), 2, "a b", "are left out"},
		"an empty folder, zip":   {"zip", zipped(t, nil, "a/1.png", "b/", "c/1.png"), 2, "a c", `count as no class: "b"`},
		"an empty folder, tar":   {"tar", tarred(t, nil, "a/1.png", "b/", "c/1.png"), 2, "a c", `count as no class: "b"`},
		"encrypted":              {"zip", encrypted, 0, "", `member "a/1.png" is encrypted; unpack the archive with its password first`},
		"packed by bzip2":        {"zip", method(12), 0, "", "is packed by method 12"},
		"packed by zstd":         {"tar", []byte("\x28\xb5\x2f\xfd and more"), 0, "", "packed with zstd, which is not read here; unpack it with zstd -d"},
		"a 7z archive":           {"zip", []byte("7z\xbc\xaf\x27\x1c and more"), 0, "", "use folder:DIR"},
		"a rar archive":          {"zip", []byte("Rar!\x1a\x07\x00 and more"), 0, "", "packed with rar"},
		"control characters":     {"zip", zipped(t, nil, "a/1.png", "../\x1b[31m.png"), 0, "", `\x1b[31m`},
		"gzip around a tar":      {"tar", gzipped(t, tarred(t, nil, "a/1.png", "b/1.png")), 2, "a b", ""},
		"bzip2 around a tar":     {"tar", unbase64(t, tarBZ2), 2, "a b", ""},
		"xz around a tar":        {"tar", unbase64(t, tarXZ), 2, "a b", ""},
		"bzip2, damaged":         {"tar", unbase64(t, tarBZ2)[:100], 0, "", "damaged or truncated, fetch it again"},
		"xz, damaged":            {"tar", unbase64(t, tarXZ)[:100], 0, "", "damaged or truncated, fetch it again"},
		"xz, a large dictionary": {"tar", []byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x28\x00\x00\x00"), 0, "", "more than 268435456 bytes of memory"},
	}) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(writeFiles(t, map[string][]byte{"set": tc.data}), "set")
			s, err := Open(context.Background(), tc.kind+":"+strings.ReplaceAll(path, ",", "%2C"), Options{})
			if tc.inputs == 0 {
				if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%v, want %q", err, tc.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			info := s.Info()
			if s.Len() != tc.inputs || strings.Join(info.Labels, " ") != tc.classes {
				t.Errorf("%d inputs, classes %q", s.Len(), info.Labels)
			}
			if notes := strings.Join(info.Notes, "\n"); !strings.Contains(notes, tc.want) || (tc.want == "") != (notes == "") {
				t.Errorf("notes %q, want %q", notes, tc.want)
			}
			labelsOf(t, s)
		})
	}
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unbase64(t testing.TB, text string) []byte {
	t.Helper()
	b, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tarBZ2 is a tar of two pictures, a/1.png and b/1.png, packed by Python's bz2.
const tarBZ2 = "QlpoOTFBWSZTWbhL8VsAAMR///zaQBBAAfWAPuFVIHiBXkAQIAAEAAEIIAACICIAEAgIMAC4DAaAAAaAAAAAAYDQAADQAAAAAAqoRJtQ0aep6h6gaeoyZNNqAZPRNqfrCk0qV8yMn3IEaGZncrzUIQgh293u71JFUsY1BBCIqdatOyorWNJnWNVtjEQ4ESDUkgqYU7KsYEypF1M06MzQ2J2N6tSSKLa0MCtasaWxiWq1B7N2tu2tbY/HkuXLlyK9uc7ep3owveiRA/xdyRThQkLhL8Vs"

// tarXZ is a tar of two pictures, a/1.png and b/1.png, packed by Python's lzma.
const tarXZ = "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4Cf/AJldADCLwiMBk7kIV9CzOxEA6uW0+dEKRVhxexoJYCh5CEA08F7rYj7DYVJZ8ki0Y9rf++oFxq87iUDsHeqG414AZE67+I/klemAz/gS0LuGTZwhVMbkSqtczv8EBf+vCNPTQB3L+Tlm14Pb1vjf8dJpzKR6M6lMeIz6579g2t9LyZzMVrrxXG7MYpnRCfXQbA+2h09AL+yhJHeEAAAAAADgkn2pWQA2mwABtQGAUAAAIOfXNbHEZ/sCAAAAAARZWg=="
