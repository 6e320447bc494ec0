package npg

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"ucan/smooth"
)

// At the centre the norm is 0, at the middle of an edge it is 1, at a corner 2, √2 or 1 for ℓ1, ℓ2,
// ℓ∞: the values of σ = κ r² + ι there follow by hand.
func TestPatternValues(t *testing.T) {
	for _, c := range []struct {
		norm                 string
		centre, edge, corner float64
	}{{"l1", .25, 2.25, 8.25}, {"l2", .25, 2.25, 4.25}, {"linf", .25, 2.25, 2.25}} {
		p := Pattern{Norm: c.norm, Kappa: 2, Iota: .25, Span: 1, Limits: DefaultLimits()}
		params, err := p.Field([]int{2, 5, 5})
		if err != nil {
			t.Fatal(err)
		}
		sigma := params.Sigma()
		if len(sigma) != 50 || params.Mu() != nil {
			t.Fatalf("%s: %d scales, μ %v", c.norm, len(sigma), params.Mu())
		}
		for _, at := range []struct {
			index int
			want  float64
		}{{12, c.centre}, {2, c.edge}, {14, c.edge}, {0, c.corner}, {24, c.corner}, {25, c.corner}, {37, c.centre}} {
			if got := float64(sigma[at.index]); math.Abs(got-at.want) > 1e-6 {
				t.Errorf("%s: σ[%d] = %v, want %v", c.norm, at.index, got, at.want)
			}
		}
	}
}

func TestPatternSpanOfThePublishedCode(t *testing.T) {
	p := Pattern{Norm: "linf", Kappa: 16, Iota: 1, Span: .25, Limits: DefaultLimits()}
	params, err := p.Field([]int{3, 3})
	if err != nil {
		t.Fatal(err)
	}
	if got := params.Sigma()[0]; got != 2 { // 16·0.25² + 1
		t.Errorf("σ at the corner = %v, want 2", got)
	}
}

func TestPatternFloorIsReported(t *testing.T) {
	p := Pattern{Norm: "l2", Kappa: -1, Iota: .5, Span: 1, Limits: Limits{Floor: .1, Ceiling: 10}}
	params, err := p.Field([]int{1, 3, 3})
	if err != nil {
		t.Fatal(err)
	}
	if got := params.Floored; got != 8 {
		t.Errorf("%d coordinates at the floor, want the 8 around the centre", got)
	}
	for i, s := range params.Sigma() {
		if s < .1 {
			t.Errorf("σ[%d] = %v lies below the floor", i, s)
		}
	}
}

func TestSealRefusesWhatIsNotInvertible(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, s := range []float32{0, -1, nan, inf} {
		if _, err := smooth.NewFields(2, nil, []float32{1, s}, nil); !errors.Is(err, smooth.ErrSigma) {
			t.Errorf("σ = %v: error %v, want ErrSigma", s, err)
		}
	}
	if _, err := smooth.NewFields(2, []float32{nan, 0}, nil, nil); err == nil {
		t.Error("a NaN offset was sealed")
	}
	if _, err := smooth.NewFields(2, nil, []float32{1}, nil); err == nil {
		t.Error("a field of the wrong length was sealed")
	}
}

func TestParametersAreSealed(t *testing.T) {
	source := []float32{1, 2}
	p, err := smooth.NewFields(2, nil, source, nil)
	if err != nil {
		t.Fatal(err)
	}
	source[0] = 9
	p.Sigma()[1] = 9
	if got := p.Sigma(); got[0] != 1 || got[1] != 2 {
		t.Errorf("σ = %v after changing what went in and what came out", got)
	}
	f := NewField(Parameters{Fields: p})
	again, err := f.Parameters(context.Background(), nil)
	if err != nil || again.Sigma()[0] != 1 || f.Guarantee() != smooth.Deployed {
		t.Errorf("field gives %v, %v, %q", again, err, f.Guarantee())
	}
}

func TestParsePattern(t *testing.T) {
	f, err := ParseFormula("pattern:linf,kappa=2,iota=0.125")
	p, ok := f.(Pattern)
	if err != nil || !ok || p.Norm != "linf" || p.Kappa != 2 || p.Iota != .125 || p.Span != 1 {
		t.Fatalf("got %+v, %v", p, err)
	}
	if back, err := ParseFormula(p.String()); err != nil || back != f {
		t.Errorf("%q reads back as %+v, %v", p.String(), back, err)
	}
	for _, bad := range []string{"", "dct:", "pattern:l3", "pattern:l2,kappa", "pattern:l2,kapa=1", "pattern:l2,iota=x", "pattern:l2,iota=NaN", "pattern:l2,span=0", "pattern:l2,floor=0"} {
		if _, err := ParseFormula(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func ExamplePattern() {
	p := Pattern{Norm: "l2", Kappa: 1, Iota: 0.5, Span: 1, Limits: DefaultLimits()}
	params, err := p.Field([]int{1, 3, 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(params.Sigma())
	// Output: [2.5 1.5 2.5 1.5 0.5 1.5 2.5 1.5 2.5]
}
