package family

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ucan/fixtures/subtest"
)

// The tables of Exp1, ExpInf and PowInf cost a bounded number of evaluations at any
// parameters, and every family answers with a radius or an ErrDomain, never with a
// silent 0. Dimension 1 to 50 and 784.
func TestIntegralsAreBounded(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	const limit = 450_000 // 8192 panels of 48 evaluations, and the first rule of each
	rng := rand.New(rand.NewPCG(5, 7))
	cases := []struct {
		dim int
		k   float64
	}{{3, 2}, {10, 7}, {2, 7}, {2, 1.0001}, {2, 1.5}, {1, 50}, {2, 50}, {1, 1000}, {2, 1000}, {1, 1e5}, {1, 1e300}, {784, 1e300}}
	for range 150 {
		dim := 1 + rng.IntN(51)
		if dim == 51 {
			dim = 784
		}
		cases = append(cases, struct {
			dim int
			k   float64
		}{dim, 1 + math.Exp(rng.Float64()*16-8)})
	}
	answered := 0
	for _, c := range cases {
		e, err := newExpIntegral(c.dim, c.k)
		if err == nil && e.table.Evaluations() > limit {
			t.Errorf("exponent %v in dimension %d: %d evaluations", c.k, c.dim, e.table.Evaluations())
		}
		m := c.k - 1
		w, err := newPowIntegral(float64(c.dim), m)
		if err == nil && w.table.Evaluations() > limit {
			t.Errorf("powinf, excess %v in dimension %d: %d evaluations", m, c.dim, w.table.Evaluations())
		}
		for _, f := range []struct {
			name   string
			params map[string]float64
		}{
			{"exp1", map[string]float64{"k": c.k}}, {"expinf", map[string]float64{"k": c.k}},
			{"expinf", map[string]float64{"k": 1 / c.k}}, {"powinf", map[string]float64{"a": float64(c.dim) + m}},
			{"expp", map[string]float64{"p": c.k}}, {"pareto", map[string]float64{"a": c.k}}, {"pareto", map[string]float64{"a": m}},
			{"gaussian", nil}, {"laplace", nil}, {"uniform", nil}, {"ball", nil},
		} {
			for _, p := range []float64{0.5 + 0x1p-53, 0.50003, 0.5 + rng.Float64()/2, topProbability} {
				answered += answers(t, f.name, f.params, c.dim, p)
			}
		}
	}
	if answered < 9*len(cases)*4 {
		t.Errorf("only %d radii for %d cases", answered, len(cases))
	}
}

// answers returns how many norms a family has a radius in; it is an error for one
// to have neither a radius nor an ErrDomain.
func answers(t *testing.T, name string, params map[string]float64, dim int, p float64) (n int) {
	t.Helper()
	f, err := New(name, params)
	if err != nil {
		if !errors.Is(err, ErrDomain) {
			t.Error(err)
		}
		return 0
	}
	for _, norm := range f.Norms() {
		r, err := f.Radius(norm, dim, p)
		switch {
		case err == nil && r > 0 && !math.IsInf(r, 1):
			n++
		case err == nil || !errors.Is(err, ErrDomain):
			t.Errorf("%s %v %v in dimension %d: radius %v at %v, %v", name, params, norm, dim, r, p, err)
		}
	}
	return n
}

func TestOverflowIsAnError(t *testing.T) {
	for _, c := range []struct {
		name   string
		params map[string]float64
		dim    int
	}{
		{"expinf", map[string]float64{"k": 0.01}, 784},
		{"exp1", map[string]float64{"k": 1e300}, 2},
		{"powinf", map[string]float64{"a": 2 + 1e-15}, 2},
	} {
		f, err := New(c.name, c.params)
		if err != nil {
			t.Fatal(err)
		}
		norm := f.Norms()[len(f.Norms())-1]
		if r, err := f.Radius(norm, c.dim, 0.9); !errors.Is(err, ErrDomain) {
			t.Errorf("%s %v in dimension %d: %v, %v; want an ErrDomain", c.name, c.params, c.dim, r, err)
		}
	}
}

// Radii where the integrand's rounding once kept the quadrature from ending, and
// where it underflowed; from mpmath with 40 digits, an integration over ln t.
func TestRepairedRadii(t *testing.T) {
	for line := range bytes.Lines([]byte(repaired)) {
		var c struct {
			Dim    int
			K, P   float64
			Radius json.Number
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		want, err := c.Radius.Float64()
		if err != nil {
			t.Fatal(err)
		}
		for name, norm := range subtest.Rows(map[string]Norm{"exp1": L1, "expinf": LInf}) {
			t.Run(name, func(t *testing.T) {
				f, err := New(name, map[string]float64{"k": c.K})
				if err != nil {
					t.Fatal(err)
				}
				got, err := f.Radius(norm, c.Dim, c.P)
				if err != nil || !(got < want && got > want*(1-1e-11)) {
					t.Errorf("%s: %s", name, fmt.Sprintf("d=%d k=%v p=%v: %v, %v; want %v from below", c.Dim, c.K, c.P, got, err, c.Radius))
				}
			})
		}
	}
}

const repaired = `{"dim":2,"k":1.5,"p":0.9,"radius":0.84955428170631442469}
{"dim":2,"k":1.5,"p":0.9999999999999999,"radius":9.84156112320575809611}
{"dim":2,"k":1.5,"p":0.5000000000000002,"radius":2.928567402873823788622128e-16}
{"dim":3,"k":2,"p":0.9,"radius":0.53349852893800393096}
{"dim":3,"k":2,"p":0.99987,"radius":1.83287454491020125546}
{"dim":10,"k":7,"p":0.9,"radius":0.11480215726680941872}
{"dim":2,"k":7,"p":0.9,"radius":0.40963973449087298752}
{"dim":2,"k":1.0001,"p":0.9,"radius":1.6091072888319019324}
{"dim":1,"k":50,"p":0.9,"radius":0.79107548895182989698}
`
