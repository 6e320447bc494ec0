package audit

import (
	"encoding/json"
	"testing"

	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/sequential"
)

// selection says how the specimen of a selector's certificate is made: a selector that answers set
// 1 above a threshold, and the recipe of that set.
type selection struct {
	recipe

	away float32 // distance to the selector's threshold
	fast bool    // the selector's samples stop early
}

// selections are the specimens under the guarantee selector.
func selections() map[string]selection {
	profile := sequential.Fast().WithCap(5000)
	return map[string]selection{
		"selector":               {recipe: recipe{at: 0.5, label: 1}, away: 0.3},
		"selector of fields":     {recipe: recipe{at: 0.5, label: 1, sigma: []float32{.5, .5, 1, 1.5, 2, 2.5}, mu: []float32{.05, 0, -.1, 0, 0, .02}}, away: 0.6},
		"selector abstained":     {recipe: recipe{at: 0.5, label: 1}},
		"selector stops early":   {recipe: recipe{n0: 60, at: 0.6, label: 1, profile: &profile}, away: 0.5, fast: true},
		"selector, then nothing": {recipe: recipe{at: 0, label: 1}, away: 0.5},
	}
}

func (s selection) certify(tb testing.TB, index int) *certificate.Certificate {
	tb.Helper()
	noise, x := s.seal(tb), image(s.first)
	isotropic := recipe{}.seal(tb)
	id := smooth.InputID(x)
	chooser, err := smooth.New([]smooth.Classifier{smooth.ClassifierFunc(6, 16, func(y []float32) int32 {
		if y[1] > x[1]-s.away {
			return 1
		}
		return 0
	})}, smooth.Config{Dim: 6, Classes: 2, Seed: 11})
	if err != nil {
		tb.Fatal(err)
	}
	first := s.stage(tb, chooser, x, smooth.SelectorID(id), isotropic, s.fast, -1)
	second := noise.Unsampled(classes, 0.0005)
	if !first.Abstained {
		second = s.stage(tb, smoother(tb, classifier(x[0]-s.at)), x, id, noise, s.profile != nil, s.label)
	}
	result, err := smooth.Compose(first, second)
	if err != nil {
		tb.Fatal(err)
	}
	head := s.head(index)
	head.Guarantee = smooth.BySelector
	digest, err := certificate.DigestOf(noise)
	if err != nil {
		tb.Fatal(err)
	}
	other := certificate.Set{Model: head.Model.SHA256, Noise: "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"}
	head.Selection = &certificate.Selection{
		Model: certificate.Model{Name: "selector", SHA256: "33221100ffeeddccbbaa998877665544ffeeddccbbaa99887766554433221100", Decision: "argmax", Classes: 2, Preprocessing: json.RawMessage(`{}`)},
		Noise: isotropic, Set: 1, Sets: []certificate.Set{other, {Model: head.Model.SHA256, Noise: digest}},
	}
	if first.HasClass && first.Class == 0 {
		head.Selection.Set, head.Selection.Sets[0], head.Selection.Sets[1] = 0, head.Selection.Sets[1], other
	}
	c, err := certificate.New(head, noise, result)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// stage certifies at half of alpha.
func (s selection) stage(tb testing.TB, smoother *smooth.Smoother, x []float32, id [32]byte, noise *smooth.SealedNoise, early bool, label int) smooth.Certification {
	tb.Helper()
	const alpha = 0.0005
	if !early {
		result, err := smoother.Certify(tb.Context(), x, id, noise, smooth.FixedN{N0: 60, N: 2000, Alpha: alpha})
		if err != nil {
			tb.Fatal(err)
		}
		return result
	}
	grid, err := noise.DefaultGrid()
	if err != nil {
		tb.Fatal(err)
	}
	plan, err := noise.NewAdaptive(smooth.AdaptiveN{N0: 60, Alpha: alpha, Grid: grid, Profile: *s.profile}, sequential.NewTables())
	if err != nil {
		tb.Fatal(err)
	}
	result, err := smoother.CertifyAdaptive(tb.Context(), x, id, plan, label)
	if err != nil {
		tb.Fatal(err)
	}
	return result
}
