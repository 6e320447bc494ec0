package dataset

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
)

// onePNG is a picture of 2×1 pixels.
func onePNG(t testing.TB, shade uint8) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 2, 1))
	img.SetGray(0, 0, color.Gray{Y: shade})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// imageFolder makes a folder of pictures; a name that ends in a slash is an empty folder.
func imageFolder(t testing.TB, names ...string) string {
	t.Helper()
	files := map[string][]byte{}
	for i, name := range names {
		if !strings.HasSuffix(name, "/") {
			files[name] = onePNG(t, uint8(i))
		}
	}
	dir := writeFiles(t, files)
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(filepath.FromSlash(name))), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(name)), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func labelsOf(t *testing.T, s *Source) []int {
	t.Helper()
	var labels []int
	for i := range s.Len() {
		item, err := s.At(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		labels = append(labels, item.Label)
	}
	return labels
}

// Classes of the data go to classes of the model by name, whatever their order and number.
func TestClassesByName(t *testing.T) {
	folder := func(names ...string) string { return "folder:" + imageFolder(t, names...) }
	table := func(text string) string {
		return "csv:" + filepath.Join(writeFiles(t, map[string][]byte{"t.csv": []byte(text)}), "t.csv")
	}
	for name, tc := range subtest.Rows(map[string]struct {
		spec, model string
		labels      []int
		notes       string // a part of them, "" for none
	}{
		"the same":               {folder("cat/1.png", "dog/1.png"), "cat dog", []int{0, 1}, ""},
		"another order":          {folder("cat/1.png", "dog/1.png"), "dog cat", []int{1, 0}, ""},
		"a class without images": {folder("ant/1.png", "dog/1.png"), "ant cat dog", []int{0, 2}, `"cat" (1 of 3)`},
		"an empty folder":        {folder("ant/1.png", "cat/", "dog/1.png"), "ant cat dog", []int{0, 2}, `"cat" (1 of 3)`},
		"other spelling":         {folder("Polar-Bear/1.png", "house_cat/1.png"), "house cat,polar bear", []int{1, 0}, ""},
		"exact before similar":   {folder("Cat/1.png", "cat/1.png"), "cat Cat", []int{1, 0}, ""},
		"decomposed letters":     {folder("a\u0308/1.png", "b/1.png"), "b ä", []int{1, 0}, ""},
		"one folder":             {folder("cat/1.png", "cat/2.png"), "ant cat", []int{1, 1}, "all images lie in one folder"},
		"one folder, no class":   {folder("x/1.png", "x/2.png"), "ant cat", []int{-1, -1}, ""},
		"an image at the root":   {folder("cat/1.png", "dog/1.png", "stray.png"), "dog cat", []int{1, 0, -1}, "1 of 3 inputs has no label (the first is input 2)"},
		"numbers of classes":     {folder("0/1.png", "2/1.png"), "ant cat dog", []int{0, 2}, ""},
		"numbers for names":      {folder("1/1.png", "3/1.png"), "1 2 3", []int{0, 2}, "by name"},
		"numbers, not all":       {folder("0/1.png", "1/1.png"), "1 2 3", []int{0, 1}, ""},
		"no names":               {folder("cat/1.png", "dog/1.png"), "", []int{0, 1}, `0 = "cat", 1 = "dog"`},
		"words of a table":       {table("a,label\n1,versicolor\n2,setosa\n"), "setosa versicolor virginica", []int{1, 0}, `"virginica" (1 of 3)`},
		"numbers of a table":     {table("a,label\n1,3\n2,1\n"), "1 2 3", []int{2, 0}, "by name"},
		"a table, none known":    {table("a,label\n1,x\n2,\n"), "y x", []int{1, -1}, `"y" (1 of 2)`},
		"nothing to name":        {"digits?n=2", "a b c d e f g h i j", labelsOf(t, mustOpen(t, "digits?n=2", Options{})), ""},
	}) {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t, tc.spec, Options{})
			before := labelsOf(t, s)
			names := strings.Split(tc.model, " ")
			if strings.Contains(tc.model, ",") {
				names = strings.Split(tc.model, ",")
			}
			if tc.model == "" {
				names = nil
			}
			under, notes, err := s.Under(names)
			if err != nil {
				t.Fatal(err)
			}
			if got := labelsOf(t, under); !slices.Equal(got, tc.labels) {
				t.Errorf("labels %v, want %v", got, tc.labels)
			}
			if all := strings.Join(notes, "\n"); !strings.Contains(all, tc.notes) || (tc.notes == "") != (all == "") {
				t.Errorf("notes %q, want %q", all, tc.notes)
			}
			if !slices.Equal(labelsOf(t, s), before) || under.Info().Fingerprint != s.Info().Fingerprint {
				t.Error("the source itself has changed")
			}
		})
	}
}

