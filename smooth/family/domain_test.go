package family

import (
	"errors"
	"math"
	"slices"
	"testing"
	"ucan/fixtures/subtest"
)

// each makes one or more members of every family, for tests that hold for all.
func each(t *testing.T) map[string]Isotropic {
	t.Helper()
	out := map[string]Isotropic{}
	for id, c := range map[string]struct {
		name string
		p    map[string]float64
	}{
		"expinf2":  {"expinf", map[string]float64{"k": 2}},
		"expinf.5": {"expinf", map[string]float64{"k": 0.5}},
		"exp1-2":   {"exp1", map[string]float64{"k": 2}},
		"expp.5":   {"expp", map[string]float64{"p": 0.5}},
		"expp2":    {"expp", map[string]float64{"p": 2}},
		"expp3":    {"expp", map[string]float64{"p": 3}},
		"exp2-2-3": {"exp2", map[string]float64{"k": 2, "j": 3}},
		"exp2-2-0": {"exp2", map[string]float64{"k": 2}},
		"pow2-1":   {"pow2", map[string]float64{"k": 1, "a": 40}},
		"powinf":   {"powinf", map[string]float64{"a": 40}},
		"pareto10": {"pareto", map[string]float64{"a": 10}},
	} {
		f, err := New(c.name, c.p)
		if err != nil {
			t.Fatal(err)
		}
		out[id] = f
	}
	for _, name := range Names() {
		f, err := New(name, nil)
		if err != nil {
			t.Fatalf("%s without parameters: %v", name, err)
		}
		out[name] = f
	}
	return out
}

func TestNamesParamsNorms(t *testing.T) {
	want := []string{"gaussian", "laplace", "uniform", "pareto", "ball", "expinf", "powinf", "exp2", "pow2", "exp1", "expp"}
	if !slices.Equal(Names(), want) {
		t.Errorf("names %v, want %v", Names(), want)
	}
	for _, name := range want {
		f, err := New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name() != name {
			t.Errorf("%s calls itself %s", name, f.Name())
		}
		if len(f.Norms()) == 0 {
			t.Errorf("%s has no theorem", name)
		}
		// Its own parameters make the same family again.
		g, err := New(name, f.Params())
		if err != nil {
			t.Fatal(err)
		}
		a, err1 := f.Radius(f.Norms()[0], 20, 0.9)
		b, err2 := g.Radius(g.Norms()[0], 20, 0.9)
		if err1 != nil || err2 != nil || a != b || !(a > 0) {
			t.Errorf("%s: radii %v, %v (%v, %v)", name, a, b, err1, err2)
		}
		sized, err := ForDim(f, 20)
		if err != nil {
			t.Fatal(err)
		}
		for k := range Defaults(name) {
			if v, ok := sized.Params()[k]; !ok || math.IsNaN(v) {
				t.Errorf("%s: parameter %s is not fixed by ForDim", name, k)
			}
		}
		if c, err := sized.Radius(f.Norms()[0], 20, 0.9); err != nil || c != a {
			t.Errorf("%s: ForDim changes the radius from %v to %v (%v)", name, a, c, err)
		}
	}
	if Defaults("cauchy") != nil {
		t.Error("defaults of an unknown family")
	}
}

