package smooth_test

import (
	"math"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/sequential"
)

func TestCertifyTwoStage(t *testing.T) {
	noise := gaussian(t, 1, 1, nil, nil)
	terms := smooth.TwoStageN{TwoStage: sequential.TwoStage{Pilot: 100, Kappa: 1000, Cap: 5000}, Alpha: 0.001}
	x := []float32{0}
	certify := func(f func([]float32) int32) smooth.Certification {
		t.Helper()
		s := newSmoother(t, 1, 3, 4, smooth.ClassifierFunc(1, 32, f))
		c, err := s.CertifyTwoStage(t.Context(), x, smooth.InputID(x), noise, terms)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	sure, close, lost := certify(above(-9, 0)), certify(above(-.5, 0)), certify(func(x []float32) int32 { return int32(math.Abs(float64(x[0])*1e6)) % 3 })
	if sure.Abstained || close.Abstained || !lost.Abstained || sure.Method != smooth.MethodTwoStage {
		t.Errorf("sure %+v\nclose %+v\nlost %+v", sure, close, lost)
	}
	// All votes in a pilot of 100: more spread in the radius, more samples.
	if sure.Estimation.N <= close.Estimation.N || close.Estimation.N <= lost.Estimation.N || lost.Estimation.N != 100 {
		t.Errorf("samples: sure %d, close %d, lost %d", sure.Estimation.N, close.Estimation.N, lost.Estimation.N)
	}
	// The bound is the plain one of the fresh samples.
	plain, err := noise.Conclude(sure.Selection, sure.Estimation, 0.001, smooth.OneBound)
	if err != nil || plain.PLower != sure.PLower || plain.Radius != sure.Radius {
		t.Errorf("two-stage bound %v, plain %v (%v)", sure.PLower, plain.PLower, err)
	}
	short := sure.Estimation
	short.N--
	if _, err := noise.ConcludeTwoStage(sure.Selection, short, terms); err == nil {
		t.Error("a number of samples that the pilot did not decide was accepted")
	}
	s := newSmoother(t, 1, 3, 4, smooth.ClassifierFunc(1, 32, above(0, 0)))
	for name, bad := range subtest.Rows(map[string]smooth.TwoStageN{
		"pilot": {TwoStage: sequential.TwoStage{Kappa: 1, Cap: 100}, Alpha: .1},
		"kappa": {TwoStage: sequential.TwoStage{Pilot: 1, Cap: 100}, Alpha: .1},
		"cap":   {TwoStage: sequential.TwoStage{Pilot: 1, Kappa: 1}, Alpha: .1},
		"alpha": {TwoStage: sequential.DefaultTwoStage()},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := s.CertifyTwoStage(t.Context(), x, smooth.InputID(x), noise, bad); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
}
