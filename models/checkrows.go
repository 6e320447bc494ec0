package models

import (
	"context"
	"errors"
	"fmt"

	"ucan/models/trial"
)

// What trials show; see package trial.
type (
	ProbeResult = trial.Result
	RowCheck    = trial.RowCheck
	Session     = trial.Session
)

// CheckRows runs trial batches before a run and refuses the model (a *Refusal) when the answer
// for a row depends on the rest of its batch ([trial.Graph.CheckRows] states the rule). batches
// are what the run will be given: each one physical batch of noisy rows of one input, one batch
// an input, all of one size. sessions are those of the run, of that batch and intraOp threads.
func (m *Model) CheckRows(ctx context.Context, batches [][]float32, intraOp int, sessions []Session) (_ RowCheck, err error) {
	e := newRunner(m.rt, m.source, m.sha256, m.opts)
	e.opts.IntraOp, e.opts.Outputs = max(intraOp, 1), nil
	sess, err := e.session(ctx, m.graph)
	if err != nil {
		return RowCheck{}, fmt.Errorf("check rows: %w", err)
	}
	defer func() { err = errors.Join(err, sess.Close()) }()
	r, err := e.graph(sess, m.trialWidth, m.inputType).CheckRows(ctx, batches, m.fixedBatch == 0, sessions)
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return r, fmt.Errorf("check rows of %s: %w", m.Name(), err)
	case err != nil:
		return r, fmt.Errorf("check rows: %w", err)
	}
	return r, nil
}
