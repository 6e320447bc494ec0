package queue

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ucan/fixtures/subtest"
	"ucan/internal/zoo/store"
	"ucan/internal/zootest"
)

// connection is what connects a worker to the database.
type connection struct{ cut, restore func() }

// TestDisconnect lets two processes share a run on Postgres and cuts one of them off, again and
// again, until it had a shard in hand: once with its connections ended, once with nothing passing
// any longer. The other one takes the shard over, and what the first one brings when it is back
// counts no second time.
func TestDisconnect(t *testing.T) {
	short(t)
	t.Parallel()
	for name, cut := range subtest.Rows(map[string]func(*zootest.Proxy){"ended": (*zootest.Proxy).Cut, "silent": (*zootest.Proxy).Silence}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := server.Database(t)
			proxy := zootest.StartProxy(t, url)
			disconnect(t, url, func() [2]*workerProcesses {
				return [2]*workerProcesses{startWorkers(t, url, 1, shardVariable+"=40"), startWorkers(t, proxy.URL, 1, shardVariable+"=400")}
			}, connection{cut: func() { cut(proxy) }, restore: proxy.Heal}, 1)
		})
	}
}

// TestNamespaces is TestDisconnect for two network namespaces, which are as good as two machines:
// packets are lost without a word. In the long version the shards have no time limit, so that only
// the server's own keep-alive finds out.
func TestNamespaces(t *testing.T) {
	short(t)
	t.Parallel()
	networks := []*zootest.Network{zootest.NewNetwork(t, 0), zootest.NewNetwork(t, 1)}
	postgres := zootest.Start(t)
	postgres.Addresses = []string{networks[0].Host, networks[1].Host}
	if err := postgres.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	limit := 1.0
	if os.Getenv("UCAN_LONG") == "1" {
		limit = 0
	}
	disconnect(t, postgres.URL, func() (pools [2]*workerProcesses) {
		for i, n := range networks {
			url := strings.Replace(postgres.URL, "127.0.0.1", n.Host, 1)
			pools[i] = startBehind(t, n.Prefix(), url, 1, shardVariable+"="+[]string{"40", "400"}[i])
		}
		return pools
	}, connection{cut: networks[1].Disconnect, restore: networks[1].Connect}, limit)
}

// disconnect cuts off the second of two pools of one process each while it works on a shard.
func disconnect(t *testing.T, url string, startBoth func() [2]*workerProcesses, c connection, limit float64) {
	t.Helper()
	q := testQueue(open(t, url), quiet())
	run := submit(t, q, shardedRun(t, 120, limit, "cpu"), 1000)
	pools := startBoth()
	taken := 0
	for try := 0; taken == 0 && try < 5; try++ {
		id := atWork(t, q, pools[1])
		c.cut()
		eventually(t, "take the shard over", func() bool {
			return !slices.ContainsFunc(running(t, q), func(j runningJob) bool { return j.owner == id })
		})
		before := counts(t, q, run).Done
		eventually(t, "go on without the other", func() bool { now := counts(t, q, run).Done; return now > before || now == run.Shards })
		c.restore()
		taken = takenFrom(t, q, run, id)
		if counts(t, q, run).Done > run.Shards*3/4 {
			break
		}
	}
	got := finish(t, q, run, time.Minute)
	lost, extra := differences(undisturbed(t, run), contents(t, q.store, run.Number))
	t.Logf("%d shards taken over; the process that was cut off ended with codes %v; %+v", taken, pools[1].exits(), got)
	if lost != 0 || extra != 0 || got.Done != run.Shards {
		t.Errorf("lost %d rows, %d too many; %+v", lost, extra, got)
	}
	if taken == 0 {
		t.Error("no shard was in hand when the network was cut, so that nothing was tested")
	}
}

// atWork waits until their only process works on a shard, and returns its name.
func atWork(t *testing.T, q *Queue, c *workerProcesses) (id string) {
	t.Helper()
	eventually(t, "find the process at work", func() bool {
		for _, job := range running(t, q) {
			if c.find(job.owner) >= 0 && job.seconds < 0.2 {
				id = job.owner
				return true
			}
		}
		return false
	})
	return id
}

func running(t *testing.T, q *Queue) []runningJob {
	t.Helper()
	jobs, err := q.running(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

// takenFrom counts the shards that were taken from a process.
func takenFrom(t *testing.T, q *Queue, run *store.Run, id string) (n int) {
	t.Helper()
	failures, err := q.store.Failures(t.Context(), run.Number, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range failures {
		if f.Worker == id {
			n++
		}
	}
	return n
}
