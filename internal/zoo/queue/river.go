package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"

	"ucan/internal/zoo/store"
)

// engine is a River client of either database.
type engine interface {
	start(ctx context.Context) error
	stop(ctx context.Context) error
	cancel(ctx context.Context, id int64) error
	// enqueue inserts jobs and moves the run's mark of what is enqueued from one value to the next,
	// in one transaction. It is false, and nothing is inserted, when another process moved the
	// mark.
	enqueue(ctx context.Context, mark [3]int64, jobs []river.InsertManyParams) (bool, error)
}

const moveMark = "UPDATE zoo_run SET enqueued = ? WHERE number = ? AND enqueued = ?"

type client[TTx any] struct {
	*river.Client[TTx]
	inTx func(ctx context.Context, f func(TTx) error) error
	exec func(ctx context.Context, tx TTx, query string, args ...any) (int64, error)
}

func (c client[TTx]) start(ctx context.Context) error { return c.Start(ctx) }

func (c client[TTx]) stop(ctx context.Context) error { return c.Stop(ctx) }

func (c client[TTx]) cancel(ctx context.Context, id int64) error {
	_, err := c.JobCancel(ctx, id)
	if errors.Is(err, rivertype.ErrNotFound) {
		return nil
	}
	return err
}

func (c client[TTx]) enqueue(ctx context.Context, mark [3]int64, jobs []river.InsertManyParams) (moved bool, err error) {
	err = c.inTx(ctx, func(tx TTx) error {
		n, insertErr := c.exec(ctx, tx, moveMark, mark[0], mark[1], mark[2])
		if insertErr != nil || n != 1 {
			return insertErr
		}
		moved = true
		_, insertErr = c.InsertManyFastTx(ctx, tx, jobs)
		return insertErr
	})
	return moved && err == nil, err
}

// clientConfig is the part of River's configuration that all clients share. A finished job is never
// deleted: its row keeps its shard from being queued twice.
func clientConfig(log *slog.Logger) *river.Config {
	return &river.Config{
		Logger:                      slog.New(warnings{log.Handler()}),
		CancelledJobRetentionPeriod: -1,
		CompletedJobRetentionPeriod: -1,
		DiscardedJobRetentionPeriod: -1,
	}
}

// warnings leaves out what River says below the level of a warning, which is of no use to those who
// run zoos.
type warnings struct{ slog.Handler }

func (h warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

func (h warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{h.Handler.WithAttrs(attrs)}
}

func (h warnings) WithGroup(name string) slog.Handler { return warnings{h.Handler.WithGroup(name)} }

// client makes a River client for the queue's database.
func (q *Queue) client(config *river.Config) (engine, error) {
	if pool := q.store.Pool(); pool != nil {
		c, err := river.NewClient(riverpgxv5.New(pool), config)
		if err != nil {
			return nil, fmt.Errorf("make the queue's client: %w", err)
		}
		return client[pgx.Tx]{
			Client: c,
			inTx:   func(ctx context.Context, f func(pgx.Tx) error) error { return pgx.BeginFunc(ctx, pool, f) },
			exec: func(ctx context.Context, tx pgx.Tx, query string, args ...any) (int64, error) {
				tag, execErr := tx.Exec(ctx, store.Dollars(query), args...)
				return tag.RowsAffected(), execErr
			},
		}, nil
	}
	c, err := river.NewClient(riversqlite.New(q.store.DB()), config)
	if err != nil {
		return nil, fmt.Errorf("make the queue's client: %w", err)
	}
	return client[*sql.Tx]{
		Client: c,
		inTx:   q.store.InTx,
		exec: func(ctx context.Context, tx *sql.Tx, query string, args ...any) (int64, error) {
			result, execErr := tx.ExecContext(ctx, query, args...)
			if execErr != nil {
				return 0, execErr
			}
			return result.RowsAffected()
		},
	}, nil
}

// workConfig is River's configuration of a working client; the comments say why each value is not
// River's default.
func workConfig(log *slog.Logger, id, queue string, slots int, workers *river.Workers, softStop time.Duration) *river.Config {
	c := clientConfig(log)
	c.ID = id
	c.Queues = map[string]river.QueueConfig{queue: {MaxWorkers: slots}}
	c.Workers = workers
	c.JobTimeout = -1                                   // default one minute; the shard's own watchdog replaces it, the reaper the rescuer
	c.FetchCooldown = time.Millisecond                  // default 100 ms, which caps empty shards at 10 a second and slot
	c.FetchPollInterval = time.Second                   // how soon a reaped shard is seen by an idle worker
	c.SoftStopTimeout = softStop                        // then running shards are released
	c.RetryPolicy = retryPolicy{}                       // of jobs that River itself fails; ours are failed by the fence
	c.RescueStuckJobsAfter = 100 * 365 * 24 * time.Hour // the reaper's business
	return c
}

// retryPolicy delays a failed shard.
type retryPolicy struct{}

// NextRetry is when a failed job runs again.
func (retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(delay(job.Attempt))
}

// delay is 1, 2, 4, 4, … seconds: below the 5 s under which River sets a job available at once, so
// that no leader among the processes, who may have died, is needed to set it going.
func delay(attempt int) time.Duration {
	return min(4*time.Second, time.Second<<min(max(attempt-1, 0), 10))
}
