package certificate_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
	"ucan/smooth/sequential"
)

// TestCheckFindsEveryAlteration changes one value at a time, seals the
// certificate again as a forger would, and demands a finding that names it.
func TestCheckFindsEveryAlteration(t *testing.T) {
	up := func(f *certificate.Float) { *f *= 1.0001 }
	for _, tt := range []struct {
		name   string // of the sample certificate
		field  string // that a finding must name
		change func(c *certificate.Certificate)
	}{
		{"scalar", "statistics.p_lower", func(c *certificate.Certificate) { c.Statistics.PLower += 1e-9 }},
		{"scalar", "statistics.p_lower", func(c *certificate.Certificate) { c.Statistics.PLower -= 1e-6 }},
		{"scalar", "statistics.p_lower", func(c *certificate.Certificate) { c.Statistics.Alpha *= 2 }},
		{"scalar", "statistics.k", func(c *certificate.Certificate) { c.Statistics.K-- }},
		{"scalar", "statistics.n", func(c *certificate.Certificate) { c.Statistics.N++ }},
		{"fields", "statistics.n", func(c *certificate.Certificate) { c.Statistics.Invalid++ }},
		{"scalar", "statistics.k", func(c *certificate.Certificate) { c.Statistics.Counts[1] -= 10; c.Statistics.Counts[2] += 10 }},
		{"scalar", "statistics", func(c *certificate.Certificate) { c.Statistics.Selection[2] = 1 }},
		{"scalar", "statistics.selected", func(c *certificate.Certificate) {
			c.Statistics.Selection = map[int]int64{2: 50}
		}},
		{"scalar", "statistics.lost_mass", func(c *certificate.Certificate) { c.Statistics.LostMass = 0 }},
		{"scalar", "regions.0.R", func(c *certificate.Certificate) { up(&c.Regions[0].R) }},
		{"scalar", "regions.0.norm", func(c *certificate.Certificate) { c.Regions[0].Norm = "linf" }},
		{"fields", "regions.0.sigma_field", func(c *certificate.Certificate) {
			c.Regions[0].SigmaField = certificate.NewField([]float32{.5, 1, 3})
		}},
		{"fields", "regions.0.sigma_field", func(c *certificate.Certificate) { c.Regions[0].SigmaField = nil }},
		{"fields", "regions.0.basis", func(c *certificate.Certificate) { s := "dct"; c.Regions[0].Basis = &s }},
		{"scalar", "regions", func(c *certificate.Certificate) { c.Regions = append(c.Regions, c.Regions[0]) }},
		{"scalar", "regions", func(c *certificate.Certificate) { c.Regions = []certificate.Region{} }},
		{"fields", "radii.l1", func(c *certificate.Certificate) { up(&c.Radii.L1) }},
		{"fields", "radii.l2", func(c *certificate.Certificate) { up(&c.Radii.L2) }},
		{"fields", "radii.linf", func(c *certificate.Certificate) { up(&c.Radii.LInf) }},
		{"fields", "alm", func(c *certificate.Certificate) { up(&c.ALM) }},
		{"fields", "log_volume", func(c *certificate.Certificate) { c.LogVolume += 0.001 }},
		{"fields", "noise.mu_field", func(c *certificate.Certificate) { c.Noise.Arithmetic = "lattice" }},
		{"lattice", "noise.mu_field", func(c *certificate.Certificate) { c.Noise.MuField = certificate.NewField([]float32{.1, .2, .3}) }},
		{"lattice", "regions.0.R", func(c *certificate.Certificate) { up(&c.Regions[0].R) }},
		{"abstained", "log_volume", func(c *certificate.Certificate) { c.LogVolume = 0 }},
		{"scalar", "noise.sigma", func(c *certificate.Certificate) { up(c.Noise.Sigma) }},
		{"scalar", "noise.sigma", func(c *certificate.Certificate) { c.Noise.Sigma = nil }},
		{"scalar", "regions.0.R", func(c *certificate.Certificate) { c.Noise.Lambda *= 2 }},
		{"scalar", "noise.lambda", func(c *certificate.Certificate) { c.Noise.Lambda += 1e-9 }},
		{"scalar", "predict", func(c *certificate.Certificate) { c.Predict = 0 }},
		{"wrong", "correct", func(c *certificate.Certificate) { *c.Correct = true }},
		{"unlabelled", "correct", func(c *certificate.Certificate) { c.Correct = new(bool) }},
		{"scalar", "correct", func(c *certificate.Certificate) { c.Input.Label = 2 }},
		{"abstained", "status", func(c *certificate.Certificate) { c.Status = certificate.Certified }},
		{"scalar", "status", func(c *certificate.Certificate) { c.Status = certificate.Abstained }},
		{"converted", "converted_from", func(c *certificate.Certificate) { c.ConvertedFrom = "" }},
		{"scalar", "upper_estimate", func(c *certificate.Certificate) { c.UpperEstimate = true }},
		{"failed", "predict", func(c *certificate.Certificate) { c.Predict = 1 }},
		{"failed", "radii.l2", func(c *certificate.Certificate) { c.Radii.L2 = 1 }},
		{"selected", "statistics.p_lower", func(c *certificate.Certificate) { c.Statistics.PLower = 0.999 }},
		{"selected", "statistics", func(c *certificate.Certificate) { last(c).Failures += 100 }},
		{"selected", "statistics", func(c *certificate.Certificate) { last(c).N++ }},
		{"selected", "statistics", func(c *certificate.Certificate) { last(c).N += 100 }},
		{"selected", "statistics", func(c *certificate.Certificate) { c.Statistics.Rejected = c.Statistics.Rejected[1:] }},
		{"selected", "statistics", func(c *certificate.Certificate) {
			c.Statistics.Rejected = c.Statistics.Rejected[:len(c.Statistics.Rejected)-1]
		}},
		{"selected", "statistics", func(c *certificate.Certificate) { c.Statistics.Alpha = 1e-9 }},
		{"selected", "statistics.grid.2", func(c *certificate.Certificate) { up(&c.Statistics.Grid[2]) }},
		{"selected", "statistics.grid.2", func(c *certificate.Certificate) { c.Statistics.Levels[2] -= 1e-4 }},
		{"two-stage", "statistics", func(c *certificate.Certificate) { c.Statistics.TwoStage.Kappa *= 0.001 }},
		{"two-stage", "statistics", func(c *certificate.Certificate) { c.Statistics.Counts[1]++; c.Statistics.N++ }},
		{"two-stage", "statistics.p_lower", func(c *certificate.Certificate) { c.Statistics.Alpha *= 2 }},
		{"selected", "statistics", func(c *certificate.Certificate) { raise(c, 100_000) }},
		{"labelled", "statistics", func(c *certificate.Certificate) { raise(c, 100_000) }},
		{"selected", "statistics", func(c *certificate.Certificate) { raise(c, 7) }},
		{"labelled", "statistics", func(c *certificate.Certificate) { raise(c, 7) }},
		{"basis", "regions.0.basis", func(c *certificate.Certificate) { c.Regions[0].Basis = nil }},
		{"basis", "regions.0.basis", func(c *certificate.Certificate) { *c.Regions[0].Basis = "dct2:1x3x2" }},
		{"basis", "regions.0.basis", func(c *certificate.Certificate) { c.Noise.Basis = nil }},
		{"selected", "statistics", func(c *certificate.Certificate) { c.Statistics.Profile = "default" }},
		{"selected", "statistics", func(c *certificate.Certificate) { c.Statistics.Profile = "own" }},
		{"selected", "statistics", func(c *certificate.Certificate) { c.Statistics.Profile = certificate.CustomProfile }},
		{"selected", "statistics", func(c *certificate.Certificate) { c.Statistics.Gamma = 0.19 }},
		{"selected", "statistics", func(c *certificate.Certificate) { c.Statistics.Growth = 0.1 }},
		{"dataset", "statistics", func(c *certificate.Certificate) { c.Noise.NPG.Floored = 2 }},
		{"dataset", "statistics", func(c *certificate.Certificate) { c.Noise.NPG.Ceiled = 999 }},
		{"dataset", "statistics", func(c *certificate.Certificate) { c.Noise.NPG.Ceiled = -1 }},
		{"dataset", "statistics", func(c *certificate.Certificate) { c.Guarantee = smooth.Pinned }},
		{"scalar", "statistics", func(c *certificate.Certificate) { c.Guarantee = smooth.Pinned }},
		{"scalar", "statistics", func(c *certificate.Certificate) { c.Noise.NPG = &certificate.NPG{Kind: "field", Floored: 1} }},
		{"pinned", "statistics", func(c *certificate.Certificate) { c.Guarantee = smooth.Deployed }},
		{"pinned", "statistics", func(c *certificate.Certificate) { c.Noise.NPG = nil }},
		{"scalar", "statistics", func(c *certificate.Certificate) { c.Model.SHA256 = "" }},
		{"failed", "statistics.alpha", func(c *certificate.Certificate) { c.Statistics.Alpha = .001 }},
		{"failed", "statistics.method", func(c *certificate.Certificate) { c.Statistics.Method = "fixed" }},
		{"failed", "noise.lambda", func(c *certificate.Certificate) { c.Noise.Lambda = .5 }},
		{"failed later", "noise.sigma", func(c *certificate.Certificate) { *c.Noise.Sigma = .5 }},
		{"basis", "radii.l1", func(c *certificate.Certificate) { c.Noise.Basis = nil }},
		{"basis", "radii.l1", func(c *certificate.Certificate) { up(&c.Radii.L1) }},
		{"basis", "statistics", func(c *certificate.Certificate) { *c.Noise.Basis = "haar:1x2x3" }},
		{"basis", "statistics", func(c *certificate.Certificate) { *c.Noise.Basis = "dct2:1x2x4" }},
		{"basis", "statistics", func(c *certificate.Certificate) { c.Noise.Family = "laplace" }},
		{"basis linf", "radii.linf", func(c *certificate.Certificate) { up(&c.Radii.LInf) }},
		{"leading", "statistics", func(c *certificate.Certificate) { *c.Statistics.Selected = 2 }},
		{"scalar", "model.decision", func(c *certificate.Certificate) { c.Model.Decision = "argmaximum" }},
		{"scalar", "model.decision", func(c *certificate.Certificate) { c.Model.Decision = "" }},
		{"scalar", "model.decision", func(c *certificate.Certificate) { c.Model.Decision = "threshold:NaN" }},
		{"scalar", "statistics.selection", func(c *certificate.Certificate) { c.Statistics.Selection = nil }},
		{"selected", "statistics.selection", func(c *certificate.Certificate) { c.Statistics.Selection = nil }},
		{"two-stage", "statistics.selection", func(c *certificate.Certificate) { c.Statistics.Selection = nil }},
		{"scalar", "warnings", func(c *certificate.Certificate) { c.Warnings = []string{"this one is good"} }},
		{"invalid", "warnings", func(c *certificate.Certificate) { c.Warnings[0] = "1" + c.Warnings[0] }},
		{"invalid", "warnings", func(c *certificate.Certificate) { c.Warnings = nil }},
		{"failed", "warnings", func(c *certificate.Certificate) { c.Warnings = []string{"certified all the same"} }},
		{"failed", "statistics.counts", func(c *certificate.Certificate) { c.Statistics.Counts[1] = 100 }},
		{"labelled", "statistics.selected", func(c *certificate.Certificate) { c.Input.Label = 2 }},
		{"labelled", "statistics.selected", func(c *certificate.Certificate) {
			c.Statistics.Selected, c.Input.Label, *c.Correct = nil, 2, false
		}},
		{"labelled", "input.label", func(c *certificate.Certificate) {
			c.Statistics.Selected, c.Input.Label, c.Correct = nil, -1, nil
		}},
		{"scalar", "statistics.selection", func(c *certificate.Certificate) { c.Statistics.Selected, c.Statistics.Selection = nil, nil }},
		{"abstained", "statistics.selected", func(c *certificate.Certificate) { c.Statistics.Selected = nil }},
		{"invalid", "warnings", func(c *certificate.Certificate) {
			c.Statistics.Selected, c.Statistics.Selection, c.Warnings = nil, nil, nil
		}},
		{"leading", "statistics", func(c *certificate.Certificate) { c.Statistics.Selected = nil }},
		{"hopeless leading", "statistics.selected", func(c *certificate.Certificate) { c.Statistics.Selected, c.Statistics.K = nil, 0 }},
		{"hopeless leading", "statistics.selected", func(c *certificate.Certificate) { runnerUp(c) }},
	} {
		t.Run(tt.name+"/"+tt.field, func(t *testing.T) {
			c := samples(t)[tt.name]
			tt.change(c)
			unsealed, err := certificate.Check(c, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !names(unsealed, "id") {
				t.Errorf("altered without a new id: findings %v", unsealed)
			}
			if err = c.SetID(); err != nil {
				t.Fatal(err)
			}
			findings, err := certificate.Check(c, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !names(findings, tt.field) || names(findings, "id") {
				t.Errorf("findings %v; want one about %s and none about the id", findings, tt.field)
			}
		})
	}
}

// raise adds samples that all vote for the class.
func raise(c *certificate.Certificate, by int64) {
	c.Statistics.N += by
	c.Statistics.K += by
	c.Statistics.Counts[*c.Statistics.Selected] += by
}

// runnerUp names a class with fewer votes as the tested one.
func runnerUp(c *certificate.Certificate) {
	for class, votes := range c.Statistics.Counts {
		if class != *c.Statistics.Selected {
			c.Statistics.Selected, c.Statistics.K = &class, votes
			return
		}
	}
}

func last(c *certificate.Certificate) *sequential.Rejection {
	r := c.Statistics.Rejected
	return &r[len(r)-1]
}

func names(findings []certificate.Finding, field string) bool {
	return slices.ContainsFunc(findings, func(f certificate.Finding) bool { return f.Field == field })
}

func TestCheckRefusesWhatItHasNoTheoremFor(t *testing.T) {
	c := samples(t)["scalar"]
	c.Guarantee = smooth.NoGuarantee
	if _, err := certificate.Check(c, nil); err == nil {
		t.Error("a certificate that promises nothing was checked by the theorem of a deployed one")
	}
	c = samples(t)["scalar"]
	c.Noise.Arithmetic = "posit16"
	if _, err := certificate.Check(c, nil); err == nil {
		t.Error("unknown arithmetic was checked as float32")
	}
}

func TestDecisions(t *testing.T) {
	for _, decision := range []string{"argmin", "label", "threshold", "threshold:-0.25", "threshold:1e-3"} {
		c := samples(t)["scalar"]
		c.Model.Decision = decision
		if err := c.SetID(); err != nil {
			t.Fatal(err)
		}
		if f, err := certificate.Check(c, nil); err != nil || len(f) > 0 {
			t.Errorf("%s: findings %v, %v", decision, f, err)
		}
	}
	h := head([]float32{.25, .5, .75}, 1)
	h.Model.Decision = "majority"
	noise := seal(t, "gaussian", family.L2, 0.25, 3, nil, nil)
	if _, err := certificate.New(h, noise, smooth.Certification{Abstained: true}); err == nil {
		t.Error("a certificate was made that Check refuses")
	}
}

func TestParseIsStrict(t *testing.T) {
	line, err := samples(t)["fields"].Marshal()
	if err != nil {
		t.Fatal(err)
	}
	good := string(line)
	replace := func(old, text string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the certificate has no %s:\n%s", old, good)
		}
		return strings.Replace(good, old, text, 1)
	}
	for name, bad := range subtest.Rows(map[string]string{
		"empty":                   "",
		"no object":               "[]",
		"truncated":               good[:len(good)/2],
		"two values":              good + "{}",
		"unknown member":          replace(`"alm":`, `"bonus":1,"alm":`),
		"unknown nested member":   replace(`"k":`, `"kk":1,"k":`),
		"repeated member":         replace(`"status":`, `"status":"abstained","status":`),
		"other case":              replace(`"status":`, `"Status":`),
		"missing member":          replace(`"invalid":0,`, ``),
		"another schema":          replace(`certificate/1`, `certificate/2`),
		"unknown guarantee":       replace(`"deployed"`, `"eternal"`),
		"unknown status":          replace(`"certified"`, `"perfect"`),
		"integer with fraction":   replace(`"n0":50`, `"n0":50.5`),
		"number as string":        replace(`"n0":50`, `"n0":"50"`),
		"number beyond float64":   replace(`"n0":50`, `"n0":1e999`),
		"NaN":                     replace(`"invalid":0`, `"invalid":NaN`),
		"class with leading 0":    replace(`"counts":{"1"`, `"counts":{"01"`),
		"field not float32":       replace(`"sigma_field":[0.5`, `"sigma_field":[0.1`),
		"negative n0":             replace(`"n0":50`, `"n0":-1`),
		"alpha of 1":              replace(`"alpha":0.001`, `"alpha":1`),
		"unknown method":          replace(`"method":"fixed"`, `"method":"guess"`),
		"two stages of one":       replace(`"method":"fixed"`, `"method":"two-stage"`),
		"adaptive without grid":   replace(`"method":"fixed"`, `"method":"adaptive"`),
		"fixed with a profile":    replace(`"method":"fixed"`, `"method":"fixed","profile":"fast"`),
		"classes without end":     replace(`"classes":4`, `"classes":1000000000000`),
		"shape without end":       replace(`"shape":[1,3]`, `"shape":[1000000,1000000,1000000]`),
		"shape of zero":           replace(`"shape":[1,3]`, `"shape":[0,3]`),
		"error of a success":      replace(`"status":"certified"`, `"status":"certified","error":"x"`),
		"invalid UTF-8":           replace(`half-space`, "half\xff"),
		"deep nesting":            replace(`"preprocessing":{}`, `"preprocessing":{"a":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`),
		"preprocessing no object": replace(`"preprocessing":{}`, `"preprocessing":[]`),
		"field without a value":   replace(`"mu_field":[`, `"mu_field":[],"x":[`),
	}) {
		t.Run(name, func(t *testing.T) {
			c, perr := certificate.Parse([]byte(bad))
			switch {
			case perr == nil:
				t.Errorf("%s: read as %+v", name, c)
			case strings.Contains(perr.Error(), "\n") || len(perr.Error()) > 400:
				t.Errorf("%s: error is not one short line: %v", name, perr)
			}
		})
	}
	spaced, err := certificate.Parse([]byte(" " + strings.ReplaceAll(good, `":`, `": `) + "\r\n"))
	if err != nil {
		t.Fatalf("white space: %v", err)
	}
	if f, err := certificate.Check(spaced, nil); err != nil || len(f) > 0 {
		t.Errorf("white space: %v %v", f, err)
	}
}

func TestFromCounts(t *testing.T) {
	x := []float32{.25, .5, .75}
	sigma := []float32{.5, 1, 2.25}
	noise := seal(t, "gaussian", family.L2, 0.25, 3, nil, sigma)
	s := smoother(t, 3, halfSpace(x[0]-0.2))
	c := fixed(t, x, noise, 0.2, 1)
	before, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	// At another alpha: what Certify gives at that alpha, the samples being the same.
	r, err := s.Certify(t.Context(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 50, N: 2000, Alpha: 1e-6})
	if err != nil {
		t.Fatal(err)
	}
	want, err := certificate.New(head(x, 1), noise, r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := certificate.FromCounts(c, certificate.Terms{Alpha: 1e-6}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != want.ID || !(got.Regions[0].R < c.Regions[0].R) {
		t.Errorf("at alpha 1e-6: R %v of %v, id equal to a new run's: %v", got.Regions[0].R, c.Regions[0].R, got.ID == want.ID)
	}
	// In another norm: the same region.
	got, err = certificate.FromCounts(c, certificate.Terms{Norm: family.LInf}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Regions[0].R != c.Regions[0].R || got.Radii != c.Radii || got.ConvertedFrom != "l2" || got.Noise.Norm != "linf" {
		t.Errorf("in linf: %+v", got)
	}
	// With two bounds the only other class has the rest of the votes: nothing is
	// gained and a little is lost to α/4 on each side.
	two := smooth.TwoBounds
	got, err = certificate.FromCounts(c, certificate.Terms{Bound: &two}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Statistics.PUpper == nil || !(got.Regions[0].R < c.Regions[0].R) || got.Regions[0].R < 0.9*c.Regions[0].R {
		t.Errorf("two bounds: R %v, one bound %v", got.Regions[0].R, c.Regions[0].R)
	}
	for _, d := range []*certificate.Certificate{got, want} {
		if f, cerr := certificate.Check(d, nil); cerr != nil || len(f) > 0 {
			t.Errorf("a derived certificate does not check: %v %v", f, cerr)
		}
	}
	one := smooth.OneBound
	back, err := certificate.FromCounts(got, certificate.Terms{Bound: &one}, nil)
	if err != nil || back.ID != c.ID {
		t.Errorf("back to one bound: %v, same id %v", err, back.ID == c.ID)
	}
	after, err := json.Marshal(c)
	if err != nil || string(after) != string(before) {
		t.Error("FromCounts changed its argument")
	}
	for name, tt := range subtest.Rows(map[string]struct {
		sample string
		terms  certificate.Terms
	}{
		"alpha above 1":    {"scalar", certificate.Terms{Alpha: 2}},
		"adaptive alpha":   {"selected", certificate.Terms{Alpha: .01}},
		"adaptive bound":   {"selected", certificate.Terms{Bound: &two}},
		"two-stage bound":  {"two-stage", certificate.Terms{Bound: &two}},
		"unknown norm":     {"scalar", certificate.Terms{Norm: 9}},
		"alpha not number": {"scalar", certificate.Terms{Alpha: math.NaN()}},
	}) {
		t.Run(name, func(t *testing.T) {
			if d, derr := certificate.FromCounts(samples(t)[tt.sample], tt.terms, nil); derr == nil {
				t.Errorf("%s: derived %+v", name, d)
			}
		})
	}
	// An adaptive certificate in another norm keeps its bound.
	a := samples(t)["selected"]
	got, err = certificate.FromCounts(a, certificate.Terms{Norm: family.L1}, nil)
	if err != nil || got.Statistics.PLower != a.Statistics.PLower || got.Radii != a.Radii || got.Regions[0].R != a.Regions[0].R {
		t.Errorf("adaptive in l1: %v %+v", err, got)
	}
	if f, err := certificate.Check(got, nil); err != nil || len(f) > 0 {
		t.Errorf("adaptive in l1 does not check: %v %v", f, err)
	}
}

func TestContains(t *testing.T) {
	s := samples(t)
	c := s["fields"]
	r := float64(c.Regions[0].R)
	// The semi-axes are r·s_i.
	for i, sigma := range []float64{.5, 1, 2.25} {
		for _, tt := range []struct {
			share float64
			want  bool
		}{{0.999999, true}, {1.000001, false}, {-0.999999, true}} {
			delta := make([]float64, 3)
			delta[i] = tt.share * r * sigma
			if got, err := c.Contains(delta, nil); err != nil || got != tt.want {
				t.Errorf("axis %d, %v of the semi-axis: inside %v (%v), want %v", i, tt.share, got, err, tt.want)
			}
		}
	}
	if got, err := s["abstained"].Contains(make([]float64, 3), nil); err != nil || got {
		t.Errorf("an abstained certificate contains the origin: %v, %v", got, err)
	}
	if _, err := c.Contains(make([]float64, 2), nil); err == nil {
		t.Error("a perturbation of another dimension was placed")
	}
	x := []float32{.25, .5, .75}
	y := []float32{.25 + float32(r)*.49, .5, .75}
	if got, err := c.ContainsPoint(x, y, nil); err != nil || !got {
		t.Errorf("a point inside: %v, %v", got, err)
	}
	if _, err := c.ContainsPoint(y, y, nil); err == nil {
		t.Error("another input passed for the certified one")
	}
}

// The share of the way to the boundary is measured along the ray from the certified input.
func TestBoundaryShare(t *testing.T) {
	s := samples(t)
	c := s["fields"]
	r := float64(c.Regions[0].R)
	x := []float32{.25, .5, .75}
	for _, want := range []float64{0, 0.25, 0.5, 1, 3} {
		y := []float32{x[0], x[1] - float32(want*r), x[2]} // the semi-axis is r
		share, err := c.BoundaryShare(x, y, nil)
		if err != nil || share == nil || math.Abs(*share-want) > 1e-6 {
			t.Errorf("share %v, want %v (%v)", share, want, err)
		}
	}
	if _, err := c.BoundaryShare(x, x[:2], nil); err == nil {
		t.Error("a point of another dimension was placed")
	}
	if _, err := s["abstained"].BoundaryShare(x, x, nil); err == nil {
		t.Error("a certificate without a region has a boundary")
	}
}
