package queue

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"ucan/internal/zoo/store"
)

// Cause is why a worker process died, as far as its supervisor knows.
type Cause struct {
	// Kind is one word for counting: "killed", "memory", "timeout", …; "" means "died".
	Kind string
	// Message is what happened, in one line.
	Message string
	// LogTail is the end of what the process wrote.
	LogTail string
}

// runningJob is a job that runs.
type runningJob struct {
	id, attempt    int64
	owner          string
	run, shard     int64
	seconds, limit float64
}

func (j runningJob) at() store.Attempt {
	return store.Attempt{Run: j.run, Shard: j.shard, Try: j.attempt, Worker: j.owner}
}

// Reap frees the jobs of dead processes, so that they run again at once, and those that overran
// their limit by far. It returns how many. causes tells what is known of a dead process; nil knows
// nothing.
func (q *Queue) Reap(ctx context.Context, causes func(worker string) Cause) (int, error) {
	return q.reap(ctx, causes, nil)
}

func (q *Queue) reap(ctx context.Context, causes func(worker string) Cause, own *hands) (int, error) {
	jobs, err := q.running(ctx)
	if err != nil || len(jobs) == 0 {
		return 0, err
	}
	up, err := q.serverUp(ctx)
	if err != nil {
		return 0, err
	}
	freed := 0
	for _, job := range jobs {
		var cause Cause
		if causes != nil {
			cause = causes(job.owner)
		}
		ok, freeErr := q.free(ctx, job, cause, q.settle.believes(up, job), own.dropped(job))
		if freeErr != nil {
			return freed, fmt.Errorf("free %s: %w", job.owner, store.Explain(freeErr))
		}
		if ok {
			freed++
		}
	}
	return freed, nil
}

func (q *Queue) running(ctx context.Context) ([]runningJob, error) {
	var jobs []runningJob
	err := q.store.Query(ctx, func(rows *sql.Rows) error {
		var j runningJob
		err := rows.Scan(&j.id, &j.attempt, &j.owner, &j.run, &j.shard, &j.seconds, &j.limit)
		jobs = append(jobs, j)
		return err
	}, q.sql(sqlRunning))
	if err != nil {
		return nil, fmt.Errorf("look for dead workers: %w", err)
	}
	return jobs, nil
}

// serverUp is for how many seconds the database has kept its locks: a server that has just started
// knows none yet, while those of SQLite are the system's own.
func (q *Queue) serverUp(ctx context.Context) (float64, error) {
	if q.store.Pool() == nil {
		return math.Inf(1), nil
	}
	var up float64
	err := q.store.DB().QueryRowContext(ctx, "SELECT extract(epoch FROM now() - pg_postmaster_start_time())::double precision").Scan(&up)
	return up, store.Explain(err)
}

// believes reports whether a free lock means that the job's process is dead, on a server that
// started so many seconds ago.
func (s settling) believes(up float64, job runningJob) bool {
	if job.seconds < up {
		return up >= s.begun.Seconds()
	}
	return up >= s.resumed.Seconds()
}

// free takes a job from its owner, if that is dead or the job long overdue. The statement's guard
// lets it happen once, however many processes try.
func (q *Queue) free(ctx context.Context, job runningJob, cause Cause, settled, dropped bool) (freed bool, err error) {
	err = q.store.InTx(ctx, func(tx *sql.Tx) error {
		release, reason, lostErr := q.lost(ctx, tx, job, cause, settled, dropped)
		if lostErr != nil || release == nil {
			return lostErr
		}
		defer release()
		text, freeErr := attemptError(time.Now().UTC().Format(time.RFC3339Nano), job.attempt, reason.Kind+": "+reason.Message)
		if freeErr != nil {
			return freeErr
		}
		freed, freeErr = changed(ctx, tx, q.sql(sqlFree), text, job.id, job.attempt, job.owner)
		if freeErr != nil || !freed {
			return freeErr
		}
		return q.store.AddFailure(ctx, tx, store.Failure{Attempt: job.at(), Kind: reason.Kind, Message: reason.Message, LogTail: reason.LogTail})
	})
	if err == nil && freed {
		q.log.LogAttrs(ctx, slog.LevelWarn, "took a shard from a lost worker", slog.Int64("run", job.run), slog.Int64("shard", job.shard), slog.Int64("attempt", job.attempt), slog.String("worker", job.owner))
	}
	return freed && err == nil, err
}

// lost decides whether a job lost its worker; a nil release means that it did not.
func (q *Queue) lost(ctx context.Context, tx *sql.Tx, job runningJob, cause Cause, settled, dropped bool) (func(), Cause, error) {
	if dropped {
		return func() {}, Cause{Kind: "dropped", Message: "the connection broke while its worker fetched it"}, nil
	}
	if settled {
		release, dead, err := q.alive.dead(ctx, tx, job.owner)
		if err != nil {
			return nil, cause, err
		}
		if dead {
			if cause.Kind == "" {
				cause.Kind, cause.Message = "died", "its worker process died"
			}
			return release, cause, nil
		}
	}
	if limit := job.limit + q.grace.Seconds(); job.limit > 0 && job.seconds > limit {
		return func() {}, Cause{Kind: "stalled", Message: fmt.Sprintf("its worker did not answer for %.0f s, where %.0f s are allowed", job.seconds, job.limit)}, nil
	}
	return nil, cause, nil
}

// reapForever reaps at once and then every two seconds until ctx ends.
func (q *Queue) reapForever(ctx context.Context, own *hands) {
	tick := time.NewTicker(reapEvery)
	defer tick.Stop()
	for {
		if _, err := q.reap(ctx, nil, own); err != nil && ctx.Err() == nil {
			q.log.LogAttrs(ctx, slog.LevelWarn, "cannot look for dead workers", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// hands are the jobs that this process works on. A job that the queue gives it while it never
// arrived, because the connection broke in between, would otherwise run for ever.
type hands struct {
	owner string
	mutex sync.Mutex
	jobs  map[int64]bool
}

// arrival is how long a fetched job may take to arrive.
const arrival = 15 * time.Second

func (h *hands) take(id int64) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.jobs[id] = true
}

func (h *hands) put(id int64) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	delete(h.jobs, id)
}

// dropped reports whether a job was given to this process and is not here.
func (h *hands) dropped(job runningJob) bool {
	if h == nil || job.owner != h.owner || job.seconds < arrival.Seconds() {
		return false
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return !h.jobs[job.id]
}
