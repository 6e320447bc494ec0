package certify

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/internal/dataset"
	"ucan/internal/fault"
	"ucan/smooth/family"
)

// Noise in units of each column is a field like any other; without it, uneven columns are told.
func TestNoiseOfTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("a,b,label\n0,0,0\n2,800,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := dataset.Open(context.Background(), "csv:"+path, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	gaussian, err := family.New("gaussian", nil)
	if err != nil {
		t.Fatal(err)
	}
	target := NoiseTarget{Shape: []int{2}, Source: source}
	open := func(field string, target NoiseTarget) (*NoiseSource, error) {
		return OpenNoise(context.Background(), Noise{Family: gaussian, Norm: family.L2, Sigma: 0.5, SigmaField: field}, target)
	}
	plain, err := open("", target)
	if err != nil || !strings.Contains(plain.Warning, "factor of 400") || plain.Note != "" {
		t.Errorf("%+v, %v: want a warning", plain, err)
	}
	scaled, err := open(dataset.StdField, target)
	if err != nil || scaled.Warning != "" || !strings.Contains(scaled.Note, "2 inputs of these data themselves") {
		t.Fatalf("%+v, %v: want a note", scaled, err)
	}
	sealed, err := scaled.Seal(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if sigma := sealed.Noise().Sigma(); !slices.Equal(sigma, []float32{1, 400}) || scaled.Guarantee() != "deployed" {
		t.Errorf("scales %v, guarantee %s", sigma, scaled.Guarantee())
	}
	if _, err = open(dataset.StdField, NoiseTarget{Shape: []int{2}}); !fault.Is(err, fault.Wrong) {
		t.Errorf("without data: %v", err)
	}
}
