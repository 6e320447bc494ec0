package audit_test

import (
	"encoding/json"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/audit"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// Fresh votes contradict a bound when they are all but impossible under it, whichever of the two bounds it is.
func TestContradiction(t *testing.T) {
	upper := certificate.Float(0.1)
	for name, tt := range subtest.Rows(map[string]struct {
		votes        []int64
		invalid      int64
		upper        *certificate.Float
		certificates int
		field        string // "" when the certificate stands
	}{
		"as promised":               {votes: []int64{20, 900, 80}, upper: &upper, certificates: 1},
		"too few votes":             {votes: []int64{100, 700, 200}, certificates: 1, field: "statistics.p_lower"},
		"no votes at all":           {votes: []int64{0, 0, 0}, invalid: 1000, certificates: 1, field: "statistics.p_lower"},
		"a strong runner-up":        {votes: []int64{0, 800, 200}, upper: &upper, certificates: 1, field: "statistics.p_upper"},
		"the same without a bound":  {votes: []int64{0, 800, 200}, certificates: 1},
		"a class before the winner": {votes: []int64{200, 800, 0}, upper: &upper, certificates: 1, field: "statistics.p_upper"},
		// 153 of 1000 at p = 0.1 has probability 1e-7: below 1e-6/3, but not below 1e-6/(3·1000).
		"unlikely among few":  {votes: []int64{153, 847, 0}, upper: &upper, certificates: 1, field: "statistics.p_upper"},
		"expected among many": {votes: []int64{153, 847, 0}, upper: &upper, certificates: 1000},
	}) {
		t.Run(name, func(t *testing.T) {
			c := &certificate.Certificate{Predict: 1}
			c.Statistics.PLower, c.Statistics.PUpper = 0.8, tt.upper
			counts := smooth.Counts{PerClass: tt.votes, Invalid: tt.invalid, N: 1000}
			finding, found := audit.Contradiction(c, counts, tt.certificates)
			if found != (tt.field != "") || finding.Field != tt.field {
				t.Errorf("found %t: %+v; want a finding about %q", found, finding, tt.field)
			}
		})
	}
}

func TestOtherModel(t *testing.T) {
	stored := certificate.Model{SHA256: "ab", Preprocessing: json.RawMessage(`{"mean":[0],"std":[1]}`), Decision: "argmax", Classes: 10}
	same := stored
	same.Preprocessing = json.RawMessage(`{ "std": [1], "mean": [0] }`)
	if f, other := audit.OtherModel(stored, same); other {
		t.Errorf("the order of members makes another model: %+v", f)
	}
	for field, change := range subtest.Rows(map[string]func(*certificate.Model){
		"model.sha256":        func(m *certificate.Model) { m.SHA256 = "cd" },
		"model.preprocessing": func(m *certificate.Model) { m.Preprocessing = json.RawMessage(`{"mean":[0.5],"std":[1]}`) },
		"model.denoiser":      func(m *certificate.Model) { m.Denoiser = &certificate.File{SHA256: "ef"} },
		"model.decision":      func(m *certificate.Model) { m.Decision = "argmin" },
		"model.classes":       func(m *certificate.Model) { m.Classes = 2 },
	}) {
		t.Run(field, func(t *testing.T) {
			opened := stored
			change(&opened)
			if f, other := audit.OtherModel(stored, opened); !other || f.Field != field {
				t.Errorf("%s: found %t, %+v", field, other, f)
			}
		})
	}
}
