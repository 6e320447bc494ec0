package dataset

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
)

// The figures are numpy.std(x, axis=0) of the same columns.
func TestSpread(t *testing.T) {
	dir := writeFiles(t, map[string][]byte{
		"x.csv":     []byte("id,a,b,cls\n7,1,100,0\n3,2,300,1\n9,4,NaN,0\n5,6,800,1\n"),
		"train.csv": []byte("id,a,b,cls\n1,1,0,0\n9,3,8000,1\n"),
		"other.csv": []byte("id,a,c,cls\n1,1,0,0\n9,3,8000,1\n"),
		"wide.csv":  []byte("id,a,b,c,cls\n1,1,0,5,0\n9,3,8000,6,1\n"),
		"flat.csv":  []byte("a,b,label\n1,5,0\n2,5,1\n"),
	})
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, tc := range subtest.Rows(map[string]struct {
		spec string
		std  []float64 // nil: an error
		want string    // in the sentence about it, or in the error
	}{
		"its own":       {"csv:" + path("x.csv") + "?drop=id&label=cls", []float64{math.Sqrt(14.0 / 3), math.Sqrt(260000.0 / 3)}, "over 3 inputs of these data themselves (csv:x.csv?drop=id"},
		"training data": {"csv:" + path("x.csv") + "?drop=id&label=cls&stats=" + path("train.csv"), []float64{1, 4000}, "over 2 inputs of csv:train.csv?drop=id"},
		"other columns": {"csv:" + path("x.csv") + "?drop=id&label=cls&stats=" + path("other.csv"), nil, "name data of the same columns"},
		"more columns":  {"csv:" + path("x.csv") + "?drop=id&label=cls&stats=" + path("wide.csv"), nil, "has shape [3]"},
		"no such file":  {"csv:" + path("x.csv") + "?drop=id&label=cls&stats=" + path("none.csv"), nil, "none.csv"},
		"constant":      {"csv:" + path("flat.csv"), nil, `column 2 ("b") does not vary over the 2 inputs of csv:flat.csv`},
		"images":        {"digits?n=3", nil, "holds images"},
	}) {
		t.Run(name, func(t *testing.T) {
			s, err := Open(context.Background(), tc.spec, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			spread, err := s.Spread(context.Background())
			var field []float32
			if err == nil {
				field, err = spread.Field()
			}
			if tc.std == nil {
				if !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%v, want %q", err, tc.want)
				}
				return
			}
			if err != nil || !strings.Contains(spread.String(), tc.want) {
				t.Fatalf("%q, %v; want %q", spread, err, tc.want)
			}
			for j, want := range tc.std {
				if math.Abs(spread.Std[j]-want) > 1e-12*want || field[j] != float32(want) {
					t.Errorf("column %d: %v, want %v", j, spread.Std[j], want)
				}
			}
		})
	}
}

func TestUnevenColumns(t *testing.T) {
	for name, tc := range subtest.Rows(map[string]struct{ text, want string }{
		"a factor of 50":   {"a,b,label\n0,0,0\n2,100,1\n", ""},
		"a factor of 400":  {"a,b,label\n0,0,0\n2,800,1\n", `by a factor of 400: the standard deviation of column 2 ("b") is 400, that of column 1 ("a") 1`},
		"a constant apart": {"a,b,label\n0,7,0\n2,7,1\n", ""},
	}) {
		t.Run(name, func(t *testing.T) {
			dir := writeFiles(t, map[string][]byte{"x.csv": []byte(tc.text)})
			warning, err := mustOpen(t, "csv:"+filepath.Join(dir, "x.csv"), Options{}).UnevenColumns(context.Background())
			if err != nil || !strings.Contains(warning, tc.want) || (tc.want == "") != (warning == "") {
				t.Errorf("%q, %v; want %q", warning, err, tc.want)
			}
		})
	}
	if warning, err := mustOpen(t, "digits?n=3", Options{}).UnevenColumns(context.Background()); warning != "" || err != nil {
		t.Errorf("images: %q, %v", warning, err)
	}
}
