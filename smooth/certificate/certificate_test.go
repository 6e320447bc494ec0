package certificate_test

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
)

func TestRoundTripAndCheck(t *testing.T) {
	for name, c := range subtest.Rows(samples(t)) {
		t.Run(name, func(t *testing.T) {
			line, err := c.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			got, err := certificate.Parse(line)
			if err != nil {
				t.Fatalf("%v\n%s", err, line)
			}
			again, err := got.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if string(again) != string(line) {
				t.Errorf("read and written again:\n%s\nwant\n%s", again, line)
			}
			findings, err := certificate.Check(got, nil)
			if err != nil || len(findings) > 0 {
				t.Errorf("an honest certificate was found false: %v %v\n%s", findings, err, line)
			}
		})
	}
}

func TestStatusesAndClaims(t *testing.T) {
	s := samples(t)
	yes, no := true, false
	for name, want := range subtest.Rows(map[string]struct {
		status  certificate.Status
		predict int
		correct *bool
		regions int
	}{
		"scalar":     {certificate.Certified, 1, &yes, 1},
		"wrong":      {certificate.Certified, 1, &no, 1},
		"unlabelled": {certificate.Certified, 1, nil, 1},
		"converted":  {certificate.Certified, 1, &yes, 1},
		"abstained":  {certificate.Abstained, -1, &no, 0},
		"failed":     {certificate.Failed, -1, &no, 0},
		"selected":   {certificate.Certified, 1, &yes, 1},
		"leading":    {certificate.Certified, 1, &yes, 1},
		"labelled":   {certificate.Certified, 1, &yes, 1},
		"zero":       {certificate.Certified, 1, &yes, 1},
		"two-stage":  {certificate.Certified, 1, &yes, 1},
		"lattice":    {certificate.Certified, 1, &yes, 1},
		"hopeless":   {certificate.Abstained, -1, &no, 0},
	}) {
		t.Run(name, func(t *testing.T) {
			c := s[name]
			same := (c.Correct == nil) == (want.correct == nil) && (c.Correct == nil || *c.Correct == *want.correct)
			if c.Status != want.status || c.Predict != want.predict || !same || len(c.Regions) != want.regions {
				t.Errorf("%s: status %s, predict %d, %d regions; want %+v", name, c.Status, c.Predict, len(c.Regions), want)
			}
			if empty := want.regions == 0 || name == "zero"; empty != (math.IsInf(float64(c.LogVolume), -1)) {
				t.Errorf("%s: log volume %v of %d regions", name, c.LogVolume, want.regions)
			}
		})
	}
	// 0.5/(0.25·0.5) = 4 standard deviations in scalar noise are all votes:
	// CP(2000, 2000, .001) = .001^(1/2000).
	c := s["scalar"]
	if p := math.Pow(.001, 1./2000); !near(float64(c.Statistics.PLower), p, 1e-12) && c.Statistics.K == 2000 {
		t.Errorf("p_lower %v for all votes, want %v", c.Statistics.PLower, p)
	}
	if c := s["converted"]; c.ConvertedFrom != "l2" || c.Regions[0].Norm != "l2" || c.Noise.Norm != "linf" {
		t.Errorf("gaussian noise asked for linf: converted from %q, region in %q", c.ConvertedFrom, c.Regions[0].Norm)
	}
	// The reference formulas for s = (.5, 1, 2.25), R the region's radius.
	f, r := s["fields"], float64(s["fields"].Regions[0].R)
	inv := math.Sqrt(1/.25 + 1 + 1/(2.25*2.25))
	for name, v := range subtest.Rows(map[string][2]float64{
		"l1":   {float64(f.Radii.L1), .5 * r},
		"l2":   {float64(f.Radii.L2), .5 * r},
		"linf": {float64(f.Radii.LInf), r / inv},
		"alm":  {float64(f.ALM), math.Cbrt(.5*2.25) * r},
		"log_volume": {float64(f.LogVolume),
			math.Log(4./3*math.Pi*r*r*r) + math.Log(.5*2.25)},
	}) {
		t.Run(name, func(t *testing.T) {
			if !near(v[0], v[1], 1e-12) || v[0] > v[1]*(1+1e-15) && v[1] > 0 {
				t.Errorf("%s = %v, want %v and not above", name, v[0], v[1])
			}
		})
	}
}

// TestContractMembers holds the JSON to the members that other tools rely on.
func TestContractMembers(t *testing.T) {
	line, err := samples(t)["fields"].Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var o map[string]any
	if err = json.Unmarshal(line, &o); err != nil {
		t.Fatal(err)
	}
	sub := func(names ...string) map[string]any {
		m := o
		for _, n := range names {
			m = m[n].(map[string]any)
		}
		return m
	}
	for _, tt := range []struct {
		where map[string]any
		want  string
	}{
		{o, "schema id guarantee status input model noise statistics predict correct regions radii alm log_volume run"},
		{sub("input"), "source index sha256 shape label"},
		{sub("model"), "name sha256 preprocessing decision classes"},
		{sub("noise"), "family norm parameters lambda sigma sigma_field mu_field npg arithmetic"},
		{sub("statistics"), "method alpha n0 n counts invalid k p_lower"},
		{o["regions"].([]any)[0].(map[string]any), "norm R sigma_field basis"},
		{sub("radii"), "l1 l2 linf"},
		{sub("run"), "seed provider onnxruntime batch ucan seconds"},
	} {
		for _, name := range strings.Fields(tt.want) {
			if _, ok := tt.where[name]; !ok {
				t.Errorf("member %q is missing in %v", name, slices.Sorted(maps.Keys(tt.where)))
			}
		}
	}
	line, err = samples(t)["selected"].Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err = json.Unmarshal(line, &o); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields("profile cap b growth rho grid rejected") {
		if _, ok := sub("statistics")[name]; !ok {
			t.Errorf("adaptive member %q is missing", name)
		}
	}
}

