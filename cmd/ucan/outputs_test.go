package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/runtime/onnx"
)

// scored writes a classifier of the digits whose scores make turns products with fixed weights
// into.
func scored(t *testing.T, path, yaml string, finish func(b *onnx.Builder, s onnx.Value) onnx.Value) {
	t.Helper()
	b := onnx.NewBuilder("g", 17)
	const dim = 28 * 28 // of a digit
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(1), onnx.Fixed(28), onnx.Fixed(28))
	s := b.MatMul(b.Flatten(x, 1), onnx.Tensor(b, "w", []int64{dim, 10}, weights(dim*10)))
	b.Output("y", finish(b, s), onnx.Float, onnx.Sym("N"), onnx.Fixed(10))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if err = m.Write(path); err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(strings.TrimSuffix(path, ".onnx")+".model.yaml", []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
}

// weights are values around 0, the same ones every time.
func weights(n int) []float32 {
	w := make([]float32, n)
	for i := range w {
		w[i] = float32((i*7919)%201-100) / 400
	}
	return w
}

// TestFaultyProbabilitiesStopARun: declared probabilities that are none end a certification before
// it begins, unless forced; predict says so and goes on; inspect says so.
func TestFaultyProbabilitiesStopARun(t *testing.T) {
	t.Parallel()
	dir, _ := workshop(t)
	path := filepath.Join(dir, "half.onnx")
	scored(t, path, "output: {kind: probabilities}\n", func(b *onnx.Builder, s onnx.Value) onnx.Value {
		return b.Mul(b.Softmax(s, 1), b.Scalar(onnx.Float, 2))
	})
	args := []string{"certify", "--model", path, "--data", "digits?n=20", "--sigma", "0.25", "--n", "200", "--max", "2", "--seed", "1"}
	if got := want(t, exitRefused, args...); !strings.Contains(got.stderr, "do not add up to 1 but for instance to 2") || !strings.Contains(got.stderr, "--force") {
		t.Errorf("stderr %s", got.stderr)
	}
	jsonl := filepath.Join(dir, "forced.jsonl")
	want(t, exitDone, append(args, "--force", "--json", jsonl)...)
	if line := read(t, jsonl); !strings.Contains(line, "do not add up to 1") {
		t.Errorf("the certificate does not say what was forced: %s", line)
	}
	if got := want(t, exitDone, "predict", "--model", path, "--data", "digits?n=20", "--n", "0"); !strings.Contains(got.stderr, "do not add up to 1") {
		t.Errorf("predict: %s", got.stderr)
	}
	if got := want(t, exitDone, "inspect", path); !strings.Contains(got.stdout, "do not add up to 1") {
		t.Errorf("inspect: %s", got.stdout)
	}
}

// TestInvalidVotesStandInTheSummary: scores that tie often give votes for no class.
func TestInvalidVotesStandInTheSummary(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	path := filepath.Join(dir, "ties.onnx")
	scored(t, path, "output: {kind: logits}\n", func(b *onnx.Builder, s onnx.Value) onnx.Value {
		return b.Op("Round", []onnx.Value{b.Mul(s, b.Scalar(onnx.Float, 0.5))})
	})
	args := []string{"certify", "--model", path, "--data", "digits?n=20", "--sigma", "0.25", "--n", "300", "--max", "3", "--seed", "1", "--force", "--out", filepath.Join(dir, "a.tsv"), "--json", filepath.Join(dir, "a.jsonl")}
	got := want(t, exitDone, append(args, "--format", "json")...)
	var summary struct {
		Invalid, Votes int64
		Notes          []string
	}
	if err := json.Unmarshal([]byte(got.stdout), &summary); err != nil {
		t.Fatal(err)
	}
	if summary.Votes != 900 || summary.Invalid < 9 || !strings.Contains(strings.Join(summary.Notes, "\n"), "votes") {
		t.Errorf("summary %+v", summary)
	}
	if !strings.Contains(got.stderr, "give no vote without any noise") {
		t.Errorf("no warning of ties: %s", got.stderr)
	}
	// A resumed run that has nothing left to do counts the stored ones.
	if again := want(t, exitDone, append(args, "--resume")...); !strings.Contains(again.stdout, "are for no class") {
		t.Errorf("resumed: %s", again.stdout)
	}
	if sound := want(t, exitDone, certifyArgs(model)...); strings.Contains(sound.stdout, "are for no class") {
		t.Errorf("a sound run: %s", sound.stdout)
	}
}

// TestRowsAreTriedBeforeARun: every run says what it tried and keeps it in its record; votes stay
// as they were.
func TestRowsAreTriedBeforeARun(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	for _, tt := range []struct{ batch, says string }{{"1", "one row a call"}, {"37", "batches of 37 with noisy rows of 3 inputs"}} {
		tsv := filepath.Join(dir, tt.batch+".tsv")
		got := want(t, exitDone, "certify", "--model", model, "--data", "digits?n=60", "--sigma", "0.25", "--n", "100", "--max", "4", "--seed", "7", "--batch", tt.batch, "--out", tsv)
		if !strings.Contains(got.stderr, "tried ") || !strings.Contains(got.stderr, tt.says) {
			t.Errorf("batch %s: %s", tt.batch, got.stderr)
		}
		if record := read(t, tsv+".run.json"); !strings.Contains(record, `"rows_checked"`) || !strings.Contains(record, `"noise": true`) {
			t.Errorf("record %s", record)
		}
	}
	// Without noise the batches hold every input that is named: asked twice, one row a call.
	for _, tt := range []struct{ batch, says string }{{"64", "with rows of 5 inputs"}, {"1", "tried 10 runs of one row a call with rows of 5 inputs"}} {
		if got := want(t, exitDone, "predict", "--model", model, "--data", "digits?n=60", "--n", "0", "--max", "5", "--batch", tt.batch); !strings.Contains(got.stderr, tt.says) {
			t.Errorf("predict, batch %s: %s", tt.batch, got.stderr)
		}
	}
	got := want(t, exitDone, "predict", "--model", model, "--data", "digits?n=60", "--sigma", "0.25", "--n", "100", "--max", "2", "--seed", "7")
	if !strings.Contains(got.stderr, "n = 100, alpha = 0.001, seed 7\n") {
		t.Errorf("predict under noise does not name its terms: %s", got.stderr)
	}
}
