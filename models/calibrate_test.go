package models_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"ucan/models"
	"ucan/models/demo"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// TestCalibrate measures once and reads the cache afterwards, until anything that matters changes.
// cached calibrates until the setting is kept: a measurement that a busy machine could not finish
// is not.
func cached(t *testing.T, m *models.Model) models.Setting {
	t.Helper()
	for range 20 {
		s, err := m.Calibrate(context.Background(), models.Wanted{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		if s.Cached {
			return s
		}
	}
	t.Skip("the machine is too busy to finish a calibration")
	return models.Setting{}
}

func TestCalibrate(t *testing.T) {
	ctx := context.Background()
	rt := runtimetest.Open(t)
	cache := t.TempDir()
	path := plain(t, 13, "N").node("Identity", "l", "y").scores("N").write()
	open := func(d models.Declaration) *models.Model {
		m, err := models.Open(ctx, rt, path, models.Options{Declared: d, CacheDir: cache, SkipLoadTrial: true})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := open(models.Declaration{})
	s, err := m.Calibrate(ctx, models.Wanted{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if s.Batch < 16 || s.Batch > 512 || s.Workers != 1 || s.IntraOp != 1 || s.RowsPerSecond <= 0 || s.Cached {
		t.Errorf("setting %+v", s)
	}
	stored := cached(t, m)
	if again, aerr := m.Calibrate(ctx, models.Wanted{Threads: 1}); aerr != nil || !again.Cached || again.Batch != stored.Batch || again.RowsPerSecond != stored.RowsPerSecond {
		t.Errorf("setting %+v from the cache, error %v", again, aerr)
	}
	second := open(input([]float64{0.5}, nil))
	if other, oerr := second.Calibrate(ctx, models.Wanted{Threads: 1}); oerr != nil || other.Cached {
		t.Errorf("another preprocessing took the same setting: %+v, %v", other, oerr)
	}
	cached(t, second)
	// A damaged cache is measured again.
	files, err := filepath.Glob(filepath.Join(cache, "calibration", "*.json"))
	if err != nil || len(files) != 2 {
		t.Fatalf("cache files %v, %v", files, err)
	}
	for _, f := range files {
		if err := os.WriteFile(f, []byte(`{"batch":-3`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := m.Calibrate(ctx, models.Wanted{Threads: 1}); err != nil || s.Cached || s.Batch < 1 {
		t.Errorf("setting %+v from a damaged cache, error %v", s, err)
	}
	// What is given is not measured.
	if s, err := m.Calibrate(ctx, models.Wanted{Threads: 4, Workers: 2, Batch: 24}); err != nil || s.Batch != 24 || s.Workers != 2 || s.IntraOp != 2 || s.RowsPerSecond != 0 {
		t.Errorf("setting %+v, error %v", s, err)
	}
	for _, bad := range []models.Wanted{{}, {Threads: -1}, {Threads: 1, Batch: -1}, {Threads: 1, Workers: 2}, {Threads: 5000}} {
		if s, err := m.Calibrate(ctx, bad); err == nil {
			t.Errorf("%+v gave %+v", bad, s)
		}
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := open(input([]float64{0.25}, nil)).Calibrate(stopped, models.Wanted{Threads: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if live := runtime.Live(); live.Total() != 0 {
		t.Errorf("objects left open: %+v", live)
	}
}

// TestCalibrateFixedBatch leaves a fixed batch alone.
func TestCalibrateFixedBatch(t *testing.T) {
	m, err := newGraph(t, 13).in("x", onnx.Float, "N", 3).node("DynamicQuantizeLinear", "x", "q s z").
		node("DequantizeLinear", "q s z", "y").scores("N").open(models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Calibrate(context.Background(), models.Wanted{Threads: 1})
	if err != nil || s.Batch != 1 || s.Workers != 1 {
		t.Errorf("setting %+v, error %v", s, err)
	}
	if _, err := m.Calibrate(context.Background(), models.Wanted{Threads: 1, Batch: 8}); err == nil {
		t.Error("batch 8 was accepted")
	}
	if _, err := m.Classifier(context.Background(), 8, 1); err == nil {
		t.Error("a classifier of batch 8 was made")
	}
}

// TestClassifierFaults: sizes out of range, a cancelled run, use after Close.
func TestClassifierFaults(t *testing.T) {
	m, err := plain(t, 13, "N").node("Identity", "l", "y").scores("N").open(models.Options{SourceShape: refShape})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, bad := range [][2]int{{0, 1}, {-1, 1}, {8, 0}, {1 << 28, 1}} {
		if _, err = m.Classifier(ctx, bad[0], bad[1]); err == nil {
			t.Errorf("batch %d on %d threads was accepted", bad[0], bad[1])
		}
	}
	all, err := m.Classifiers(ctx, 2, 4, 1)
	if err != nil || len(all) != 2 {
		t.Fatal(err)
	}
	c := all[0]
	if len(c.Input()) != 4*refDim || c.Batch() != 4 || c.Provider() != runtime.CPU {
		t.Errorf("%d values, batch %d, provider %s", len(c.Input()), c.Batch(), c.Provider())
	}
	for _, rows := range []int{0, -1, 5} {
		if _, err := c.Classify(ctx, rows); err == nil {
			t.Errorf("%d rows were accepted", rows)
		}
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.Classify(stopped, 4); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for range 2 {
		for _, c := range all {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Classify(ctx, 1); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := m.Scores(ctx, make([]float32, refDim)); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := m.Scores(ctx, make([]float32, refDim+1)); err == nil {
		t.Error("a row and a bit were accepted")
	}
}

// BenchmarkClassify is the price of one row of the demonstration network, decision
// included, at several physical batches.
func BenchmarkClassify(b *testing.B) {
	ctx := context.Background()
	m, err := models.OpenBytes(ctx, runtimetest.Open(b), demo.Name, demo.Model(), models.Options{SkipLoadTrial: true})
	if err != nil {
		b.Fatal(err)
	}
	for _, batch := range []int{16, 64, 256} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			c, err := m.Classifier(ctx, batch, 1)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Classify(ctx, batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(batch), "µs/row")
		})
	}
}
