package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
)

func TestCompare(t *testing.T) {
	dir, model := workshop(t)
	file := func(name string, noise ...string) string {
		path := filepath.Join(dir, name+".jsonl")
		want(t, exitDone, append([]string{
			"certify", "--model", model, "--data", "digits?n=6", "--n", "100", "--n0", "10", "--seed", "1", "--quiet", "--json", path,
		}, noise...)...)
		return path
	}
	low, high := file("low", "--sigma", "0.1"), file("high", "--sigma", "0.25")
	pattern := file("pattern", "--npg", "pattern:l2,kappa=0.3,iota=0.2")
	plots := filepath.Join(dir, "plot")
	out := want(t, exitDone, "compare", "--isotropic", low+","+high, "μ = 0, a pattern="+pattern, "--training", "digits?n=50", "--plots", plots, "--quiet", "--format", "json")
	var got struct {
		Inputs int
		Arms   []struct {
			Name      string
			Isotropic bool
			Sigma     float64 `json:"mean_sigma"`
		}
		Measures []struct {
			Name  string
			Pairs []struct {
				Name, Against string
				Interval      struct{ Low, High float64 } `json:"difference_interval"`
			}
		}
	}
	if err := json.Unmarshal([]byte(out.stdout), &got); err != nil {
		t.Fatalf("%q: %v", out.stdout, err)
	}
	if got.Inputs != 6 || len(got.Arms) != 3 || got.Arms[0].Name != "isotropic 0.1" || !got.Arms[1].Isotropic || got.Arms[2].Name != "μ = 0, a pattern" || len(got.Measures) != 4 || got.Measures[3].Name != "alm_capped" {
		t.Errorf("%+v", got)
	}
	for _, m := range got.Measures {
		for _, p := range m.Pairs {
			if p.Name != "μ = 0, a pattern" || !strings.HasPrefix(p.Against, "isotropic") || p.Interval.Low >= p.Interval.High {
				t.Errorf("%s: %+v", m.Name, p)
			}
		}
	}
	for _, name := range []string{"-l2.png", "-alm.png"} {
		if _, err := os.Stat(plots + name); err != nil {
			t.Error(err)
		}
	}
	text := want(t, exitDone, "compare", low, "other="+high)
	for _, part := range []string{"6 inputs", "at the ALM radius", "other", "low"} {
		if !strings.Contains(text.stdout, part) {
			t.Errorf("%q is not printed:\n%s", part, text.stdout)
		}
	}
	empty := filepath.Join(dir, "empty.jsonl")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range subtest.Rows(map[string][]string{
		"no file": nil, "one name": {low, low}, "an empty file": {low, empty}, "negative radii": {low, high, "--radii", "-1"},
		"a share": {low, high, "--least", "2"}, "data": {low, high, "--training", "nothing:here"},
		"other inputs": {low, file("few", "--sigma", "0.1", "--max", "3")},
	}) {
		t.Run(name, func(t *testing.T) { want(t, exitUsage, append([]string{"compare"}, args...)...) })
	}
}