func TestIDLeavesOutRunOnly(t *testing.T) {
	c := samples(t)["scalar"]
	id := c.ID
	c.Run.Seed, c.Run.Seconds, c.Run.Provider = 1<<60, 3.5, "cuda"
	if err := c.SetID(); err != nil {
		t.Fatal(err)
	}
	if c.ID != id {
		t.Error("the id changed with run")
	}
	c.Input.Index++
	if err := c.SetID(); err != nil {
		t.Fatal(err)
	}
	if c.ID == id {
		t.Error("the id did not change with the input's index")
	}
}

// TestCanonicalForm uses the examples of RFC 8785: §3.2.2 (values), §3.2.3
// (sorting) and appendix B (numbers), and ids of sha256sum over hand-written
// canonical forms.
func TestCanonicalForm(t *testing.T) {
	for _, tt := range []struct{ in, canonical string }{
		{`{"id":"x","run":{"seed":3},"b":[1e2, 1.0,-0,0.000001,1e-7,1e21,100000000000000000000],"a":null}`,
			`{"a":null,"b":[100,1,0,0.000001,1e-7,1e+21,100000000000000000000]}`},
		{`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`,
			"{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"},
		{`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}"},
		{`{"n":[5e-324,-5e-324,1.7976931348623157e308,9007199254740992,295147905179352830000,9.999999999999997e22,1e23,1.0000000000000001e23,999999999999999900000,1e21,9.999999999999997e-7,0.000001,1424953923781206.2]}`,
			`{"n":[5e-324,-5e-324,1.7976931348623157e+308,9007199254740992,295147905179352830000,9.999999999999997e+22,1e+23,1.0000000000000001e+23,999999999999999900000,1e+21,9.999999999999997e-7,0.000001,1424953923781206.2]}`},
	} {
		got, err := certificate.LineID([]byte(tt.in))
		if err != nil {
			t.Fatalf("%s: %v", tt.in, err)
		}
		if want := sha256Hex(tt.canonical); got != want {
			t.Errorf("%s\nid %s, want that of %s", tt.in, got, tt.canonical)
		}
	}
}

func TestFloats(t *testing.T) {
	for _, v := range []float64{0, 1, -1, 0.1, 1e-7, 123456789.125, 5e-324, math.MaxFloat64, 1 - 0x1p-53, math.Inf(1), math.Inf(-1), 1e21, 1e20} {
		b, err := json.Marshal(certificate.Float(v))
		if err != nil {
			t.Fatal(err)
		}
		var back certificate.Float
		if err := json.Unmarshal(b, &back); err != nil || float64(back) != v {
			t.Errorf("%v written as %s reads back as %v (%v)", v, b, float64(back), err)
		}
	}
	if _, err := json.Marshal(certificate.Float(math.NaN())); err == nil {
		t.Error("NaN was written")
	}
	for _, s := range []string{`"1"`, `"NaN"`, `true`, `[]`, `"infinity"`} {
		var f certificate.Float
		if err := json.Unmarshal([]byte(s), &f); err == nil {
			t.Errorf("%s was read as %v", s, float64(f))
		}
	}
	for _, v := range []certificate.Seed{0, 1, 1 << 53, 1<<53 + 1, math.MaxUint64} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back certificate.Seed
		if err := json.Unmarshal(b, &back); err != nil || back != v {
			t.Errorf("seed %d written as %s reads back as %d (%v)", v, b, back, err)
		}
	}
}

func TestNewRejects(t *testing.T) {
	x := []float32{.25, .5, .75}
	noise := seal(t, "gaussian", family.L2, 0.25, 3, nil, nil)
	s := smoother(t, 3, halfSpace(0))
	r, err := s.Certify(t.Context(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 5, N: 5, Alpha: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range subtest.Rows(map[string]func(h *certificate.Head){
		"guarantee of another construction": func(h *certificate.Head) { h.Guarantee = smooth.ByLipschitz },
		"no guarantee":                      func(h *certificate.Head) { h.Guarantee = "" },
		"shape":                             func(h *certificate.Head) { h.Input.Shape = []int{2, 2} },
		"classes":                           func(h *certificate.Head) { h.Model.Classes = 1 },
	}) {
		t.Run(name, func(t *testing.T) {
			h := head(x, 1)
			change(&h)
			if _, err := certificate.New(h, noise, r); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
}
