package dataset

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
)

func TestArraysAsNumPy(t *testing.T) {
	e := expected(t)
	if len(e.Arrays) < 10 {
		t.Fatalf("only %d arrays in expected.json", len(e.Arrays))
	}
	for name, want := range e.Arrays {
		spec := "npy:testdata/" + name + ",testdata/labels.npy"
		if want.Integer {
			if _, err := Open(context.Background(), spec, Options{}); !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), "?scale=1/255") {
				t.Errorf("%s without a scale: %v, want an error that names ?scale=1/255", name, err)
			}
			spec += "?scale=1/255"
		}
		s := mustOpen(t, spec, Options{})
		for i, label := range []int{3, 1, 4, 1, 5} {
			item, err := s.At(context.Background(), i)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if item.Label != label || hex.EncodeToString(item.SHA256[:]) != want.SHA256[i] || !slices.Equal(item.Shape, []int{2, 3}) {
				t.Errorf("%s, input %d: label %d, shape %v, values %v differ from NumPy's", name, i, item.Label, item.Shape, item.X)
			}
		}
	}
}

// The same array in another container is the same data.
func TestContainersAgree(t *testing.T) {
	e := expected(t)
	for spec, array := range subtest.Rows(map[string]string{
		"npy:testdata/v2.npy,testdata/labels.npy":               "a_le_f4.npy",
		"npy:testdata/fortran.npy,testdata/labels.npy":          "a_le_f4.npy",
		"npz:testdata/stored.npz":                               "a_le_f4.npy",
		"npz:testdata/packed.npz?scale=1/255":                   "a_u1.npy",
		"npz:testdata/packed.npz?x=images&y=labels&scale=1/255": "a_u1.npy",
	}) {
		t.Run(spec, func(t *testing.T) {
			s := mustOpen(t, spec, Options{})
			for i, label := range []int{3, 1, 4, 1, 5} {
				item, err := s.At(context.Background(), i)
				if err != nil {
					t.Fatal(err)
				}
				if item.Label != label || hex.EncodeToString(item.SHA256[:]) != e.Arrays[array].SHA256[i] {
					t.Errorf("%s, input %d: label %d or values differ from %s", spec, i, item.Label, array)
				}
			}
		})
	}
	s := mustOpen(t, "npy:testdata/v2.npy?shape=1x3x2", Options{})
	if item, err := s.At(context.Background(), 4); err != nil || item.Label != -1 || !slices.Equal(item.Shape, []int{1, 3, 2}) {
		t.Errorf("reshaped, no labels: %v, label %d, shape %v", err, item.Label, item.Shape)
	}
}

func TestCSV(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	header := write("header.csv", "\ufeffa,label,b\n1, cat ,2\n3,dog,4.5\n5,cat,1e3\n")
	bare := write("bare.csv", "1,2,0\n3,4,1\n")
	mixed := write("mixed.csv", "a,2,lab\n5,6,x\n")
	words := write("words.csv", "1,2,x\n3,4,y\n")
	for _, tc := range []struct {
		spec   string
		labels []int
		names  []string
		x      [][]float32
	}{
		{header, []int{0, 1, 0}, []string{"cat", "dog"}, [][]float32{{1, 2}, {3, 4.5}, {5, 1000}}},
		{bare, []int{-1, -1}, nil, [][]float32{{1, 2, 0}, {3, 4, 1}}},
		{bare + "?label=2&scale=1/2", []int{0, 1}, nil, [][]float32{{0.5, 1}, {1.5, 2}}},
		{mixed + "?label=2", []int{0}, []string{"x"}, [][]float32{{5, 6}}},
		{words + "?label=2&shape=2x1", []int{0, 1}, []string{"x", "y"}, [][]float32{{1, 2}, {3, 4}}},
	} {
		s := mustOpen(t, "csv:"+tc.spec, Options{})
		if s.Len() != len(tc.labels) || !slices.Equal(s.Info().Labels, tc.names) {
			t.Errorf("%s: %d inputs, names %v", tc.spec, s.Len(), s.Info().Labels)
			continue
		}
		for i := range tc.labels {
			item, err := s.At(context.Background(), i)
			if err != nil || item.Label != tc.labels[i] || !slices.Equal(item.X, tc.x[i]) {
				t.Errorf("%s, input %d: %v, label %d, %v", tc.spec, i, err, item.Label, item.X)
			}
		}
	}
	for text, want := range subtest.Rows(map[string]string{
		"":                    "no first line",
		"a,b\n1,x\n":          `line 2, column 2 ("b"): "x" is not a number`,
		"a,b\n1,2\n3\n":       "wrong number of fields",
		"label\n1\n":          "no column of values",
		"a,b\n":               "holds no input",
		"a,label\n1,2\n\"x\n": "",
	}) {
		t.Run(text, func(t *testing.T) {
			_, err := Open(context.Background(), "csv:"+write("bad.csv", text), Options{})
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", text, err, want)
			}
		})
	}
}

