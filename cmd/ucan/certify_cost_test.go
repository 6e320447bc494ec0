package main

import (
	"strings"
	"testing"
	"time"

	"ucan/fixtures/subtest"
	"ucan/internal/certify"
	"ucan/smooth/sequential"
)

// Before a run its cost is told; how to shorten it is told where it is long.
func TestCostLines(t *testing.T) {
	now := time.Date(2026, 12, 1, 23, 0, 0, 0, time.UTC)
	fixed := certify.Statistics{N0: 100, N: 100_000}
	adaptive := fixed
	adaptive.N0, adaptive.Profile = 0, &sequential.Profile{}
	rows := map[string]struct {
		statistics certify.Statistics
		inputs     int
		rate       float64
		lines      []string
	}{
		"short":    {fixed, 10, 100_100, []string{"10 inputs × 100100 samples, 100100 samples a second here: about 10s"}},
		"long":     {fixed, 500, 10_010, []string{"about 1h23m, until 2 Dec 00:23", "--adaptive default", "--n 10000 takes about 8m24s"}},
		"adaptive": {adaptive, 100, 10_000, []string{"100 inputs × at most 100000 samples, 10000 samples a second here: at most 16m40s, until", "--n 10000 takes at most 1m40s"}},
		"endless":  {fixed, 1_000_000, 1e-3, []string{"36500d", "--adaptive", "36500d"}},
	}
	for name, row := range subtest.Rows(rows) {
		t.Run(name, func(t *testing.T) {
			lines := costLines(row.statistics, 0, row.inputs, row.rate, now)
			if len(lines) != len(row.lines) {
				t.Fatalf("%q", lines)
			}
			for i, want := range row.lines {
				if !strings.Contains(lines[i], want) {
					t.Errorf("%q does not say %q", lines[i], want)
				}
			}
		})
	}
}
