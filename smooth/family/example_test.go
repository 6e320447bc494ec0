package family_test

import (
	"fmt"
	"math"

	"ucan/smooth/family"
	"ucan/smooth/stream"
)

// logistic is a family of our own: independent logistic noise, density
// ∏ e^(−x)/(1+e^(−x))². The differential method certifies the ℓ1 norm with it: the
// worst set of mass p is a half space, where the gradient of −ln density has the
// mean p(1−p), so R = ∫ dp/(p(1−p)) from 1−p_A to ½ = ln(p_A/(1−p_A)).
type logistic struct{}

func (logistic) Name() string               { return "logistic" }
func (logistic) Params() map[string]float64 { return map[string]float64{} }
func (logistic) Norms() []family.Norm       { return []family.Norm{family.L1} }

func (logistic) Sample(dst []float32, src *stream.Source) {
	for i := range dst {
		u := src.Float64Open()
		dst[i] = float32(math.Log(u / (1 - u)))
	}
}

func (logistic) Radius(n family.Norm, _ int, pLower float64) (float64, error) {
	switch {
	case n != family.L1:
		return 0, fmt.Errorf("logistic in %s: %w", n, family.ErrNoTheorem)
	case pLower <= 0.5:
		return 0, nil
	}
	r := math.Log(pLower / (1 - min(pLower, 1-0x1p-53)))
	return math.Nextafter(r*(1-1e-15), 0), nil // rounded toward zero
}

// Anything with a sampler and a radius is a family: it can be scaled, made
// anisotropic and certified like the built-in ones.
func Example_ownCertificate() {
	var f interface {
		family.Family
		family.Sampler
		family.Theorem
	} = logistic{}

	r, err := f.Radius(family.L1, 784, 0.99)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s certifies %s radius %.4f at p_A = 0.99\n", f.Name(), f.Norms()[0], r)

	level, err := family.LevelProbability(f, family.L1, 784, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("radius 2 needs p_A = %.6f\n", level)

	src := stream.New(1, [32]byte{}, stream.Estimate).Source(0)
	noise := make([]float32, 784)
	f.Sample(noise, &src)
	fmt.Println(len(noise), "values of noise")
	// Output:
	// logistic certifies l1 radius 4.5951 at p_A = 0.99
	// radius 2 needs p_A = 0.880797
	// 784 values of noise
}

func ExampleNew() {
	f, err := family.New("laplace", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	const dim, sigma = 3072, 0.5
	lambda1, err := f.Lambda1(dim)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range f.Norms() {
		r, err := f.Radius(n, dim, 0.999)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %.4f\n", n, sigma*lambda1*r)
	}
	// Output:
	// l1: 2.1972
	// linf: 0.0197
}