// A value that is not finite spoils its own input only.
func TestNotFinite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("1,2\n1,NaN\n1e999,2\n3,4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, "csv:"+path, Options{})
	for i, bad := range []bool{false, true, true, false} {
		_, err := s.At(context.Background(), i)
		var item *ItemError
		if errors.As(err, &item) != bad || (bad && (item.Index != i || item.Source != "csv:x.csv")) {
			t.Errorf("input %d: %v", i, err)
		}
	}
}

func TestBadArrays(t *testing.T) {
	good, err := os.ReadFile("testdata/a_le_f4.npy")
	if err != nil {
		t.Fatal(err)
	}
	swap := func(old, with string) []byte { return []byte(strings.Replace(string(good), old, with, 1)) }
	for name, tc := range subtest.Rows(map[string]struct {
		b    []byte
		want string
	}{
		"empty":     {nil, "too short"},
		"text":      {[]byte("hello, this is not numpy"), "does not begin like"},
		"truncated": {good[:len(good)-1], "truncated"},
		"header":    {good[:40], "truncated"},
		"version":   {append([]byte("\x93NUMPY\x09"), good[7:]...), "version 9"},
		"absurd":    {swap("(5, 2, 3), ", "(5, 2, 9999999999),"), "truncated"},
		"overflow":  {swap("(5, 2, 3), }          ", "(4294967296,4294967297),}"), "truncated"},
		"negative":  {swap("(5, 2, 3)", "(5,-2, 3)"), "does not name"},
		"zero":      {swap("(5, 2, 3)", "(0, 2, 3)"), "holds no value"},
		"object":    {swap("<f4", "|O8"), "not supported"},
		"flat":      {swap("(5, 2, 3), ", "(30,),     "), "one input along the first dimension"},
		"longhead":  {append([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), good...), "claims 4294967295"},
	}) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.npy")
			if err := os.WriteFile(path, tc.b, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(context.Background(), "npy:"+path, Options{}); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v, want %q", name, err, tc.want)
			}
		})
	}
	for spec, want := range subtest.Rows(map[string]string{
		"npy:testdata/v2.npy,testdata/a_le_f4.npy":          "labels: shape [5 2 3] does not go with 5 inputs",
		"npy:testdata/v2.npy?scale=0":                       "above 0",
		"npy:testdata/v2.npy?scale=1/0":                     "above 0",
		"npy:testdata/v2.npy?scale=NaN":                     "above 0",
		"npy:testdata/v2.npy?shape=7":                       "it has 7 values, an input has 6",
		"npy:testdata/v2.npy?shape=0x6":                     "positive numbers",
		"npz:testdata/stored.npz?x=nope":                    `no array "nope" in it; there are "x", "y"`,
		"npz:testdata/stored.npz?x=y&y=y":                   "both",
		"npz:testdata/packed.npz":                           "?scale=1/255",
		"npz:testdata/v2.npy":                               "not a .npz file",
		"npy:testdata/v2.npy,testdata/labels.npy?classes=0": "from 1",
	}) {
		t.Run(spec, func(t *testing.T) {
			if _, err := Open(context.Background(), spec, Options{}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", spec, err, want)
			}
		})
	}
	if _, err := Open(context.Background(), "npy:testdata/v2.npy", Options{Resize: 8}); !errors.Is(err, ErrSpec) {
		t.Errorf("resizing an array: %v, want ErrSpec", err)
	}
}
