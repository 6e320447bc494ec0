package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ucan/internal/npy"
	"ucan/runtime/onnx"
	"ucan/smooth/stream"
)

// smallWorld writes a convolutional classifier of three classes for images [1, 8, 8], and 48 such
// images, so that whole trainings take a fraction of a second.
func smallWorld(t *testing.T) (model, data string) {
	t.Helper()
	dir, _ := workshop(t)
	source := stream.New(4, [32]byte{}, stream.NPG).Source(0)
	normal := func(n int64, scale float32) []float32 {
		v := make([]float32, n)
		source.NormalInto(v)
		for i := range v {
			v[i] *= scale
		}
		return v
	}
	b := onnx.NewBuilder("small", 17)
	weight := func(name string, dims ...int64) onnx.Value {
		n, err := onnx.Elements(dims)
		if err != nil {
			t.Fatal(err)
		}
		w, err := onnx.NewTensor(name, dims, normal(n, 0.3))
		if err != nil {
			t.Fatal(err)
		}
		return b.Initializer(w)
	}
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(1), onnx.Fixed(8), onnx.Fixed(8))
	h := b.Relu(b.Conv(x, weight("c.w", 4, 1, 3, 3), weight("c.b", 4), onnx.Window{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}}))
	h = b.Gemm(b.Flatten(h, 1), weight("d.w", 256, 3), weight("d.b", 3), false)
	b.Output("logits", h, onnx.Float, onnx.Sym("N"), onnx.Fixed(3))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	model = filepath.Join(dir, "small.onnx")
	if err := m.Write(model); err != nil {
		t.Fatal(err)
	}
	const count = 48
	images, labels := filepath.Join(dir, "x.npy"), filepath.Join(dir, "y.npy")
	if err := os.WriteFile(images, npy.Encode(normal(count*64, 1), []int{count, 1, 8, 8}), 0o600); err != nil {
		t.Fatal(err)
	}
	var y bytes.Buffer
	header := fmt.Sprintf("%-117s\n", fmt.Sprintf("{'descr': '<i8', 'fortran_order': False, 'shape': (%d,), }", count))
	y.WriteString("\x93NUMPY\x01\x00")
	for _, v := range []any{uint16(len(header)), []byte(header)} {
		if err := binary.Write(&y, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(count) {
		if err := binary.Write(&y, binary.LittleEndian, i%3); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(labels, y.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return model, "npy:" + images + "," + labels
}

// product reads what a training leaves behind, by path: the content of every file but the log,
// which is there without its times, and of the checkpoints, which hold times too, no more than
// their names.
func product(t *testing.T, out string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(out, path)
		if err != nil {
			return err
		}
		switch {
		case name == "train.jsonl":
			files[name] = trainLog(t, out)
		case slices.Contains([]string{"latest.ckpt", "previous.ckpt", "fresh.ckpt"}, filepath.Base(name)):
			files["checkpoint/*.ckpt"] = "" // killed while the last one takes its name, it is read under the one it has
		case name == "train.yaml", name == "denoiser.yaml", strings.HasPrefix(name, "checkpoint"):
			files[name] = ""
		default:
			files[name] = read(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// compareProducts says how a training's files differ from those of an uninterrupted one.
func compareProducts(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if text, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		} else if text != want[name] {
			t.Errorf("%s differs from that of an uninterrupted run", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is left over", name)
		}
	}
}

// killed is a training whose runs are killed and resumed.
type killed struct {
	name string
	args []string
	// last is the file that is written last.
	last string
}

// killedTrainings are of every kind that learns by steps, and of every way in which the classifier
// takes part.
func killedTrainings(model, data string) []killed {
	npg := func(kind string, more ...string) []string {
		return append([]string{
			"train", "npg", "--kind", kind, "--model", model, "--data", data, "--hold-out", "8", "--val-samples", "4",
			"--epochs", "3", "--log-every", "1",
		}, more...)
	}
	return []killed{
		{"dataset", npg("dataset", "--fixed-mean", "--patience", "3", "--checkpoint-every", "6"), "npg.yaml"},
		{"certification", npg("certification", "--draws", "2", "--ema", "0.8"), "npg.yaml"},
		{"joint", npg("certification", "--fixed-mean", "--joint", "--joint-rate", "0.5"), "npg.yaml"},
		{"per-input", []string{"train", "npg", "--kind", "per-input", "--model", model, "--data", data, "--max", "4", "--epochs", "4", "--draws", "25"}, "npg.yaml"},
		{"fine-tuned", []string{
			"train", "base", "--init", model, "--data", data, "--npg", "pattern:dct,kappa=4,gamma=2,iota=0.2", "--hold-out", "8",
			"--val-samples", "4", "--epochs", "3", "--log-every", "1", "--optimizer", "sgd",
		}, "train.yaml"},
		{"denoiser", []string{
			"train", "denoiser", "--arch", "unet", "--width", "4", "--model", model, "--data", data, "--hold-out", "8", "--val-samples", "4",
			"--sigma", "0.5", "--objective", "mse,stability,classification", "--epochs", "1,1,1", "--log-every", "1",
		}, "denoiser.yaml"},
	}
}

func (k killed) in(out string) []string {
	return slices.Concat(k.args[:2], []string{
		"--batch", "8", "--checkpoint-every", "2", "--seed", "5", "--threads", "2", "--quiet", "--resume", "--out", out,
	}, k.args[2:])
}

// moments are where a run is killed for certain, by name.
func (k killed) moments() map[string]func(out string) bool {
	there := func(pattern ...string) func(out string) bool {
		return func(out string) bool {
			found, err := filepath.Glob(filepath.Join(append([]string{out}, pattern...)...))
			return err == nil && len(found) > 0
		}
	}
	logged := func(n int) func(out string) bool {
		return func(out string) bool { return lines(filepath.Join(out, "train.jsonl")) >= n }
	}
	moments := map[string]func(out string) bool{
		"before anything":             func(string) bool { return true },
		"before the first checkpoint": there("checkpoint"),
		"after the last file":         there(k.last),
	}
	switch k.name {
	case "per-input":
		moments["in the first field"] = there("checkpoint", "seed")
		moments["in the last field"] = func(out string) bool {
			found, err := filepath.Glob(filepath.Join(out, "checkpoint", "*.json"))
			return err == nil && len(found) >= 3
		}
		moments["while the bundle is written"] = there("inputs.txt")
	case "fine-tuned":
		delete(moments, "after the last file") // its record is written at the beginning, too
		moments["after the model"] = there("model.onnx")
		moments["after the last step"] = logged(3*5 + 2)
	default:
		moments["in the first epoch"] = logged(2)
		moments["after the last step"] = logged(3*5 + 2)
		moments["while the bundle is written"] = there("*.onnx")
	}
	return moments
}

// TestKilledTrainingsEndWithTheSameBytes kills trainings as whole processes, as kill -9 does, at
// moments that matter and at random ones, resumes them, and compares every file with an
// uninterrupted run's. UCAN_LONG=1 kills at all of the moments and often; otherwise it is a few of
// them.
func TestKilledTrainingsEndWithTheSameBytes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs many processes")
	}
	model, data := smallWorld(t)
	long := os.Getenv("UCAN_LONG") == "1"
	for i, k := range killedTrainings(model, data) {
		t.Run(k.name, func(t *testing.T) {
			whole := filepath.Join(t.TempDir(), "whole")
			begun := time.Now()
			if text, err := command(t, k.in(whole)...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			span := time.Since(begun)
			wanted := product(t, whole)
			if len(wanted) < 3 {
				t.Fatalf("an uninterrupted run leaves %q", slices.Sorted(maps.Keys(wanted)))
			}
			moments := k.moments()
			names := slices.Sorted(maps.Keys(moments))
			for j, name := range names {
				if !long && j != i { // another one for every training
					continue
				}
				t.Run(name, func(t *testing.T) {
					out := filepath.Join(t.TempDir(), "bundle")
					killWhen(t, func() bool { return moments[name](out) }, k.in(out)...)
					want(t, exitDone, k.in(out)...)
					compareProducts(t, product(t, out), wanted)
				})
			}
			folders, kills := 1, 1
			if long {
				folders, kills = 8, 5
			}
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for n := range folders {
				t.Run(fmt.Sprintf("at random %d", n), func(t *testing.T) {
					out := filepath.Join(t.TempDir(), "bundle")
					for range kills {
						after := time.Duration(random.Float64() * float64(span))
						end := time.Now().Add(after)
						killWhen(t, func() bool { return time.Now().After(end) }, k.in(out)...)
						t.Logf("killed after %v of about %v", after.Round(time.Millisecond), span.Round(time.Millisecond))
					}
					want(t, exitDone, k.in(out)...)
					compareProducts(t, product(t, out), wanted)
				})
			}
			if !long {
				return
			}
			// A resumed finished run changes nothing.
			before := read(t, filepath.Join(whole, k.last))
			want(t, exitDone, k.in(whole)...)
			if read(t, filepath.Join(whole, k.last)) != before {
				t.Errorf("resuming a finished run changed %s", k.last)
			}
			compareProducts(t, product(t, whole), wanted)
		})
	}
}
