package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strconv"
	"strings"
)

// Bind writes the placeholders ? of a statement as the database wants them. It must hold no other
// question marks.
func (s *Store) Bind(query string) string {
	if s.pool == nil {
		return query
	}
	return Dollars(query)
}

// Dollars turns the placeholders ? of a statement into Postgres's $1, $2, ….
func Dollars(query string) string {
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(query, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
		n++
	}
	return b.String()
}

// Execer runs a statement: a database, a connection or a transaction.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Query calls scan for every row that a query gives.
func (s *Store) Query(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) (err error) {
	rows, err := s.db.QueryContext(ctx, s.Bind(query), args...)
	if err != nil {
		return Explain(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err = scan(rows); err != nil {
			return Explain(err)
		}
	}
	return Explain(rows.Err())
}

// Count returns the number that a query gives.
func (s *Store) Count(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = s.db.QueryRowContext(ctx, s.Bind(query), args...).Scan(&n)
	return n, Explain(err)
}

// InTx runs f in a transaction, which f's error rolls back. On SQLite the transaction holds the
// only connection: f must use nothing but tx.
func (s *Store) InTx(ctx context.Context, f func(*sql.Tx) error) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			if rollback := tx.Rollback(); !errors.Is(rollback, sql.ErrTxDone) {
				err = errors.Join(err, rollback)
			}
		}
	}()
	if err = f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func makeFolder(path string) error {
	return os.MkdirAll(path, 0o755) //nolint:gosec // the folder holds locks, which workers of other users share
}

// Ping reports whether the store answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.Count(ctx, "SELECT 1")
	return err
}

// Touched reports whether a process ever finished or failed a shard.
func (s *Store) Touched(ctx context.Context, worker string) (bool, error) {
	n, err := s.Count(ctx, `SELECT (SELECT count(*) FROM zoo_failure WHERE worker = ?)
		+ (SELECT count(*) FROM (SELECT 1 FROM zoo_shard WHERE worker = ? LIMIT 1) AS one)`, worker, worker)
	return n > 0, err
}
