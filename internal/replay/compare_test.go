package replay

import (
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// Fresh votes contradict a bound when they are all but impossible under it, whichever of the two
// bounds it is.
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
			finding, found := contradiction(c, counts, tt.certificates)
			if found != (tt.field != "") || finding.Field != tt.field {
				t.Errorf("found %t: %+v; want a finding about %q", found, finding, tt.field)
			}
		})
	}
}
