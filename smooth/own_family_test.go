package smooth_test

import (
	"context"
	"fmt"
	"math"

	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/stream"
)

// cube is a user's own isotropic noise: uniform on [−1, 1]ᵈ. Its laws at x and at
// x + δ differ in total variation by at most ‖δ‖₁/2, so the majority survives
// while ‖δ‖₁/2 < p_A − 1/2.
type cube struct{}

func (cube) Name() string               { return "my-cube" }
func (cube) Params() map[string]float64 { return nil }
func (cube) Norms() []family.Norm       { return []family.Norm{family.L1} }

// Sample implements family.Sampler.
func (cube) Sample(dst []float32, src *stream.Source) {
	for i := range dst {
		dst[i] = float32(2*src.Float64Open() - 1)
	}
}

// Radius implements family.Theorem, rounded toward zero.
func (cube) Radius(_ family.Norm, _ int, pLower float64) (float64, error) {
	return math.Nextafter(2*max(0, pLower-0.5), 0), nil
}

// The universal transform makes an anisotropic certificate of any isotropic one:
// a sampler and a radius function are all that it asks for.
func ExampleNoise_ownFamily() {
	fields, _ := smooth.NewFields(2, nil, []float32{1, 2}, nil)
	noise, _ := smooth.Noise{Family: cube{}, Norm: family.L2, Lambda: 0.5, Fields: fields}.Seal(2)
	left := smooth.ClassifierFunc(2, 100, func(x []float32) int32 {
		if x[0] < 0.4 {
			return 1
		}
		return 0
	})
	s, _ := smooth.New([]smooth.Classifier{left}, smooth.Config{Dim: 2, Classes: 2, Seed: 1})
	x := []float32{0, 0}
	c, err := s.Certify(context.Background(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 100, N: 10_000, Alpha: 0.001})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("class %d: ‖δ⊘s‖₁ ≤ %.2f, so ‖δ‖₂ ≤ %.2f\n", c.Class, c.R, c.Radius)
	// Output: class 1: ‖δ⊘s‖₁ ≤ 0.39, so ‖δ‖₂ ≤ 0.35
}
