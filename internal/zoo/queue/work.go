package queue

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"ucan/internal/zoo/store"
)

// Executor computes what a shard yields. It is called once at a time for each slot.
type Executor interface {
	// Execute certifies the inputs of the shard. It returns soon after ctx ends. An error fails the
	// attempt.
	Execute(ctx context.Context, run *store.Run, task Task) (*store.ShardResult, error)
}

// Failure is an error that is counted under a name of its own: one word, such as "mismatch".
type Failure struct {
	Kind string
	Err  error
}

// Error implements error.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Guard watches over an attempt from outside, for what the executor cannot end by itself.
type Guard interface {
	// Watch returns an error, preferably a [Failure], when the process must not go on with the
	// task, and nil after ctx ends. The attempt then counts as failed and the process ends.
	Watch(ctx context.Context, run *store.Run, task Task) error
}

// Config says how a process works. Start from DefaultConfig.
type Config struct {
	// ID names the process in the store; unique for ever. NewID makes one.
	ID string
	// Queue is the name of the queue, such as "cpu".
	Queue string
	// Slots is how many shards are worked on at once; 1 is one process per provider slot.
	Slots int
	// SoftStop is how long a shard may go on after the process was asked to stop; then it is
	// released.
	SoftStop time.Duration
	// Patience is how long an unreachable store is waited for with a finished shard in hand.
	Patience time.Duration
	// Exit ends the process at once, without coming back, because another one has its shard or the
	// store is gone.
	Exit func(reason error)
	// Guard, when not nil, watches over every attempt.
	Guard Guard
	// Done, when not nil, is told of every attempt that ended: kind is "" for success.
	Done func(task Task, kind string, result *store.ShardResult, elapsed time.Duration)
}

// DefaultConfig works on one shard at a time.
func DefaultConfig() Config {
	return Config{ID: NewID(), Queue: "cpu", Slots: 1, SoftStop: 10 * time.Second, Patience: 2 * time.Minute}
}

// NewID names a process: its machine, its number there, and a random part.
func NewID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	host = regexp.MustCompile(`[^A-Za-z0-9_-]+`).ReplaceAllString(host, "-")
	var random [8]byte
	rand.Read(random[:]) // never fails
	return fmt.Sprintf("%.40s_%d_%s", host, os.Getpid(), hex.EncodeToString(random[:]))
}

