package smooth

import (
	"slices"
	"testing"

	"ucan/smooth/family"
	"ucan/smooth/stream"
)

// other embeds the Gaussian and replaces its sampler: what it inherits of the
// affine one draws from the wrong law.
type other struct{ family.Gaussian }

func (other) Sample(dst []float32, src *stream.Source) { src.LaplaceInto(dst) }

func TestAffineSamplerIsUsedOnlyWhereItAgrees(t *testing.T) {
	for _, sigma := range [][]float32{nil, slices.Repeat([]float32{0.5, 2}, 50)} {
		for _, c := range []struct {
			family family.Family
			affine bool
		}{{family.Gaussian{}, true}, {other{}, false}} {
			fields, err := NewFields(100, nil, sigma, nil)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Noise{Family: c.family, Norm: family.L2, Lambda: 0.3, Fields: fields}.Seal(100)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.affine != nil; got != c.affine {
				t.Errorf("%T: affine sampler used: %t, want %t", c.family, got, c.affine)
			}
			base, dst, want := make([]float32, 100), make([]float32, 100), make([]float32, 100)
			for i := range base {
				base[i] = float32(i) / 7
			}
			source := stream.New(1, [32]byte{}, stream.Estimate).Source(3)
			again := source
			s.fill(dst, base, &source, nil)
			s.sampler.Sample(want, &again)
			for i, e := range want {
				scale := s.uniform
				if sigma != nil {
					scale = s.scale[i]
				}
				want[i] = base[i] + float32(scale*e)
			}
			if !slices.Equal(dst, want) || source != again {
				t.Errorf("%T: fill differs from sampling and adding", c.family)
			}
		}
	}
}
