package replay

import (
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/dataset"
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

// The range that a certificate names must be that of the data, where the data have one.
func TestOtherBox(t *testing.T) {
	images, wide := &certificate.Box{0, 1}, &certificate.Box{0, 2}
	for name, row := range subtest.Rows(map[string]struct {
		stored, data *certificate.Box
		other        bool
	}{
		"the same": {stored: images, data: images}, "another": {stored: wide, data: images, other: true},
		"an earlier certificate": {data: images}, "data of no known range": {stored: images},
	}) {
		t.Run(name, func(t *testing.T) {
			c := &certificate.Certificate{Input: certificate.Input{SHA256: strings.Repeat("00", 32), Label: -1, Box: row.stored}}
			findings := otherInput(c, dataset.Item{Label: -1}, row.data)
			if got := len(findings) == 1 && findings[0].Field == "input.box"; got != row.other || len(findings) > 1 {
				t.Errorf("%v", findings)
			}
		})
	}
}
