package fit_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/dataset"
	"ucan/internal/fault"
	"ucan/models"
	"ucan/models/demo"
	"ucan/npg"
	"ucan/npg/diagnose"
	"ucan/npg/net"
	"ucan/runtime"
	"ucan/runtime/runtimetest"
	"ucan/smooth/family"
	"ucan/train"
	"ucan/train/data"
	"ucan/train/fit"
	"ucan/train/generator"
)

// bed is the demonstration's classifier and digits to learn on.
type bed struct {
	rt     *runtime.Runtime
	model  *models.Model
	source *dataset.Source
	inputs int
	held   *data.Set
}

func newBed(t *testing.T, inputs int) bed {
	t.Helper()
	ctx := context.Background()
	rt := runtimetest.Open(t)
	source, err := dataset.Open(ctx, "digits?n=2000&seed=4", dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	indices := make([]int, 20)
	for i := range indices {
		indices[i] = inputs + i
	}
	held, err := data.Load(ctx, source, indices, 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	model, err := models.OpenBytes(ctx, rt, "digits_cnn", demo.Model(), models.Options{SourceShape: []int{1, 28, 28}, SkipLoadTrial: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { model.Close() })
	return bed{rt, model, source, inputs, held}
}

// config is a short run.
func (b bed) config(t *testing.T, kind npg.Kind, epochs int) fit.GeneratorConfig {
	c := fit.DefaultGenerator(kind)
	c.Dir, c.Model = filepath.Join(t.TempDir(), "bundle"), b.model
	c.Data = fit.Data{Source: b.source, Selection: dataset.DefaultSelection(), Validation: b.source, ValidationSkip: b.inputs, ValidationMax: 20}
	c.Data.Selection.Max = b.inputs
	c.Epochs, c.CheckpointEvery = epochs, 3
	c.Net.MuScale, c.Net.Floor, c.Net.Ceiling, c.Net.Start = 0, 0.05, 1, 0.2
	c.Family, c.Norm, c.Lambda = family.Gaussian{}, family.L2, 1
	c.Batch, c.ValidationDraws, c.DiagnosisInputs, c.Seed = 20, 16, 20, seed(1)
	return c
}

func seed(n uint64) *uint64 { return &n }

func (b bed) run(t *testing.T, c fit.GeneratorConfig) fit.GeneratorResult {
	t.Helper()
	r, err := fit.Generator(context.Background(), b.rt, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFieldBeatsItsStart learns a field on digits; on the objective it was trained for it must beat
// where it began, by the loss of held-out inputs under fresh noise.
func TestFieldBeatsItsStart(t *testing.T) {
	t.Parallel()
	b := newBed(t, 200)
	c := b.config(t, npg.KindDataset, 6)
	r := b.run(t, c)
	before, after := b.loss(t, c, nil), b.loss(t, c, r.Bundle.Sigma)
	if !(after < before-0.1) {
		t.Errorf("the loss of the learned field is %v, that of the start %v", after, before)
	}
	if string(r.Bundle.Kind.Guarantee()) != "deployed" || r.Bundle.Mu != nil {
		t.Errorf("a field with fixed mean: guarantee %s, offset of %d values", r.Bundle.Kind.Guarantee(), len(r.Bundle.Mu))
	}
	if slices.Min(r.Bundle.Sigma) == slices.Max(r.Bundle.Sigma) {
		t.Error("the learned field is constant")
	}
}

// loss is the objective at a constant field on the held-out inputs; nil stands for the start.
func (b bed) loss(t *testing.T, c fit.GeneratorConfig, sigma []float32) float64 {
	t.Helper()
	v := make([]float64, 2)
	feed, err := data.NewFeed(b.held, data.Config{Batch: 20, Draws: 8, Seed: 77, Family: family.Gaussian{}, Lambda: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	batch, err := feed.Batch(context.Background(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	noisy := make([]float32, len(batch.Noise))
	d := len(batch.Clean) / batch.Rows
	for i, e := range batch.Noise {
		s := float32(c.Net.Start)
		if sigma != nil {
			s = sigma[i%d]
		}
		noisy[i] = batch.Clean[i/(d*batch.Draws)*d+i%d] + s*e
	}
	scores, err := b.model.Scores(context.Background(), noisy)
	if err != nil {
		t.Fatal(err)
	}
	k := b.model.Classes()
	for r := range batch.Rows * batch.Draws {
		row := scores[r*k : (r+1)*k]
		top := float64(slices.Max(row))
		sum := 0.0
		for _, z := range row {
			sum += math.Exp(float64(z) - top)
		}
		v[0] += (top + math.Log(sum) - float64(row[batch.Labels[r/batch.Draws]])) / float64(batch.Rows*batch.Draws)
	}
	for i := range d {
		s := c.Net.Start
		if sigma != nil {
			s = float64(sigma[i])
		}
		v[1] += math.Log(s) / float64(d)
	}
	return v[0] - c.Loss.Volume.LogMean*v[1]
}

// TestFloorHolds punishes volume: the scale falls to its floor, never below, and the bundle says
// so.
func TestFloorHolds(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	b := newBed(t, 30)
	for _, kind := range []npg.Kind{npg.KindPattern, npg.KindDataset, npg.KindCertification} {
		c := b.config(t, kind, 12)
		c.LearningRate = map[npg.Kind]float64{npg.KindPattern: 0.3, npg.KindDataset: 5e-3, npg.KindCertification: 1e-2}[kind]
		c.ValidateEvery, c.Batch = 0, 10
		c.Loss.Volume = generator.Volume{LogMean: -5}
		r := b.run(t, c)
		if least := float64(r.Report.Sigma.Min); least < c.Net.Floor || least > 1.01*c.Net.Floor {
			t.Errorf("%s: the least scale is %v, the floor %v", kind, least, c.Net.Floor)
		}
		for _, s := range r.Bundle.Sigma {
			if float64(s) < c.Net.Floor {
				t.Fatalf("%s: a stored scale of %v is below the floor %v", kind, s, c.Net.Floor)
			}
		}
		reported := false
		for _, d := range r.Bundle.Diagnoses {
			reported = reported || d.Name == diagnose.ZeroRadius && d.Found
		}
		if !reported {
			t.Errorf("%s: the bundle does not report the floor: %+v", kind, r.Bundle.Diagnoses)
		}
	}
}

// TestResumedRunsAreTheSame stops runs after different steps, and once before the first, and
// resumes them.
func TestResumedRunsAreTheSame(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	b := newBed(t, 60)
	whole := b.config(t, npg.KindCertification, 3)
	whole.Net.MuScale, whole.Joint, whole.JointRate = 0.2, true, 0.1
	b.run(t, whole)
	want := files(t, whole.Dir)
	if len(want) != 3 { // the manifest, the generator, the classifier
		t.Fatalf("the bundle holds %d files", len(want))
	}
	for _, stop := range []int64{0, 4} {
		c := whole
		c.Dir, c.Resume = filepath.Join(t.TempDir(), "bundle"), true
		ctx, cancel := context.WithCancel(context.Background())
		c.Observer.Step = func(p train.Progress) {
			if p.Step == stop {
				cancel()
			}
		}
		if stop == 0 {
			cancel()
		}
		if _, err := fit.Generator(ctx, b.rt, c); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped at step %d: %v", stop, err)
		}
		cancel()
		c.Observer.Step, c.Seed = nil, nil // a resumed run keeps its seed
		if stop == 0 {
			c.Seed = whole.Seed
		}
		b.run(t, c)
		for name, text := range files(t, c.Dir) {
			if !bytes.Equal(text, want[name]) {
				t.Errorf("stopped at step %d: %s has other bytes than in the uninterrupted run", stop, name)
			}
		}
	}
}

// files are those of a bundle that must be the same for the same run.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.Contains(path, train.CheckpointDir) || e.Name() == train.LogName {
			return err
		}
		text, err := os.ReadFile(path)
		out[e.Name()] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestFamilies trains a step or two under every family whose noise has a standard deviation.
func TestFamilies(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	b := newBed(t, 40)
	for _, name := range family.Names() {
		noise, err := family.New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if noise, err = family.ForDim(noise, 784); err != nil {
			t.Fatal(err)
		}
		c := b.config(t, npg.KindPattern, 1)
		c.Family, c.Norm = noise, noise.Norms()[0]
		if c.Lambda, err = noise.Lambda1(784); err != nil {
			c.Lambda = 0.01 // no variance: any scale
		}
		r := b.run(t, c)
		if r.Training.Steps != 2 || math.IsNaN(r.Training.Loss) || math.IsInf(r.Training.Loss, 0) {
			t.Errorf("%s: %d steps, loss %v", name, r.Training.Steps, r.Training.Loss)
		}
	}
}

func TestRefusals(t *testing.T) {
	b := newBed(t, 40)
	good := b.config(t, npg.KindPattern, 1)
	for _, c := range []struct {
		want string
		edit func(*fit.GeneratorConfig)
	}{
		{"folder", func(c *fit.GeneratorConfig) { c.Dir = "" }},
		{"Gaussian", func(c *fit.GeneratorConfig) { c.Net.Basis, c.Family, c.Norm = net.DCT, family.Laplace{}, family.L1 }},
		{"floor", func(c *fit.GeneratorConfig) { c.Net.Floor = 2 }},
		{"draws", func(c *fit.GeneratorConfig) { c.Draws = 0 }},
	} {
		bad := good
		c.edit(&bad)
		if _, err := fit.Generator(context.Background(), b.rt, bad); !fault.Is(err, fault.Wrong) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("the fault %q is reported as %v", c.want, err)
		}
	}
	b.run(t, good)
	if _, err := fit.Generator(context.Background(), b.rt, good); !fault.Is(err, fault.Wrong) || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("a folder with a run in it is reported as %v", err)
	}
}
