package queue

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ucan/internal/zoo/store"
)

// TestRiverJobColumns pins the columns of River's table that our statements rely on, with their
// types and, on Postgres, the names of the states: an upgrade of River that changes one of them
// must be noticed here.
func TestRiverJobColumns(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, url string) {
		s := open(t, url)
		query := "SELECT name, lower(type) FROM pragma_table_info('river_job')"
		want := map[string]string{
			"id": "integer", "args": "blob", "attempt": "integer", "attempted_at": "timestamp", "attempted_by": "blob", "errors": "blob",
			"finalized_at": "timestamp", "kind": "text", "max_attempts": "integer", "metadata": "blob", "queue": "text", "scheduled_at": "timestamp", "state": "text",
		}
		if s.Pool() != nil {
			query = "SELECT column_name, udt_name FROM information_schema.columns WHERE table_name = 'river_job'"
			want = map[string]string{
				"id": "int8", "args": "jsonb", "attempt": "int2", "attempted_at": "timestamptz", "attempted_by": "_text", "errors": "_jsonb",
				"finalized_at": "timestamptz", "kind": "text", "max_attempts": "int2", "metadata": "jsonb", "queue": "text", "scheduled_at": "timestamptz", "state": "river_job_state",
			}
		}
		rows, err := s.DB().QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var name, kind string
			if err = rows.Scan(&name, &kind); err != nil {
				t.Fatal(err)
			}
			if want[name] != "" && want[name] != kind {
				t.Errorf("column %s has the type %s, and we rely on %s", name, kind, want[name])
			}
			delete(want, name)
		}
		if len(want) > 0 || rows.Err() != nil {
			t.Errorf("columns that we rely on are missing: %v, %v", want, rows.Err())
		}
	})
}

// jobs are the states of all jobs, sorted.
func jobs(t *testing.T, s *store.Store) (states []string) {
	t.Helper()
	rows, err := s.DB().QueryContext(t.Context(), "SELECT state FROM river_job ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var state string
		if err = rows.Scan(&state); err != nil {
			t.Fatal(err)
		}
		states = append(states, state)
	}
	if err = rows.Err(); err != nil {
		t.Fatal(err)
	}
	return states
}

// TestEnqueueGoesOn interrupts a submission and repeats it, also from two sides: every shard is
// queued once.
func TestEnqueueGoesOn(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, url string) {
		q := New(open(t, url), quiet())
		r := shardedRun(t, 2*enqueueChunk+100, 0, "cpu")
		run, err := q.store.CreateRun(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		stale := *run
		ctx, cut := context.WithCancel(t.Context())
		err = q.Enqueue(ctx, run, Submission{Attempts: 5, Progress: func(int64) { cut() }})
		if !errors.Is(err, context.Canceled) || run.Enqueued != enqueueChunk {
			t.Fatalf("interrupted after %d shards: %v", run.Enqueued, err)
		}
		// The second caller does not know of the first chunk.
		if err = q.Enqueue(t.Context(), &stale, DefaultSubmission()); err != nil {
			t.Fatal(err)
		}
		again, err := q.store.CreateRun(t.Context(), r)
		if err != nil || again.Enqueued != run.Shards {
			t.Fatalf("%d of %d enqueued, %v", again.Enqueued, run.Shards, err)
		}
		if err = q.Enqueue(t.Context(), again, DefaultSubmission()); err != nil {
			t.Fatal(err)
		}
		states := jobs(t, q.store)
		if int64(len(states)) != run.Shards || states[0] != "available" || states[len(states)-1] != "available" {
			t.Errorf("%d jobs for %d shards", len(states), run.Shards)
		}
	})
}

// stubborn is an executor made of a function.
type stubborn func(ctx context.Context, task Task) (*store.ShardResult, error)

func (f stubborn) Execute(ctx context.Context, _ *store.Run, task Task) (*store.ShardResult, error) {
	return f(ctx, task)
}

