package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ucan/fixtures/subtest"
	"ucan/internal/zoo/matrix"
	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/store"
	"ucan/internal/zootest"
)

// The test binary is its own worker.
const (
	storeVariable = "UCAN_SUPERVISE_TEST_STORE"
	modeVariable  = "UCAN_SUPERVISE_TEST_MODE"
	idVariable    = "UCAN_SUPERVISE_TEST_ID"
)

func TestMain(m *testing.M) {
	if os.Getenv(storeVariable) != "" {
		os.Exit(work(os.Getenv(modeVariable)))
	}
	os.Exit(m.Run())
}

func work(mode string) int {
	if mode == "hopeless" {
		fmt.Fprintln(os.Stderr, "this model of machine is not supported")
		return 1
	}
	name, err := store.ParseName(os.Getenv(storeVariable))
	if err != nil {
		return 1
	}
	s, err := store.Open(context.Background(), name, store.DefaultOptions())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := context.WithCancel(context.Background()) // a signal would kill it: only the end of its input may stop it
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	c := queue.DefaultConfig()
	c.ID, c.SoftStop = os.Getenv(idVariable), time.Second
	c.Exit = func(error) { os.Exit(1) }
	if err = queue.New(s, slog.New(slog.DiscardHandler)).Work(ctx, c, executor{mode}, false); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

type executor struct{ mode string }

func (e executor) Execute(ctx context.Context, _ *store.Run, task queue.Task) (*store.ShardResult, error) {
	if e.mode == "poison" && task.Number == 2 {
		fmt.Fprintln(os.Stderr, "onnxruntime: shape mismatch in node 17")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	if e.mode == "ignores stop" {
		select {}
	}
	if e.mode == "fails at stop" {
		<-ctx.Done()
		fmt.Fprintln(os.Stderr, "no time to put this down")
		os.Exit(3)
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(20 * time.Millisecond):
	}
	return &store.ShardResult{Cell: task.Cell, Rows: []store.Row{{Index: int64(task.Shard.First), Line: []byte("{}")}}}, nil
}

// setting makes a store with a run of the given number of shards, all enqueued.
func setting(t *testing.T, mode string, shards int) (*queue.Queue, *store.Run, Config) {
	t.Helper()
	return settingOn(t, t.TempDir()+"/zoo.db", mode, shards)
}

// settingOn is setting on a store of that name.
func settingOn(t *testing.T, storeName, mode string, shards int) (*queue.Queue, *store.Run, Config) {
	t.Helper()
	name, err := store.ParseName(storeName)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), name, store.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	q := queue.New(s, slog.New(slog.DiscardHandler))
	run, err := s.CreateRun(t.Context(), &matrix.Run{
		ID: strings.Repeat("0", 64), ShardSize: 1, Models: []matrix.Model{{Name: "m"}}, Datasets: []matrix.Dataset{{Name: "d", Stride: 1}},
		Noise: []matrix.Setting{{Name: "n"}}, Cells: []matrix.Cell{{Model: "m", Dataset: "d", Noise: "n", Inputs: shards}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err = q.Enqueue(t.Context(), run, queue.DefaultSubmission()); err != nil {
		t.Fatal(err)
	}
	c := DefaultConfig()
	c.Workers = map[string]int{"cpu": 2}
	c.Command = func(_, id string) *exec.Cmd {
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), storeVariable+"="+name.URL(), modeVariable+"="+mode, idVariable+"="+id)
		return command
	}
	return q, run, c
}

// TestPoison has a shard that crashes whoever works on it: it is given up after five attempts, with
// the end of the crashed process's log, and everything else is done.
func TestPoison(t *testing.T) {
	t.Parallel()
	q, run, c := setting(t, "poison", 12)
	counts, err := Run(t.Context(), q, run, c, slog.New(slog.DiscardHandler))
	if err != nil || counts.Done != 11 || counts.Poisoned != 1 {
		t.Fatalf("%+v, %v", counts, err)
	}
	failures, err := q.Store().Failures(t.Context(), run.Number, 10)
	if err != nil || len(failures) != 5 {
		t.Fatalf("%d failures, %v", len(failures), err)
	}
	for i, f := range failures {
		if f.Shard != 2 || f.Try != int64(i+1) || f.Kind != "killed" || !strings.Contains(f.LogTail, "node 17") {
			t.Errorf("failure %+v", f)
		}
	}
}

// TestKilled kills workers while the run goes on.
func TestKilled(t *testing.T) {
	t.Parallel()
	q, run, c := setting(t, "", 60)
	var mutex sync.Mutex
	var kill context.CancelFunc // SIGKILL to the newest worker
	var made time.Time
	command := c.Command
	c.Command = func(queue, id string) *exec.Cmd {
		mutex.Lock()
		defer mutex.Unlock()
		plain := command(queue, id)
		ctx, cancel := context.WithCancel(t.Context())
		p := exec.CommandContext(ctx, plain.Path, plain.Args[1:]...)
		p.Env, p.Dir = plain.Env, plain.Dir
		kill, made = cancel, time.Now()
		return p
	}
	kills := 0
	c.Progress = func(counts queue.Counts, _ store.Progress) {
		mutex.Lock()
		defer mutex.Unlock()
		if kill != nil && time.Since(made) > 100*time.Millisecond && kills < 4 && counts.Done > 0 {
			kill()
			kill = nil
			kills++
		}
	}
	counts, err := Run(t.Context(), q, run, c, slog.New(slog.DiscardHandler))
	if err != nil || counts.Done != 60 || kills == 0 {
		t.Errorf("%+v after %d kills, %v", counts, kills, err)
	}
	if p, err := q.Store().Progress(t.Context(), run.Number); err != nil || p.Rows != 60 {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestWorkersThatCannotStart has workers that cannot start: the run is given up with what they
// said.
func TestWorkersThatCannotStart(t *testing.T) {
	t.Parallel()
	q, run, c := setting(t, "hopeless", 3)
	c.MaxFailures = 3
	_, err := Run(t.Context(), q, run, c, slog.New(slog.DiscardHandler))
	if !errors.Is(err, ErrWorkers) || !strings.Contains(err.Error(), "not supported") {
		t.Errorf("hopeless workers: %v", err)
	}
}

// TestInterrupted ends the supervisor: its workers end in order, and another one goes on.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	q, run, c := setting(t, "", 60)
	ctx, stop := context.WithCancel(t.Context())
	c.Progress = func(counts queue.Counts, _ store.Progress) {
		if counts.Done > 0 {
			stop()
		}
	}
	counts, err := Run(ctx, q, run, c, slog.New(slog.DiscardHandler))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%+v, %v", counts, err)
	}
	now, err := q.Counts(t.Context(), run)
	if err != nil || now.Running != 0 || now.Done == 60 {
		t.Errorf("after the end %+v, %v", now, err)
	}
	c.Progress = nil
	if counts, err = Run(t.Context(), q, run, c, slog.New(slog.DiscardHandler)); err != nil || counts.Done != 60 {
		t.Errorf("%+v, %v", counts, err)
	}
	failures, err := q.Store().Failures(t.Context(), run.Number, 10)
	if err != nil || len(failures) != 0 {
		t.Errorf("stopping in order counts as failures %+v, %v", failures, err)
	}
}

// TestWorkersThatFailWhileTheyStop has workers that fail while they stop: their shards are freed,
// and what they said is kept.
func TestWorkersThatFailWhileTheyStop(t *testing.T) {
	t.Parallel()
	stopWith(t, "fails at stop", 30*time.Second, "exit", "code 3", "no time")
}

// TestWorkersThatDoNotStopAreKilled has workers that do not stop: they are killed, and it is said
// who did.
func TestWorkersThatDoNotStopAreKilled(t *testing.T) {
	t.Parallel()
	stopWith(t, "ignores stop", 200*time.Millisecond, "killed", "had not done so within 200ms", "")
}

// stopWith stops a run while two workers of a mode hold shards, and looks at what is kept of their
// end.
func stopWith(t *testing.T, mode string, patience time.Duration, kind, message, log string) {
	t.Helper()
	q, run, c := setting(t, mode, 3)
	c.Stop = patience
	ctx, stop := context.WithCancel(t.Context())
	c.Progress = func(counts queue.Counts, _ store.Progress) {
		if counts.Running == 2 {
			stop()
		}
	}
	if counts, err := Run(ctx, q, run, c, slog.New(slog.DiscardHandler)); !errors.Is(err, context.Canceled) {
		t.Fatalf("%+v, %v", counts, err)
	}
	now, err := q.Counts(t.Context(), run)
	if err != nil || now.Running != 0 || now.Done != 0 {
		t.Errorf("after the end %+v, %v", now, err)
	}
	failures, err := q.Store().Failures(t.Context(), run.Number, 10)
	if err != nil || len(failures) != 2 {
		t.Fatalf("%+v, %v", failures, err)
	}
	for _, f := range failures {
		if f.Kind != kind || !strings.Contains(f.Message, message) || !strings.Contains(f.LogTail, log) {
			t.Errorf("failure %+v", f)
		}
	}
}

// TestDatabaseRestart restarts the database under a supervised run: supervisor and workers wait for
// it, and all is done.
func TestDatabaseRestart(t *testing.T) {
	subtest.Long(t)
	t.Parallel()
	p := zootest.Start(t)
	q, run, c := settingOn(t, p.URL, "", 150)
	restarted := make(chan error, 1)
	var once sync.Once
	c.Progress = func(counts queue.Counts, _ store.Progress) {
		if counts.Done > 0 {
			once.Do(func() {
				go func() { restarted <- errors.Join(p.Stop(t.Context()), p.Start(t.Context())) }()
			})
		}
	}
	counts, err := Run(t.Context(), q, run, c, slog.New(slog.DiscardHandler))
	if err != nil || counts.Done != 150 {
		t.Errorf("%+v, %v", counts, err)
	}
	if err = <-restarted; err != nil {
		t.Error(err)
	}
	if n, err := q.Audit(t.Context(), run); n != 0 || err != nil {
		t.Errorf("audit: %d shards without results, %v", n, err)
	}
	if got, err := q.Store().Progress(t.Context(), run.Number); err != nil || got.Rows != 150 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTail(t *testing.T) {
	var log tail
	for i := range 5000 {
		log.add(fmt.Appendf(nil, "line %d", i))
	}
	if text := log.String(); len(text) > tailBytes || !strings.HasPrefix(text, "line ") || log.last() != "line 4999" {
		t.Errorf("%d bytes, the last line %q", len(text), log.last())
	}
}

func TestPause(t *testing.T) {
	if pause(1) != 0 || pause(2) != 250*time.Millisecond || pause(100) != 30*time.Second {
		t.Errorf("%v %v %v", pause(1), pause(2), pause(100))
	}
}
