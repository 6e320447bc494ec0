package certificate_test

import (
	"math"
	"testing"

	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
	"ucan/smooth/lattice"
)

// onLattice certifies the image x in lattice arithmetic with a radius of about the given size.
func onLattice(t *testing.T, x []float32, radius float64) *certificate.Certificate {
	t.Helper()
	g, familyErr := family.New("gaussian", nil)
	if familyErr != nil {
		t.Fatal(familyErr)
	}
	conclude := func(lambda float64) (*smooth.SealedNoise, smooth.Certification) {
		noise, err := smooth.Noise{Family: g, Norm: family.L2, Lambda: lambda, Arithmetic: smooth.Lattice}.Seal(len(x))
		if err != nil {
			t.Fatal(err)
		}
		c, err := noise.Conclude(smooth.Counts{PerClass: []int64{100, 0}, N: 100}, smooth.Counts{PerClass: []int64{99_000, 1_000}, N: 100_000}, 0.001, smooth.OneBound)
		if err != nil {
			t.Fatal(err)
		}
		return noise, c
	}
	_, unit := conclude(1)
	noise, conclusion := conclude(radius / unit.R)
	c, err := certificate.New(head(x, 0), noise, conclusion)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestContainsImage asks lattice certificates for images whose float32 are nearer to each other
// than the images are.
func TestContainsImage(t *testing.T) {
	const d = 784
	image := func(k int, toward float32) []float32 {
		x := make([]float32, d)
		for i := range x {
			x[i] = math.Nextafter32(lattice.Value(k), toward)
		}
		return x
	}
	x, y := image(200, 2), image(201, -1) // both spellings that lattice arithmetic takes for 200 and 201
	distance := math.Sqrt(d) / 255
	for _, c := range []struct {
		name   string
		radius float64
		want   bool
	}{
		{"short of it by 1e-5", distance * (1 - 1e-5), false},
		{"beyond it by 1e-5", distance * (1 + 1e-5), true},
	} {
		certified := onLattice(t, x, c.radius)
		if r := float64(certified.Regions[0].R); math.Abs(r-c.radius) > 3e-6*c.radius {
			t.Fatalf("a radius of %v, wanted %v", r, c.radius)
		}
		if in, err := certified.ContainsPoint(x, y, nil); err != nil || in != c.want {
			t.Errorf("%s: inside %v, %v", c.name, in, err)
		}
		between := image(200, 2)
		between[0] = 200.5 / 255
		if in, err := certified.ContainsPoint(x, between, nil); err != nil || in {
			t.Errorf("no 8-bit image: inside %v, %v", in, err)
		}
		if in, err := certified.ContainsPoint(x, x, nil); err != nil || !in {
			t.Errorf("the image itself: inside %v, %v", in, err)
		}
		if _, err := certified.Contains(make([]float64, d), nil); err == nil {
			t.Error("a difference is taken for an image")
		}
	}
}