// worker runs a worker within this process until stop is called.
func worker(t *testing.T, q *Queue, queue string, e Executor, exit func(error)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := DefaultConfig()
	c.Queue, c.SoftStop, c.Exit = queue, 200*time.Millisecond, exit
	done := make(chan error, 1)
	go func() { done <- q.Work(ctx, c, e, false) }()
	var once atomic.Bool
	stop = func() {
		if once.Swap(true) {
			return
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("worker: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func never(t *testing.T) func(error) {
	return func(reason error) { t.Errorf("the worker wants to exit: %v", reason) }
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	patience := 30 * time.Second
	if os.Getenv("UCAN_LONG") == "1" {
		patience *= 4
	}
	for deadline := time.Now().Add(patience); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func counts(t *testing.T, q *Queue, run *store.Run) Counts {
	t.Helper()
	c, err := q.Counts(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPoison fails one shard in every attempt: it is given up with its reasons kept, the others are
// done, and Retry gives it another chance.
func TestPoison(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, url string) {
		q := New(open(t, url), quiet())
		run := submit(t, q, shardedRun(t, 4, 0, "cpu"), 2)
		var mended atomic.Bool
		worker(t, q, "cpu", stubborn(func(ctx context.Context, task Task) (*store.ShardResult, error) {
			if task.Number == 1 && !mended.Load() {
				panic("a model gone mad")
			}
			return synthetic{}.Execute(ctx, run, task)
		}), never(t))
		eventually(t, "give up", func() bool { return counts(t, q, run).Poisoned == 1 })
		if c := counts(t, q, run); c != (Counts{Done: 3, Poisoned: 1}) {
			t.Errorf("counts %+v", c)
		}
		failures, err := q.store.Failures(t.Context(), run.Number, 10)
		if err != nil || len(failures) != 2 || failures[0].Kind != "panic" || failures[1].Try != 2 || !strings.Contains(failures[0].Message, "gone mad") {
			t.Errorf("failures %+v, %v", failures, err)
		}
		mended.Store(true)
		if n, err := q.Retry(t.Context(), run.Number); n != 1 || err != nil {
			t.Fatalf("retry: %d, %v", n, err)
		}
		eventually(t, "retry", func() bool { return counts(t, q, run).Done == 4 })
		lost, extra := differences(undisturbed(t, run), contents(t, q.store, run.Number))
		if lost+extra > 0 {
			t.Errorf("lost %d rows, %d too many", lost, extra)
		}
	})
}

// TestCancel cancels a run with a shard in hand, and sets it going again.
func TestCancel(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, url string) {
		q := New(open(t, url), quiet())
		run := submit(t, q, shardedRun(t, 5, 0, "cpu"), 3)
		var free atomic.Bool
		worker(t, q, "cpu", stubborn(func(ctx context.Context, task Task) (*store.ShardResult, error) {
			if task.Number == 2 && !free.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return synthetic{}.Execute(ctx, run, task)
		}), never(t))
		eventually(t, "reach shard 2", func() bool { c := counts(t, q, run); return c.Done == 2 && c.Running == 1 })
		waiting, running, err := q.Cancel(t.Context(), run.Number)
		if waiting != 2 || running != 1 || err != nil {
			t.Fatalf("cancelled %d and %d, %v", waiting, running, err)
		}
		eventually(t, "cancel", func() bool { return counts(t, q, run) == Counts{Done: 2, Cancelled: 3} })
		free.Store(true)
		if n, err := q.Retry(t.Context(), run.Number); n != 3 || err != nil {
			t.Fatalf("retry: %d, %v", n, err)
		}
		eventually(t, "finish", func() bool { return counts(t, q, run).Done == 5 })
	})
}

// TestStopReleases stops a worker in the middle of a shard: the shard is released, without losing
// an attempt, and the next worker does it.
func TestStopReleases(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, url string) {
		q := New(open(t, url), quiet())
		run := submit(t, q, shardedRun(t, 1, 0, "cpu"), 1)
		begun := make(chan struct{})
		stop := worker(t, q, "cpu", stubborn(func(ctx context.Context, _ Task) (*store.ShardResult, error) {
			close(begun)
			<-ctx.Done()
			return nil, ctx.Err()
		}), never(t))
		<-begun
		stop()
		if states := jobs(t, q.store); !slices.Equal(states, []string{"available"}) {
			t.Fatalf("the released shard is %v", states)
		}
		worker(t, q, "cpu", stubborn(func(ctx context.Context, task Task) (*store.ShardResult, error) {
			return synthetic{}.Execute(ctx, run, task)
		}), never(t))
		eventually(t, "finish", func() bool { return counts(t, q, run).Done == 1 })
	})
}

