package fieldmap

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/digits"
	"ucan/internal/npy"
	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/smooth/stream"
)

// Sampled noise has the standard deviation that the map shows.
func TestDeviationOfDrawnNoise(t *testing.T) {
	shape := []int{2, 3, 4}
	dct, err := basis.DCT2(shape)
	if err != nil {
		t.Fatal(err)
	}
	s := make([]float32, dct.Dim())
	for k := range s {
		s[k] = 0.1 + 0.2*float32(k%7)
	}
	want := Deviation(dct, s)
	const n = 20000
	key := stream.New(1, [32]byte{}, stream.Audit)
	noise, c, square := make([]float64, len(s)), make([]float64, len(s)), make([]float64, len(s))
	for i := range n {
		source := key.Source(uint64(i))
		for k := range c {
			c[k] = float64(s[k]) * source.Normal()
		}
		dct.Values(noise, c)
		for k, v := range noise {
			square[k] += v * v / n
		}
	}
	for k := range s {
		// A variance estimate from n normal draws has relative deviation √(2/n) = 1 %.
		if got := square[k]; math.Abs(got/float64(want[k]*want[k])-1) > 0.05 {
			t.Errorf("coordinate %d: deviation %v, map says %v", k, math.Sqrt(got), want[k])
		}
	}
	if plain := Deviation(nil, s); &plain[0] != &s[0] {
		t.Error("without a basis the scale is the deviation")
	}
}

func TestScales(t *testing.T) {
	sigma := Plane{Width: 2, Height: 1, Values: []float64{0.5, 1}}
	s, err := Sequential(sigma)
	if err != nil {
		t.Fatal(err)
	}
	if s.Log || s.Low != 0.5 || s.High != 1 {
		t.Errorf("scale %+v, want 0.5 to 1, linear", s)
	}
	dark, bright := s.colour(0.5), s.colour(1)
	if luma(dark) > 60 || luma(bright) < 180 {
		t.Errorf("low is %v and high %v: want dark and bright", dark, bright)
	}
	before := -1.0
	for i := range shades {
		l := luma(s.colours[i])
		if l < before-1 {
			t.Fatalf("brightness falls at shade %d: %v after %v", i, l, before)
		}
		before = l
	}
	wide, err := Sequential(Plane{2, 1, []float64{0.01, 1}})
	if err != nil {
		t.Fatal(err)
	}
	if ticks := wide.Ticks(); !wide.Log || ticks[1].Label != "0.1" {
		t.Errorf("ticks %v, want a logarithmic scale with 0.1 in the middle", ticks)
	}
	mu, err := Symmetric(Plane{2, 1, []float64{-0.2, 0.1}})
	if err != nil {
		t.Fatal(err)
	}
	if mu.Low != -0.2 || mu.High != 0.2 || mu.colour(-0.2).B < mu.colour(-0.2).R || mu.colour(0.2).R < mu.colour(0.2).B {
		t.Errorf("scale %v to %v, %v and %v: want blue below 0, red above, 0 in the middle", mu.Low, mu.High, mu.colour(-0.2), mu.colour(0.2))
	}
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err = Sequential(Plane{2, 1, []float64{1, bad}}); err == nil {
			t.Errorf("a scale with %v was drawn", bad)
		}
	}
	same, err := Sequential(Plane{2, 1, []float64{1, 1.000001}})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := luma(same.colour(1)), luma(same.colour(1.000001)); math.Abs(a-b) > 1 { // at most the next shade
		t.Errorf("rounding is drawn as a pattern: brightness %v and %v", a, b)
	}
	if one, err := Sequential(Plane{1, 1, []float64{0.3}}); err != nil || !(one.Low < 0.3 && one.High > 0.3) {
		t.Errorf("one value gives %+v, %v", one, err)
	}
}

func luma(c color.RGBA) float64 {
	return 0.2126*float64(c.R) + 0.7152*float64(c.G) + 0.0722*float64(c.B)
}

func TestGeometry(t *testing.T) {
	for _, c := range []struct {
		shape []int
		want  Geometry
	}{
		{[]int{3, 4, 5}, Geometry{3, 4, 5}}, {[]int{4, 5}, Geometry{1, 4, 5}},
		{[]int{784}, Geometry{1, 28, 28}}, {[]int{10}, Geometry{1, 2, 5}}, {[]int{7}, Geometry{1, 1, 7}},
	} {
		if got, err := GeometryOf(c.shape); err != nil || got != c.want {
			t.Errorf("shape %v gives %+v, %v", c.shape, got, err)
		}
	}
	g := Geometry{2, 1, 2}
	if p := g.Plane([]float32{1, 2, 7, 2}, RMS); p.Values[0] != 5 || p.Values[1] != 2 {
		t.Errorf("root mean squares %v, want 5 and 2", p.Values)
	}
	if p := g.Plane([]float32{1, 2, 7, 2}, Mean); p.Values[0] != 4 || p.Values[1] != 2 {
		t.Errorf("means %v, want 4 and 2", p.Values)
	}
}