func TestDomains(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name string
		p    map[string]float64
	}{
		{"cauchy", nil}, {"Gaussian", nil}, {"", nil},
		{"gaussian", map[string]float64{"k": 1}},
		{"pareto", map[string]float64{"a": 0}}, {"pareto", map[string]float64{"a": -1}}, {"pareto", map[string]float64{"a": nan}},
		{"expinf", map[string]float64{"k": 0}}, {"expinf", map[string]float64{"k": 1, "j": 1}}, {"expinf", map[string]float64{"a": 1}},
		{"exp1", map[string]float64{"k": 0.9}}, {"exp1", map[string]float64{"k": inf}},
		{"expp", map[string]float64{"p": 0.7}}, {"expp", map[string]float64{"p": 0}},
		{"exp2", map[string]float64{"k": -1}}, {"exp2", map[string]float64{"k": 1, "j": -1}},
		{"pow2", map[string]float64{"k": 2, "a": 0}}, {"powinf", map[string]float64{"a": 1}}, {"powinf", map[string]float64{"a": nan}},
	} {
		if f, err := New(c.name, c.p); !errors.Is(err, ErrDomain) || f != nil {
			t.Errorf("New(%q, %v) = %v, %v; want an ErrDomain", c.name, c.p, f, err)
		}
	}
	for _, c := range []struct {
		name string
		p    map[string]float64
		dim  int
	}{
		{"powinf", map[string]float64{"a": 20}, 20}, {"pow2", map[string]float64{"k": 2, "a": 10}, 20},
		{"exp2", map[string]float64{"k": 2, "j": 20}, 20}, {"exp2", nil, 1}, {"pow2", nil, 1}, {"gaussian", nil, 0},
	} {
		f, err := New(c.name, c.p)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := f.Radius(f.Norms()[0], c.dim, 0.9); !errors.Is(err, ErrDomain) {
			t.Errorf("%s %v at dimension %d: radius %v, %v; want an ErrDomain", c.name, c.p, c.dim, r, err)
		}
		if _, err := ForDim(f, c.dim); !errors.Is(err, ErrDomain) {
			t.Errorf("ForDim(%s %v, %d): %v; want an ErrDomain", c.name, c.p, c.dim, err)
		}
	}
	half, err := New("expinf", map[string]float64{"k": 0.5})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := half.Radius(LInf, 20, 0.9); !errors.Is(err, ErrDomain) {
		t.Errorf("expinf k < 1 certifies linf: %v", err)
	}
}

