package compare

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"ucan/internal/fault"
	"ucan/smooth/basis"
	"ucan/smooth/family"
	"ucan/smooth/region"
)

func field(n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = 0.5 + 0.1*float32(i%7)
	}
	return s
}

func geometric(s []float32, of func(int) bool) float64 {
	sum, n := 0.0, 0.0
	for i, v := range s {
		if of(i) {
			sum, n = sum+math.Log(float64(v)), n+1
		}
	}
	return math.Exp(sum / n)
}

func TestSectionOfEverythingIsTheRegion(t *testing.T) {
	u, err := basis.DCT2([]int{1, 4, 5})
	if err != nil {
		t.Fatal(err)
	}
	s := sections{varies: make([]bool, 20)}
	for i := range s.varies {
		s.varies[i] = true
	}
	for _, b := range []*basis.Transform{nil, u} {
		got, err := s.factor(region.Region{Norm: family.L2, R: 1, Sigma: field(20), Dim: 20, Basis: b})
		want := geometric(field(20), func(int) bool { return true })
		if err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("basis %v: %v, want %v (%v)", b != nil, got, want, err)
		}
	}
}

// One varying input leaves a segment: what the region allows along that axis.
func TestSectionAlongOneAxis(t *testing.T) {
	u, err := basis.DCT2([]int{1, 4, 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []*basis.Transform{nil, u} {
		s := sections{varies: make([]bool, 20)}
		s.varies[7] = true
		r := region.Region{Norm: family.L2, R: 1, Sigma: field(20), Dim: 20, Basis: b}
		got, err := s.factor(r)
		if err != nil {
			t.Fatal(err)
		}
		axis := make([]float64, 20)
		axis[7] = 1
		want, err := r.MaxScale(axis)
		if err != nil || math.Abs(got-want) > 1e-6 {
			t.Errorf("basis %v: %v, want %v (%v)", b != nil, got, want, err)
		}
	}
	s := sections{varies: make([]bool, 3)}
	if _, err := s.factor(region.Region{Norm: family.L2, R: 1, Sigma: field(20), Dim: 20}); err == nil {
		t.Error("a mask of another size was taken")
	}
}

// arm makes an arm whose inputs 0, 1, … have the given ℓ2 radii, and ALM radii twice as large.
func arm(name string, radii ...float64) *Arm {
	a := &Arm{Name: name, Guarantee: "deployed"}
	for i, r := range radii {
		a.certified = append(a.certified, certified{input: fmt.Sprint(i), correct: true, size: size{l2: r, alm: 2 * r}})
	}
	return a
}

func TestPairsAreTakenAgainstTheEnvelope(t *testing.T) {
	wide, narrow, field := arm("wide", 1, 0, 0, 0), arm("narrow", 0.5, 0.5, 0.5, 0.5), arm("field", 1, 1, 0.5, 2)
	wide.Isotropic, narrow.Isotropic = true, true
	got, err := Compare([]*Arm{wide, narrow, field}, Options{Radii: []float64{0.5, 0.75, 1.5}, Least: 0.1, Confidence: 0.95})
	if err != nil {
		t.Fatal(err)
	}
	m := got.Measures[0]
	for i, want := range []Pair{
		{Against: "narrow", Difference: 0, Ratio: &Ratio{Value: 1}},
		{Against: "wide", Difference: 0.5, Ratio: &Ratio{Value: 3}},
		{Against: "wide", Difference: 0.25},
	} {
		p := m.Pairs[i]
		if p.Name != "field" || p.Against != want.Against || p.Difference != want.Difference || (p.Ratio == nil) != (want.Ratio == nil) {
			t.Errorf("pair %d: %+v, want %+v", i, p, want)
			continue
		}
		if p.DifferenceInterval.Low > p.Difference || p.DifferenceInterval.High < p.Difference {
			t.Errorf("pair %d: the interval %v lacks %v", i, p.DifferenceInterval, p.Difference)
		}
		if r := p.Ratio; r != nil && (r.Value != want.Ratio.Value || !(r.Low <= r.Value && r.Value <= r.High)) {
			t.Errorf("pair %d: ratio %+v, want %v in its interval", i, *r, want.Ratio.Value)
		}
	}
	if got := []float64{m.Envelope[0].CertifiedAccuracy, m.Envelope[1].CertifiedAccuracy, m.Envelope[2].CertifiedAccuracy}; !slices.Equal(got, []float64{1, 0.25, 0}) {
		t.Errorf("envelope %v", got)
	}
	if highest, lowest := m.Extremes("field"); highest.Radius != 0.75 || lowest.Radius != 0.5 {
		t.Errorf("extremes %+v and %+v", highest, lowest)
	}
	if field.Accuracy != 1 || math.Abs(field.ACR-4.5/4) > 1e-15 || field.MeanALM != 2*field.ACR {
		t.Errorf("%+v", field)
	}
	if _, err := Plot(filepath.Join(t.TempDir(), "p"), got.Arms); err != nil {
		t.Error(err)
	}
}

func TestWithoutAnEnvelopeTheFirstArmIsTheOther(t *testing.T) {
	got, err := Compare([]*Arm{arm("a", 1, 1), arm("b", 1, 0)}, Options{Confidence: 0.95})
	if err != nil {
		t.Fatal(err)
	}
	m := got.Measures[1]
	if m.Envelope != nil || len(m.Pairs) == 0 || m.Pairs[0].Name != "b" || m.Pairs[0].Against != "a" {
		t.Errorf("%+v", m.Pairs)
	}
	if last := m.Curves[0].Points[len(m.Curves[0].Points)-1].Radius; last < 2 {
		t.Errorf("the radii end at %v, before the largest ALM radius", last)
	}
}

func TestCommonInputs(t *testing.T) {
	of := func(inputs ...string) *Arm {
		a := &Arm{}
		for _, in := range inputs {
			a.certified = append(a.certified, certified{input: in, size: size{l2: float64(len(in))}})
		}
		return a
	}
	arms := []*Arm{of("a", "bb", "bb2", "ccc"), of("bb", "ccc", "dddd")}
	if err := sameInputs(arms); !fault.Is(err, fault.Wrong) {
		t.Errorf("other inputs were taken for the same: %v", err)
	}
	keepCommon(arms)
	if err := sameInputs(arms); err != nil || len(arms[0].certified) != 2 || arms[0].certified[1].size.l2 != 3 {
		t.Errorf("%+v %v", arms, err)
	}
	arms = []*Arm{of("a"), of("b", "b")}
	keepCommon(arms)
	if err := sameInputs(arms); err == nil {
		t.Error("nothing in common passed")
	}
}

// Capped ALM has curves of its own where an axis is at its cap, and none where a file does not
// tell.
func TestCappedCurves(t *testing.T) {
	arms := func() []*Arm {
		a, b := arm("a", 1, 2), arm("b", 1, 2)
		for _, x := range []*Arm{a, b} {
			for i := range x.certified {
				x.certified[i].certified, x.certified[i].size.capped = true, 1.5
			}
		}
		b.certified[1].size.share = 0.5
		return []*Arm{a, b}
	}
	got, err := Compare(arms(), Options{Confidence: 0.95})
	if err != nil || len(got.Measures) != 3 || got.Measures[2].Text != "capped ALM" {
		t.Fatalf("%+v, %v", got.Measures, err)
	}
	if b := got.Arms[1]; *b.MeanALMCapped != 1.5 || *b.CappedShare != 0.25 {
		t.Errorf("mean %v, share %v", *b.MeanALMCapped, *b.CappedShare)
	}
	untold := arms()
	untold[0].boxless = 1
	got, err = Compare(untold, Options{Confidence: 0.95})
	if err != nil || len(got.Measures) != 2 || got.Arms[0].MeanALMCapped != nil || got.Arms[1].MeanALMCapped == nil {
		t.Errorf("%+v, %v", got.Measures, err)
	}
}
