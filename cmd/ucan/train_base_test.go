package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ucan/fixtures/subtest"
	demomodel "ucan/models/demo"
	"ucan/runtime/onnx"
)

// trainArgs trains a small network on few digits: 4 epochs of 6 steps.
func trainArgs(out string, more ...string) []string {
	return append([]string{
		"train", "base", "--arch", "mlp", "--data", "digits?n=224", "--hold-out", "32", "--sigma", "0.25", "--epochs", "4",
		"--batch", "32", "--ema", "0.9", "--clip", "5", "--log-every", "1", "--checkpoint-every", "4", "--seed", "5",
		"--val-samples", "4", "--threads", "2", "--out", out,
	}, more...)
}

// trainLog reads a training log without its times.
func trainLog(t *testing.T, out string) string {
	t.Helper()
	var b strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(read(t, filepath.Join(out, "train.jsonl"))), "\n") {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%s: %q: %v", out, line, err)
		}
		delete(v, "seconds")
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	return b.String()
}

// lines counts the lines of a file, −1 when it is not there.
func lines(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return -1
	}
	return strings.Count(string(b), "\n")
}

// killWhen starts a training and kills it, as kill -9 does, as soon as ready says so, unless it has
// ended before.
func killWhen(t *testing.T, ready func() bool, args ...string) {
	t.Helper()
	cmd := command(t, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	for {
		select {
		case <-ended:
			return
		case <-time.After(200 * time.Microsecond):
			if ready() {
				_ = cmd.Process.Kill()
				<-ended
				return
			}
		}
	}
}

// TestTrainBaseResumesToTheSameBytes kills trainings at several moments and resumes them, also by
// other ways of being interrupted, and compares model and log with those of an uninterrupted one.
func TestTrainBaseResumesToTheSameBytes(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	whole := filepath.Join(t.TempDir(), "whole")
	want(t, exitDone, trainArgs(whole)...)
	model, log := read(t, filepath.Join(whole, "model.onnx")), trainLog(t, whole)
	if n := strings.Count(log, "\n"); n != 4*(6+1) {
		t.Fatalf("%d lines in the log:\n%s", n, log)
	}
	inside := func(out, name string) string { return filepath.Join(out, name) }
	for name, ready := range subtest.Rows(map[string]func(out string) bool{
		"before anything":             func(string) bool { return true },
		"before the first checkpoint": func(out string) bool { return lines(inside(out, "train.yaml")) > 0 },
		"in the first epoch":          func(out string) bool { return lines(inside(out, "train.jsonl")) >= 3 },
		"in the middle":               func(out string) bool { return lines(inside(out, "train.jsonl")) >= 17 },
		"after the last step":         func(out string) bool { return lines(inside(out, "train.jsonl")) >= 27 },
		"after the last checkpoint":   func(out string) bool { return lines(inside(out, "train.jsonl")) >= 28 },
	}) {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "bundle")
			killWhen(t, func() bool { return ready(out) }, trainArgs(out, "--resume")...)
			want(t, exitDone, trainArgs(out, "--resume")...)
			if read(t, inside(out, "model.onnx")) != model {
				t.Error("the model's bytes differ")
			}
			if got := trainLog(t, out); got != log {
				t.Errorf("the log differs:\n%s\nwant\n%s", got, log)
			}
		})
	}
	t.Run("finished", func(t *testing.T) {
		before := read(t, inside(whole, "train.yaml"))
		o := want(t, exitDone, trainArgs(whole, "--resume", "--format", "json")...)
		var v struct {
			Out   string `json:"out"`
			Model string `json:"model_sha256"`
			Steps int    `json:"steps"`
		}
		if err := json.Unmarshal([]byte(o.stdout), &v); err != nil || v.Steps != 24 || v.Model == "" {
			t.Errorf("printed %q: %v", o.stdout, err)
		}
		if read(t, inside(whole, "train.yaml")) != before {
			t.Error("resuming a finished bundle changed its record")
		}
	})
	t.Run("torn", func(t *testing.T) {
		for _, name := range []string{"train.yaml", "model.onnx", "checkpoint/latest.ckpt", "train.jsonl"} {
			if err := os.Truncate(inside(whole, name), 60); err != nil {
				t.Fatal(err)
			}
		}
		want(t, exitDone, trainArgs(whole, "--resume")...)
		if read(t, inside(whole, "model.onnx")) != model {
			t.Error("the model's bytes differ")
		}
	})
}