// gallery makes n digits with noise that depends on them, in the pixel or in the DCT basis.
func gallery(t *testing.T, n int, inBasis bool) Gallery {
	t.Helper()
	g := Gallery{Title: "bundle <test>", Note: "guarantee: pinned", Shape: []int{1, digits.Size, digits.Size}}
	var dct *basis.Transform
	if inBasis {
		var err error
		if dct, err = basis.DCT2(g.Shape); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		x := make([]float32, digits.Pixels)
		label := digits.New(digits.TestSeed).Image(i, x)
		mu, sigma := make([]float32, len(x)), make([]float32, len(x))
		for k, v := range x {
			mu[k] = 0.3 * (v - 0.5)
			sigma[k] = 0.1 + 0.5*(1-v)
			if inBasis {
				sigma[k] = 0.05 * float32(1+k%28+k/28)
			}
		}
		p, err := parameters(len(x), mu, sigma, dct)
		if err != nil {
			t.Fatal(err)
		}
		g.Specimens = append(g.Specimens, Specimen{Index: i, Label: label, X: x, Parameters: p, Noisy: x})
	}
	return g
}

func TestGalleryFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	g := gallery(t, RowsPerSheet+1, false)
	files, err := g.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files.Sheets) != 2 || len(files.Figures) != RowsPerSheet+1 {
		t.Fatalf("%d sheets, %d inputs", len(files.Sheets), len(files.Figures))
	}
	for _, name := range files.Sheets {
		page, readErr := os.ReadFile(filepath.Join(dir, name))
		if readErr != nil {
			t.Fatal(readErr)
		}
		m, decodeErr := png.Decode(bytes.NewReader(page))
		if decodeErr != nil {
			t.Fatal(decodeErr)
		}
		if w := m.Bounds().Dx(); w < 800 || w > 2000 {
			t.Errorf("%s is %d pixels wide", name, w)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(files.Figures[1].SigmaFile)))
	if err != nil {
		t.Fatal(err)
	}
	values, err := npy.Decode(data, digits.Pixels)
	if err != nil {
		t.Fatal(err)
	}
	if want := g.Specimens[1].Parameters.Sigma(); values[300] != want[300] {
		t.Errorf("stored σ %v, want %v", values[300], want[300])
	}
	page, err := os.ReadFile(filepath.Join(dir, files.Index))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"bundle &lt;test&gt;", "sheet-2.png", "fields/000008-mu.npy"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	table, err := os.ReadFile(filepath.Join(dir, files.Table))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(string(table)), "\n"); len(lines) != RowsPerSheet+2 || strings.Count(lines[3], "\t") != 10 {
		t.Errorf("table\n%s", table)
	}
	if _, err := g.Write(dir); !errors.Is(err, ErrExists) {
		t.Errorf("a second gallery in the folder: %v, want ErrExists", err)
	}
}

func TestNoteIsWrapped(t *testing.T) {
	got := wrap("one two three four", 9)
	if want := []string{"one two", "three", "four"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := wrap("", 9); got != nil {
		t.Errorf("%q for an empty note", got)
	}
}

func TestGalleryInABasisAndWithoutAnything(t *testing.T) {
	g := gallery(t, 2, true)
	g.Constant = true
	files, err := g.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if f := files.Figures; f[0].SigmaFile != "fields/sigma.npy" || f[1].SigmaFile != f[0].SigmaFile {
		t.Errorf("constant fields in %q and %q, want one file", f[0].SigmaFile, f[1].SigmaFile)
	}
	if _, err := (Gallery{Shape: []int{1}}).Write(t.TempDir()); err == nil {
		t.Error("a gallery without inputs was written")
	}
}

func ExampleScale_Ticks() {
	s, err := Sequential(Plane{Width: 2, Height: 1, Values: []float64{0.02, 2}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Ticks())
	// Output: [{0 0.02} {0.5 0.2} {1 2}]
}

// parameters are a generator's for fields without limits.
func parameters(dim int, mu, sigma []float32, u *basis.Transform) (npg.Parameters, error) {
	fields, err := smooth.NewFields(dim, mu, sigma, u)
	return npg.Parameters{Fields: fields}, err
}
