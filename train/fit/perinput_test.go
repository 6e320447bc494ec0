package fit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ucan/internal/dataset"
	"ucan/internal/fault"
	"ucan/models"
	"ucan/models/demo"
	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/npg/perinput"
	"ucan/runtime"
	"ucan/runtime/runtimetest"
	"ucan/smooth"
)

// fieldBed opens the demonstration network and n digits.
func fieldBed(t *testing.T, n string) (*runtime.Runtime, PerInputConfig) {
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
	f := perinput.DefaultConfig()
	f.Iterations, f.Samples, f.Votes, f.GridSize = 4, 16, 40, 5
	f.Low, f.High, f.Limits.Ceiling = 0.2, 0.8, 2
	seed := uint64(7)
	return rt, PerInputConfig{
		Run: Run{
			Dir: filepath.Join(t.TempDir(), "bundle"), Seed: &seed, Session: runtime.SessionOptions{IntraOp: 1},
			Data: Data{Source: source, Selection: dataset.DefaultSelection()},
		},
		Model: model, Batch: 16, Field: f,
	}
}

// A run that is interrupted after the first input and resumed ends with the bytes of one that was
// not.
func TestResumeGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	rt, c := fieldBed(t, "3")
	whole, broken := c.Dir, filepath.Join(t.TempDir(), "broken")
	result, err := PerInput(context.Background(), rt, c)
	if err != nil {
		t.Fatal(err)
	}
	if result.Inputs != 3 || result.Certifiable < 2 || result.Gain < 1 {
		t.Errorf("%d inputs, %d certifiable, gain %v", result.Inputs, result.Certifiable, result.Gain)
	}

	ctx, cancel := context.WithCancel(context.Background())
	c.Dir = broken
	c.Observer.Field, c.Processor = func(int, int) { cancel() }, "a"
	if _, err = PerInput(ctx, rt, c); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want an interruption", err)
	}
	c.Observer.Field = nil
	if _, err = PerInput(context.Background(), rt, c); !fault.Is(err, fault.Wrong) {
		t.Errorf("going on without being asked to: %v, want fault.Wrong", err)
	}
	c.Resume, c.Processor, c.Seed = true, "b", nil // it is stored
	result, err = PerInput(context.Background(), rt, c)
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
	t.Parallel()
	rt, c := fieldBed(t, "2")
	dir := t.TempDir()
	c.Dir, c.Resume = dir, true // an empty folder: it begins
	if _, err := PerInput(context.Background(), rt, c); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if b.Kind != npg.KindPerInput || len(b.Inputs) != 2 || len(b.Diagnoses) == 0 {
		t.Fatalf("kind %s, %d inputs, %d diagnoses", b.Kind, len(b.Inputs), len(b.Diagnoses))
	}
	g, err := b.Stored()
	if err != nil {
		t.Fatal(err)
	}
	item, err := c.Data.Source.At(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	x := item.X
	p, err := g.Parameters(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	c.Field.Seed = *c.Seed
	network, err := openNetwork(context.Background(), rt, c)
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
