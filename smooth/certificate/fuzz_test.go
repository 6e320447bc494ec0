package certificate_test

import (
	"fmt"
	"strings"
	"testing"

	"ucan/smooth/certificate"
)

func FuzzParse(f *testing.F) {
	for _, c := range samples(f) {
		line, err := c.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Add([]byte(`{"schema":"ucan.certificate/1"}`))
	f.Add([]byte(fmt.Sprintf(`{"schema":"ucan.certificate/1","noise":{"sigma_field":[%s]}}`, strings.Repeat("1,", 5000)+"1")))
	checker := certificate.NewChecker(nil, "")
	f.Fuzz(func(t *testing.T, line []byte) {
		c, err := certificate.Parse(line)
		if err != nil {
			return
		}
		// What was read can be written, read to the same, and checked.
		again, err := c.Marshal()
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		d, err := certificate.Parse(again)
		if err != nil {
			t.Fatalf("written but not read: %v\n%s", err, again)
		}
		if d.ID != c.ID {
			t.Fatal("ids differ after a round trip")
		}
		// Hostile sizes are bounded, but not by a fuzzer's patience.
		if a := c.Statistics.AdaptiveStatistics; a != nil && (a.Cap > 10_000 || len(a.Levels) > 10) {
			return
		}
		if c.Input.Dim() > 10_000 || c.Model.Classes > 10_000 {
			return
		}
		if _, err := checker.Check(c); err != nil && strings.Contains(err.Error(), "\n") {
			t.Fatalf("error of several lines: %v", err)
		}
	})
}
