package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/runtime/runtimetest"
)

// One model that never returns is refused after its limit, and does not stop the others.
func TestZooBesideAnEndlessModel(t *testing.T) {
	dir, model := workshop(t)
	t.Chdir(dir)
	t.Setenv(asCommand, "1") // for the workers
	if err := os.WriteFile(filepath.Join(dir, "endless.onnx"), runtimetest.Endless(t, runtimetest.Nonzero), 0o644); err != nil {
		t.Fatal(err)
	}
	rows := zeroArray("(6, 4)", 24)
	rows[len(rows)-2], rows[len(rows)-1] = 0x80, 0x3f // a 1 in the last row
	if err := os.WriteFile(filepath.Join(dir, "rows.npy"), rows, 0o644); err != nil {
		t.Fatal(err)
	}
	text := `
models:
  - {name: endless, file: endless.onnx, runtime: {timeout: 1s}}
  - {name: good, file: ` + filepath.Base(model) + `}
datasets:
  - {name: rows, source: "npy:rows.npy"}
  - {name: digits, source: "digits?n=3"}
noise:
  - {family: gaussian, sigma: 0.25}
statistics: {n: 100, n0: 20, alpha: 0.001}
seed: 3
`
	if err := os.WriteFile("zoo.yaml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, exitDone, "zoo", "run", "zoo.yaml", "--store", "sqlite:z.db", "--workers", "1", "--out", "o")
	refused, made := read(t, filepath.Join("o", "refused.tsv")), read(t, filepath.Join("o", "certificates.tsv"))
	if !strings.Contains(refused, "endless\trows") {
		t.Errorf("refused.tsv:\n%s", refused)
	}
	if n := strings.Count(made, "good\tdigits"); n != 3 {
		t.Errorf("%d rows of the good model, want 3:\n%s", n, made)
	}
}

func TestInspectEnds(t *testing.T) {
	t.Parallel()
	dir, _ := workshop(t)
	path := filepath.Join(dir, "endless.onnx")
	if err := os.WriteFile(path, runtimetest.Endless(t, runtimetest.Nonzero), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := want(t, exitFailed, "inspect", path, "--run-limit", "1"); !strings.Contains(got.stderr, "longer than its limit") {
		t.Error(got.stderr)
	}
}
