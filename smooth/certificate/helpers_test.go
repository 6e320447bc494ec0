package certificate_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"sync"
	"testing"

	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
	"ucan/smooth/sequential"
)

const classes = 4

// halfSpace answers 1 when the first coordinate is above the threshold.
func halfSpace(threshold float32) func([]float32) int32 {
	return func(x []float32) int32 {
		if x[0] > threshold {
			return 1
		}
		return 3
	}
}

func seal(tb testing.TB, name string, norm family.Norm, lambda float64, d int, mu, sigma []float32) *smooth.SealedNoise {
	tb.Helper()
	f, err := family.New(name, nil)
	if err != nil {
		tb.Fatal(err)
	}
	n, err := smooth.Noise{Family: f, Norm: norm, Lambda: lambda, Fields: fieldsOf(tb, d, mu, sigma, nil)}.Seal(d)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func smoother(tb testing.TB, d int, f func([]float32) int32) *smooth.Smoother {
	tb.Helper()
	s, err := smooth.New([]smooth.Classifier{smooth.ClassifierFunc(d, 16, f)}, smooth.Config{Dim: d, Classes: classes, Seed: 7})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func head(x []float32, label int) certificate.Head {
	id := smooth.InputID(x)
	return certificate.Head{
		Guarantee: smooth.Deployed,
		Input:     certificate.Input{Source: "test", Index: 3, SHA256: hex.EncodeToString(id[:]), Shape: []int{1, len(x)}, Label: label},
		Model:     certificate.Model{Name: "half-space", SHA256: hex.EncodeToString(id[:]), Decision: "argmax", Classes: classes},
		Run:       certificate.Run{Seed: 7, Provider: "go", Batch: 16},
	}
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// fixed certifies x, shifted from the boundary by `at` standard deviations.
func fixed(tb testing.TB, x []float32, noise *smooth.SealedNoise, at float32, label int) *certificate.Certificate {
	tb.Helper()
	s := smoother(tb, len(x), halfSpace(x[0]-at))
	r, err := s.Certify(tb.Context(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 50, N: 2000, Alpha: 0.001})
	if err != nil {
		tb.Fatal(err)
	}
	c, err := certificate.New(head(x, label), noise, r)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// made certifies x with noise of a generator.
func made(tb testing.TB, x []float32, noise *smooth.SealedNoise, g smooth.Guarantee, npg *certificate.NPG) *certificate.Certificate {
	tb.Helper()
	s := smoother(tb, len(x), halfSpace(x[0]-0.5))
	r, err := s.Certify(tb.Context(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 50, N: 2000, Alpha: 0.001})
	if err != nil {
		tb.Fatal(err)
	}
	h := head(x, 1)
	h.Guarantee, h.NPG = g, npg
	c, err := certificate.New(h, noise, r)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// doubtful certifies x by a classifier that gives no vote where the last coordinate is
// far out.
func doubtful(tb testing.TB, x []float32, noise *smooth.SealedNoise) *certificate.Certificate {
	tb.Helper()
	plain := halfSpace(x[0] - .5)
	s := smoother(tb, len(x), func(y []float32) int32 {
		if y[2] > x[2]+.5 {
			return smooth.NoVote
		}
		return plain(y)
	})
	r, err := s.Certify(tb.Context(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 50, N: 2000, Alpha: 0.001})
	if err != nil {
		tb.Fatal(err)
	}
	c, err := certificate.New(head(x, 1), noise, r)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// adaptive certifies x with a profile; n0 and label-awareness choose the mode.
func adaptive(tb testing.TB, x []float32, noise *smooth.SealedNoise, at float32, n0 int64, label int, aware bool) *certificate.Certificate {
	tb.Helper()
	grid, err := noise.DefaultGrid()
	if err != nil {
		tb.Fatal(err)
	}
	plan, err := noise.NewAdaptive(smooth.AdaptiveN{
		N0: n0, Alpha: 0.001, Grid: grid, LabelAware: aware,
		Profile: sequential.Fast().WithCap(5000),
	}, sequential.NewTables())
	if err != nil {
		tb.Fatal(err)
	}
	s := smoother(tb, len(x), halfSpace(x[0]-at))
	r, err := s.CertifyAdaptive(tb.Context(), x, smooth.InputID(x), plan, label)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := certificate.New(head(x, label), noise, r)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// samples returns one certificate of every kind the package makes, fresh ones at
// every call.
func samples(tb testing.TB) map[string]*certificate.Certificate {
	tb.Helper()
	stored.once.Do(func() { stored.lines = makeSamples(tb) })
	out := map[string]*certificate.Certificate{}
	for name, line := range stored.lines {
		c, err := certificate.Parse(line)
		if err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
		out[name] = c
	}
	return out
}

var stored struct {
	once  sync.Once
	lines map[string][]byte
}

func makeSamples(tb testing.TB) map[string][]byte {
	tb.Helper()
	x := []float32{.25, .5, .75}
	mu, sigma := []float32{.1, -.2, 0}, []float32{.5, 1, 2.25}
	scalar := seal(tb, "gaussian", family.L2, 0.25, 3, nil, nil)
	fields := seal(tb, "gaussian", family.L2, 0.25, 3, mu, sigma)
	converted := seal(tb, "gaussian", family.LInf, 0.3, 3, nil, sigma)
	f, err := family.New("gaussian", nil)
	if err != nil {
		tb.Fatal(err)
	}
	lattice, err := smooth.Noise{
		Family: f, Norm: family.L2, Lambda: 0.25, Fields: fieldsOf(tb, 3, mu, sigma, nil), Arithmetic: smooth.Lattice,
	}.Seal(3)
	if err != nil {
		tb.Fatal(err)
	}
	pixels := []float32{float32(51) / 255, float32(102) / 255, 1}
	failed, err := certificate.NewFailed(head(x, 1), family.L2, nil, "cannot read image")
	if err != nil {
		tb.Fatal(err)
	}
	lines := map[string][]byte{}
	two, err := smoother(tb, 3, halfSpace(x[0]-.5)).CertifyTwoStage(tb.Context(), x, smooth.InputID(x), scalar, smooth.TwoStageN{
		TwoStage: sequential.TwoStage{Pilot: 50, Kappa: 500, Cap: 1000}, Alpha: 0.001,
	})
	if err != nil {
		tb.Fatal(err)
	}
	twoStage, err := certificate.New(head(x, 1), scalar, two)
	if err != nil {
		tb.Fatal(err)
	}
	record := &certificate.NPG{Kind: certificate.KindLipschitz, Spec: "bundle", Lipschitz: following()}
	drifting := followed(tb, record.Lipschitz)
	later, err := certificate.NewFailed(head(x, 1), family.L2, scalar, "label 9 is outside the classes")
	if err != nil {
		tb.Fatal(err)
	}
	image := []float32{.25, .5, .75, 1, 0, .125}
	for name, c := range map[string]*certificate.Certificate{
		"basis":      fixed(tb, image, inBasis(tb, family.L2), 0.5, 1),
		"basis linf": fixed(tb, image, inBasis(tb, family.LInf), 0.5, 1),
		"scalar":     fixed(tb, x, scalar, 0.5, 1),
		"invalid":    doubtful(tb, x, scalar),
		"wrong":      fixed(tb, x, scalar, 0.5, 0),
		"unlabelled": fixed(tb, x, scalar, 0.5, -1),
		"fields":     fixed(tb, x, fields, 0.5, 1),
		"converted":  fixed(tb, x, converted, 0.5, 1),
		"lattice":    fixed(tb, pixels, lattice, 0.5, 1),
		"abstained":  fixed(tb, x, scalar, 0, 1),
		"failed":     failed,

		"failed later":     later,
		"dataset":          made(tb, x, fields, smooth.Deployed, &certificate.NPG{Kind: certificate.KindDataset, Spec: "bundle", Floored: 1, Ceiled: 1}),
		"pinned":           made(tb, x, fields, smooth.Pinned, &certificate.NPG{Kind: certificate.KindPerInput, Spec: "bundle"}),
		"lipschitz":        made(tb, x, drifting, smooth.ByLipschitz, record),
		"hopeless leading": adaptive(tb, x, scalar, 0, 0, 1, false),

		"selected":  adaptive(tb, x, fields, 0.6, 50, 1, false),
		"leading":   adaptive(tb, x, scalar, 0.6, 0, 1, false),
		"labelled":  adaptive(tb, x, scalar, 0.6, 0, 1, true),
		"two-stage": twoStage,
		"zero":      adaptive(tb, x, scalar, 0.09, 50, 1, false),
		"hopeless":  adaptive(tb, x, scalar, 0, 50, 1, false),
	} {
		if lines[name], err = c.Marshal(); err != nil {
			tb.Fatal(err)
		}
	}
	return lines
}

// following is a scale that follows the input.
func following() *certificate.Lipschitz {
	return &certificate.Lipschitz{Rate: 0.25, Tau: 1.3, Field: certificate.NewField([]float32{.5, 1, 2.25})}
}

// followed returns noise with the scales that l gives.
func followed(tb testing.TB, l *certificate.Lipschitz) *smooth.SealedNoise {
	tb.Helper()
	n, err := smooth.Noise{
		Family: family.Gaussian{}, Norm: family.L2, Lambda: 0.25, Fields: fieldsOf(tb, 3, nil, l.Scale(l.Field.Values, 3), nil), Rate: l.RateHere(),
	}.Seal(3)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// inBasis returns noise in the DCT basis of 1×2×3 images.
func inBasis(tb testing.TB, norm family.Norm) *smooth.SealedNoise {
	tb.Helper()
	u, err := basis.DCT2([]int{1, 2, 3})
	if err != nil {
		tb.Fatal(err)
	}
	n, err := smooth.Noise{
		Family: family.Gaussian{}, Norm: norm, Lambda: 0.25,
		Fields: fieldsOf(tb, 6, []float32{0, 0, .1, 0, 0, 0}, []float32{.5, .75, 1, 1, 1.5, 2}, u),
	}.Seal(6)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func near(a, b, rel float64) bool {
	return a == b || math.Abs(a-b) <= rel*math.Max(math.Abs(a), math.Abs(b))
}

// fieldsOf returns the fields of inputs with dim coordinates.
func fieldsOf(tb testing.TB, dim int, mu, sigma []float32, u *basis.Transform) smooth.Fields {
	tb.Helper()
	f, err := smooth.NewFields(dim, mu, sigma, u)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}
