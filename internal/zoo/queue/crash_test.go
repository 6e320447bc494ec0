package queue

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ucan/internal/zoo/store"
	"ucan/internal/zootest"
)

// undisturbed is what the run must hold in the end, made by one process that nothing happens to.
func undisturbed(t *testing.T, run *store.Run) []string {
	t.Helper()
	var want []string
	var number int64
	for i := range run.Spec.Cells {
		for shard := range run.Spec.CellShards(&run.Spec.Cells[i]) {
			result, err := synthetic{}.Execute(t.Context(), run, Task{Cell: int64(i), Shard: shard})
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range result.Rows {
				want = append(want, fmt.Sprintf("%d %d %d %s", i, row.Index, number, row.Line))
			}
			number++
		}
	}
	slices.Sort(want)
	return want
}

// contents are the certificates of a run as they are stored, with their shards.
func contents(t *testing.T, s *store.Store, run int64) []string {
	t.Helper()
	rows, err := s.DB().QueryContext(t.Context(), s.Bind("SELECT cell, idx, shard, line FROM zoo_certificate WHERE run = ?"), run)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var got []string
	for rows.Next() {
		var cell, index, shard int64
		var line []byte
		if err = rows.Scan(&cell, &index, &shard, &line); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%d %d %d %s", cell, index, shard, line))
	}
	if err = rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	return got
}