// TestTrainBaseBatchNorm fine-tunes with batch normalisations behind the convolutions, stops and
// goes on, and ends with a plain file of as many nodes; a network without convolutions is refused.
func TestTrainBaseBatchNorm(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir := t.TempDir()
	demo, whole, parts := filepath.Join(dir, "demo.onnx"), filepath.Join(dir, "whole"), filepath.Join(dir, "parts")
	if err := os.WriteFile(demo, demomodel.Model(), 0o644); err != nil {
		t.Fatal(err)
	}
	args := func(out string, more ...string) []string {
		return append([]string{"train", "base", "--init", demo, "--batch-norm", "--data", "digits?n=192", "--sigma", "1", "--batch", "32", "--epochs", "2",
			"--seed", "1", "--threads", "2", "--out", out}, more...)
	}
	want(t, exitDone, args(whole)...)
	want(t, exitDone, "predict", "--model", whole, "--data", "digits?n=20", "--n", "0")
	m, err := onnx.Read(filepath.Join(whole, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if ops := m.Operators(); ops["BatchNormalization"] > 0 {
		t.Errorf("operators %v", ops)
	}
	want(t, exitUsage, args(whole, "--resume", "--batch-norm=false")...)
	want(t, exitDone, args(parts, "--checkpoint-every", "1")...)
	if err := os.Remove(filepath.Join(parts, "model.onnx")); err != nil {
		t.Fatal(err)
	}
	want(t, exitDone, args(parts, "--checkpoint-every", "1", "--resume")...)
	if read(t, filepath.Join(whole, "model.onnx")) != read(t, filepath.Join(parts, "model.onnx")) {
		t.Error("the bytes differ")
	}
	mlp := filepath.Join(dir, "mlp")
	want(t, exitDone, "train", "base", "--arch", "mlp", "--data", "digits?n=32", "--sigma", "1", "--batch", "32", "--epochs", "1", "--seed", "1", "--out", mlp)
	o := want(t, exitRefused, "train", "base", "--init", mlp, "--batch-norm", "--data", "digits?n=32", "--sigma", "1", "--batch", "32", "--epochs", "1", "--out", filepath.Join(dir, "refused"))
	if !strings.Contains(o.stderr, "train without") {
		t.Errorf("stderr %q", o.stderr)
	}
}

// TestTrainBaseSmoothAdv: a stopped adversarial training ends with the same bytes, the attack is
// in the record, and another one is another training.
func TestTrainBaseSmoothAdv(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir := t.TempDir()
	args := func(name string, more ...string) []string {
		return append([]string{"train", "base", "--arch", "mlp", "--data", "digits?n=160", "--npg", "pattern:dct,kappa=4,gamma=2,iota=0.2", "--objective", "smoothadv",
			"--attack-radius", "0.5", "--epochs", "2", "--batch", "32", "--checkpoint-every", "3", "--seed", "5", "--threads", "1", "--out", filepath.Join(dir, name)}, more...)
	}
	model := func(name string) string { return read(t, filepath.Join(dir, name, "model.onnx")) }
	want(t, exitDone, args("whole")...)
	log := filepath.Join(dir, "stopped", "train.jsonl")
	killWhen(t, func() bool { return lines(log) > 0 }, args("stopped")...)
	want(t, exitDone, args("stopped", "--resume")...)
	if model("whole") != model("stopped") {
		t.Error("the bytes differ")
	}
	if record := read(t, filepath.Join(dir, "whole", "train.yaml")); !strings.Contains(record, "radius: 0.5") {
		t.Errorf("the record says nothing of the attack:\n%s", record)
	}
	o := want(t, exitUsage, args("whole", "--resume", "--attack-steps", "3")...)
	if !strings.Contains(o.stderr, "steps") {
		t.Errorf("stderr %q", o.stderr)
	}
}

// TestTrainBasePreprocessing: what is declared of the model to fine-tune is part of what comes
// out. At a rate that moves nothing the answers are those of the model with the same declaration.
func TestTrainBasePreprocessing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	demo, out := filepath.Join(dir, "demo.onnx"), filepath.Join(dir, "out")
	if err := os.WriteFile(demo, demomodel.Model(), 0o644); err != nil {
		t.Fatal(err)
	}
	inverted := []string{"--scale", "-1", "--mean", "-1", "--std", "1"} // black on white, told to the model as 1 − x
	want(t, exitDone, append([]string{"train", "base", "--init", demo, "--data", "digits?n=64", "--sigma", "0.1", "--batch", "32", "--epochs", "1",
		"--lr", "1e-12", "--weight-decay", "0", "--seed", "1", "--threads", "1", "--out", out}, inverted...)...)
	scores := func(args ...string) string {
		tsv := filepath.Join(dir, "p.tsv")
		want(t, exitDone, append([]string{"predict", "--data", "digits?n=60&seed=3", "--n", "0", "--force", "--out", tsv}, args...)...)
		var b strings.Builder
		for _, line := range strings.Split(strings.TrimSpace(read(t, tsv)), "\n")[1:] {
			fields := strings.Split(line, "\t")
			b.WriteString(strings.Join(fields[:3], " ") + "\n")
		}
		if err := os.Remove(tsv); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	tuned, declared, plain := scores("--model", out), scores(append([]string{"--model", demo}, inverted...)...), scores("--model", demo)
	if tuned != declared || tuned == plain {
		t.Errorf("fine-tuned:\n%s\ndeclared:\n%s\nundeclared:\n%s", tuned, declared, plain)
	}
}

// TestTrainBaseBundle certifies, predicts and inspects by the bundle, and fine-tunes it.
func TestTrainBaseBundle(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir := t.TempDir()
	bundle, tuned := filepath.Join(dir, "bundle"), filepath.Join(dir, "tuned")
	want(t, exitDone, "train", "base", "--arch", "mlp", "--data", "digits?n=1200", "--sigma", "0.25", "--epochs", "10", "--batch", "64", "--seed", "1", "--threads", "2", "--out", bundle)
	o := want(t, exitDone, "predict", "--model", bundle, "--data", "digits?n=200&seed=9", "--n", "0", "--format", "json")
	var p struct{ Accuracy float64 }
	if err := json.Unmarshal([]byte(o.stdout), &p); err != nil || p.Accuracy < 0.6 {
		t.Errorf("accuracy %v: %v", p.Accuracy, err)
	}
	want(t, exitDone, "certify", "--model", bundle, "--data", "digits?n=4", "--sigma", "0.25", "--n", "100", "--seed", "1")
	want(t, exitDone, "inspect", bundle)
	for _, npg := range []string{"pattern:l2,kappa=0.2,iota=0.1", "pattern:dct,kappa=4,gamma=2,iota=0.1"} {
		want(t, exitDone, "train", "base", "--init", bundle, "--data", "digits?n=128", "--npg", npg, "--epochs", "1", "--batch", "32",
			"--draws", "2", "--consistency", "1", "--label-smoothing", "0.1", "--seed", "1", "--threads", "2", "--out", tuned)
		want(t, exitDone, "predict", "--model", tuned, "--data", "digits?n=20", "--n", "0")
		if err := os.RemoveAll(tuned); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTrainBaseFaults(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	args := func(more ...string) []string {
		return append([]string{"train", "base", "--data", "digits?n=64", "--sigma", "0.25", "--epochs", "1", "--batch", "32", "--threads", "2", "--seed", "1", "--out", out}, more...)
	}
	for name, a := range subtest.Rows(map[string][]string{
		"no network":       args(),
		"unknown network":  args("--arch", "resnet"),
		"two networks":     args("--arch", "mlp", "--init", "m.onnx"),
		"optimiser":        args("--arch", "mlp", "--optimizer", "lbfgs"),
		"schedule":         args("--arch", "mlp", "--schedule", "plateau"),
		"augmentation":     args("--arch", "mlp", "--augment", "cutout"),
		"keep":             args("--arch", "mlp", "--keep", "first"),
		"learning rate":    args("--arch", "mlp", "--lr", "0"),
		"consistency":      args("--arch", "mlp", "--consistency", "1"),
		"batch":            args("--arch", "mlp", "--batch", "65"),
		"hold-out and val": args("--arch", "mlp", "--hold-out", "3", "--val", "digits"),
		"hold out all":     args("--arch", "mlp", "--hold-out", "64"),
		"one of mean, std": args("--arch", "mlp", "--mean", "0.5"),
		"normalise anew":   args("--arch", "mlp", "--batch-norm"),
		"scale of its own": args("--arch", "mlp", "--scale", "255"),
		"objective":        args("--arch", "mlp", "--objective", "macer"),
		"one draw":         args("--arch", "mlp", "--objective", "consistency", "--draws", "1"),
		"attack of none":   args("--arch", "mlp", "--attack-radius", "0.5"),
		"attack of 0":      args("--arch", "mlp", "--objective", "smoothadv", "--attack-radius", "0"),
		"attack in l1":     args("--arch", "mlp", "--objective", "smoothadv", "--noise", "laplace"),
		"other layout":     args("--arch", "mlp", "--layout", "nhwc"),
	}) {
		t.Run(name, func(t *testing.T) {
			o := want(t, exitUsage, a...)
			if strings.Count(o.stderr, "\n") > 2 {
				t.Errorf("stderr %q", o.stderr)
			}
		})
	}
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	want(t, exitDone, args("--arch", "mlp")...)
	want(t, exitUsage, args("--arch", "mlp")...)                                  // it exists
	o := want(t, exitUsage, args("--arch", "mlp", "--resume", "--ema", "0.5")...) // other settings
	if !strings.Contains(o.stderr, "ema") {
		t.Errorf("stderr %q does not name what differs", o.stderr)
	}
}
