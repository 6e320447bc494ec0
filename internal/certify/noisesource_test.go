package certify

import (
	"context"
	"errors"
	"testing"

	"ucan/internal/dataset"
	"ucan/internal/results"
	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
)

// doubling is a generator whose scale is twice the input, no less than 1; closed tells that it was
// closed.
type doubling struct{ closed *bool }

func (doubling) Parameters(_ context.Context, x []float32) (npg.Parameters, error) {
	if len(x) == 0 {
		return npg.Parameters{}, errors.New("no input")
	}
	s := make([]float32, len(x))
	for i, v := range x {
		s[i] = 2 * v
	}
	return npg.Limits{Floor: 1, Ceiling: 8}.Apply(nil, len(x), nil, s)
}

func (doubling) Guarantee() smooth.Guarantee { return smooth.Pinned }

func (d doubling) Close() error { *d.closed = true; return nil }

// Noise of a pinned generator is made for each input and never without one; its record says how the
// limits bind.
func TestPinnedNoiseIsMadeForEachInput(t *testing.T) {
	closed := false
	m := &NoiseSource{
		Generator: doubling{&closed}, NPG: &certificate.NPG{Kind: "certification", Spec: "doubling"},
		Family: family.Gaussian{}, Norm: family.L2, Lambda: 0.5, Dim: 2,
	}
	nominal, err := m.Nominal(t.Context())
	if err != nil || nominal.Noise().Sigma() != nil {
		t.Errorf("nominal noise %+v, %v", nominal, err)
	}
	a, err := m.forInput(t.Context(), []float32{0.25, 2})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.forInput(t.Context(), []float32{3, 9})
	if err != nil {
		t.Fatal(err)
	}
	if a.Noise().Sigma()[1] != 4 || b.Noise().Sigma()[0] != 6 {
		t.Errorf("scales %v and %v", a.Noise().Sigma(), b.Noise().Sigma())
	}
	if a.npg.Floored != 1 || a.npg.Ceiled != 0 || b.npg.Floored != 0 || b.npg.Ceiled != 1 || m.NPG.Floored != 0 {
		t.Errorf("records %+v and %+v; that of the run %+v", a.npg, b.npg, m.NPG)
	}
	if _, err := m.forInput(t.Context(), nil); err == nil {
		t.Error("noise was made without an input")
	}
	if err := m.Close(); err != nil || !closed {
		t.Errorf("the generator was not closed (%v)", err)
	}
}

// A certificate with pinned noise stores the noise it was made with, and one of a failed input
// claims none.
func TestCertifierStoresPinnedNoise(t *testing.T) {
	closed := false
	smoother, err := smooth.New([]smooth.Classifier{smooth.ClassifierFunc(2, 8, func([]float32) int32 { return 1 })}, smooth.Config{Dim: 2, Classes: 2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	c := &Certifier{
		Source: "test", Noise: &NoiseSource{
			Generator: doubling{&closed}, NPG: &certificate.NPG{Kind: "certification", Spec: "doubling"},
			Family: family.Gaussian{}, Norm: family.L2, Lambda: 0.5, Dim: 2,
		},
		Method: func(ctx context.Context, x []float32, id [32]byte, noise *smooth.SealedNoise, _ int) (smooth.Certification, error) {
			return smoother.Certify(ctx, x, id, noise, smooth.FixedN{N0: 10, N: 100, Alpha: 0.01})
		},
		Head: certificate.Head{Model: certificate.Model{Name: "m", SHA256: certificate.NewField([]float32{1}).SHA256, Decision: "argmax", Classes: 2}},
	}
	x := []float32{0.25, 2}
	cert, err := c.Certify(t.Context(), dataset.Item{Index: 3, X: x, SHA256: smooth.InputID(x), Shape: []int{2}, Label: 1})
	if err != nil {
		t.Fatal(err)
	}
	if cert.Guarantee != smooth.Pinned || cert.Noise.SigmaField.Values[1] != 4 || cert.Noise.NPG.Floored != 1 {
		t.Errorf("certificate of %+v under %q", cert.Noise, cert.Guarantee)
	}
	if findings, checkErr := certificate.Check(cert, nil); checkErr != nil || len(findings) > 0 {
		t.Errorf("findings %v, %v", findings, checkErr)
	}
	failed, err := c.Fail(dataset.Item{Index: 4, Label: -1}, errors.New("unreadable"))
	if err != nil || failed.Noise.SigmaField != nil || failed.Noise.NPG == nil || failed.Guarantee != smooth.Pinned {
		t.Errorf("failed: %+v, %v", failed, err)
	}
	if row := results.RowOf(failed); row.Validate() != nil || row.Norm != "l2" {
		t.Errorf("a failed input whose noise was never made has the row %+v", row)
	}
	if findings, checkErr := certificate.Check(failed, nil); checkErr != nil || len(findings) > 0 {
		t.Errorf("findings in a failed certificate: %v, %v", findings, checkErr)
	}
}
