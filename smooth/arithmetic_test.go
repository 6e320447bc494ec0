package smooth_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/stream"
)

func latticeNoise(t *testing.T, n smooth.Noise, dim int) *smooth.SealedNoise {
	t.Helper()
	n.Arithmetic = smooth.Lattice
	sealed, err := n.Seal(dim)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func gaussianNoise(lambda float64) smooth.Noise {
	return smooth.Noise{Family: family.Gaussian{}, Norm: family.L2, Lambda: lambda}
}

// In lattice arithmetic the classifier may see the 256 float32 values of 8-bit pixels and no
// others, whatever the input.
func TestLatticeShowsOnlyPixels(t *testing.T) {
	const dim = 8
	pixel := map[float32]bool{}
	for k := range 256 {
		pixel[float32(float64(k)/255)] = true
	}
	strange := 0
	classifier := smooth.ClassifierFunc(dim, 16, func(x []float32) int32 {
		for _, v := range x {
			if !pixel[v] {
				strange++
			}
		}
		return 0
	})
	smoother, err := smooth.New([]smooth.Classifier{classifier}, smooth.Config{Dim: dim, Classes: 2, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	x := []float32{0, 1, 0.2, 0.4, 0.6, 0.8, float32(float64(17) / 255), float32(float64(201) / 255)}
	sigma := []float32{1, 2, .5, 1, 3, 1, .25, 1}
	mu := []float32{0, .1, -.2, 0, .3, 0, 0, .013}
	n := gaussianNoise(.25)
	n.Fields = fieldsOf(t, dim, mu, sigma, nil)
	if _, err := smoother.Sample(context.Background(), x, smooth.InputID(x), latticeNoise(t, n, dim), stream.Estimate, 0, 500); err != nil {
		t.Fatal(err)
	}
	if strange > 0 {
		t.Errorf("%d values are no pixels", strange)
	}
}

// A half-space on one pixel has a known probability on the lattice: that of the exact noise beyond
// a threshold midway between two lattice points.
func TestLatticeCountsFollowTheExactLaw(t *testing.T) {
	const at, threshold, lambda, n = 100, 120, 0.25, 40000
	x := []float32{float32(float64(at) / 255)}
	classifier := smooth.ClassifierFunc(1, 64, func(x []float32) int32 {
		if float64(x[0])*255 > threshold+0.25 {
			return 1
		}
		return 0
	})
	smoother, err := smooth.New([]smooth.Classifier{classifier}, smooth.Config{Dim: 1, Classes: 2, Seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	counts, err := smoother.Sample(context.Background(), x, smooth.InputID(x), latticeNoise(t, gaussianNoise(lambda), 1), stream.Estimate, 0, n)
	if err != nil {
		t.Fatal(err)
	}
	// N ≤ 20 exactly when the real noise is below 20.5 steps.
	want := 0.5 * math.Erfc(-20.5/255/lambda/math.Sqrt2)
	got := float64(counts.PerClass[0]) / n
	if sd := math.Sqrt(want * (1 - want) / n); math.Abs(got-want) > 5*sd {
		t.Errorf("class 0 has %v of the votes, want %v ± %v", got, want, sd)
	}
}

func TestLatticeRefusesWhatItCannotHold(t *testing.T) {
	n := gaussianNoise(.25)
	n.Family, n.Arithmetic = mustFamily(t, "expinf"), smooth.Lattice
	if _, err := n.Seal(4); err == nil || !strings.Contains(err.Error(), "expinf") {
		t.Errorf("expinf on the lattice: %v", err)
	}
	n = gaussianNoise(.25)
	n.Arithmetic = "decimal"
	if _, err := n.Seal(4); err == nil {
		t.Error("an unknown arithmetic was sealed")
	}
	classifier := smooth.ClassifierFunc(1, 4, func([]float32) int32 { return 0 })
	smoother, err := smooth.New([]smooth.Classifier{classifier}, smooth.Config{Dim: 1, Classes: 2})
	if err != nil {
		t.Fatal(err)
	}
	x := []float32{0.1234567}
	if _, err := smoother.Certify(context.Background(), x, smooth.InputID(x), latticeNoise(t, gaussianNoise(.25), 1), smooth.FixedN{N0: 1, N: 10, Alpha: .01}); err == nil {
		t.Error("an input that is no 8-bit image was certified on the lattice")
	}
}

// What the lattice quantised is what is certified, and quantising it again changes nothing, so that
// a certificate can be sealed anew from what it records.
func TestLatticeQuantisesOnce(t *testing.T) {
	const dim = 300
	n := gaussianNoise(.25)
	mu, sigma := make([]float32, dim), make([]float32, dim)
	for i := range dim {
		mu[i], sigma[i] = float32(i)*.0007, 0.2+float32(i)*.011
	}
	n.Fields = fieldsOf(t, dim, mu, sigma, nil)
	first := latticeNoise(t, n, dim).Noise()
	second := latticeNoise(t, first, dim).Noise()
	if !slices.Equal(first.Mu(), second.Mu()) || !slices.Equal(first.Sigma(), second.Sigma()) {
		t.Fatal("quantising again changed the fields")
	}
	distinct := map[float32]bool{}
	for _, s := range first.Sigma() {
		distinct[s] = true
	}
	if len(distinct) > 64 {
		t.Errorf("%d levels of σ", len(distinct))
	}
}

func mustFamily(t *testing.T, name string) family.Isotropic {
	t.Helper()
	f, err := family.New(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
