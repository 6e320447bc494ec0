package npg

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/basis"
)

// Corners and the mean follow from the formula by hand: r = 0, 1 and (for equal sides) 1/√2.
func TestFrequencyValues(t *testing.T) {
	f := Frequency{Kappa: 9, Gamma: 2, Iota: 0.5, Limits: DefaultLimits()}
	p, err := f.Field([]int{2, 5, 5})
	if err != nil {
		t.Fatal(err)
	}
	if p.Basis() == nil || p.Basis().Name() != "dct2:2x5x5" || p.Mu() != nil {
		t.Fatalf("basis %v, μ %v", p.Basis(), p.Mu())
	}
	s := p.Sigma()
	for k, want := range map[int]float64{0: 0.5, 24: 4.5, 4: 2.5, 20: 2.5, 25: 0.5, 49: 4.5} {
		if math.Abs(float64(s[k])-want) > 1e-6 {
			t.Errorf("s[%d] = %v, want %v", k, s[k], want)
		}
	}
	for _, shape := range [][]int{{1, 1, 1}, {7}, {3, 4}} {
		if p, err := f.Field(shape); err != nil || p.Sigma()[0] != 0.5 {
			t.Errorf("shape %v: %v, %v", shape, p.Sigma(), err)
		}
	}
	if _, err := f.Field([]int{2, 3, 4, 5}); err == nil {
		t.Error("four axes are no image")
	}
}

// The authors' script: a = linspace(−13.5, 13.5, 28)/27/2, σ = 0.2(a² + b²) + 0.8.
func TestReferencePreset(t *testing.T) {
	f, err := ParseFormula("pattern:ucan-l2")
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Field([]int{1, 28, 28})
	if err != nil {
		t.Fatal(err)
	}
	s := p.Sigma()
	for _, c := range []struct{ y, x int }{{0, 0}, {13, 14}, {5, 20}} {
		a, b := (float64(c.y)-13.5)/27/2, (float64(c.x)-13.5)/27/2
		if want := 0.2*(a*a+b*b) + 0.8; math.Abs(float64(s[c.y*28+c.x])-want) > 1e-6 {
			t.Errorf("σ(%d,%d) = %v, want %v", c.y, c.x, s[c.y*28+c.x], want)
		}
	}
}

func TestParseFormula(t *testing.T) {
	for spec, want := range subtest.Rows(map[string]string{
		"pattern:dct,kappa=32,gamma=2,iota=.5":        "pattern:dct,kappa=32,gamma=2,iota=0.5,floor=0.001",
		"pattern:dct32":                               "pattern:dct,kappa=32,gamma=2,iota=0.25,floor=0.001",
		"pattern:dct256":                              "pattern:dct,kappa=256,gamma=4,iota=0.0625,floor=0.001",
		"pattern:dct16,iota=1,ceiling=4":              "pattern:dct,kappa=16,gamma=3,iota=1,floor=0.001,ceiling=4",
		"pattern:ucan-linf":                           "pattern:linf,kappa=0.2,iota=0.8,span=0.25,floor=0.001",
		"pattern:l1":                                  "pattern:l1,kappa=1,iota=0.5,span=1,floor=0.001",
		"pattern:kappa=2":                             "pattern:l2,kappa=2,iota=0.5,span=1,floor=0.001",
		"pattern:l2,kappa=-1,floor=0.25,ceiling=0.25": "pattern:l2,kappa=-1,iota=0.5,span=1,floor=0.25,ceiling=0.25",
	}) {
		t.Run(spec, func(t *testing.T) {
			f, err := ParseFormula(spec)
			if err != nil || f.String() != want {
				t.Errorf("%q reads as %v, %v; want %q", spec, f, err, want)
				return
			}
			again, err := ParseFormula(f.String())
			if err != nil || again != f {
				t.Errorf("%q reads back as %v, %v", f, again, err)
			}
		})
	}
	for _, bad := range []string{
		"pattern:", "pattern:haar", "pattern:dct,span=1", "pattern:l2,gamma=1", "pattern:dct,kappa=0", "pattern:dct,gamma=-1",
		"pattern:dct,iota=Inf", "pattern:dct,kappa=2,kappa", "pattern:dct,floor=2,ceiling=1", "pattern:dct,ceiling=NaN", "l2",
	} {
		if f, err := ParseFormula(bad); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q read as %v, %v", bad, f, err)
		}
	}
}

func TestLimits(t *testing.T) {
	l := Limits{Floor: 0.1, Ceiling: 0.7} // neither is a float32
	source := []float32{0, -1, 0.3, 5, float32(math.Inf(1))}
	p, err := l.Apply(nil, 5, nil, source)
	if err != nil {
		t.Fatal(err)
	}
	s := p.Sigma()
	if p.Floored != 2 || p.Ceiled != 2 || s[2] != 0.3 || source[0] != 0 {
		t.Errorf("%v from %v: %d at the floor, %d at the ceiling", s, source, p.Floored, p.Ceiled)
	}
	if float64(slices.Min(s)) < 0.1 || float64(slices.Max(s)) > 0.7 {
		t.Errorf("%v leaves [0.1, 0.7]", s)
	}
	if _, err := l.Apply(nil, 1, nil, []float32{float32(math.NaN())}); !errors.Is(err, smooth.ErrSigma) {
		t.Errorf("NaN: %v", err)
	}
	for _, bad := range []Limits{{}, {Floor: 1}, {Floor: 0, Ceiling: 1}, {Floor: math.NaN(), Ceiling: 1}, {Floor: 1, Ceiling: math.NaN()}, {Floor: math.Inf(1), Ceiling: math.Inf(1)}} {
		if _, err := bad.Apply(nil, 1, nil, []float32{1}); err == nil {
			t.Errorf("%+v accepted", bad)
		}
	}
	if _, err := smooth.NewFields(5, nil, nil, basisOf(t)); err == nil {
		t.Error("a basis of another dimension was accepted")
	}
}

func basisOf(t *testing.T) *basis.Transform {
	t.Helper()
	u, err := basis.DCT2([]int{1, 2, 2})
	if err != nil {
		t.Fatal(err)
	}
	return u
}