func TestInfiniteVariance(t *testing.T) {
	for _, c := range []struct {
		name string
		p    map[string]float64
	}{{"pareto", map[string]float64{"a": 2}}, {"powinf", map[string]float64{"a": 22}}, {"pow2", map[string]float64{"k": 2, "a": 11}}} {
		f, err := New(c.name, c.p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Lambda1(20); !errors.Is(err, ErrInfiniteVariance) {
			t.Errorf("%s %v: %v; want ErrInfiniteVariance", c.name, c.p, err)
		}
		if r, err := f.Radius(f.Norms()[0], 20, 0.9); err != nil || !(r > 0) {
			t.Errorf("%s %v: no radius without a variance: %v, %v", c.name, c.p, r, err)
		}
	}
}

func TestRadiusArguments(t *testing.T) {
	for id, f := range each(t) {
		for _, n := range f.Norms() {
			for _, p := range []float64{0, 0.3, 0.5} {
				if r, err := f.Radius(n, 20, p); r != 0 || err != nil {
					t.Errorf("%s %s: radius %v, %v at p = %v; want 0", id, n, r, err, p)
				}
			}
			for _, p := range []float64{math.NaN(), -0.1, 1.1, math.Inf(1)} {
				if r, err := f.Radius(n, 20, p); err == nil {
					t.Errorf("%s %s: radius %v for p = %v", id, n, r, p)
				}
			}
			top, err := f.Radius(n, 20, 1)
			if err != nil || math.IsInf(top, 0) || math.IsNaN(top) {
				t.Errorf("%s %s: radius %v, %v at p = 1", id, n, top, err)
			}
			// Radii grow with p; ties are rounding only.
			last := 0.0
			for _, p := range []float64{0.5 + 0x1p-53, 0.5001, 0.6, 0.8, 0.97, 0.975, 0.98, 0.999, 1 - 1e-9, topProbability} {
				r, err := f.Radius(n, 20, p)
				if err != nil || !(r > last) {
					t.Errorf("%s %s: radius %v, %v at p = %v after %v", id, n, r, err, p, last)
				}
				last = r
			}
		}
		for _, n := range []Norm{0, L1, L2, LInf} {
			if _, err := f.Radius(n, 20, 0.9); !slices.Contains(f.Norms(), n) && !errors.Is(err, ErrNoTheorem) && !errors.Is(err, ErrDomain) {
				t.Errorf("%s certifies %s: %v", id, n, err)
			}
		}
	}
}

func TestLevelProbability(t *testing.T) {
	for id, f := range each(t) {
		for _, n := range f.Norms() {
			if p, err := LevelProbability(f, n, 20, 0); err != nil || p != 0.5 {
				t.Errorf("%s %s: level of radius 0 is %v, %v", id, n, p, err)
			}
			for _, p := range []float64{0.5001, 0.6915, 0.98, 0.99977} {
				r, err := f.Radius(n, 20, p)
				if err != nil {
					t.Fatal(err)
				}
				got, err := LevelProbability(f, n, 20, r)
				if err != nil {
					t.Fatal(err)
				}
				// Upward rounded: it certifies the radius, and hardly more.
				back, err := f.Radius(n, 20, got)
				if err != nil || back < r {
					t.Errorf("%s %s: level %v certifies %v, %v; want at least %v", id, n, got, back, err, r)
				}
				if math.Abs(got-p) > 1e-8 {
					t.Errorf("%s %s: level of R(%v) is %v", id, n, p, got)
				}
			}
			for _, bad := range []float64{-1, math.NaN(), math.Inf(1), 1e300} {
				if p, err := LevelProbability(f, n, 20, bad); err == nil {
					t.Errorf("%s %s: level %v of radius %v", id, n, p, bad)
				}
			}
		}
	}
}

func TestTwoBounds(t *testing.T) {
	for id, f := range each(t) {
		two, ok := f.(TwoBounds)
		if !ok {
			continue
		}
		for _, n := range f.Norms() {
			for _, pA := range []float64{0.51, 0.7, 0.95, 0.9999} {
				one, err := f.Radius(n, 20, pA)
				if err != nil {
					t.Fatal(err)
				}
				// With p_B = 1 − p_A, or anything above, it is the radius of one bound.
				for _, pB := range []float64{1 - pA, 0.5 * (1 - pA), 0.1 * (1 - pA), 0} {
					got, err := two.RadiusTwoBounds(n, 20, pA, pB)
					if err != nil {
						t.Fatal(err)
					}
					if got < one*(1-1e-8) || pB == 1-pA && got > one*(1+1e-14) {
						t.Errorf("%s %s: R(%v, %v) = %v, R(%v) = %v", id, n, pA, pB, got, pA, one)
					}
				}
			}
			// Below a half, two bounds still certify; equal bounds do not.
			if r, err := two.RadiusTwoBounds(n, 20, 0.4, 0.2); err != nil || !(r > 0) {
				t.Errorf("%s %s: R(0.4, 0.2) = %v, %v", id, n, r, err)
			}
			if r, err := two.RadiusTwoBounds(n, 20, 0.4, 0.4); err != nil || r != 0 {
				t.Errorf("%s %s: R(0.4, 0.4) = %v, %v", id, n, r, err)
			}
			if _, err := two.RadiusTwoBounds(n, 20, 0.4, math.NaN()); err == nil {
				t.Errorf("%s %s: NaN accepted", id, n)
			}
		}
	}
	// Values worked out by hand from the formulas in the docs.
	if r, _ := (Laplace{}).RadiusTwoBounds(L1, 3, 0.4, 0.1); math.Abs(r-math.Log(4)/2) > 1e-9 {
		t.Errorf("laplace R(0.4, 0.1) = %v, want ½ ln 4", r)
	}
	if r, _ := (Uniform{}).RadiusTwoBounds(L1, 3, 0.75, 0.25); math.Abs(r-0.5) > 1e-15 {
		t.Errorf("uniform R(0.75, 0.25) = %v, want 0.5", r)
	}
}

func TestParseNorm(t *testing.T) {
	for s, want := range subtest.Rows(map[string]Norm{"l1": L1, "L2": L2, "linf": LInf, "LInf": LInf, "1": L1, "2": L2, "inf": LInf, "INF": LInf}) {
		t.Run(s, func(t *testing.T) {
			if got, err := ParseNorm(s); err != nil || got != want {
				t.Errorf("ParseNorm(%q) = %v, %v", s, got, err)
			}
		})
	}
	for _, s := range []string{"", "l3", "l", "infinity", "ll1"} {
		if n, err := ParseNorm(s); err == nil {
			t.Errorf("ParseNorm(%q) = %v", s, n)
		}
	}
	for _, n := range []Norm{L1, L2, LInf} {
		if back, err := ParseNorm(n.String()); err != nil || back != n {
			t.Errorf("%v does not parse back", n)
		}
	}
}
