package queue

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"ucan/internal/zoo/store"
)

// long skips a measurement that is made by hand, as docs/zoo.md says.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("UCAN_LONG") != "1" {
		t.Skip("set UCAN_LONG=1 to measure")
	}
}

// TestMeasureEnqueue measures how long a million shards take to enqueue, and how much memory that
// needs.
func TestMeasureEnqueue(t *testing.T) {
	long(t)
	shards := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("UCAN_QUEUE_TEST_SHARDS")); err == nil {
		shards = n
	}
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			url := "sqlite:" + t.TempDir() + "/zoo.db"
			if backend == "postgres" {
				url = server.Database(t)
			}
			q := New(open(t, url), quiet())
			run, err := q.store.CreateRun(t.Context(), shardedRun(t, shards, 0, "cpu"))
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			var most uint64
			o := DefaultSubmission()
			o.Progress = func(n int64) {
				if n%(10*enqueueChunk) == 0 {
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					most = max(most, m.HeapAlloc)
				}
			}
			if err = q.Enqueue(t.Context(), run, o); err != nil {
				t.Fatal(err)
			}
			elapsed := time.Since(begin)
			begin = time.Now()
			c, err := q.Counts(t.Context(), run)
			if err != nil || c.Waiting != int64(shards) {
				t.Fatal(c, err)
			}
			t.Logf("%s: %d shards enqueued in %v (%.0f/s), heap at most %d MiB; counted in %v", backend, shards, elapsed.Round(time.Millisecond), float64(shards)/elapsed.Seconds(), most>>20, time.Since(begin).Round(time.Millisecond))
		})
	}
}

// TestMeasureThroughput measures empty shards a second, by processes.
func TestMeasureThroughput(t *testing.T) {
	long(t)
	for _, backend := range []string{"sqlite", "postgres"} {
		for _, processes := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s/processes=%d", backend, processes), func(t *testing.T) {
				url := "sqlite:" + t.TempDir() + "/zoo.db"
				if backend == "postgres" {
					url = server.Database(t)
				}
				q := testQueue(open(t, url), quiet())
				const shards = 1500
				run := submit(t, q, shardedRun(t, shards, 0, "cpu"), 5)
				startWorkers(t, url, processes, shardVariable+"=0")
				eventually(t, "begin", func() bool { return counts(t, q, run).Done > 200 })
				first, begin := counts(t, q, run).Done, time.Now()
				// Counting costs the store as well, so that it is done four times a second, as "zoo
				// status" would.
				eventually(t, "finish", func() bool {
					time.Sleep(250 * time.Millisecond)
					return counts(t, q, run).Done == shards
				})
				t.Logf("%s, %d processes: %.0f empty shards/s", backend, processes, float64(shards-first)/time.Since(begin).Seconds())
			})
		}
	}
}

// TestMeasureOverhead measures what the queue adds to a run of shards of one second on one worker:
// the time from one shard's end to the next one's beginning, against the same shards executed in a
// loop.
func TestMeasureOverhead(t *testing.T) {
	long(t)
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			url := "sqlite:" + t.TempDir() + "/zoo.db"
			if backend == "postgres" {
				url = server.Database(t)
			}
			q := New(open(t, url), quiet())
			const shards = 20
			run := submit(t, q, shardedRun(t, shards, 0, "cpu"), 5)
			var inside time.Duration
			var first, last time.Time
			var gaps []time.Duration
			e := stubborn(func(ctx context.Context, task Task) (*store.ShardResult, error) {
				begin := time.Now()
				if first.IsZero() {
					first = begin
				} else {
					gaps = append(gaps, begin.Sub(last))
				}
				result, err := synthetic{pause: time.Second}.Execute(ctx, run, task)
				last = time.Now()
				inside += last.Sub(begin)
				return result, err
			})
			c := DefaultConfig()
			c.Exit = never(t)
			if err := q.Work(t.Context(), c, e, true); err != nil {
				t.Fatal(err)
			}
			whole := last.Sub(first)
			slices.Sort(gaps)
			t.Logf("%s: %d shards of 1 s: %v in all, %v inside: the queue adds %.2f %%; between two shards %v at the median, %v at most", backend, shards, whole.Round(time.Millisecond), inside.Round(time.Millisecond),
				100*(whole-inside).Seconds()/inside.Seconds(), gaps[len(gaps)/2].Round(10*time.Microsecond), gaps[len(gaps)-1].Round(10*time.Microsecond))
		})
	}
}

// TestMeasureReExec keeps the test binary's own start out of the figures: it must be small against
// them.
func TestMeasureReExec(t *testing.T) {
	long(t)
	begin := time.Now()
	if err := exec.Command(os.Args[0], "-test.run=^$").Run(); err != nil {
		t.Fatal(err)
	}
	t.Logf("the test binary starts and ends in %v", time.Since(begin).Round(time.Millisecond))
}
