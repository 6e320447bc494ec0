package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	"ucan/internal/zoo/export"
)

// ShardResult is what a finished shard yields.
type ShardResult struct {
	// Cell is the position of the shard's combination among the run's cells.
	Cell int64
	// Rows are the certificates, each input once.
	Rows []Row
	// Failed of them are inputs that could not be used.
	Failed int64
	// Samples is the number of noisy copies that were classified, Seconds the time on the wall.
	Samples int64
	Seconds float64
	// Fields are noise fields as .npy files by their hash, which certificates refer to.
	Fields map[string][]byte
	// Refused, when not "", is why the combination cannot be certified soundly; there are no rows
	// then.
	Refused string
}

// Row is one certificate.
type Row struct {
	// Index is the input's index in the whole source.
	Index int64
	// Line is the certificate's JSON, without a newline.
	Line []byte
}

// Attempt names one try at a shard.
type Attempt struct {
	// Run is the run's number, Shard the shard's within it.
	Run, Shard int64
	// Try counts the attempts at the shard from 1.
	Try int64
	// Worker is the process.
	Worker string
}

// rowsPerStatement keeps multi-row inserts below the databases' limits of variables.
const rowsPerStatement = 500

// Record stores what a shard yielded, as part of the transaction that marks the shard as done. A
// shard that is stored already is an error: the keys of the tables are the last defence against
// counting anything twice.
func (s *Store) Record(ctx context.Context, tx *sql.Tx, a Attempt, r *ShardResult) error {
	_, err := tx.ExecContext(ctx, s.Bind(`INSERT INTO zoo_shard (run, shard, cell, rows, failed, samples, seconds, attempt, worker, done_ms)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`), a.Run, a.Shard, r.Cell, len(r.Rows), r.Failed, r.Samples, r.Seconds, a.Try, a.Worker, now())
	if err != nil {
		return err
	}
	for begin := 0; begin < len(r.Rows); begin += rowsPerStatement {
		if err = s.insertRows(ctx, tx, a, r.Cell, r.Rows[begin:min(begin+rowsPerStatement, len(r.Rows))]); err != nil {
			return err
		}
	}
	for hash, content := range r.Fields {
		_, err = tx.ExecContext(ctx, s.Bind("INSERT INTO zoo_field (run, sha256, content) VALUES (?, ?, ?) ON CONFLICT (run, sha256) DO NOTHING"), a.Run, hash, content)
		if err != nil {
			return err
		}
	}
	if r.Refused != "" {
		_, err = tx.ExecContext(ctx, s.Bind("UPDATE zoo_cell SET refused = ? WHERE run = ? AND cell = ? AND refused = ''"), r.Refused, a.Run, r.Cell)
	}
	return err
}

func (s *Store) insertRows(ctx context.Context, tx *sql.Tx, a Attempt, cell int64, rows []Row) error {
	query := "INSERT INTO zoo_certificate (run, cell, idx, shard, line) VALUES " + strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?), ", len(rows)), ", ")
	args := make([]any, 0, 5*len(rows))
	for _, row := range rows {
		args = append(args, a.Run, cell, row.Index, a.Shard, row.Line)
	}
	_, err := tx.ExecContext(ctx, s.Bind(query), args...)
	return err
}

// Recorded reports whether exactly this attempt's result is stored: the answer to a commit whose
// outcome was lost with the connection.
func (s *Store) Recorded(ctx context.Context, a Attempt) (bool, error) {
	n, err := s.Count(ctx, "SELECT count(*) FROM zoo_shard WHERE run = ? AND shard = ? AND attempt = ? AND worker = ?", a.Run, a.Shard, a.Try, a.Worker)
	return n == 1, err
}

// recordPage is how many certificates are read at a time, so that SQLite's only connection is free
// between pages.
const recordPage = 1000

// Records gives the certificates of a run sorted by model, dataset, noise and index. It ends with
// the first error.
func (s *Store) Records(ctx context.Context, run string) iter.Seq2[export.Record, error] {
	return func(yield func(export.Record, error) bool) {
		r, err := s.Find(ctx, run)
		if err != nil {
			yield(export.Record{}, err)
			return
		}
		cells, err := s.cellsByName(ctx, r.Number)
		if err != nil {
			yield(export.Record{}, err)
			return
		}
		for _, c := range cells {
			if !s.cellRecords(ctx, r.Number, c, yield) {
				return
			}
		}
	}
}

type namedCell struct {
	cell                  int64
	model, dataset, noise string
}

func (s *Store) cellsByName(ctx context.Context, run int64) ([]namedCell, error) {
	var cells []namedCell
	err := s.Query(ctx, func(rows *sql.Rows) error {
		var c namedCell
		err := rows.Scan(&c.cell, &c.model, &c.dataset, &c.noise)
		cells = append(cells, c)
		return err
	}, "SELECT cell, model, dataset, noise FROM zoo_cell WHERE run = ? ORDER BY model, dataset, noise", run)
	if err != nil {
		return nil, fmt.Errorf("list the cells: %w", err)
	}
	return cells, nil
}

// cellRecords gives one cell's certificates; false ends the reading.
func (s *Store) cellRecords(ctx context.Context, run int64, c namedCell, yield func(export.Record, error) bool) bool {
	last := int64(-1)
	for {
		page, err := s.page(ctx, run, c.cell, last)
		if err != nil {
			yield(export.Record{}, fmt.Errorf("read the certificates: %w", err))
			return false
		}
		for _, row := range page {
			if !yield(export.Record{Model: c.model, Dataset: c.dataset, Noise: c.noise, Index: row.Index, Certificate: row.Line}, nil) {
				return false
			}
		}
		if len(page) < recordPage {
			return true
		}
		last = page[len(page)-1].Index
	}
}

func (s *Store) page(ctx context.Context, run, cell, after int64) ([]Row, error) {
	var page []Row
	err := s.Query(ctx, func(rows *sql.Rows) error {
		var row Row
		err := rows.Scan(&row.Index, &row.Line)
		page = append(page, row)
		return err
	}, "SELECT idx, line FROM zoo_certificate WHERE run = ? AND cell = ? AND idx > ? ORDER BY idx LIMIT ?", run, cell, after, recordPage)
	return page, err
}

// Field returns the .npy file of a noise field that a certificate of the run names by its hash.
func (s *Store) Field(ctx context.Context, run, sha256 string) ([]byte, error) {
	r, err := s.Find(ctx, run)
	if err != nil {
		return nil, err
	}
	var content []byte
	err = s.db.QueryRowContext(ctx, s.Bind("SELECT content FROM zoo_field WHERE run = ? AND sha256 = ?"), r.Number, sha256).Scan(&content)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read the noise field %s: the store does not hold it; it may be damaged, so repeat the run in another store", sha256)
	}
	return content, Explain(err)
}

// Finished reports whether a shard has its result.
func (s *Store) Finished(ctx context.Context, run, shard int64) (bool, error) {
	n, err := s.Count(ctx, "SELECT count(*) FROM zoo_shard WHERE run = ? AND shard = ?", run, shard)
	return n > 0, err
}
