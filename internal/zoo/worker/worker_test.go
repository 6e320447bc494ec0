package worker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"ucan/internal/zoo/artifact"
	"ucan/internal/zoo/cell"
	"ucan/internal/zoo/matrix"
	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/resolve"
	"ucan/internal/zoo/store"
	"ucan/models/demo"
	"ucan/runtime/runtimetest"
)

func limited(memory int64, timeout float64) (*store.Run, queue.Task) {
	return nil, queue.Task{Combination: matrix.Combination{Model: &matrix.Model{Limits: matrix.Limits{Memory: memory, Timeout: timeout}}}}
}

func kindOf(err error) string {
	var k *queue.Failure
	if errors.As(err, &k) {
		return k.Kind
	}
	return ""
}

func TestGuard(t *testing.T) {
	guard := Guard{Resident: func() (int64, error) { return 100, nil }, Every: time.Millisecond, Grace: 20 * time.Millisecond}
	run, task := limited(99, 0)
	if err := guard.Watch(t.Context(), run, task); kindOf(err) != "memory" {
		t.Errorf("above the model's limit: %v", err)
	}
	run, task = limited(101, 0.01)
	if err := guard.Watch(t.Context(), run, task); kindOf(err) != "timeout" {
		t.Errorf("beyond the time limit: %v", err)
	}
	guard.Memory = 50
	if err := guard.Watch(t.Context(), run, task); kindOf(err) != "memory" {
		t.Errorf("above the worker's limit: %v", err)
	}
	run, task = limited(0, 0)
	guard.Memory = 0
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := guard.Watch(ctx, run, task); err != nil {
		t.Errorf("without limits: %v", err)
	}
	if held, err := resident(); err == nil && (held < 1<<20 || held > 1<<40) {
		t.Errorf("this process holds %d bytes", held)
	}
}

// TestRun works on a whole run with the demonstration model, twice with a memory limit that asks
// for a fresh process after every shard, and looks at the metrics.
func TestRun(t *testing.T) {
	rt := runtimetest.Open(t)
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("digits.onnx", demo.Model(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("zoo.yaml", []byte(`
models: [{file: digits.onnx, runtime: {timeout: 60}}]
datasets: [{source: "digits?n=40", max: 3}]
noise: [{sigma: 0.25}]
statistics: {n0: 10, n: 50, alpha: 0.1}
shard_size: 1
`), 0o600); err != nil {
		t.Fatal(err)
	}
	zoo, err := matrix.Load("zoo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := resolve.Resolve(t.Context(), rt, zoo, resolve.Options{})
	if err != nil {
		t.Fatal(err)
	}
	name, err := store.ParseName("zoo.db")
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), name, store.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	q := queue.New(s, slog.New(slog.DiscardHandler))
	run, err := s.CreateRun(t.Context(), resolved)
	if err != nil {
		t.Fatal(err)
	}
	if err = q.Enqueue(t.Context(), run, queue.DefaultSubmission()); err != nil {
		t.Fatal(err)
	}
	artifacts, err := artifact.NewResolver(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	executor, err := NewExecutor(&cell.Opener{Runtime: rt, Artifacts: artifacts, Version: "test"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if closeErr := executor.Close(); closeErr != nil {
			t.Error(closeErr)
		}
	})
	c := DefaultConfig()
	c.ExitWhenIdle = true
	c.Queue.Exit = func(reason error) { t.Errorf("the worker wants to exit: %v", reason) }
	c.Guard.Memory = 1 << 40
	c.Recycle = 1e-9
	fresh := 0
	for {
		c.Queue.ID = queue.NewID()
		err = Run(t.Context(), q, executor, c, slog.New(slog.DiscardHandler))
		if !errors.Is(err, ErrRecycle) {
			break
		}
		fresh++
	}
	if err != nil || fresh < 1 || fresh > 3 { // one that is about to stop may still take a shard
		t.Errorf("%d fresh starts, %v", fresh, err)
	}
	if p, progressErr := s.Progress(t.Context(), run.Number); progressErr != nil || p.Rows != 3 || p.Samples != 180 {
		t.Errorf("%+v, %v", p, progressErr)
	}
	metrics := scrape(t, q)
	for _, line := range []string{
		`ucan_run_shards{run="` + run.ID()[:12] + `",state="done"} 3`, "ucan_samples_total 180", `ucan_failures_total{kind="a\"b"} 1`,
		`ucan_shard_duration_seconds_bucket{le="1"} 1`, `ucan_shard_duration_seconds_bucket{le="+Inf"} 1`, "ucan_shard_duration_seconds_count 1",
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("the metrics lack %s:\n%s", line, metrics)
		}
	}
}

// scrape reads the metrics of a process that has counted one shard and one failure, over HTTP.
func scrape(t *testing.T, q *queue.Queue) string {
	t.Helper()
	m := NewMetrics()
	m.Done(queue.Task{}, "", &store.ShardResult{Samples: 180}, 400*time.Millisecond)
	m.Done(queue.Task{}, `a"b`, nil, time.Second)
	address, err := m.Serve(t.Context(), "0", q)
	if err != nil || !strings.HasPrefix(address, "127.0.0.1:") {
		t.Fatalf("%s, %v", address, err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var text bytes.Buffer
	if _, err = io.Copy(&text, response.Body); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