// finish waits until every shard is done.
func finish(t *testing.T, q *Queue, run *store.Run, within time.Duration) Counts {
	t.Helper()
	if os.Getenv("UCAN_LONG") == "1" {
		within *= 10
	}
	deadline := time.Now().Add(within)
	for {
		c, err := q.Counts(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		if c.Done >= run.Shards || time.Now().After(deadline) {
			return c
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// differences counts rows that are lost or that there should not be.
func differences(want, got []string) (lost, extra int) {
	counts := map[string]int{}
	for _, w := range want {
		counts[w]++
	}
	for _, g := range got {
		counts[g]--
	}
	for _, n := range counts {
		lost += max(n, 0)
		extra += max(-n, 0)
	}
	return lost, extra
}

// TestKill kills worker processes with SIGKILL at random moments: nothing may be lost or done
// twice, and what a dead process worked on runs again within seconds.
func TestKill(t *testing.T) {
	short(t)
	t.Parallel()
	backends(t, func(t *testing.T, url string) {
		kills, shards := 6, 200
		if os.Getenv("UCAN_LONG") == "1" {
			kills, shards = 200, 1000
		}
		q := testQueue(open(t, url), quiet())
		run := submit(t, q, shardedRun(t, shards, 0, "cpu"), 1000)
		c := startWorkers(t, url, 4, shardVariable+"=80")
		rng := rand.New(rand.NewPCG(7, 7))
		var latencies []time.Duration
		for i := 0; i < kills || len(latencies) == 0 && i < 10*kills; i++ {
			time.Sleep(time.Duration(150+rng.IntN(200)) * time.Millisecond)
			dead := c.signal(rng.IntN(4), syscall.SIGKILL)
			latencies = append(latencies, rerun(t, q, dead)...)
		}
		counts := finish(t, q, run, time.Minute)
		lost, extra := differences(undisturbed(t, run), contents(t, q.store, run.Number))
		slices.Sort(latencies)
		if len(latencies) == 0 {
			t.Fatal("no kill hit a running shard")
		}
		median := latencies[len(latencies)/2]
		t.Logf("%d kills (%d of running shards), kill to re-run: median %v, longest %v; %+v", kills, len(latencies), median, latencies[len(latencies)-1], counts)
		if lost != 0 || extra != 0 || counts.Done != run.Shards {
			t.Errorf("lost %d rows, %d too many; %+v", lost, extra, counts)
		}
		// How soon is a measurement, made by the long version on a machine of its own.
		if os.Getenv("UCAN_LONG") == "1" && median > 3*time.Second {
			t.Errorf("half of the shards ran again only after %v", median)
		}
		if n, err := q.Audit(t.Context(), run); n != 0 || err != nil {
			t.Errorf("audit: %d shards without results, %v", n, err)
		}
	})
}

// rerun measures how long it takes until the shards of a dead process run again.
func rerun(t *testing.T, q *Queue, dead string) (latencies []time.Duration) {
	t.Helper()
	begin := time.Now()
	time.Sleep(5 * time.Millisecond) // a commit that was under way may still arrive
	jobs, err := q.running(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range jobs {
		if job.owner != dead {
			continue
		}
		for {
			var attempt int64
			var state string
			if err = q.store.DB().QueryRowContext(t.Context(), q.store.Bind("SELECT attempt, state FROM river_job WHERE id = ?"), job.id).Scan(&attempt, &state); err != nil {
				t.Fatal(err)
			}
			if attempt > job.attempt {
				latencies = append(latencies, time.Since(begin))
				break
			}
			if state == "completed" {
				break // its last commit arrived all the same
			}
			if time.Since(begin) > time.Minute {
				t.Fatalf("job %d of %s is %s and does not run again", job.id, dead, state)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return latencies
}

// pauses stops processes in the middle of a shard, waits until the shard is taken from them, and
// wakes them again.
func pauses(t *testing.T, q *Queue, c *workerProcesses, n int) (taken int) {
	t.Helper()
	for range n {
		var victim int
		var id string
		eventually(t, "find a process at work", func() bool {
			jobs, err := q.running(t.Context())
			if err != nil || len(jobs) == 0 {
				return false
			}
			victim, id = c.find(jobs[0].owner), jobs[0].owner
			return victim >= 0
		})
		c.signal(victim, syscall.SIGSTOP)
		for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			jobs, err := q.running(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(jobs, func(j runningJob) bool { return j.owner == id }) {
				break
			}
		}
		c.signal(victim, syscall.SIGCONT)
		time.Sleep(100 * time.Millisecond)
	}
	kinds, err := q.store.FailureKinds(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return int(kinds["stalled"])
}

// TestPause stops processes in the middle of a shard (SIGSTOP), lets others take the shard, and
// wakes them (SIGCONT): they must end without a word.
func TestPause(t *testing.T) {
	short(t)
	t.Parallel()
	backends(t, func(t *testing.T, url string) {
		n := 2
		if os.Getenv("UCAN_LONG") == "1" {
			n = 40
		}
		q := testQueue(open(t, url), quiet())
		run := submit(t, q, shardedRun(t, 30*n, 0.5, "cpu"), 1000)
		c := startWorkers(t, url, 3, shardVariable+"=150")
		taken := pauses(t, q, c, n)
		counts := finish(t, q, run, time.Minute)
		lost, extra := differences(undisturbed(t, run), contents(t, q.store, run.Number))
		t.Logf("%d pauses, %d shards taken over, exits by code %v", n, taken, c.exits())
		if lost != 0 || extra != 0 || counts.Done != run.Shards {
			t.Errorf("lost %d rows, %d too many; %+v", lost, extra, counts)
		}
		if taken == 0 {
			t.Error("no pause led to a takeover, so that nothing was tested")
		}
	})
}

// TestPauseUnfenced is the control: the same without the fence, and without the tables' keys behind
// it, must count shards twice. Otherwise TestPause could not find a fault.
func TestPauseUnfenced(t *testing.T) {
	short(t)
	t.Parallel()
	url := "sqlite:" + t.TempDir() + "/zoo.db"
	s := open(t, url)
	for _, table := range []string{"zoo_shard", "zoo_certificate"} {
		for _, statement := range []string{
			"CREATE TABLE bare AS SELECT * FROM " + table, "DROP TABLE " + table, "ALTER TABLE bare RENAME TO " + table,
		} {
			if _, err := s.DB().ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	q := testQueue(s, quiet())
	run := submit(t, q, shardedRun(t, 60, 0.5, "cpu"), 1000)
	c := startWorkers(t, url, 3, shardVariable+"=150", unfencedVariable+"=1")
	taken := pauses(t, q, c, 3)
	settle(t, q, run)
	lost, extra := differences(undisturbed(t, run), contents(t, s, run.Number))
	t.Logf("%d shards taken over: %d rows lost, %d too many", taken, lost, extra)
	if extra == 0 {
		t.Error("without the fence nothing was counted twice: the test does not find what it should")
	}
}

// short skips what takes long in a quick run.
func short(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("processes are killed in a full run only")
	}
}

// settle waits until no shard runs or waits: without the fence the counts need not add up.
func settle(t *testing.T, q *Queue, run *store.Run) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		open, err := q.Open(t.Context(), "cpu")
		if err != nil {
			t.Fatal(err)
		}
		if !open {
			return
		}
	}
	t.Logf("run %d has not settled", run.Number)
}

// TestServerRestart cuts off and restarts the database while processes work.
func TestServerRestart(t *testing.T) {
	short(t)
	t.Parallel()
	postgres := zootest.Start(t)
	url := postgres.URL
	q := testQueue(open(t, url), quiet())
	run := submit(t, q, shardedRun(t, 40, 0, "cpu"), 5)
	c := startWorkers(t, url, 3, shardVariable+"=150")
	time.Sleep(time.Second)
	if err := postgres.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	if err := postgres.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	counts := finishPatiently(t, q, run)
	lost, extra := differences(undisturbed(t, run), contents(t, q.store, run.Number))
	t.Logf("exits by code %v; %+v", c.exits(), counts)
	if lost != 0 || extra != 0 || counts.Done != run.Shards {
		t.Errorf("lost %d rows, %d too many; %+v", lost, extra, counts)
	}
}

// finishPatiently is finish for a database that may be away at times.
func finishPatiently(t *testing.T, q *Queue, run *store.Run) (c Counts) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	for ctx.Err() == nil {
		var err error
		if c, err = q.Counts(ctx, run); err == nil && c.Done >= run.Shards {
			break
		}
		if err != nil && !strings.Contains(err.Error(), ";") {
			t.Errorf("a fault of the database without advice: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return c
}
