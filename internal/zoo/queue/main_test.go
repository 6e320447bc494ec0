package queue

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"ucan/internal/zoo/matrix"
	"ucan/internal/zoo/store"
	"ucan/internal/zootest"
)

// The test binary is its own worker process: with workerVariable set it works on the store named
// there.
const (
	workerVariable   = "UCAN_QUEUE_TEST_STORE"
	idVariable       = "UCAN_QUEUE_TEST_ID"
	unfencedVariable = "UCAN_QUEUE_TEST_UNFENCED"
	shardVariable    = "UCAN_QUEUE_TEST_SHARD_MS"
)

// Exit codes of the worker process.
const (
	codeSuperseded = 5
	codeStore      = 6
)

// server is the Postgres of this package's tests.
var server zootest.Shared

func TestMain(m *testing.M) {
	if url := os.Getenv(workerVariable); url != "" {
		os.Exit(workProcess(url))
	}
	os.Exit(server.Main(m))
}

// workProcess is a whole worker with a synthetic executor.
func workProcess(url string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	name, err := store.ParseName(url)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := store.Open(ctx, name, store.DefaultOptions())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	milliseconds, _ := strconv.Atoi(os.Getenv(shardVariable))
	q := testQueue(s, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	c := DefaultConfig()
	c.ID = os.Getenv(idVariable)
	c.SoftStop = time.Second
	c.Exit = func(reason error) {
		fmt.Fprintln(os.Stderr, "exit:", reason)
		if errors.Is(reason, ErrSuperseded) {
			os.Exit(codeSuperseded)
		}
		os.Exit(codeStore)
	}
	err = q.work(ctx, c, synthetic{pause: time.Duration(milliseconds) * time.Millisecond}, false, os.Getenv(unfencedVariable) != "")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// testQueue takes shards soon after their limit, and believes in all locks soon after a server's
// start.
func testQueue(s *store.Store, log *slog.Logger) *Queue {
	q := New(s, log)
	q.grace, q.settle.resumed = 500*time.Millisecond, 3*time.Second
	return q
}

// synthetic makes certificates that follow from the shard alone, after a pause.
type synthetic struct{ pause time.Duration }

func (e synthetic) Execute(ctx context.Context, run *store.Run, task Task) (*store.ShardResult, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(e.pause):
	}
	result := &store.ShardResult{Cell: task.Cell, Samples: int64(100 * task.Shard.Count), Seconds: e.pause.Seconds()}
	d, ok := run.Spec.Dataset(task.Shard.Dataset)
	if !ok {
		return nil, fmt.Errorf("no dataset %q", task.Shard.Dataset)
	}
	for _, i := range d.Indices(task.Shard) {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d", task.Shard.Model, task.Shard.Dataset, task.Shard.Noise, i))
		result.Rows = append(result.Rows, store.Row{Index: int64(i), Line: fmt.Appendf(nil, `{"id":"%x"}`, sum)})
	}
	return result, nil
}

// shardedRun is a run of the given number of shards of four inputs, over two cells.
func shardedRun(t testing.TB, shards int, limit float64, provider string) *matrix.Run {
	t.Helper()
	r := &matrix.Run{
		Schema: matrix.RunSchema, Seed: 1, ShardSize: 4,
		Models: []matrix.Model{{
			Name: "model", SHA256: fmt.Sprintf("%064d", shards), Limits: matrix.Limits{Timeout: limit},
			Runtime: matrix.Runtime{Providers: []matrix.Provider{{Name: provider}}, Threads: 1},
		}},
		Datasets: []matrix.Dataset{{Name: "data", Kind: "digits", Skip: 3, Stride: 2}},
		Noise:    []matrix.Setting{{Name: "a", Family: "gaussian", Norm: "l2", Sigma: 0.25}, {Name: "b", Family: "gaussian", Norm: "l2", Sigma: 0.5}},
	}
	first := shards / 2
	for i, n := range []int{first, shards - first} {
		if n > 0 {
			r.Cells = append(r.Cells, matrix.Cell{Model: "model", Dataset: "data", Noise: r.Noise[i].Name, Inputs: 4*n - i, Batch: 8})
		}
	}
	var err error
	if r.ID, err = r.Identity(); err != nil {
		t.Fatal(err)
	}
	return r
}

// backends runs a test on SQLite and, where one is installed, on Postgres.
func backends(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, "sqlite:"+t.TempDir()+"/zoo.db")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, server.Database(t))
	})
}

func open(t testing.TB, url string) *store.Store {
	t.Helper()
	name, err := store.ParseName(url)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), name, store.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// submit stores and enqueues a run.
func submit(t testing.TB, q *Queue, r *matrix.Run, attempts int) *store.Run {
	t.Helper()
	run, err := q.store.CreateRun(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err = q.Enqueue(t.Context(), run, Submission{Attempts: attempts}); err != nil {
		t.Fatal(err)
	}
	return run
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