func TestClassesWithoutName(t *testing.T) {
	for name, tc := range subtest.Rows(map[string]struct{ folders, model, want string }{
		"mistyped":    {"kat dog", "cat dog", `the model has no class "kat"; did you mean "cat"? Its labels are "cat", "dog"`},
		"unknown":     {"zebra dog", "cat dog", `the model has no class "zebra". Its labels are`},
		"several":     {"x y dog", "cat dog", `the model has no class "x", nor 1 others`},
		"two for one": {"Cat cAt dog", "cat dog", `"Cat" and "cAt" of the data both look like the model's class "cat"`},
		"ambiguous":   {"CAT dog", "cat Cat dog", `the model has no class "CAT"`},
	}) {
		t.Run(name, func(t *testing.T) {
			var files []string
			for folder := range strings.SplitSeq(tc.folders, " ") {
				files = append(files, folder+"/1.png")
			}
			dir := imageFolder(t, files...)
			_, _, err := mustOpen(t, "folder:"+dir, Options{}).Under(strings.Split(tc.model, " "))
			if !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "--label-map") {
				t.Errorf("%v, want %q", err, tc.want)
			}
			mapped := mustOpen(t, "folder:"+dir, Options{LabelMap: LabelMap{"0": 0}})
			if under, notes, err := mapped.Under([]string{"other"}); err != nil || under != mapped || notes != nil {
				t.Errorf("under a label map: %v, %q", err, notes)
			}
		})
	}
}

// What may move labels is told when a source opens.
func TestNotesOnFolders(t *testing.T) {
	for name, tc := range subtest.Rows(map[string]struct{ files, want string }{
		"nothing to say":  {"a/1.png b/1.png", ""},
		"no label":        {"a/1.png b/1.png x.png", "1 of 3 inputs has no label (the first is input 2)"},
		"an empty folder": {"a/1.png b/ c/1.png", `folders without an image count as no class: "b"`},
		"below a folder":  {"set/a/1.png set/b/ set/c/1.png", `count as no class: "b"`},
		"beside the only": {"a/1.png b/", `count as no class: "b"`},
	}) {
		t.Run(name, func(t *testing.T) {
			dir := imageFolder(t, strings.Split(tc.files, " ")...)
			s := mustOpen(t, "folder:"+dir, Options{})
			_, more, err := s.Under(nil)
			if err != nil {
				t.Fatal(err)
			}
			// The order of the classes is told in any case.
			more = slices.DeleteFunc(more, func(note string) bool { return strings.Contains(note, "names no classes") })
			notes := strings.Join(append(slices.Clone(s.Info().Notes), more...), "\n")
			if !strings.Contains(notes, tc.want) || (tc.want == "") != (notes == "") {
				t.Errorf("notes %q, want %q", notes, tc.want)
			}
		})
	}
}

