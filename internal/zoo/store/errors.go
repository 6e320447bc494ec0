package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// The kinds of fault that callers tell apart.
var (
	// ErrUnavailable marks a fault that may pass by itself: a database that restarts, a broken
	// connection, a full disk, a file that another process holds. Nothing was lost; the same call
	// may be tried again.
	ErrUnavailable = errors.New("store unavailable")
	// ErrNotFound marks a run that the store does not hold.
	ErrNotFound = errors.New("no such run")
)

// fault adds a kind, and what to do, to an error of a database.
type fault struct {
	err  error
	kind error // nil for a fault that stays
	hint string
}

func (f fault) Error() string {
	return strings.TrimRight(strings.Join(strings.Fields(f.err.Error()), " "), ".") + "; " + f.hint
}

func (f fault) Unwrap() []error {
	if f.kind == nil {
		return []error{f.err}
	}
	return []error{f.err, f.kind}
}

// Explain adds to an error of the database what to do about it, and marks those that may pass with
// ErrUnavailable. Other errors, and nil, come back as they are.
func Explain(err error) error {
	var (
		known fault
		lite  *sqlite.Error
		pg    *pgconn.PgError
	)
	switch {
	case err == nil, errors.As(err, &known), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &lite):
		return explainSQLite(err, lite.Code())
	case errors.As(err, &pg):
		return explainPostgres(err, pg)
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), isNetwork(err):
		return fault{err, ErrUnavailable, "check that the database runs and can be reached, then run the same command again"}
	}
	return err
}

func isNetwork(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || strings.Contains(err.Error(), "conn closed")
}

// Primary result codes of SQLite (https://www.sqlite.org/rescode.html).
const (
	liteBusy, liteLocked, liteNoMemory, liteReadOnly, liteIO = 5, 6, 7, 8, 10
	liteCorrupt, liteFull, liteCantOpen, liteNotDB           = 11, 13, 14, 26
)

func explainSQLite(err error, code int) error {
	switch code & 0xff {
	case liteBusy, liteLocked:
		return fault{err, ErrUnavailable, "another program holds the file; close it, or wait"}
	case liteFull:
		return fault{err, ErrUnavailable, "free space on that disk, then run the same command again: what was finished is kept"}
	case liteIO:
		return fault{err, ErrUnavailable, "check the disk (it may be full or gone), then run the same command again"}
	case liteReadOnly:
		return fault{err, nil, "the file or its folder cannot be written; mend its permissions, or name another store with --store sqlite:FILE"}
	case liteCantOpen:
		return fault{err, nil, "the file cannot be opened; check that its folder exists and that you may write there"}
	case liteNotDB, liteCorrupt:
		return fault{err, nil, "the file is not a store of zoo runs, or is damaged; name another one with --store sqlite:FILE"}
	}
	return err
}

// explainPostgres goes by the classes of SQLSTATE (PostgreSQL's documentation, appendix A).
func explainPostgres(err error, pg *pgconn.PgError) error {
	// pgx's connection errors quote user and database and are long; the server's own message is
	// what matters.
	short := fmt.Errorf("%s (SQLSTATE %s)", pg.Message, pg.Code)
	switch {
	case pg.Code == "28P01", pg.Code == "28000":
		return fault{short, nil, "check user and password of --store postgres://USER:PASSWORD@HOST/DATABASE (or PGPASSWORD, or ~/.pgpass)"}
	case pg.Code == "3D000":
		return fault{short, nil, "create it with \"createdb\", or name another database in --store"}
	case pg.Code == "42501":
		return fault{short, nil, "the user needs the right to create and write tables in this database"}
	case pg.Code == "25006":
		return fault{short, nil, "the server only reads (a replica?); name the primary server in --store"}
	case strings.HasPrefix(pg.Code, "53"):
		return fault{short, ErrUnavailable, "the server lacks disk, memory or connections; mend that, then run the same command again: what was finished is kept"}
	case strings.HasPrefix(pg.Code, "57P"), strings.HasPrefix(pg.Code, "08"), strings.HasPrefix(pg.Code, "40"):
		return fault{short, ErrUnavailable, "the server restarts or is overloaded; run the same command again"}
	}
	return err
}
