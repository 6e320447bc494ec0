package audit

import (
	"encoding/hex"
	"encoding/json"
	"testing"

	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
	"ucan/smooth/sequential"
)

// build is the program that made the specimens.
const build = "specimen 1"

// shape is that of the inputs, images of 1×2×3 pixels.
var shape = []int{1, 2, 3}

const classes = 4

// image is an 8-bit image.
func image(first int) []float32 {
	x := make([]float32, 6)
	for i := range x {
		x[i] = float32(float64((first+40*i)%256) / 255)
	}
	return x
}

// classifier answers 1 above a threshold of the first coordinate, otherwise 3; far out in the last
// one it gives no vote or class 2.
func classifier(threshold float32) func([]float32) int32 {
	return func(x []float32) int32 {
		switch {
		case x[5] > 1.9:
			return smooth.NoVote
		case x[5] > 1.5:
			return 2
		case x[0] > threshold:
			return 1
		}
		return 3
	}
}

func smoother(tb testing.TB, f func([]float32) int32) *smooth.Smoother {
	tb.Helper()
	s, err := smooth.New([]smooth.Classifier{smooth.ClassifierFunc(6, 16, f)}, smooth.Config{Dim: 6, Classes: classes, Seed: 11})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// recipe says how a specimen is made.
type recipe struct {
	family     string
	norm       family.Norm
	sigma, mu  []float32
	basis      *basis.Transform
	arithmetic smooth.Arithmetic
	guarantee  smooth.Guarantee // deployed unless given
	npg        *certificate.NPG
	at         float32 // distance to the boundary
	label      int
	first      int // of the image
	model      func(*certificate.Model)
	boxless    bool

	n0, n    int64
	bound    smooth.Bound
	profile  *sequential.Profile
	aware    bool
	twoStage bool
}

func (r recipe) seal(tb testing.TB) *smooth.SealedNoise {
	tb.Helper()
	if r.family == "" {
		r.family = "gaussian"
	}
	if r.norm == 0 {
		r.norm = family.L2
	}
	f, err := family.New(r.family, nil)
	if err != nil {
		tb.Fatal(err)
	}
	fields, err := smooth.NewFields(6, r.mu, r.sigma, r.basis)
	if err != nil {
		tb.Fatal(err)
	}
	noise, err := smooth.Noise{Family: f, Norm: r.norm, Lambda: 0.25, Fields: fields, Arithmetic: r.arithmetic}.Seal(6)
	if err != nil {
		tb.Fatal(err)
	}
	return noise
}

func (r recipe) head(index int) certificate.Head {
	x := image(r.first)
	id := smooth.InputID(x)
	hash := hex.EncodeToString(id[:])
	h := certificate.Head{
		Guarantee: r.guarantee, NPG: r.npg,
		Input: certificate.Input{Source: "test", Index: int64(index), SHA256: hash, Shape: shape, Label: r.label},
		Model: certificate.Model{Name: "half-space", SHA256: hash[:32] + hash[:32], Decision: "argmax", Classes: classes, Preprocessing: json.RawMessage(`{"scale":255}`)},
		Run:   certificate.Run{Seed: 11, Provider: "cpu", ONNXRuntime: "none", Batch: 16, Ucan: build, Seconds: 0.5, Notes: map[string]string{"forced": "why"}},
	}
	h.Model.SHA256 = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	if h.Guarantee == "" {
		h.Guarantee = smooth.Deployed
	}
	if !r.boxless {
		h.Input.Box = &certificate.Box{0, 1}
	}
	if r.model != nil {
		r.model(&h.Model)
	}
	return h
}

// certify makes the certificate of a recipe.
func (r recipe) certify(tb testing.TB, index int) *certificate.Certificate {
	tb.Helper()
	noise, x := r.seal(tb), image(r.first)
	id := smooth.InputID(x)
	s := smoother(tb, classifier(x[0]-r.at))
	if r.n == 0 {
		r.n = 2000
	}
	var result smooth.Certification
	var err error
	switch {
	case r.profile != nil:
		grid, gridErr := noise.DefaultGrid()
		if gridErr != nil {
			tb.Fatal(gridErr)
		}
		plan, planErr := noise.NewAdaptive(smooth.AdaptiveN{N0: r.n0, Alpha: 0.001, Grid: grid, LabelAware: r.aware, Profile: *r.profile}, sequential.NewTables())
		if planErr != nil {
			tb.Fatal(planErr)
		}
		result, err = s.CertifyAdaptive(tb.Context(), x, id, plan, r.label)
	case r.twoStage:
		result, err = s.CertifyTwoStage(tb.Context(), x, id, noise, smooth.TwoStageN{TwoStage: sequential.TwoStage{Pilot: 60, Kappa: 300, Cap: 1000}, Alpha: 0.001})
	default:
		result, err = s.Certify(tb.Context(), x, id, noise, smooth.FixedN{N0: 60, N: r.n, Alpha: 0.001, Bound: r.bound})
	}
	if err != nil {
		tb.Fatal(err)
	}
	c, err := certificate.New(r.head(index), noise, result)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// formula is a pattern's noise with its record.
func formula(tb testing.TB, spec string) recipe {
	tb.Helper()
	f, err := npg.ParseFormula(spec)
	if err != nil {
		tb.Fatal(err)
	}
	p, err := f.Field(shape)
	if err != nil {
		tb.Fatal(err)
	}
	return recipe{
		sigma: p.Sigma(), basis: p.Basis(), at: 0.4, label: 1,
		npg: &certificate.NPG{Kind: npg.KindPattern, Spec: f.String(), Floored: p.Floored, Ceiled: p.Ceiled},
	}
}

// specimenFile is one of a generator's files.
func specimenFile(name string) certificate.File {
	return certificate.File{Name: name, SHA256: "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"}
}

// specimens returns a line of every kind of certificate.
func specimens(tb testing.TB) map[string][]byte {
	tb.Helper()
	field, offset := []float32{.5, .5, 1, 1.5, 2, 2.5}, []float32{.05, 0, -.1, 0, 0, .02}
	fast, custom := sequential.Fast().WithCap(5000), sequential.Fast().WithCap(3000)
	custom.Name, custom.Gamma = certificate.CustomProfile, 0.1
	lattice := formula(tb, "pattern:l2,kappa=0.5,iota=0.25,floor=0.5")
	lattice.arithmetic = smooth.Lattice
	recipes := map[string]recipe{
		"fixed":             {at: 0.5, label: 1},
		"wrong":             {at: 0.5, label: 0},
		"no box":            {at: 0.5, label: 1, sigma: field, boxless: true},
		"capped":            {at: 0.9, label: 1, sigma: []float32{.5, .5, 1, 4, 5, 6}},
		"all capped":        {at: 0.9, label: 1, sigma: []float32{4, 4, 4, 4, 4, 4}},
		"unlabelled":        {at: 0.5, label: -1},
		"abstained":         {at: 0, label: 1},
		"two bounds":        {at: 0.5, label: 1, bound: smooth.TwoBounds},
		"laplace":           {family: "laplace", norm: family.L1, at: 0.7, label: 1},
		"converted":         {norm: family.LInf, sigma: field, at: 0.5, label: 1},
		"fields":            {sigma: field, mu: offset, at: 0.5, label: 1},
		"field file":        {sigma: field, at: 0.5, label: 1, npg: &certificate.NPG{Kind: "field", Spec: "s.npy,floor=0.5,ceiling=3", Files: []certificate.File{specimenFile("s.npy")}, Floored: 2}},
		"dataset":           {sigma: field, mu: offset, at: 0.5, label: 1, npg: &certificate.NPG{Kind: "dataset", Spec: "bundle", Files: []certificate.File{specimenFile("npg.yaml")}, Floored: 2, Ceiled: 1}},
		"networks":          {sigma: field, mu: offset, at: 0.5, label: 1, guarantee: smooth.Pinned, npg: &certificate.NPG{Kind: "certification", Spec: "mu.onnx,sigma.onnx,floor=0.1", Files: []certificate.File{specimenFile("mu.onnx"), specimenFile("sigma.onnx")}}},
		"network bundle":    {sigma: field, at: 0.5, label: 1, guarantee: smooth.Pinned, npg: &certificate.NPG{Kind: "certification", Spec: "bundle", Files: []certificate.File{specimenFile("npg.yaml")}}},
		"fixed mean":        {sigma: field, at: 0.5, label: 1, guarantee: smooth.Pinned, npg: &certificate.NPG{Kind: "certification", Spec: "g.onnx,floor=0.5,fixed-mean", Files: []certificate.File{specimenFile("g.onnx")}, Floored: 2}},
		"pattern":           formula(tb, "pattern:l2,kappa=0.3,iota=0.5,ceiling=0.7"),
		"frequencies":       formula(tb, "pattern:dct16"),
		"lattice":           lattice,
		"lattice isotropic": {arithmetic: smooth.Lattice, at: 0.5, label: 1},
		"denoiser":          {at: 0.5, label: 1, model: func(m *certificate.Model) { f := specimenFile("d.onnx"); m.Denoiser = &f }},
		"threshold":         {at: 0.5, label: 1, model: func(m *certificate.Model) { m.Decision = "threshold:0.25" }},
		"selected":          {n0: 60, profile: &fast, at: 0.6, label: 1},
		"hopeless":          {n0: 60, profile: &fast, at: 0, label: 1},
		"leading":           {profile: &fast, at: 0.6, label: 1, sigma: field},
		"leading hopeless":  {profile: &fast, at: 0, label: 1},
		"label-aware":       {profile: &fast, aware: true, at: 0.6, label: 1},
		"label-aware lost":  {profile: &fast, aware: true, at: 0.6, label: 0},
		"custom profile":    {n0: 60, profile: &custom, at: 0.5, label: 1},
		"two-stage":         {twoStage: true, at: 0.4, label: 1},
	}
	out := map[string][]byte{}
	put := func(name string, c *certificate.Certificate, err error) {
		if err != nil {
			tb.Fatal(name, err)
		}
		if out[name], err = c.Marshal(); err != nil {
			tb.Fatal(name, err)
		}
	}
	for name, r := range recipes {
		put(name, r.certify(tb, 3), nil)
	}
	for name, r := range selections() {
		put(name, r.certify(tb, 3), nil)
	}
	never := recipe{label: 1}.head(4)
	never.Input.SHA256, never.Input.Shape = "", nil
	c, err := certificate.NewFailed(never, family.L2, nil, "cannot read image")
	put("failed", c, err)
	c, err = certificate.NewFailed(recipe{label: 3}.head(4), family.L2, recipe{}.seal(tb), "its label is 3")
	put("failed with noise", c, err)
	s := smoother(tb, func([]float32) int32 { return smooth.NoVote })
	x := image(0)
	result, err := s.Certify(tb.Context(), x, smooth.InputID(x), recipe{}.seal(tb), smooth.FixedN{N0: 60, N: 100, Alpha: 0.001})
	if err != nil {
		tb.Fatal(err)
	}
	c, err = certificate.New(recipe{label: 1}.head(5), recipe{}.seal(tb), result)
	put("no votes", c, err)
	return out
}
