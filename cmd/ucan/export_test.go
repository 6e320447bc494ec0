package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestExport writes the pipeline of a model behind a denoiser, and certifies it beside the two.
func TestExport(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	bundle, out := filepath.Join(dir, "wiener"), filepath.Join(dir, "pipeline.onnx")
	want(t, exitDone, "train", "denoiser", "--data", "digits?seed=7", "--max", "50", "--sigma", "0.5", "--out", bundle, "--quiet")
	got := want(t, exitDone, "export", "--model", model, "--denoiser", bundle, "--out", out, "--quiet")
	for _, part := range []string{"input   x: float[N,1,28,28]", "output  scores: float[N,10]", "output  label: int64[N]"} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("the summary lacks %q:\n%s", part, got.stdout)
		}
	}
	rows := func(name string, flags ...string) string {
		table := filepath.Join(dir, name)
		args := append([]string{"certify", "--data", "digits?seed=8", "--max", "3", "--n", "200", "--sigma", "0.5", "--seed", "1", "--batch", "32", "--workers", "1", "--out", table}, flags...)
		want(t, exitDone, args...)
		var lines []string
		for line := range strings.Lines(read(t, table)) {
			lines = append(lines, strings.Join(strings.Split(line, "\t")[:5], " ")) // without the time
		}
		return strings.Join(lines, "\n")
	}
	if a, b := rows("a.tsv", "--model", model, "--denoiser", bundle), rows("b.tsv", "--model", out); a != b {
		t.Errorf("the pipeline certifies\n%s\nand the model behind the denoiser\n%s", b, a)
	}
	want(t, exitUsage, "export", "--model", model, "--out", out)
	alone := filepath.Join(dir, "alone.onnx")
	if err := os.WriteFile(filepath.Join(dir, "alone.model.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, exitUsage, "export", "--model", model, "--out", alone) // another's declaration is not replaced
	if _, err := os.Lstat(alone); err == nil {
		t.Error("a refused export left a file")
	}
	want(t, exitUsage, "export", "--model", model)
	want(t, exitUsage, "export", "--model", model, "--layout", "triton")
	want(t, exitUsage, "export", "--model", model, "--layout", "kserve", "--dir", dir)
	hidden := filepath.Join(dir, "hidden.yaml")
	if err := os.WriteFile(hidden, []byte("model: {layout: nhwc}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := want(t, exitUsage, "export", "--config", hidden, "--model", model, "--layout", "triton", "--dir", dir); !strings.Contains(got.stderr, "would hide") {
		t.Errorf("a layout of the configuration was dropped:\n%s", got.stderr)
	}
	want(t, exitUsage, "export", "--model", model, "--out", filepath.Join(dir, "b.onnx"), "--dir", dir)
	want(t, exitDone, "export", "--model", model, "--layout", "triton", "--dir", dir, "--quiet")
	config := read(t, filepath.Join(dir, "digits_cnn", "config.pbtxt"))
	for _, part := range []string{`name: "digits_cnn"`, "max_batch_size: 256", `{ name: "x" data_type: TYPE_FP32 dims: [ 1, 28, 28 ] }`, `{ name: "label" data_type: TYPE_INT64 dims: [ 1 ] reshape: { shape: [ ] } }`} {
		if !strings.Contains(config, part) {
			t.Errorf("config.pbtxt lacks %q:\n%s", part, config)
		}
	}
	if read(t, filepath.Join(dir, "digits_cnn", "1", "model.onnx")) == "" {
		t.Error("no model in the repository")
	}
	want(t, exitUsage, "export", "--model", model, "--layout", "triton", "--dir", dir)
}

// TestExportInPython runs a pipeline in onnxruntime for Python and compares all decisions.
func TestExportInPython(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import numpy, onnxruntime").Run() != nil {
		t.Skip("python3 with numpy and onnxruntime is not here")
	}
	dir, model := workshop(t)
	out := filepath.Join(dir, "pipeline.onnx")
	want(t, exitDone, "export", "--model", model, "--out", out, "--quiet")
	table := filepath.Join(dir, "predict.tsv")
	inputs := filepath.Join(dir, "x.npy")
	make := exec.Command(python, "-c", `
import sys, numpy
numpy.save(sys.argv[1], numpy.random.default_rng(1).random((200, 1, 28, 28), dtype=numpy.float32))`, inputs)
	if said, failed := make.CombinedOutput(); failed != nil {
		t.Fatalf("%v\n%s", failed, said)
	}
	want(t, exitDone, "predict", "--model", model, "--data", "npy:"+inputs, "--n", "0", "--out", table, "--quiet")
	var ours []string
	lines := strings.Split(strings.TrimSpace(read(t, table)), "\n")
	column := 0
	for i, name := range strings.Split(lines[0], "\t") {
		if name == "predict" {
			column = i
		}
	}
	for _, line := range lines[1:] {
		ours = append(ours, strings.Split(line, "\t")[column])
	}
	run := exec.Command(python, "-c", `
import sys, numpy, onnxruntime
s = onnxruntime.InferenceSession(sys.argv[1])
print(*s.run(["label"], {"x": numpy.load(sys.argv[2])})[0], sep="\n")`, out, inputs)
	text, err := run.Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := strings.Fields(string(text))
	if strings.Join(ours, " ") != strings.Join(theirs, " ") || len(ours) != 200 {
		t.Errorf("%d decisions here: %v\n%d in Python: %v", len(ours), ours, len(theirs), theirs)
	}
}