// Validate reports every fault of the configuration.
func (c Config) Validate() error {
	var faults []error
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`).MatchString(c.ID) {
		faults = append(faults, fmt.Errorf("the worker's name %q is not 1 to 100 letters, digits, - and _", c.ID))
	}
	if strings.Trim(c.Queue, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || c.Queue == "" {
		faults = append(faults, fmt.Errorf("unknown queue %q: use cpu or cuda", c.Queue))
	}
	if c.Slots < 1 || c.SoftStop <= 0 || c.Patience < 0 || c.Exit == nil {
		faults = append(faults, errors.New("slots, stop time, patience and exit must be given"))
	}
	return errors.Join(faults...)
}

// Work works on shards until ctx ends, and then finishes or releases those in hand. With
// exitWhenIdle it also ends when nothing is left to run in its queue, the shards of dead processes
// included.
func (q *Queue) Work(ctx context.Context, c Config, executor Executor, exitWhenIdle bool) error {
	return q.work(ctx, c, executor, exitWhenIdle, false)
}

func (q *Queue) work(ctx context.Context, c Config, executor Executor, exitWhenIdle, unfenced bool) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	leave, err := q.alive.enter(ctx, c.ID, func(err error) { c.Exit(fmt.Errorf("%w: %w", ErrStore, err)) })
	if err != nil {
		return err
	}
	defer leave()
	workers := river.NewWorkers()
	own := &hands{owner: c.ID, jobs: map[int64]bool{}}
	w := &shardWorker{
		own:    own,
		fence:  fence{queue: q, patience: c.Patience, open: unfenced},
		config: c, executor: executor, log: q.log.With(slog.String("worker", c.ID)), runs: map[int64]*store.Run{},
	}
	if err = river.AddWorkerSafely(workers, w); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	client, err := q.client(workConfig(q.log, c.ID, c.Queue, c.Slots, workers, c.SoftStop))
	if err != nil {
		return err
	}
	background := context.WithoutCancel(ctx)
	reaping, stopReaping := context.WithCancel(background)
	defer stopReaping()
	go q.reapForever(reaping, own)
	if err = client.start(background); err != nil {
		return fmt.Errorf("start the worker: %w", store.Explain(err))
	}
	q.untilDone(ctx, c.Queue, exitWhenIdle)
	stopping, stop := context.WithTimeout(background, c.SoftStop+20*time.Second)
	defer stop()
	if err = client.stop(stopping); err != nil {
		return fmt.Errorf("stop the worker: %w; its shard will be taken over", store.Explain(err))
	}
	// A job that was being fetched at that moment is ours in the books without ever having arrived.
	return w.fence.insist(background, func(ctx context.Context) error {
		_, releaseErr := q.store.DB().ExecContext(ctx, q.sql(sqlRelease), c.ID)
		return releaseErr
	})
}

// untilDone waits for the end of ctx or, with idle, of the queue's work.
func (q *Queue) untilDone(ctx context.Context, queue string, idle bool) {
	if !idle {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		open, err := q.Open(ctx, queue)
		if err != nil && ctx.Err() == nil {
			q.log.Warn("cannot look into the queue", "error", err)
		}
		if err == nil && !open {
			return
		}
	}
}

// shardWorker is our side of River's contract.
type shardWorker struct {
	river.WorkerDefaults[Task]
	fence    fence
	config   Config
	executor Executor
	log      *slog.Logger
	own      *hands

	mutex sync.Mutex
	runs  map[int64]*store.Run // by number
}

// Work executes one attempt at a shard. It returns nil only after the result is committed, and an
// error only while the job is known to be, or to have just been, ours; otherwise it does not
// return.
func (w *shardWorker) Work(ctx context.Context, job *river.Job[Task]) error {
	h := holding{id: job.ID, attempt: int64(job.Attempt), owner: w.config.ID, task: job.Args}
	log := w.log.With(slog.Int64("run", h.task.Run), slog.Int64("shard", h.task.Number), slog.Int64("attempt", h.attempt))
	w.own.take(job.ID)
	defer w.own.put(job.ID)
	if settled, err := w.fence.settle(ctx, h); err != nil {
		w.exit(log, err)
	} else if settled {
		return nil
	}
	begin := time.Now()
	result, err := w.watched(ctx, log, &h)
	if err == nil {
		err = w.fence.complete(ctx, h, result)
	}
	elapsed := time.Since(begin)
	switch {
	case err == nil:
		log.LogAttrs(ctx, slog.LevelInfo, "finished a shard", slog.String("task", h.task.Shard.String()), slog.Duration("elapsed", elapsed), slog.Int("rows", len(result.Rows)), slog.Int64("samples", result.Samples))
		w.done(h.task, "", result, elapsed)
		return nil
	case errors.Is(err, ErrSuperseded), errors.Is(err, ErrStore):
		w.exit(log, err)
	case ctx.Err() != nil: // asked to stop, or cancelled from elsewhere: River releases or cancels the job
		if heldErr := w.fence.holds(ctx, h); heldErr != nil {
			w.exit(log, heldErr)
		}
		log.LogAttrs(ctx, slog.LevelInfo, "released a shard", slog.Any("cause", context.Cause(ctx)))
		w.done(h.task, "released", nil, elapsed)
		return ctx.Err()
	}
	kind, message := describe(err)
	log.LogAttrs(ctx, slog.LevelError, "a shard failed", slog.String("task", h.task.Shard.String()), slog.String("kind", kind), slog.String("error", message))
	if failErr := w.fence.fail(ctx, h, kind, message); failErr != nil {
		w.exit(log, failErr)
	}
	w.done(h.task, kind, nil, elapsed)
	return err // the job's state is settled already; River finds nothing left to change
}

func (w *shardWorker) done(task Task, kind string, result *store.ShardResult, elapsed time.Duration) {
	if w.config.Done != nil {
		w.config.Done(task, kind, result, elapsed)
	}
}

// exit ends the process. Should the configured function come back, nothing may be returned to River
// all the same.
func (w *shardWorker) exit(log *slog.Logger, reason error) {
	log.Error("the worker ends", "reason", reason)
	w.config.Exit(reason)
	select {}
}

// watched runs the executor under the guard. When the guard speaks the attempt has failed, and
// since the executor may never come back the process ends.
func (w *shardWorker) watched(ctx context.Context, log *slog.Logger, h *holding) (*store.ShardResult, error) {
	type outcome struct {
		result *store.ShardResult
		err    error
	}
	run, err := w.run(ctx, h.task.Run)
	if err == nil {
		h.task, err = h.task.locate(run.Spec)
	}
	if err != nil {
		return nil, err
	}
	if w.config.Guard == nil {
		return w.execute(ctx, run, h.task)
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	executed, alarm := make(chan outcome, 1), make(chan error, 1)
	go func() {
		result, executeErr := w.execute(ctx, run, h.task)
		executed <- outcome{result, executeErr}
	}()
	go func() { alarm <- w.config.Guard.Watch(watching, run, h.task) }()
	for {
		select {
		case o := <-executed:
			return o.result, o.err
		case err = <-alarm:
			if err == nil {
				alarm = nil // the guard has nothing to say
				continue
			}
			kind, message := describe(err)
			w.exit(log, errors.Join(err, w.fence.fail(ctx, *h, kind, message)))
		}
	}
}

// execute runs the executor; its panics are errors of the attempt.
func (w *shardWorker) execute(ctx context.Context, run *store.Run, task Task) (result *store.ShardResult, err error) {
	defer func() {
		if v := recover(); v != nil {
			w.log.Error("panic", "value", v, "stack", string(debug.Stack()))
			err = &Failure{"panic", fmt.Errorf("panic: %v", v)}
		}
	}()
	return w.executor.Execute(ctx, run, task)
}

// run reads a run once.
func (w *shardWorker) run(ctx context.Context, number int64) (*store.Run, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if run := w.runs[number]; run != nil {
		return run, nil
	}
	run, err := w.fence.queue.store.ByNumber(ctx, number)
	if err == nil {
		w.runs[number] = run
	}
	return run, err
}

// describe gives a failure's kind and its message in one line.
func describe(err error) (kind, message string) {
	var f *Failure
	kind = "error"
	if errors.As(err, &f) {
		kind = f.Kind
	}
	return kind, strings.Join(strings.Fields(err.Error()), " ")
}
