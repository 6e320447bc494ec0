package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"ucan/internal/redact"
)

// Progress is how far a run has come, by its finished shards.
type Progress struct {
	// Shards and Rows are finished shards and their certificates; Failed of the certificates are of
	// inputs that could not be used.
	Shards, Rows, Failed int64
	// Samples were classified in Seconds of worker time.
	Samples int64
	Seconds float64
}

// Progress sums up the finished shards of a run.
func (s *Store) Progress(ctx context.Context, run int64) (Progress, error) {
	var p Progress
	query := s.Bind("SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(failed), 0), coalesce(sum(samples), 0), coalesce(sum(seconds), 0) FROM zoo_shard WHERE run = ?")
	err := s.db.QueryRowContext(ctx, query, run).Scan(&p.Shards, &p.Rows, &p.Failed, &p.Samples, &p.Seconds)
	if err != nil {
		return p, fmt.Errorf("read the progress: %w", Explain(err))
	}
	return p, nil
}

// CellProgress is the progress of one combination.
type CellProgress struct {
	Model, Dataset, Noise string
	// Inputs is what the cell has in all, Rows how many of them have their certificate, Failed how
	// many of these could not be used.
	Inputs, Rows, Failed int64
	// Refused is why the cell makes no certificates, "" when it does.
	Refused string
}

// Cells is the progress of every cell of a run, sorted by name.
func (s *Store) Cells(ctx context.Context, run int64) ([]CellProgress, error) {
	var cells []CellProgress
	err := s.Query(ctx, func(rows *sql.Rows) error {
		var c CellProgress
		err := rows.Scan(&c.Model, &c.Dataset, &c.Noise, &c.Inputs, &c.Refused, &c.Rows, &c.Failed)
		cells = append(cells, c)
		return err
	}, `SELECT c.model, c.dataset, c.noise, c.inputs, c.refused, coalesce(sum(d.rows), 0), coalesce(sum(d.failed), 0)
		FROM zoo_cell c LEFT JOIN zoo_shard d ON d.run = c.run AND d.cell = c.cell WHERE c.run = ?
		GROUP BY c.model, c.dataset, c.noise, c.inputs, c.refused ORDER BY c.model, c.dataset, c.noise`, run)
	if err != nil {
		return nil, fmt.Errorf("read the progress: %w", err)
	}
	return cells, nil
}

// Failure is one attempt at a shard that did not succeed.
type Failure struct {
	Attempt
	// Kind is one word for counting, such as "error", "killed", "timeout", "memory" or "mismatch".
	Kind string
	// Message is what was wrong, in one line.
	Message string
	// LogTail is the end of the worker's log, where its supervisor kept it.
	LogTail string
	At      time.Time
}

// AddFailure stores a failure, in the transaction tx.
func (s *Store) AddFailure(ctx context.Context, tx Execer, f Failure) error {
	_, err := tx.ExecContext(ctx, s.Bind("INSERT INTO zoo_failure (run, shard, attempt, worker, kind, message, log_tail, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
		f.Run, f.Shard, f.Try, f.Worker, f.Kind, redact.Text(f.Message), redact.Text(f.LogTail), now())
	return err
}

// AddLogTail completes the failures of a dead worker that were recorded before its supervisor
// noticed: with the end of its log, and with the cause of death where that was not known.
func (s *Store) AddLogTail(ctx context.Context, worker, kind, message, tail string) error {
	return Explain(s.InTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, s.Bind("UPDATE zoo_failure SET kind = ?, message = ? WHERE worker = ? AND kind = 'died'"), kind, redact.Text(message), worker)
		if err == nil {
			_, err = tx.ExecContext(ctx, s.Bind("UPDATE zoo_failure SET log_tail = ? WHERE worker = ? AND log_tail = ''"), redact.Text(tail), worker)
		}
		return err
	}))
}

// Failures lists a run's failures, the newest last, at most limit of the newest ones.
func (s *Store) Failures(ctx context.Context, run int64, limit int) ([]Failure, error) {
	var failures []Failure
	err := s.Query(ctx, func(rows *sql.Rows) error {
		f := Failure{Attempt: Attempt{Run: run}}
		var at int64
		err := rows.Scan(&f.Shard, &f.Try, &f.Worker, &f.Kind, &f.Message, &f.LogTail, &at)
		f.At = time.UnixMilli(at)
		failures = append(failures, f)
		return err
	}, `SELECT shard, attempt, worker, kind, message, log_tail, at_ms FROM
		(SELECT * FROM zoo_failure WHERE run = ? ORDER BY number DESC LIMIT ?) AS newest ORDER BY number`, run, limit)
	if err != nil {
		return nil, fmt.Errorf("list the failures: %w", err)
	}
	return failures, nil
}

// FailureKinds counts a run's failed attempts by kind; run 0 means all runs.
func (s *Store) FailureKinds(ctx context.Context, run int64) (map[string]int64, error) {
	kinds := map[string]int64{}
	err := s.Query(ctx, func(rows *sql.Rows) error {
		var kind string
		var n int64
		err := rows.Scan(&kind, &n)
		kinds[kind] = n
		return err
	}, "SELECT kind, count(*) FROM zoo_failure WHERE run = ? OR ? = 0 GROUP BY kind", run, run)
	if err != nil {
		return nil, fmt.Errorf("count the failures: %w", err)
	}
	return kinds, nil
}

// Check verifies that a run's results are whole: as many certificates as its finished shards
// counted.
func (s *Store) Check(ctx context.Context, run *Run) error {
	counted, err := s.Count(ctx, "SELECT coalesce(sum(rows), 0) FROM zoo_shard WHERE run = ?", run.Number)
	if err != nil {
		return fmt.Errorf("check the results: %w", err)
	}
	stored, err := s.Count(ctx, "SELECT count(*) FROM zoo_certificate WHERE run = ?", run.Number)
	if err != nil {
		return fmt.Errorf("check the results: %w", err)
	}
	if counted != stored {
		return fmt.Errorf("check the results: the store %s counts %d certificates and holds %d; something else changed it, so repeat the run in another store", s.name, counted, stored)
	}
	return nil
}
