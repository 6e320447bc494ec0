package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Store is an open store. It is safe for concurrent use.
type Store struct {
	name Name
	db   *sql.DB
	pool *pgxpool.Pool // nil on SQLite
}

// Options say how a store is opened. Start from DefaultOptions.
type Options struct {
	// Create makes a SQLite file that does not exist, and its folder; without it a missing file is
	// an error.
	Create bool
	// Busy is how long a statement waits for another process's write before it fails (SQLite).
	Busy time.Duration
	// Connections is the most connections to Postgres; at least 2. SQLite has one, which was the
	// fastest setting.
	Connections int
}

// DefaultOptions are the settings that were measured to lose nothing with many processes on one
// store.
func DefaultOptions() Options {
	return Options{Create: true, Busy: 10 * time.Second, Connections: 8}
}

// Open opens the store and brings its tables up to date, under a lock, so that any number of
// processes may open it at once.
func Open(ctx context.Context, name Name, o Options) (*Store, error) {
	var s *Store
	var err error
	if name.SQLite() {
		s, err = openSQLite(ctx, name, o)
	} else {
		s, err = openPostgres(ctx, name, o)
	}
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", name, err)
	}
	if err = s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store %s: %w", name, Explain(err)), s.Close())
	}
	return s, nil
}

// openSQLite opens the file. The settings are those with which several processes shared one file
// without a single failed statement: a write-ahead log, waiting for locks, and transactions that
// take the write lock at their start.
func openSQLite(ctx context.Context, name Name, o Options) (*Store, error) {
	if _, err := os.Stat(name.file); errors.Is(err, fs.ErrNotExist) {
		if !o.Create {
			return nil, errors.New("there is no such file; start a run with \"ucan zoo run\", or name another store with --store")
		}
		if err = os.MkdirAll(filepath.Dir(name.file), 0o755); err != nil { //nolint:gosec // results are for everyone to read
			return nil, err
		}
	}
	if err := checkLocal(filepath.Dir(name.file)); err != nil {
		return nil, err
	}
	query := url.Values{
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", o.Busy.Milliseconds()), "journal_mode(WAL)", "synchronous(NORMAL)"},
		"_txlock": {"immediate"},
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(name.file)}).EscapedPath(), RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if err = connect(ctx, db, o.Busy); err != nil {
		return nil, errors.Join(Explain(err), db.Close())
	}
	return &Store{name: name, db: db}, nil
}

// connect makes the first connection. Turning on the log of a new file does not wait for others who
// do the same, so it is tried again.
func connect(ctx context.Context, db *sql.DB, wait time.Duration) error {
	for begin := time.Now(); ; {
		err := db.PingContext(ctx)
		var lite *sqlite.Error
		if !errors.As(err, &lite) || lite.Code()&0xff != liteBusy || time.Since(begin) > wait {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func openPostgres(ctx context.Context, name Name, o Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(name.url)
	if err != nil {
		return nil, errors.New("the connection string cannot be read; give postgres://USER:PASSWORD@HOST:PORT/DATABASE") // pgx's error may quote the password
	}
	keepAlive(config.ConnConfig)
	config.MaxConns = int32(max(2, o.Connections)) //nolint:gosec // a handful
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &Store{name: name, db: stdlib.OpenDBFromPool(pool), pool: pool}, nil
}

// keepAlive lets both ends find out within half a minute that the other machine is gone.
func keepAlive(c *pgx.ConnConfig) {
	for key, value := range map[string]string{"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"} {
		if _, set := c.RuntimeParams[key]; !set {
			c.RuntimeParams[key] = value
		}
	}
	if _, set := c.RuntimeParams["application_name"]; !set {
		c.RuntimeParams["application_name"] = "ucan"
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 10 * time.Second
	}
}

// Close closes the store. Closing twice is harmless.
func (s *Store) Close() error {
	err := s.db.Close()
	if s.pool != nil {
		s.pool.Close()
	}
	return err
}

// Name is where the store lies.
func (s *Store) Name() Name { return s.name }

// DB is the database itself, for statements of the queue.
func (s *Store) DB() *sql.DB { return s.db }

// Pool is the connection pool of Postgres, nil on SQLite.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Direct opens a connection to Postgres beside the pool, for locks that live as long as it does.
func (s *Store) Direct(ctx context.Context) (*pgx.Conn, error) {
	if s.pool == nil {
		return nil, errors.New("store: SQLite has no direct connections")
	}
	return pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
}

// Now is the clock of all rows, in milliseconds since 1970.
func now() int64 { return time.Now().UnixMilli() }
