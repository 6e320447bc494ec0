package validate_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/stats"
	"ucan/train/validate"
)

// points are images of one value each; the class is 1 for values above 0.
type points []float32

func (p points) Len() int                  { return len(p) }
func (p points) Read(i int, dst []float32) { dst[0] = p[i] }
func (p points) Label(i int) int           { return int(sign(p[i : i+1])) }

func sign(x []float32) int32 {
	if x[0] > 0 {
		return 1
	}
	return 0
}

func fixed(t *testing.T, sigma float64) validate.Noise {
	t.Helper()
	s, err := smooth.Noise{Family: family.Gaussian{}, Norm: family.L2, Lambda: sigma}.Seal(1)
	if err != nil {
		t.Fatal(err)
	}
	return func(context.Context, []float32) (*smooth.SealedNoise, error) { return s, nil }
}

// TestEstimatesAgainstExactValues: for the classifier sign(x) under Gaussian noise the vote of x
// has probability Φ(|x|/σ) and the radius is |x|.
func TestEstimatesAgainstExactValues(t *testing.T) {
	images := points{0.1, -0.2, 0.3, -0.4}
	workers := []smooth.Classifier{smooth.ClassifierFunc(1, 64, sign)}
	const sigma, samples = 0.25, 20000
	v, err := validate.Run(context.Background(), workers, images, 1, fixed(t, sigma), validate.Options{
		Samples: samples, Seed: 3, Classes: 2, Radii: []float64{0, 0.05, 0.15, 0.25, 0.35, 0.6},
	})
	if err != nil {
		t.Fatal(err)
	}
	noisy := 0.0
	for _, x := range images {
		noisy += stats.NormalCDF(math.Abs(float64(x))/sigma) / 4
	}
	// A share of 80,000 votes deviates by at most 0.002, a radius from 20,000 by about 0.005.
	if math.Abs(v.Noisy-noisy) > 0.008 || math.Abs(v.Score-0.25) > 0.02 || v.Clean != 1 {
		t.Errorf("noisy %v, want %v; score %v, want 0.25; clean %v", v.Noisy, noisy, v.Score, v.Clean)
	}
	for i, want := range []float64{1, 1, 0.75, 0.5, 0.25, 0} {
		if v.Curve[i].Accuracy != want {
			t.Errorf("certified accuracy at %v is %v, want %v", v.Curve[i].Radius, v.Curve[i].Accuracy, want)
		}
	}
	again, err := validate.Run(context.Background(), workers, images, 1, fixed(t, sigma), validate.Options{Samples: samples, Seed: 3, Classes: 2})
	if err != nil || again.Score != v.Score || len(again.Curve) < 5 {
		t.Errorf("again: %v, %+v", err, again)
	}
}

// TestWrongAnswersScoreNothing even where they are sure.
func TestWrongAnswersScoreNothing(t *testing.T) {
	workers := []smooth.Classifier{smooth.ClassifierFunc(1, 8, func(x []float32) int32 { return 1 - sign(x) })}
	v, err := validate.Run(context.Background(), workers, points{2, -2, 3}, 1, fixed(t, 0.1), validate.Options{Samples: 50, Classes: 2})
	if err != nil || v.Score != 0 || v.Clean != 0 || v.Noisy != 0 || v.Curve[0].Accuracy != 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestFaults(t *testing.T) {
	workers := []smooth.Classifier{smooth.ClassifierFunc(1, 8, sign)}
	boom := errors.New("boom")
	o := validate.Options{Samples: 5, Classes: 2}
	if _, err := validate.Run(context.Background(), workers, points{1}, 1, func(context.Context, []float32) (*smooth.SealedNoise, error) { return nil, boom }, o); !errors.Is(err, boom) {
		t.Errorf("noise that fails: %v", err)
	}
	if _, err := validate.Run(context.Background(), workers, points{}, 1, fixed(t, 1), o); err == nil {
		t.Error("no image")
	}
	o.Samples = 0
	if _, err := validate.Run(context.Background(), workers, points{1}, 1, fixed(t, 1), o); err == nil {
		t.Error("no sample")
	}
}
