package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5"

	"ucan/internal/zoo/store"
)

// roll knows which processes live: each holds a lock that the system takes from it when it dies.
type roll interface {
	// enter takes the lock of a process for as long as it lives. lost is called when it cannot be
	// held any longer.
	enter(ctx context.Context, id string, lost func(error)) (leave func(), err error)
	// dead reports whether the lock of a process is free, and if so keeps it until release is
	// called, within the transaction tx.
	dead(ctx context.Context, tx *sql.Tx, id string) (release func(), dead bool, err error)
}

// fileRoll keeps a locked file for each process, beside a SQLite store.
type fileRoll struct{ folder string }

func (r fileRoll) path(id string) string { return filepath.Join(r.folder, id+".lock") }

func (r fileRoll) enter(_ context.Context, id string, _ func(error)) (func(), error) {
	if err := os.MkdirAll(r.folder, 0o755); err != nil { //nolint:gosec // workers of other users share it
		return nil, fmt.Errorf("enter the worker: %w; check that the store's folder can be written", err)
	}
	lock := flock.New(r.path(id))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %q: %w; check that the store's folder can be written", lock.Path(), err)
	}
	if !ok {
		return nil, fmt.Errorf("lock %q: another process has the name %s; give every worker its own", lock.Path(), id)
	}
	return func() {
		// The process is about to end: a file that stays only costs a name.
		_ = os.Remove(lock.Path())
		_ = lock.Unlock()
	}, nil
}

func (r fileRoll) dead(_ context.Context, _ *sql.Tx, id string) (func(), bool, error) {
	lock := flock.New(r.path(id), flock.SetFlag(os.O_RDWR))
	ok, err := lock.TryLock()
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, true, nil // it left in order, or its lock was removed with it
	}
	if err != nil || !ok {
		return nil, false, err
	}
	return func() {
		_ = os.Remove(lock.Path())
		_ = lock.Unlock()
	}, true, nil
}

// lockRoll keeps an advisory lock of Postgres for each process, on a connection of its own.
type lockRoll struct{ store *store.Store }

// key maps the name of a process to the number of its lock.
func key(id string) int64 {
	h := fnv.New64a()
	h.Write([]byte("ucan worker " + id))
	return int64(h.Sum64()) //nolint:gosec // any 64 bits do
}

// How a process looks after its lock: pulse is the pace at which it asks the server whether the
// connection lives, regain that at which it tries to take the lock again, and patience how long it
// may be without before it gives up. Being without is safe: another process may take the shard, and
// then the fence ends this one.
const (
	pulse    = 2 * time.Second
	regain   = 250 * time.Millisecond
	patience = 2 * time.Minute
)

func (r lockRoll) enter(ctx context.Context, id string, lost func(error)) (func(), error) {
	conn, err := r.lock(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("enter the worker: %w", store.Explain(err))
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.keep(ctx, conn, id, lost)
	}()
	return func() { stop(); <-done }, nil
}

func (r lockRoll) lock(ctx context.Context, id string) (*pgx.Conn, error) {
	conn, err := r.store.Direct(ctx)
	if err != nil {
		return nil, err
	}
	var ok bool
	if err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", key(id)).Scan(&ok); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	if !ok {
		return nil, errors.Join(fmt.Errorf("another process has the name %s; give every worker its own", id), conn.Close(ctx))
	}
	return conn, nil
}

// keep holds the lock until ctx ends, taking it again when the connection breaks.
func (r lockRoll) keep(ctx context.Context, conn *pgx.Conn, id string, lost func(error)) {
	held := time.Now()
	for ctx.Err() == nil {
		var err error
		if conn != nil {
			err = attend(ctx, conn)
		} else {
			conn, err = r.lockAgain(ctx, id)
		}
		switch {
		case err == nil:
			held = time.Now()
		case ctx.Err() != nil:
		default:
			if conn != nil {
				_ = conn.Close(ctx) // it is broken already
				conn = nil
			}
			if time.Since(held) > patience {
				lost(store.Explain(err))
				return
			}
		}
	}
	if conn != nil {
		_ = conn.Close(context.WithoutCancel(ctx)) // the server drops the lock either way
	}
}

// attend watches the connection for one pulse: it returns at once when the server closes it, and
// asks at the end whether a server that says nothing is there at all. Whoever is slow to notice is
// taken for dead after a restart of the server.
func attend(ctx context.Context, conn *pgx.Conn) error {
	waiting, stop := context.WithTimeout(ctx, pulse)
	defer stop()
	if _, err := conn.WaitForNotification(waiting); err != nil && waiting.Err() == nil {
		return err
	}
	return ping(ctx, conn)
}

func (r lockRoll) lockAgain(ctx context.Context, id string) (*pgx.Conn, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(regain):
	}
	return r.lock(ctx, id)
}

func ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	return conn.Ping(ctx)
}

func (r lockRoll) dead(ctx context.Context, tx *sql.Tx, id string) (func(), bool, error) {
	var free bool
	err := tx.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock($1)", key(id)).Scan(&free)
	return func() {}, free, err // the lock ends with the transaction
}
