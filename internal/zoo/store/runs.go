package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ucan/internal/zoo/matrix"
)

// Run is a stored run.
type Run struct {
	// Number identifies the run within this store; 1 and more.
	Number int64
	// Spec is what the run does. Its refusals include those found while working.
	Spec *matrix.Run
	// Shards and Inputs are the whole run's.
	Shards, Inputs int64
	// Enqueued of the shards were handed to the queue; a submission that was interrupted goes on
	// from there.
	Enqueued int64
	// Created is when the run was submitted first.
	Created time.Time
}

// ID is the run's identity.
func (r *Run) ID() string { return r.Spec.ID }

// CreateRun stores a run, or finds it when it is there already. Where files lie, and limits, are
// taken from the newest submission, since they do not change what is computed.
func (s *Store) CreateRun(ctx context.Context, r *matrix.Run) (*Run, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("store the run: %w", err)
	}
	err = s.InTx(ctx, func(tx *sql.Tx) error {
		var number int64
		insert := s.Bind(`INSERT INTO zoo_run (id, spec, shards, inputs, created_ms) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET spec = excluded.spec RETURNING number`)
		if execErr := tx.QueryRowContext(ctx, insert, r.ID, string(text), r.ShardCount(), r.Inputs(), now()).Scan(&number); execErr != nil {
			return execErr
		}
		cell := s.Bind("INSERT INTO zoo_cell (run, cell, model, dataset, noise, inputs) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run, cell) DO NOTHING")
		for i, c := range r.Cells {
			if _, execErr := tx.ExecContext(ctx, cell, number, i, c.Model, c.Dataset, c.Noise, c.Inputs); execErr != nil {
				return execErr
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store the run: %w", Explain(err))
	}
	return s.Find(ctx, r.ID)
}

// Runs lists the stored runs, the newest last.
func (s *Store) Runs(ctx context.Context) ([]*Run, error) {
	var runs []*Run
	err := s.Query(ctx, func(rows *sql.Rows) error {
		r := &Run{Spec: new(matrix.Run)}
		var text []byte
		var created int64
		if err := rows.Scan(&r.Number, &text, &r.Shards, &r.Inputs, &r.Enqueued, &created); err != nil {
			return err
		}
		r.Created = time.UnixMilli(created)
		runs = append(runs, r)
		return json.Unmarshal(text, r.Spec)
	}, "SELECT number, spec, shards, inputs, enqueued, created_ms FROM zoo_run ORDER BY number")
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", err)
	}
	return runs, nil
}

// Find returns the run whose ID begins with id; "" means the only run there is. Errors match
// ErrNotFound.
func (s *Store) Find(ctx context.Context, id string) (*Run, error) {
	runs, err := s.Runs(ctx)
	if err != nil {
		return nil, err
	}
	var found []*Run
	for _, r := range runs {
		if strings.HasPrefix(r.ID(), id) {
			found = append(found, r)
		}
	}
	switch {
	case len(runs) == 0:
		return nil, fmt.Errorf("%w: the store %s is empty; start one with \"ucan zoo run\"", ErrNotFound, s.name)
	case len(found) == 0:
		return nil, fmt.Errorf("%w as %q in %s; \"ucan zoo status\" lists those there are", ErrNotFound, id, s.name)
	case len(found) > 1:
		return nil, fmt.Errorf("%w: %d runs of %s begin with %q; give more of the ID with --run", ErrNotFound, len(found), s.name, id)
	}
	return found[0], s.addRefusals(ctx, found[0])
}

// ByNumber returns a run by its number.
func (s *Store) ByNumber(ctx context.Context, number int64) (*Run, error) {
	runs, err := s.Runs(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(runs, func(r *Run) bool { return r.Number == number })
	if i < 0 {
		return nil, fmt.Errorf("%w: number %d of %s", ErrNotFound, number, s.name)
	}
	return runs[i], nil
}

// addRefusals appends what workers refused to what the plan refused.
func (s *Store) addRefusals(ctx context.Context, r *Run) error {
	err := s.Query(ctx, func(rows *sql.Rows) error {
		var f matrix.Refusal
		err := rows.Scan(&f.Model, &f.Dataset, &f.Noise, &f.Reason)
		r.Spec.Refusals = append(r.Spec.Refusals, f)
		return err
	}, "SELECT model, dataset, noise, refused FROM zoo_cell WHERE run = ? AND refused <> '' ORDER BY cell", r.Number)
	if err != nil {
		return fmt.Errorf("list what was refused: %w", err)
	}
	return nil
}

// Run returns the specification of a stored run, as package export reads it.
func (s *Store) Run(ctx context.Context, id string) (*matrix.Run, error) {
	r, err := s.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	return r.Spec, nil
}