// TestAudit damages the books as nothing should: a job that is complete without its result, and a
// result whose job is set going again by hand.
func TestAudit(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, url string) {
		q := New(open(t, url), quiet())
		run := submit(t, q, shardedRun(t, 4, 0, "cpu"), 3)
		var executed atomic.Int64
		stop := worker(t, q, "cpu", stubborn(func(ctx context.Context, task Task) (*store.ShardResult, error) {
			executed.Add(1)
			return synthetic{}.Execute(ctx, run, task)
		}), never(t))
		eventually(t, "finish", func() bool { return counts(t, q, run).Done == 4 })
		for _, statement := range []string{"DELETE FROM zoo_certificate WHERE shard = 3", "DELETE FROM zoo_shard WHERE shard = 3"} {
			if _, err := q.store.DB().ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "River's own completion", func() bool { return !slices.Contains(jobs(t, q.store), "running") })
		if n, err := q.Audit(t.Context(), run); n != 1 || err != nil {
			t.Fatalf("audit: %d, %v", n, err)
		}
		eventually(t, "repair", func() bool { return counts(t, q, run).Done == 4 })
		if n, err := q.Audit(t.Context(), run); n != 0 || err != nil {
			t.Fatalf("second audit: %d, %v", n, err)
		}
		if _, err := q.store.DB().ExecContext(t.Context(), "UPDATE river_job SET state = 'available', finalized_at = NULL"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "settle", func() bool { return !slices.Contains(jobs(t, q.store), "available") })
		stop()
		if executed.Load() != 5 || !slices.Equal(jobs(t, q.store), slices.Repeat([]string{"completed"}, 4)) {
			t.Errorf("%d executions, jobs %v", executed.Load(), jobs(t, q.store))
		}
		if _, err := q.store.DB().ExecContext(t.Context(), "DELETE FROM zoo_certificate WHERE shard = 0"); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Audit(t.Context(), run); err == nil || !strings.Contains(err.Error(), "certificates") {
			t.Errorf("lost certificates: %v", err)
		}
	})
}

// mute is a guard that speaks at once.
type mute struct{}

func (mute) Watch(context.Context, *store.Run, Task) error { return errors.New("enough") }

// TestGuard ends a process whose executor does not come back, with the attempt on record.
func TestGuard(t *testing.T) {
	t.Parallel()
	q := New(open(t, "sqlite:"+t.TempDir()+"/zoo.db"), quiet())
	run := submit(t, q, shardedRun(t, 1, 0, "cpu"), 3)
	ended := make(chan error, 1)
	c := DefaultConfig()
	c.SoftStop, c.Guard = 100*time.Millisecond, mute{}
	c.Exit = func(reason error) { ended <- reason; select {} }
	hang := stubborn(func(context.Context, Task) (*store.ShardResult, error) { select {} })
	go func() { _ = q.Work(context.WithoutCancel(t.Context()), c, hang, false) }() // it never comes back
	if reason := <-ended; !strings.Contains(reason.Error(), "enough") {
		t.Errorf("ended because of %v", reason)
	}
	failures, err := q.store.Failures(t.Context(), run.Number, 5)
	if err != nil || len(failures) != 1 || failures[0].Message != "enough" {
		t.Errorf("failures %+v, %v", failures, err)
	}
}

// TestQueues keeps the shards of one queue from the workers of another, and lets an idle worker
// end.
func TestQueues(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, url string) {
		q := New(open(t, url), quiet())
		cpu, cuda := submit(t, q, shardedRun(t, 3, 0, "cpu"), 3), submit(t, q, shardedRun(t, 4, 0, "cuda"), 3)
		c := DefaultConfig()
		c.Queue, c.Exit = "cuda", never(t)
		e := stubborn(func(ctx context.Context, task Task) (*store.ShardResult, error) {
			return synthetic{}.Execute(ctx, cuda, task)
		})
		if err := q.Work(t.Context(), c, e, true); err != nil {
			t.Fatal(err)
		}
		if counts(t, q, cpu).Done != 0 || counts(t, q, cuda).Done != 4 {
			t.Errorf("cpu %+v, cuda %+v", counts(t, q, cpu), counts(t, q, cuda))
		}
	})
}
