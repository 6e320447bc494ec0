package diagnose

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"ucan/fixtures/subtest"
	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/smooth/family"
	"ucan/smooth/stream"
)

// The toy world: an image of class c has 1 in block c of 4 coordinates and 0 elsewhere, but for a
// small texture that tells inputs of a class apart. Four further coordinates, one a class, are 0 in
// every image.
const (
	classes = 4
	block   = 4
	dim     = classes*block + classes
)

func image(i int) Input {
	c := i % classes
	x := make([]float32, dim)
	for k := range block {
		x[c*block+k] = 1 + 0.002*float32((i*7+k*31)%101)
	}
	return Input{X: x, ID: smooth.InputID(x), Label: c}
}

func images(n int) []Input {
	out := make([]Input, n)
	for i := range out {
		out[i] = image(i)
	}
	return out
}

// brightest answers with the class of the brightest block: an honest classifier, which the extra
// coordinates do not move.
func brightest(x []float32) int32 {
	best, at := float32(math.Inf(-1)), 0
	for c := range classes {
		sum := float32(0)
		for k := range block {
			sum += x[c*block+k]
		}
		if sum > best {
			best, at = sum, c
		}
	}
	return int32(at)
}

// trusting believes the extra coordinate of largest size if it is beyond 2, and the image
// otherwise.
func trusting(x []float32) int32 {
	best, at := float32(2), -1
	for c := range classes {
		if v := float32(math.Abs(float64(x[classes*block+c]))); v > best {
			best, at = v, c
		}
	}
	if at >= 0 {
		return int32(at)
	}
	return brightest(x)
}

// maker is a generator made of a function.
type maker struct {
	make      func(x []float32) (mu, sigma []float32)
	guarantee smooth.Guarantee
}

func (m maker) Parameters(_ context.Context, x []float32) (npg.Parameters, error) {
	mu, sigma := m.make(x)
	return parameters(len(x), mu, sigma, nil)
}

func (m maker) Guarantee() smooth.Guarantee { return m.guarantee }

// healthy makes noise that varies over the coordinates and, a little, over the inputs, and a small
// offset.
func healthy(x []float32) (mu, sigma []float32) {
	mu, sigma = make([]float32, dim), make([]float32, dim)
	for i := range x {
		sigma[i] = 0.2 + 0.02*float32(i) + 0.3*(x[i]*float32(i%3)/10)
		mu[i] = 0.05 * x[i]
	}
	return mu, sigma
}

