package results

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
)

// large certifies an input whose fields are too large to lie in the certificate.
func large(tb testing.TB) *certificate.Certificate {
	tb.Helper()
	const d = certificate.MaxInline + 1 // and so above MostInline
	x, sigma, mu := make([]float32, d), make([]float32, d), make([]float32, d)
	for i := range d {
		sigma[i], mu[i] = 1+float32(i%7)/8, float32(i%5)/16
	}
	fields, err := smooth.NewFields(d, mu, sigma, nil)
	if err != nil {
		tb.Fatal(err)
	}
	f, err := family.New("gaussian", nil)
	if err != nil {
		tb.Fatal(err)
	}
	noise, err := smooth.Noise{Family: f, Norm: family.L2, Lambda: 0.25, Fields: fields}.Seal(d)
	if err != nil {
		tb.Fatal(err)
	}
	votes := func(n int64) smooth.Counts { return smooth.Counts{PerClass: []int64{0, n}, N: n} }
	result, err := noise.Conclude(votes(3), votes(20), 0.1, smooth.OneBound)
	if err != nil {
		tb.Fatal(err)
	}
	id := smooth.InputID(x)
	hash := hex.EncodeToString(id[:])
	c, err := certificate.New(certificate.Head{
		Guarantee: smooth.Deployed,
		Input:     certificate.Input{Source: "test", Index: 3, SHA256: hash, Shape: []int{1, d}, Label: 1},
		Model:     certificate.Model{Name: "constant", SHA256: hash, Decision: "argmax", Classes: 2},
	}, noise, result)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestFieldsInFiles(t *testing.T) {
	dir := t.TempDir()
	c := large(t)
	folder := newFolder(dir)
	for range 2 { // the second time the files are there
		if err := folder.Save(c); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v (%v), want one for each field", files, err)
	}
	line, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if len(line) > 4000 || strings.Contains(string(line), dir) {
		t.Errorf("the line has %d bytes, or the folder in it:\n%.300s", len(line), line)
	}
	got, err := certificate.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	if findings, cerr := certificate.Check(got, nil); cerr == nil {
		t.Errorf("checked without its fields: %v", findings)
	}
	for range 2 { // the second time from the cache
		findings, cerr := certificate.Check(got, newFolder(dir))
		if cerr != nil || len(findings) > 0 {
			t.Fatalf("with its files: %v %v", findings, cerr)
		}
	}
	delta := make([]float64, certificate.MaxInline+1)
	if in, cerr := got.Contains(delta, folder); cerr != nil || !in {
		t.Errorf("the origin is inside: %v, %v", in, cerr)
	}
	// Whatever happens to a file is found.
	path := filepath.Join(dir, got.Noise.SigmaField.File)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(data)
	flipped[len(flipped)-3] ^= 1
	for name, bad := range subtest.Rows(map[string][]byte{
		"one bit": flipped, "empty": {}, "truncated": data[:len(data)-1], "longer": append(slices.Clone(data), 0),
		"no header": data[:9], "magic": append([]byte("\x93NUMPX"), data[6:]...),
		"float64": []byte(strings.Replace(string(data), "<f4", "<f8", 1)),
		"shape":   []byte(strings.Replace(string(data), "4097", "4096", 1)),
	}) {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			findings, err := certificate.Check(got, newFolder(dir))
			if err != nil || len(findings) == 0 {
				t.Errorf("%s: no finding (%v)", name, err)
			}
		})
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if findings, err := certificate.Check(got, newFolder(dir)); err != nil || len(findings) != 1 || !strings.Contains(findings[0].Recomputed, "keep the .npy files") {
		t.Errorf("a missing file: %v, %v; want one finding that says what to keep", findings, err)
	}
	target := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(target, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Skip("no symbolic links here")
	}
	if findings, err := certificate.Check(got, newFolder(dir)); err != nil || len(findings) == 0 {
		t.Errorf("a symbolic link out of the folder was followed (%v)", err)
	}
}

func TestSaveLeavesNothingHalf(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	if err := newFolder(dir).Save(large(t)); err == nil {
		t.Error("fields were saved into a folder that does not exist")
	}
	if err := newFolder(dir).Save(certificateOf(row(1))); err != nil {
		t.Errorf("a certificate without large fields needs no folder: %v", err)
	}
}
