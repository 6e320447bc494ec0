package perinput

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ucan/internal/dataset"
	"ucan/models"
	"ucan/models/demo"
	"ucan/npg/bundle"
	"ucan/npg/perinput"
	"ucan/runtime"
	"ucan/runtime/runtimetest"
	"ucan/smooth"
	"ucan/train/data"
)

// setting opens the demonstration network and n digits.
func setting(t *testing.T, n string) (*runtime.Runtime, *models.Model, *data.Set) {
	t.Helper()
	ctx, rt := context.Background(), runtimetest.Open(t)
	model, err := models.OpenBytes(ctx, rt, demo.Name, demo.Model(), models.Options{SourceShape: []int{1, 28, 28}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cerr := model.Close(); cerr != nil {
			t.Error(cerr)
		}
	})
	source, err := dataset.Open(ctx, "digits?n="+n, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close() })
	indices := make([]int, source.Len())
	for i := range indices {
		indices[i] = i
	}
	set, err := data.Load(ctx, source, indices, model.Classes(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	return rt, model, set
}

func config(dir string) Config {
	f := perinput.DefaultConfig()
	f.Iterations, f.Samples, f.Votes, f.GridSize = 4, 16, 40, 5
	f.Low, f.High, f.Limits.Ceiling, f.Seed = 0.2, 0.8, 2, 7
	return Config{Field: f, Dir: dir, Batch: 16, Session: runtime.SessionOptions{IntraOp: 1}}
}

// A run that is interrupted after the first input and resumed ends with the bytes of one that was not.
func TestResumeGivesTheSameBytes(t *testing.T) {
	rt, model, set := setting(t, "3")
	whole, broken := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "broken")
	result, err := Run(context.Background(), rt, model, set, config(whole))
	if err != nil {
		t.Fatal(err)
	}
	if result.Inputs != 3 || result.Certifiable < 2 || result.Gain < 1 {
		t.Errorf("%d inputs, %d certifiable, gain %v", result.Inputs, result.Certifiable, result.Gain)
	}

	ctx, cancel := context.WithCancel(context.Background())
	c := config(broken)
	c.Progress, c.Processor = func(int, int) { cancel() }, "a"
	if _, err = Run(ctx, rt, model, set, c); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want an interruption", err)
	}
	if seed, ok := StoredSeed(broken); !ok || seed != 7 {
		t.Errorf("stored seed %d, %v", seed, ok)
	}
	c.Progress = nil
	if _, err = Run(context.Background(), rt, model, set, c); !errors.Is(err, ErrConfig) {
		t.Errorf("going on without being asked to: %v, want ErrConfig", err)
	}
	c.Resume, c.Processor = true, "b"
	result, err = Run(context.Background(), rt, model, set, c)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(result.OtherProcessors, []string{"a"}) {
		t.Errorf("a resumed run names the processors %q of before, want a", result.OtherProcessors)
	}
	for _, name := range []string{bundle.ManifestName, "sigmas.npy", "inputs.txt"} {
		a, errA := os.ReadFile(filepath.Join(whole, name))
		b, errB := os.ReadFile(filepath.Join(broken, name))
		if errA != nil || errB != nil || !slices.Equal(a, b) {
			t.Errorf("%s differs: %v, %v", name, errA, errB)
		}
	}
}

// The bundle gives back, for each input, the field that was optimised for it.
func TestBundleHoldsTheFields(t *testing.T) {
	rt, model, set := setting(t, "2")
	dir := t.TempDir()
	c := config(dir)
	c.Resume = true // an empty folder: it begins
	if _, err := Run(context.Background(), rt, model, set, c); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if b.Kind != bundle.PerInput || len(b.Inputs) != 2 || len(b.Diagnoses) == 0 {
		t.Fatalf("kind %s, %d inputs, %d diagnoses", b.Kind, len(b.Inputs), len(b.Diagnoses))
	}
	g, err := b.Stored()
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, set.Dim())
	set.Read(1, x)
	p, err := g.Parameters(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	network, err := open(context.Background(), rt, model, c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if cerr := network.Close(); cerr != nil {
			t.Error(cerr)
		}
	}()
	again, err := perinput.Optimise(context.Background(), network, x, smooth.InputID(x), c.Field)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Sigma(), again.Sigma) || p.Mu() != nil {
		t.Error("the stored field is not the one that the optimisation gives")
	}
	x[0] += 0.25
	if _, err := g.Parameters(context.Background(), x); err == nil {
		t.Error("an input that has no field got one")
	}
}