func subject(t *testing.T, f func([]float32) int32, g npg.Generator) Subject {
	t.Helper()
	gaussian, err := family.New("gaussian", nil)
	if err != nil {
		t.Fatal(err)
	}
	sampler, err := smooth.New([]smooth.Classifier{smooth.ClassifierFunc(dim, 16, f)}, smooth.Config{Dim: dim, Classes: classes, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return Subject{Generator: g, Sampler: sampler, Noise: smooth.Noise{Family: gaussian, Norm: family.L2, Lambda: 1}, Floor: 0.05, Ceiling: 2, MuCap: 4}
}

func names(found []Diagnosis) []string {
	var out []string
	for _, d := range found {
		out = append(out, d.Name)
	}
	return out
}

// Each planted fault is found, and nothing else is; a healthy generator has none.
func TestPlantedFaults(t *testing.T) {
	constant := func(v float32) []float32 { return slices.Repeat([]float32{v}, dim) }
	for _, c := range []struct {
		name  string
		f     func([]float32) int32
		make  func(x []float32) (mu, sigma []float32)
		guard smooth.Guarantee
		want  []string
	}{
		{"healthy", brightest, healthy, smooth.Pinned, nil},
		{"healthy before a classifier that would believe a leak", trusting, healthy, smooth.Pinned, nil},
		{"healthy field", brightest, func([]float32) ([]float32, []float32) { return healthy(make([]float32, dim)) }, smooth.Deployed, nil},
		{"ball for each input", brightest, func(x []float32) ([]float32, []float32) { return nil, constant(0.2 + 0.1*(x[0]+x[4])) }, smooth.Pinned, []string{Collapse}},
		{"isotropic field", brightest, func([]float32) ([]float32, []float32) { return nil, constant(0.4) }, smooth.Deployed, []string{Collapse}},
		{"one field for all", brightest, func([]float32) ([]float32, []float32) { return healthy(make([]float32, dim)) }, smooth.Pinned, []string{CollapseInputs}},
		{"at the ceiling", func(x []float32) int32 { return brightest(x) }, func(x []float32) ([]float32, []float32) {
			mu, sigma := healthy(x)
			for i := range sigma { // noise at the ceiling where nothing is seen, and on half of what is
				if i >= 9 {
					sigma[i] = 0.5
				}
			}
			return mu, sigma
		}, smooth.Pinned, []string{SigmaCap}},
		{"at the floor", brightest, func(x []float32) ([]float32, []float32) {
			mu, sigma := healthy(x)
			sigma[3], sigma[8] = 0.05, 0.05
			return mu, sigma
		}, smooth.Pinned, []string{ZeroRadius}},
		{"a vanishing coordinate", brightest, func(x []float32) ([]float32, []float32) {
			mu, sigma := healthy(x)
			sigma[3] = 1e-5
			return mu, sigma
		}, smooth.Pinned, []string{ZeroRadius}},
		{"too much noise", brightest, func(x []float32) ([]float32, []float32) {
			_, sigma := healthy(x)
			for i := range sigma {
				sigma[i] *= 40
			}
			return nil, sigma
		}, smooth.Deployed, []string{Abstains}},
		{"label in the offset", trusting, func(x []float32) ([]float32, []float32) {
			mu, sigma := healthy(x)
			mu[classes*block+int(brightest(x))] = 3.5
			return mu, sigma
		}, smooth.Pinned, []string{Leaks, MuLarge}},
		{"label in the offset, before a classifier that does not look", brightest, func(x []float32) ([]float32, []float32) {
			mu, sigma := healthy(x)
			mu[classes*block+int(brightest(x))] = 3.5
			return mu, sigma
		}, smooth.Pinned, []string{Leaks, MuLarge}},
		{"label in the scale", trusting, func(x []float32) ([]float32, []float32) {
			mu, sigma := healthy(x)
			for i := range classes {
				sigma[classes*block+i] = 0.1
			}
			sigma[classes*block+int(brightest(x))] = 50
			return mu, sigma
		}, smooth.Pinned, []string{Leaks}},
		{"saturated offset", brightest, func(x []float32) ([]float32, []float32) {
			_, sigma := healthy(x)
			return constant(3.9), sigma
		}, smooth.Pinned, []string{MuCap}},
	} {
		s := subject(t, c.f, maker{c.make, c.guard})
		switch c.name {
		case "at the ceiling":
			s.Ceiling = 0.5
		case "a vanishing coordinate":
			s.Floor = 0
		case "too much noise":
			s.Ceiling = 0
		case "label in the scale":
			s.Ceiling = 0
		}
		r, err := Run(context.Background(), s, images(60), DefaultOptions())
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := names(r.Found()); !slices.Equal(got, c.want) {
			t.Errorf("%s: found %q, want %q\n%+v", c.name, got, c.want, r)
		}
		for _, d := range r.Diagnoses {
			if d.Found == (d.Knob == "") || d.Text == "" {
				t.Errorf("%s: %q found %v has the knob %q and the text %q", c.name, d.Name, d.Found, d.Knob, d.Text)
			}
		}
	}
}

// Some of the generator's inputs carry the label in μ, the others' donors never name it: the
// accuracy is the share of the former, but for the draws that lose the mark.
func TestLeakIsMeasuredRight(t *testing.T) {
	g := maker{func(x []float32) ([]float32, []float32) {
		mu, sigma := healthy(x)
		if id := smooth.InputID(x); id[0]%4 != 0 {
			mu[classes*block+int(brightest(x))] = 3.5
		}
		return mu, sigma
	}, smooth.Pinned}
	inputs, marked := images(44), 0
	for _, in := range inputs {
		if in.ID[0]%4 != 0 {
			marked++
		}
	}
	r, err := Run(context.Background(), subject(t, trusting, g), inputs, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	want := float64(marked) / float64(len(inputs))
	if l := r.Leak; math.Abs(l.Accuracy-want) > 0.02 || l.Low > want || l.High < want {
		t.Errorf("leak %+v, want accuracy near %.3f", *l, want)
	}
	l := r.Leak
	if l.Chance != 1.0/(classes-1) || l.Donors != 2 || l.Inputs != len(inputs) {
		t.Errorf("leak %+v, want chance 1/3 with 2 donors of %d inputs", *l, len(inputs))
	}
	if l.ThroughMu == nil || l.ThroughSigma == nil || math.Abs(*l.ThroughMu-want) > 0.02 || *l.ThroughSigma > 0.02 {
		t.Errorf("attribution %v, %v; want all of it to μ", l.ThroughMu, l.ThroughSigma)
	}
}

// No classifier that does not read the noise parameters exceeds chance: not one that always answers
// with the commonest label, nor one that excludes the donor's class and guesses.
func TestChanceBoundsHonestClassifiers(t *testing.T) {
	inputs := images(40)
	for i := range 20 {
		inputs = append(inputs, image(classes*(30+i))) // class 0 is common
	}
	for name, f := range subtest.Rows(map[string]func([]float32) int32{
		"constant": func([]float32) int32 { return 0 },
		"commonest other": func(x []float32) int32 {
			if brightest(x) == 0 {
				return 1
			}
			return 0
		},
		"neighbour": func(x []float32) int32 { return (brightest(x) + 1) % classes },
	}) {
		t.Run(name, func(t *testing.T) {
			r, err := Run(context.Background(), subject(t, f, maker{healthy, smooth.Pinned}), inputs, DefaultOptions())
			if err != nil {
				t.Fatal(err)
			}
			// Donors are drawn at random, so the accuracy may exceed its expectation's bound by
			// sampling error.
			if l := r.Leak; l.Accuracy > l.Chance+0.05 || slices.Contains(names(r.Found()), Leaks) {
				t.Errorf("%s: leak %+v", name, *l)
			}
		})
	}
}

// With two classes, a donor of the other class gives the label away: an honest classifier that
// always errs must not look like a leak.
func TestTwoClasses(t *testing.T) {
	inputs := slices.DeleteFunc(images(80), func(in Input) bool { return in.Label > 1 })
	contrary := func(x []float32) int32 { return 1 - min(brightest(x), 1) }
	r, err := Run(context.Background(), subject(t, contrary, maker{healthy, smooth.Pinned}), inputs, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if l := r.Leak; l.Chance != 0.5 || math.Abs(l.Accuracy-0.5) > 0.1 {
		t.Errorf("leak %+v, want one half", *l)
	}
}

func TestWhatCannotBeMeasuredIsSaid(t *testing.T) {
	for name, c := range subtest.Rows(map[string]struct {
		inputs    []Input
		guarantee smooth.Guarantee
		sampler   bool
	}{
		"few inputs":    {images(8), smooth.Pinned, true},
		"one class":     {slices.DeleteFunc(images(100), func(in Input) bool { return in.Label != 2 }), smooth.Pinned, true},
		"fixed noise":   {images(40), smooth.Deployed, true},
		"no classifier": {images(40), smooth.Pinned, false},
	}) {
		t.Run(name, func(t *testing.T) {
			s := subject(t, brightest, maker{healthy, c.guarantee})
			if !c.sampler {
				s.Sampler = nil
			}
			r, err := Run(context.Background(), s, c.inputs, DefaultOptions())
			if err != nil {
				t.Fatal(err)
			}
			if r.Leak != nil || len(r.Notes) != 1 || slices.Contains(names(r.Diagnoses), Leaks) {
				t.Errorf("%s: leak %v, notes %q", name, r.Leak, r.Notes)
			}
			if c.sampler == (r.Abstention == nil) {
				t.Errorf("%s: abstention %v", name, r.Abstention)
			}
		})
	}
}

func TestFiguresOfFields(t *testing.T) {
	// Two inputs of two coordinates, by hand.
	fields := map[float32][2][]float32{1: {{3, 0}, {1, 4}}, 2: {{0, 3}, {4, 4}}}
	g := maker{func(x []float32) ([]float32, []float32) { f := fields[x[0]]; return f[0], f[1] }, smooth.Pinned}
	inputs := []Input{{X: []float32{1, 0}, Label: -1}, {X: []float32{2, 0}, Label: -1}}
	r, err := Run(context.Background(), Subject{Generator: g, Floor: 1, Ceiling: 4, MuCap: 3}, inputs, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	ln4 := math.Log(4)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"min", r.Sigma.Min, 1}, {"max", r.Sigma.Max, 4}, {"mean", r.Sigma.Mean, 13.0 / 4},
		{"geometric mean", r.Sigma.GeometricMean, math.Exp(3 * ln4 / 4)},
		// Standard deviations of log σ within inputs: ln4/2 and 0; over inputs: ln4/2 and 0.
		{"spread over coordinates", r.Sigma.SpreadCoordinates, ln4 / 2 / math.Sqrt2},
		{"spread over inputs", r.Sigma.SpreadInputs, ln4 / 2 / math.Sqrt2},
		// Geometric mean over least: 2 and 1.
		{"volume gain", r.Sigma.VolumeGain, math.Sqrt2},
		{"at floor", r.Sigma.AtFloor, 0.25}, {"at ceiling", r.Sigma.AtCeiling, 0.75},
		{"‖μ‖", r.Mu.Norm, 3}, {"‖x‖", r.Mu.InputNorm, 1.5}, {"of input", r.Mu.OfInput, (3 + 1.5) / 2},
		// μ̄ = (1.5, 1.5), both deviate by 1.5√2.
		{"varying", r.Mu.Varying, 1.5 * math.Sqrt2 * (1 + 0.5) / 2},
		{"of cap", r.Mu.OfCap, 3 / (3 * math.Sqrt2)},
	} {
		if math.Abs(c.got-c.want) > 1e-6*math.Abs(c.want) {
			t.Errorf("%s = %v, want %v", c.name, c.got, c.want)
		}
	}
}

// The interval's ends have, by definition, divergence ln(2/α)/n from the mean; and it covers where
// the exact interval of a proportion, which is narrower, does.
func TestChernoff(t *testing.T) {
	for _, mean := range []float64{0, 0.03, 0.5, 0.97, 1} {
		low, high := chernoff(mean, 50, 0.05)
		if low > mean || high < mean || low < 0 || high > 1 {
			t.Fatalf("mean %v: [%v, %v]", mean, low, high)
		}
		limit := math.Log(2/0.05) / 50
		for _, end := range []float64{low, high} {
			if end == 0 || end == 1 {
				continue
			}
			if got := divergence(mean, end); math.Abs(got-limit) > 1e-6 {
				t.Errorf("mean %v: divergence %v at %v, want %v", mean, got, end, limit)
			}
		}
	}
	if low, high := chernoff(0, 10, 0.05); low != 0 || high < 0.3 || high > 0.32 {
		t.Errorf("0 of 10: [%v, %v], want [0, 1 − (0.025)^(1/10)] = [0, 0.308]", low, high)
	}
}

func TestReportSerialises(t *testing.T) {
	r, err := Run(context.Background(), subject(t, brightest, maker{healthy, smooth.Pinned}), images(40), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err = json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(back); !slices.Equal(again, text) {
		t.Errorf("JSON changes from\n%s to\n%s", text, again)
	}
	doc, err := yaml.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	back = Report{}
	if err = yaml.Unmarshal(doc, &back); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(back); !slices.Equal(again, text) {
		t.Errorf("YAML reads back as\n%s", again)
	}
}

type broken struct{}

var errBroken = errors.New("broken")

func (broken) Sample(context.Context, []float32, [32]byte, *smooth.SealedNoise, stream.Phase, uint64, uint64) (smooth.Counts, error) {
	return smooth.Counts{}, errBroken
}

func TestFailuresAreErrors(t *testing.T) {
	s := subject(t, brightest, maker{healthy, smooth.Pinned})
	if _, err := Run(context.Background(), s, nil, DefaultOptions()); err == nil {
		t.Error("no inputs were accepted")
	}
	uneven := append(images(3), Input{X: []float32{1}})
	if _, err := Run(context.Background(), s, uneven, DefaultOptions()); err == nil {
		t.Error("inputs of two shapes were accepted")
	}
	o := DefaultOptions()
	o.Alpha = 0
	if _, err := Run(context.Background(), s, images(3), o); err == nil {
		t.Error("alpha 0 was accepted")
	}
	s.Sampler = broken{}
	if _, err := Run(context.Background(), s, images(30), DefaultOptions()); !errors.Is(err, errBroken) {
		t.Errorf("error %v, want the sampler's", err)
	}
	s.Generator = maker{func(x []float32) ([]float32, []float32) { return nil, make([]float32, dim) }, smooth.Pinned}
	if _, err := Run(context.Background(), s, images(30), DefaultOptions()); !errors.Is(err, smooth.ErrSigma) {
		t.Errorf("error %v, want ErrSigma", err)
	}
}

// phases records what the sampler was asked for.
type phases struct {
	Sampler
	seen map[stream.Phase]bool
}

func (p phases) Sample(ctx context.Context, x []float32, id [32]byte, noise *smooth.SealedNoise, phase stream.Phase, from, to uint64) (smooth.Counts, error) {
	p.seen[phase] = true
	return p.Sampler.Sample(ctx, x, id, noise, phase, from, to)
}

func TestNoiseIsOfPhaseAudit(t *testing.T) {
	s := subject(t, brightest, maker{healthy, smooth.Pinned})
	p := phases{s.Sampler, map[stream.Phase]bool{}}
	s.Sampler = p
	if _, err := Run(context.Background(), s, images(40), DefaultOptions()); err != nil {
		t.Fatal(err)
	}
	if len(p.seen) != 1 || !p.seen[stream.Audit] {
		t.Errorf("phases %v, want audit alone", p.seen)
	}
}

// In the DCT basis noise on high frequencies hardly moves a block's sum, in the pixel basis the
// same scales drown it: the votes must be drawn in the generator's basis.
func TestBasisIsUsed(t *testing.T) {
	dct, err := basis.DCT2([]int{1, 1, dim})
	if err != nil {
		t.Fatal(err)
	}
	sigma := make([]float32, dim)
	for k := range sigma {
		sigma[k] = 0.05
		if k >= dim/2 {
			sigma[k] = 6
		}
	}
	var share [2]float64
	for i, b := range []*basis.Transform{dct, nil} {
		p, err := parameters(dim, nil, sigma, b)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Run(context.Background(), subject(t, brightest, npg.NewField(p)), images(40), DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{true: "dct2:1x1x20"}[b != nil]; r.Basis != want {
			t.Errorf("basis %q, want %q", r.Basis, want)
		}
		share[i] = r.Abstention.Share
	}
	if share[0] > share[1]-0.2 {
		t.Errorf("abstentions %v in the basis and %v without: no difference", share[0], share[1])
	}
}

// What the reader learns of one half of the inputs does not carry over by accident: over many
// choices of donors, noise that is the same for all inputs is never taken for a leak.
func TestReaderRaisesNoFalseAlarm(t *testing.T) {
	g := maker{func([]float32) ([]float32, []float32) { return healthy(make([]float32, dim)) }, smooth.Pinned}
	s := subject(t, brightest, g)
	o := DefaultOptions()
	o.Samples = 1
	total := 0.0
	const runs = 20
	for seed := range uint64(runs) {
		o.Seed = seed
		r, err := Run(context.Background(), s, images(80), o)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(names(r.Found()), Leaks) {
			t.Errorf("seed %d: leak %+v, reader %+v", seed, *r.Leak, *r.Leak.Reader)
		}
		total += r.Leak.Reader.Accuracy / runs
	}
	if total > 1.0/(classes-1)+0.03 {
		t.Errorf("the reader reaches %.3f on average, above chance %.3f", total, 1.0/(classes-1))
	}
}

// parameters are a generator's for fields without limits.
func parameters(dim int, mu, sigma []float32, u *basis.Transform) (npg.Parameters, error) {
	fields, err := smooth.NewFields(dim, mu, sigma, u)
	return npg.Parameters{Fields: fields}, err
}
