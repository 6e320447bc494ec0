package queue

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"ucan/internal/zoo/store"
)

// Queue is the queue of a store, for everything but working: submitting, watching, cancelling,
// retrying, reaping. It is safe for concurrent use.
type Queue struct {
	store *store.Store
	// dialect writes the words of statements that differ between the databases.
	dialect *strings.Replacer
	log     *slog.Logger
	alive   roll
	// grace is how long after its limit a shard is taken from a process that seems alive.
	grace time.Duration
	// settle is how long a database server must have been up before a free lock means a dead
	// process: after a restart every process needs a moment to take its lock again.
	settle settling
}

// settling are the times after a server's start from which locks are believed.
type settling struct {
	// resumed holds for jobs that the server found running when it started: their processes may be
	// slow to come back.
	resumed time.Duration
	// begun holds for jobs fetched since: their processes are back already, their locks at the
	// latest in a moment.
	begun time.Duration
}

// The times that were chosen by measurement or, for the last three, by what a restart of Postgres
// takes.
const (
	reapEvery    = 2 * time.Second
	overdueGrace = time.Minute
	resumedTime  = 15 * time.Second
	begunTime    = 2 * time.Second
)

// New is the queue of the store. Log lines go to log.
func New(s *store.Store, log *slog.Logger) *Queue {
	q := &Queue{store: s, dialect: sqlite(), log: log, alive: fileRoll{folder: s.Name().File() + ".workers"}, grace: overdueGrace, settle: settling{resumedTime, begunTime}}
	if s.Pool() != nil {
		q.dialect, q.alive = postgres(), lockRoll{store: s}
	}
	return q
}

// Store is the queue's store.
func (q *Queue) Store() *store.Store { return q.store }

// Counts are the shards of a run by what became of them; they add up to the run's shards.
type Counts struct {
	// Done are finished, Running are being worked on, Waiting are in the queue, Unsent are not yet.
	Done, Running, Waiting, Unsent int64
	// Poisoned failed in all their attempts, Cancelled were cancelled; both wait for [Queue.Retry].
	Poisoned, Cancelled int64
}

// Counts counts the shards of a run.
func (q *Queue) Counts(ctx context.Context, run *store.Run) (c Counts, err error) {
	progress, err := q.store.Progress(ctx, run.Number)
	if err != nil {
		return c, err
	}
	c.Done, c.Unsent = progress.Shards, run.Shards-run.Enqueued
	err = q.store.Query(ctx, func(rows *sql.Rows) error {
		var state string
		var n int64
		if scanErr := rows.Scan(&state, &n); scanErr != nil {
			return scanErr
		}
		switch state {
		case "running":
			c.Running = n
		case "discarded":
			c.Poisoned = n
		case "cancelled":
			c.Cancelled = n
		}
		return nil
	}, q.sql(sqlUnfinished), run.Number)
	if err != nil {
		return c, fmt.Errorf("count the shards: %w", err)
	}
	// A shard may finish between the two statements.
	c.Waiting = max(0, run.Shards-c.Unsent-c.Done-c.Running-c.Poisoned-c.Cancelled)
	return c, nil
}

// Open reports whether the queue of that name, of any run, has a shard that waits or runs. A shard
// whose worker died runs until the reaper frees it.
func (q *Queue) Open(ctx context.Context, name string) (bool, error) {
	return q.exists(ctx, q.sql(sqlOpen), name)
}

// Available reports whether a shard of the run waits for a worker.
func (q *Queue) Available(ctx context.Context, run int64) (bool, error) {
	return q.exists(ctx, q.sql(sqlAvailable), run)
}

func (q *Queue) exists(ctx context.Context, query string, arg any) (bool, error) {
	n, err := q.store.Count(ctx, query, arg)
	if err != nil {
		return false, fmt.Errorf("look into the queue: %w", err)
	}
	return n > 0, nil
}

// Retry sets the cancelled and poisoned shards of a run going again, each with all its attempts,
// and returns their number.
func (q *Queue) Retry(ctx context.Context, run int64) (int64, error) {
	return q.change(ctx, "retry the run", q.sql(sqlRetry), run)
}

// Audit looks for shards of a finished run that the queue calls completed while the store lacks
// their results, which must not happen, sets them going again and returns their number. It then
// checks that every result is whole.
func (q *Queue) Audit(ctx context.Context, run *store.Run) (int64, error) {
	n, err := q.change(ctx, "audit the run", q.sql(sqlAudit), run.Number)
	if err != nil || n > 0 {
		return n, err
	}
	return 0, q.store.Check(ctx, run)
}

func (q *Queue) change(ctx context.Context, what, query string, run int64) (n int64, err error) {
	result, err := q.store.DB().ExecContext(ctx, query, run)
	if err == nil {
		n, err = result.RowsAffected()
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, store.Explain(err))
	}
	return n, nil
}

// Cancel cancels a run: its waiting shards at once, its running ones by asking their workers to
// stop. It returns how many of each there were.
func (q *Queue) Cancel(ctx context.Context, run int64) (waiting, running int64, err error) {
	if waiting, err = q.change(ctx, "cancel the run", q.sql(sqlCancel), run); err != nil {
		return 0, 0, err
	}
	var ids []int64
	err = q.store.Query(ctx, func(rows *sql.Rows) error {
		var id int64
		scanErr := rows.Scan(&id)
		ids = append(ids, id)
		return scanErr
	}, q.sql(sqlRunningOf), run)
	if err != nil {
		return waiting, 0, err
	}
	client, err := q.client(clientConfig(q.log))
	if err != nil {
		return waiting, 0, err
	}
	for _, id := range ids {
		if err = client.cancel(ctx, id); err != nil {
			return waiting, running, fmt.Errorf("cancel the run: %w", store.Explain(err))
		}
		running++
	}
	return waiting, running, nil
}

// changed runs a guarded statement and reports whether it found its job as it should be.
func changed(ctx context.Context, tx store.Execer, query string, args ...any) (bool, error) {
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}
