package models

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"ucan/models/internal/rewrite"
	"ucan/runtime"
)

// scorer is the session behind Model.Scores.
type scorer struct {
	mu     sync.Mutex
	sess   *runtime.Session
	in     *runtime.Tensor
	out    *runtime.Tensor
	input  []float32
	scores []float32
	closed bool
}

// ErrNoScores is the error, possibly wrapped, for scores of a model that gives
// labels only.
var ErrNoScores = errors.New("the model gives labels, no scores")

// Scores returns the model's scores (logits or probabilities, as it gives them) of
// rows of the source, row by row: len(x)/d × ScoreWidth values. x holds any number of
// rows. It is safe for concurrent use, one call at a time running.
func (m *Model) Scores(ctx context.Context, x []float32) ([]float32, error) {
	d := m.Dim()
	if m.scoreWidth == 0 {
		return nil, fmt.Errorf("scores of %s: %w", m.Name(), ErrNoScores)
	}
	if len(x) == 0 || len(x)%d != 0 {
		return nil, fmt.Errorf("scores of %s: %d values are not a multiple of %d, the length of a row", m.Name(), len(x), d)
	}
	s := &m.scorer
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := m.openScorer(ctx); err != nil {
		return nil, fmt.Errorf("scores of %s: %w", m.Name(), err)
	}
	out := make([]float32, 0, len(x)/d*m.scoreWidth)
	for len(x) > 0 {
		n := copy(s.input, x)
		if err := s.sess.Run(ctx, []*runtime.Tensor{s.in}, []*runtime.Tensor{s.out}); err != nil {
			return nil, fmt.Errorf("scores of %s: %w", m.Name(), err)
		}
		out = append(out, s.scores[:n/d*m.scoreWidth]...)
		x = x[n:]
	}
	return out, nil
}

// smallBatch is the batch for a few rows at a time.
func (m *Model) smallBatch() int {
	if m.fixedBatch > 0 {
		return m.fixedBatch
	}
	return max(1, min(32, (1<<20)/m.Dim()))
}

func (m *Model) openScorer(ctx context.Context) error {
	s := &m.scorer
	if s.closed {
		return runtime.ErrClosed
	}
	if s.sess != nil {
		return nil
	}
	batch := m.smallBatch()
	opts := m.opts.Session
	opts.IntraOp, opts.Concurrent, opts.Outputs = max(opts.IntraOp, 1), 0, []string{rewrite.ScoresName}
	opts.NoArena = true // it runs now and then, beside the sessions of a run
	opts.RunLimit = m.rowTime.limit(opts.RunLimit, runningLimit, batch)
	sess, err := m.rt.NewSession(ctx, m.bytes, opts)
	if err != nil {
		return err
	}
	input, scores := make([]float32, batch*m.Dim()), make([]float32, batch*m.scoreWidth)
	in, err := runtime.NewTensor(m.rt, batchShape(input, m.source), input)
	if err != nil {
		return errors.Join(err, sess.Close())
	}
	out, err := runtime.NewTensor(m.rt, []int64{int64(batch), int64(m.scoreWidth)}, scores)
	if err != nil {
		return errors.Join(err, in.Close(), sess.Close())
	}
	s.sess, s.in, s.out, s.input, s.scores = sess, in, out, input, scores
	return nil
}

// Close releases what Scores holds; classifiers are closed by their owners. Further
// calls do nothing.
func (m *Model) Close() error {
	if m == nil {
		return nil
	}
	s := &m.scorer
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.sess == nil {
		return nil
	}
	err := errors.Join(s.sess.Close(), s.in.Close(), s.out.Close())
	s.sess = nil
	return err
}
