package smooth_test

import (
	"context"
	"fmt"

	"ucan/smooth"
	"ucan/smooth/family"
)

// A classifier in plain Go, smoothed by Gaussian noise that is wider in the
// second coordinate, and certified at one input.
func Example() {
	disc := smooth.ClassifierFunc(2, 100, func(x []float32) int32 {
		if x[0]*x[0]+x[1]*x[1] < 4 {
			return 1
		}
		return 0
	})
	gaussian, _ := family.New("gaussian", nil)
	fields, _ := smooth.NewFields(2, nil, []float32{1, 2}, nil)
	noise, _ := smooth.Noise{Family: gaussian, Norm: family.L2, Lambda: 0.25, Fields: fields}.Seal(2)
	s, _ := smooth.New([]smooth.Classifier{disc}, smooth.Config{Dim: 2, Classes: 2, Seed: 1})

	x := []float32{0.5, 0}
	c, err := s.Certify(context.Background(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 100, N: 10_000, Alpha: 0.001})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("class %d, ℓ2 radius %.2f, semi-axes %.2f and %.2f\n", c.Class, c.Radius, c.R, 2*c.R)
	// Output: class 1, ℓ2 radius 0.80, semi-axes 0.80 and 1.60
}
