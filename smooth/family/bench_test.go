package family

import (
	"fmt"
	"testing"
)

// BenchmarkNewRadius is the cost of a radius at a bound on p_A that was not asked for
// before, once the family's tables are made.
func BenchmarkNewRadius(b *testing.B) {
	for _, c := range []struct {
		name   string
		params map[string]float64
		norm   Norm
		dims   []int
	}{
		{"gaussian", nil, L2, []int{3072}},
		{"laplace", nil, L1, []int{3072}},
		{"laplace", nil, LInf, []int{3072}},
		{"uniform", nil, LInf, []int{3072}},
		{"pareto", nil, L1, []int{3072}},
		{"ball", nil, L2, []int{3072}},
		{"expinf", nil, LInf, []int{3072}},
		{"expinf", map[string]float64{"k": 2}, LInf, []int{784, 3072}},
		{"expinf", map[string]float64{"k": 2}, L1, []int{3072}},
		{"powinf", nil, L1, []int{784, 3072}},
		{"powinf", nil, LInf, []int{3, 784, 3072, 150528}},
		{"exp1", map[string]float64{"k": 2}, L1, []int{784, 3072}},
		{"expp", map[string]float64{"p": 3}, L1, []int{3072}},
		{"exp2", nil, L2, []int{2, 3, 5, 10, 100, 784, 3072, 150528}},
		{"exp2", map[string]float64{"k": 3, "j": 1}, L2, []int{2, 5, 784}},
		{"exp2", map[string]float64{"k": 0.5}, L2, []int{3, 784}},
		{"pow2", nil, L2, []int{2, 5, 784, 3072}},
	} {
		for _, dim := range c.dims {
			b.Run(fmt.Sprintf("%s%v/%s/dim=%d", c.name, c.params, c.norm, dim), func(b *testing.B) {
				f, err := New(c.name, c.params)
				if err != nil {
					b.Fatal(err)
				}
				p := func(i int) float64 { // new ones between 0.55 and 0.9999
					_, u := fractional(float64(i) * 0.6180339887498949)
					return 0.55 + 0.4499*u
				}
				for i := range 200 { // meet every panel
					if _, err := f.Radius(c.norm, dim, p(-1-i)); err != nil {
						b.Fatal(err)
					}
				}
				i := 0
				for b.Loop() {
					if _, err := f.Radius(c.norm, dim, p(i)); err != nil {
						b.Fatal(err)
					}
					i++
				}
			})
		}
	}
}

// BenchmarkFirstRadius is the cost of the first radius of a family in a dimension.
func BenchmarkFirstRadius(b *testing.B) {
	for _, name := range []string{"powinf", "exp2", "pow2"} {
		for _, dim := range []int{2, 784, 3072} {
			b.Run(fmt.Sprintf("%s/dim=%d", name, dim), func(b *testing.B) {
				for b.Loop() {
					f, err := New(name, nil)
					if err != nil {
						b.Fatal(err)
					}
					if _, err = f.Radius(f.Norms()[0], dim, 0.99); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// fractional splits x into its integer part and the rest, in [0, 1).
func fractional(x float64) (whole int, rest float64) {
	whole = int(x)
	if rest = x - float64(whole); rest < 0 {
		whole, rest = whole-1, rest+1
	}
	return whole, rest
}
