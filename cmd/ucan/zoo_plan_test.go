package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A plan needs no store, names every fault with its line, and simulates what it priced.
func TestZooPlan(t *testing.T) {
	t.Parallel()
	dir, _ := workshop(t)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("broken.onnx", "no model")
	file := write("zoo.yaml", "models: [{file: \"*.onnx\"}]\ndatasets: [{source: \"digits?n=200\", max: 20}]\nnoise: [{sigma: [0.25, 0.5]}]\nstatistics: {n0: 10, n: 90}\n")
	picture := filepath.Join(dir, "scale.svg")
	got := want(t, exitDone, "zoo", "plan", file, "--workers", "4", "--simulate", "workers=1/20,rate=100,mtbf=off", "--plot", picture, "--format", "json")
	var p struct {
		Passes     float64
		Inputs     int
		Cells      []any
		Refusals   []struct{ Model, Reason string }
		On         struct{ Workers int }
		Simulation []struct{ Workers, Shards int }
	}
	if err := json.Unmarshal([]byte(got.stdout), &p); err != nil {
		t.Fatal(err)
	}
	if p.Passes != 4000 || p.Inputs != 40 || len(p.Cells) != 2 || len(p.Refusals) != 1 || p.Refusals[0].Model != "broken" || p.On.Workers != 4 || len(p.Simulation) != 2 || p.Simulation[1].Shards != 4 {
		t.Errorf("%+v", p)
	}
	if !strings.Contains(read(t, picture), "<svg") {
		t.Error("the plot is no SVG")
	}
	want(t, exitRefused, "zoo", "plan", file, "--strict")
	bad := write("bad.yaml", "models: [{file: broken.onnx}]\ndatasets: [{source: digits}]\nnoise: [{sigma: 0}]\nsede: 1\n")
	if got = want(t, exitUsage, "zoo", "plan", bad); !strings.Contains(got.stderr, "bad.yaml:3:") || !strings.Contains(got.stderr, "bad.yaml:4:") {
		t.Errorf("%q", got.stderr)
	}
	for _, args := range [][]string{
		{"zoo", "plan"}, {"zoo", "plan", file, "--simulate", "workers=0"}, {"zoo", "plan", file, "--plot", "x.png"},
		{"zoo", "export"}, {"zoo", "report", "--radii", "-1"},
	} {
		want(t, exitUsage, args...)
	}
}
