package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"ucan/internal/zoo/store"
)

// ErrSuperseded ends a process whose shard was given to another one. It must not answer for the
// shard in any way: River would take an error for that of the other process, and a success for its
// success.
var ErrSuperseded = errors.New("this process was taken for dead and its shard given to another one")

// ErrStore ends a process that cannot reach the store any longer.
var ErrStore = errors.New("the store cannot be reached")

// fence commits what becomes of jobs.
type fence struct {
	queue *Queue
	// patience is how long an unreachable store is waited for.
	patience time.Duration
	// open lets everything through: the control of the crash tests, which must fail.
	open bool
}

// holding is a job in the hands of this process.
type holding struct {
	id, attempt int64
	owner       string
	task        Task
}

func (h holding) at() store.Attempt {
	return store.Attempt{Run: h.task.Run, Shard: h.task.Number, Try: h.attempt, Worker: h.owner}
}

// complete stores a result and marks the job as done, in one transaction. Errors match
// ErrSuperseded or ErrStore, or say why the result cannot be stored.
func (f fence) complete(ctx context.Context, h holding, r *store.ShardResult) error {
	q := f.queue
	return f.insist(ctx, func(ctx context.Context) error {
		err := q.store.InTx(ctx, func(tx *sql.Tx) error {
			ours, err := changed(ctx, tx, q.sql(sqlComplete), h.id, h.attempt, h.owner)
			switch {
			case err != nil:
				return err
			case !ours && !f.open:
				return ErrSuperseded
			}
			return q.store.Record(ctx, tx, h.at(), r)
		})
		if !errors.Is(err, ErrSuperseded) {
			return err
		}
		// The commit of an earlier try may have gone through while its answer was lost.
		if recorded, recordedErr := q.store.Recorded(ctx, h.at()); recordedErr != nil || recorded {
			return recordedErr
		}
		return err
	})
}

// settle marks a job as done whose result is stored already: somebody set it going again by hand.
func (f fence) settle(ctx context.Context, h holding) (settled bool, err error) {
	q := f.queue
	err = f.insist(ctx, func(ctx context.Context) error {
		finished, tryErr := q.store.Finished(ctx, h.task.Run, h.task.Number)
		if tryErr != nil || !finished || f.open {
			return tryErr
		}
		settled, tryErr = changed(ctx, q.store.DB(), q.sql(sqlComplete), h.id, h.attempt, h.owner)
		if tryErr == nil && !settled {
			return ErrSuperseded
		}
		return tryErr
	})
	return settled, err
}

// fail records a failed attempt and lets the job run again after the delay, or gives it up after
// its last attempt.
func (f fence) fail(ctx context.Context, h holding, kind, message string) error {
	q := f.queue
	entry, err := attemptError(time.Now().UTC().Format(time.RFC3339Nano), h.attempt, message)
	if err != nil {
		return err
	}
	seconds := strconv.FormatFloat(delay(int(h.attempt)).Seconds(), 'f', 3, 64)
	return f.insist(ctx, func(ctx context.Context) error {
		return q.store.InTx(ctx, func(tx *sql.Tx) error {
			ours, err := changed(ctx, tx, q.sql(sqlFail), entry, seconds, h.id, h.attempt, h.owner)
			switch {
			case err != nil:
				return err
			case !ours:
				return ErrSuperseded
			}
			return q.store.AddFailure(ctx, tx, store.Failure{Attempt: h.at(), Kind: kind, Message: message})
		})
	})
}

// holds reports whether the job is still in the hands of this process.
func (f fence) holds(ctx context.Context, h holding) error {
	q := f.queue
	return f.insist(ctx, func(ctx context.Context) error {
		n, err := q.store.Count(ctx, q.sql(sqlHeld), h.id, h.attempt, h.owner)
		if err == nil && n != 1 {
			return ErrSuperseded
		}
		return err
	})
}

// insist repeats f while the store is unavailable, up to the patience. It is not ended by the end
// of ctx: what was computed is to be stored.
func (f fence) insist(ctx context.Context, try func(context.Context) error) error {
	ctx = context.WithoutCancel(ctx)
	begin, pause := time.Now(), 50*time.Millisecond
	for {
		err := store.Explain(attempt(ctx, try))
		if err == nil || !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		if time.Since(begin) > f.patience {
			return fmt.Errorf("%w: %w", ErrStore, err)
		}
		f.queue.log.Warn("waiting for the store", "error", err)
		time.Sleep(pause)
		pause = min(2*pause, 5*time.Second)
	}
}

// attempt bounds one try, so that a connection to a machine that vanished does not hold it for
// ever.
func attempt(ctx context.Context, try func(context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	return try(ctx)
}