// Numbers in an array go by the model's class names where those are other numbers than 0, 1, 2, …;
// −1 is then a class where the model has one of that name, and no label elsewhere.
func TestNumbersOfArraysAreNames(t *testing.T) {
	rows := map[string]struct {
		labels []byte // of the inputs, as int8
		names  string
		want   []int
	}{
		"from 1":        {[]byte{1, 2, 2}, "1 2", []int{0, 1, 1}},
		"gaps":          {[]byte{9, 3, 5}, "3 5 9", []int{2, 0, 1}},
		"minus one":     {[]byte{255, 1, 255}, "-1 1", []int{0, 1, 0}},
		"unlabelled":    {[]byte{255, 2, 1}, "1 2", []int{-1, 1, 0}},
		"counted":       {[]byte{1, 0, 2}, "0 1 2", []int{1, 0, 2}},
		"words":         {[]byte{1, 0, 1}, "cat dog", []int{1, 0, 1}},
		"other numbers": {[]byte{0, 1, 1}, "1 2", []int{0, 1, 1}}, // 0 is no name, so they are numbers of classes
	}
	for name, row := range subtest.Rows(rows) {
		t.Run(name, func(t *testing.T) {
			header := func(kind, shape string) string {
				text := "{'descr': '" + kind + "', 'fortran_order': False, 'shape': (" + shape + "), }"
				text += strings.Repeat(" ", 63-(len(text)+10)%64) + "\n"
				return "\x93NUMPY\x01\x00" + string([]byte{byte(len(text)), 0}) + text
			}
			dir := writeFiles(t, map[string][]byte{
				"x.npy": []byte(header("<f4", "3, 2") + strings.Repeat("\x00", 24)),
				"y.npy": []byte(header("|i1", "3,") + string(row.labels)),
			})
			s := mustOpen(t, "npy:"+dir+"/x.npy,"+dir+"/y.npy", Options{})
			under, notes, err := s.Under(strings.Fields(row.names))
			if err != nil {
				t.Fatal(err)
			}
			if told := strings.Contains(strings.Join(notes, "\n"), "no label"); told != slices.Contains(row.want, -1) {
				t.Errorf("notes %q", notes)
			}
			for i, want := range row.want {
				item, err := under.At(t.Context(), i)
				if err != nil || item.Label != want {
					t.Errorf("input %d: label %d, %v; want %d", i, item.Label, err, want)
				}
			}
		})
	}
}

// Data of two classes are often labelled −1 and 1. A label map that says so makes −1 a class; one
// that does not leaves it no label.
func TestLabelMapOfMinusOne(t *testing.T) {
	dir := writeFiles(t, map[string][]byte{"t.csv": []byte("a,y\n1,-1\n2,1\n3,-1\n")})
	for name, tt := range map[string]struct {
		labels  LabelMap
		want    []int
		missing bool
	}{
		"mapped":     {LabelMap{"-1": 0, "1": 1}, []int{0, 1, 0}, false},
		"not mapped": {LabelMap{"1": 0}, []int{-1, 0, -1}, true},
		"no map":     {nil, []int{-1, 1, -1}, true},
	} {
		s := mustOpen(t, "csv:"+dir+"/t.csv?label=y", Options{LabelMap: tt.labels, Classes: 2})
		for i, want := range tt.want {
			if item, err := s.At(t.Context(), i); err != nil || item.Label != want {
				t.Errorf("%s: input %d has label %d, %v; want %d", name, i, item.Label, err, want)
			}
		}
		_, notes, err := s.Under(nil)
		if got := strings.Contains(strings.Join(notes, "\n"), "no label"); got != tt.missing || err != nil {
			t.Errorf("%s: notes %q, %v", name, notes, err)
		}
	}
	outside := mustOpen(t, "csv:"+dir+"/t.csv?label=y", Options{LabelMap: LabelMap{"-1": 5, "1": 1}, Classes: 2})
	if _, err := outside.At(t.Context(), 0); err == nil {
		t.Error("−1 is mapped outside the model's classes, and taken")
	}
}
