package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// migration is one step of the store's tables.
type migration struct {
	// both databases take it; words in braces differ between them.
	both string
	// postgres alone takes it.
	postgres string
}

// migrations are the store's tables, one step a version; steps are never changed once released.
// Names sort by their bytes, so that exports are the same everywhere.
var migrations = []migration{{both: `
CREATE TABLE zoo_run (
	number {serial},
	id {name} NOT NULL UNIQUE,
	spec TEXT NOT NULL,
	shards BIGINT NOT NULL,
	inputs BIGINT NOT NULL,
	enqueued BIGINT NOT NULL DEFAULT 0,
	created_ms BIGINT NOT NULL
);
CREATE TABLE zoo_cell (
	run BIGINT NOT NULL REFERENCES zoo_run (number),
	cell BIGINT NOT NULL,
	model {name} NOT NULL,
	dataset {name} NOT NULL,
	noise {name} NOT NULL,
	inputs BIGINT NOT NULL,
	refused TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (run, cell),
	UNIQUE (run, model, dataset, noise)
);
CREATE TABLE zoo_shard (
	run BIGINT NOT NULL REFERENCES zoo_run (number),
	shard BIGINT NOT NULL,
	cell BIGINT NOT NULL,
	rows BIGINT NOT NULL,
	failed BIGINT NOT NULL,
	samples BIGINT NOT NULL,
	seconds DOUBLE PRECISION NOT NULL,
	attempt BIGINT NOT NULL,
	worker TEXT NOT NULL,
	done_ms BIGINT NOT NULL,
	PRIMARY KEY (run, shard)
);
CREATE INDEX zoo_shard_worker ON zoo_shard (worker);
CREATE TABLE zoo_certificate (
	run BIGINT NOT NULL REFERENCES zoo_run (number),
	cell BIGINT NOT NULL,
	idx BIGINT NOT NULL,
	shard BIGINT NOT NULL,
	line {bytes} NOT NULL,
	PRIMARY KEY (run, cell, idx)
);
CREATE TABLE zoo_field (
	run BIGINT NOT NULL REFERENCES zoo_run (number),
	sha256 TEXT NOT NULL,
	content {bytes} NOT NULL,
	PRIMARY KEY (run, sha256)
);
CREATE TABLE zoo_failure (
	number {serial},
	run BIGINT NOT NULL REFERENCES zoo_run (number),
	shard BIGINT NOT NULL,
	attempt BIGINT NOT NULL,
	worker TEXT NOT NULL,
	kind TEXT NOT NULL,
	message TEXT NOT NULL,
	log_tail TEXT NOT NULL DEFAULT '',
	at_ms BIGINT NOT NULL
);
CREATE INDEX zoo_failure_run ON zoo_failure (run, shard);
CREATE INDEX zoo_failure_worker ON zoo_failure (worker);
`}, {
	// River's inverted indexes serve searches by arguments and metadata, which neither we nor
	// River's workers do. They were a third of what inserting a job costs, and every change of a
	// job's state wrote to them.
	postgres: `
DROP INDEX IF EXISTS river_job_args_index;
DROP INDEX IF EXISTS river_job_metadata_index;
`,
}}

// statements are the statements of a step for the store's database.
func (s *Store) statements(m migration) []string {
	text := m.both
	if s.pool != nil {
		text += m.postgres
	}
	var list []string
	for statement := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(statement) != "" {
			list = append(list, s.dialect(statement))
		}
	}
	return list
}

// dialect fills in the words that differ.
func (s *Store) dialect(text string) string {
	if s.pool == nil {
		return strings.NewReplacer("{serial}", "INTEGER PRIMARY KEY", "{name}", "TEXT", "{bytes}", "BLOB").Replace(text)
	}
	return strings.NewReplacer("{serial}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "{name}", `TEXT COLLATE "C"`, "{bytes}", "BYTEA").Replace(text)
}

// migrationLock is the key of the advisory lock under which Postgres is migrated: "ucan" in ASCII.
const migrationLock = 0x7563616e

// migrate brings the queue's tables and ours up to date. River's migrator fails when two run at
// once; the lock lets one after the other see that there is nothing left to do.
func (s *Store) migrate(ctx context.Context) error {
	current, err := s.migrated(ctx)
	if err != nil || current {
		return err
	}
	if s.pool == nil {
		return s.migrateSQLite(ctx)
	}
	return s.migratePostgres(ctx)
}

func (s *Store) migrateSQLite(ctx context.Context) (err error) {
	folder := s.name.file + ".workers"
	if err = makeFolder(folder); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(folder, "migrate.lock"))
	if err = lock.Lock(); err != nil {
		return fmt.Errorf("lock %q: %w; check that the store's folder can be written", lock.Path(), err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	migrator, err := rivermigrate.New(riversqlite.New(s.db), nil)
	if err != nil {
		return err
	}
	if _, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("make the queue's tables: %w", err)
	}
	return s.migrateOwn(ctx)
}

func (s *Store) migratePostgres(ctx context.Context) (err error) {
	conn, err := s.Direct(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err = conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(s.pool), nil)
	if err != nil {
		return err
	}
	if _, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("make the queue's tables: %w", err)
	}
	return s.migrateOwn(ctx)
}

// migrated reports whether the tables are those of this program. It writes nothing.
func (s *Store) migrated(ctx context.Context) (bool, error) {
	query := "SELECT count(*) FROM sqlite_master WHERE name = 'zoo_version'"
	if s.pool != nil {
		query = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'zoo_version'"
	}
	if tables, err := s.Count(ctx, query); err != nil || tables == 0 {
		return false, err
	}
	version, err := s.version(ctx)
	if err == nil && version > len(migrations) {
		return false, fmt.Errorf("its tables have version %d and this program knows %d; use a newer ucan", version, len(migrations))
	}
	return err == nil && version == len(migrations), err
}

func (s *Store) version(ctx context.Context) (int, error) {
	var version int
	err := s.db.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM zoo_version").Scan(&version)
	return version, err
}

// migrateOwn makes our tables, each step in a transaction of its own.
func (s *Store) migrateOwn(ctx context.Context) error {
	if _, err := s.db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS zoo_version (version BIGINT PRIMARY KEY, made_ms BIGINT NOT NULL)"); err != nil {
		return err
	}
	version, err := s.version(ctx)
	if err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		err = s.InTx(ctx, func(tx *sql.Tx) error {
			for _, statement := range s.statements(migrations[version]) {
				if _, execErr := tx.ExecContext(ctx, statement); execErr != nil {
					return execErr
				}
			}
			_, execErr := tx.ExecContext(ctx, s.Bind("INSERT INTO zoo_version (version, made_ms) VALUES (?, ?)"), version+1, now())
			return execErr
		})
		if err != nil {
			return fmt.Errorf("make the tables of version %d: %w", version+1, err)
		}
	}
	return nil
}
