package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"ucan/internal/certify"
	"ucan/internal/npy"
	"ucan/internal/zoo/artifact"
	"ucan/internal/zoo/cell"
	"ucan/internal/zoo/matrix"
	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/store"
	"ucan/models"
	"ucan/runtime"
	"ucan/smooth/certificate"
)

// Executor certifies shards on onnxruntime. It works on one shard at a time.
type Executor struct {
	opener *cell.Opener
	keep   int
	open   []*cell.Pair // the least recently used first
}

var _ queue.Executor = (*Executor)(nil)

// NewExecutor makes an executor that opens models and data with the opener, which stays the
// caller's, and keeps so many of them open between shards, at least 1.
func NewExecutor(opener *cell.Opener, keep int) (*Executor, error) {
	if keep < 1 {
		return nil, fmt.Errorf("make the executor: %d models to keep open; give at least 1", keep)
	}
	return &Executor{opener: opener, keep: keep}, nil
}

// Close closes every model that is open.
func (e *Executor) Close() (err error) {
	for _, p := range e.open {
		err = errors.Join(err, p.Close())
	}
	e.open = nil
	return err
}

// Execute implements queue.Executor. A pair that cannot be certified soundly yields a result that
// says so.
func (e *Executor) Execute(ctx context.Context, run *store.Run, task queue.Task) (*store.ShardResult, error) {
	begin := time.Now()
	result := &store.ShardResult{Cell: task.Cell}
	err := within(ctx, task.Combination.Model.Limits.Span(), func(ctx context.Context) error {
		return e.certify(ctx, run, task, result)
	})
	result.Seconds = time.Since(begin).Seconds()
	var refusal *models.Refusal
	switch {
	case errors.As(err, &refusal):
		return &store.ShardResult{Cell: task.Cell, Refused: refusal.Error()}, nil
	case errors.Is(err, artifact.ErrMismatch):
		return nil, &queue.Failure{Kind: "mismatch", Err: err}
	case errors.Is(err, runtime.ErrTimeLimit):
		return nil, &queue.Failure{Kind: "timeout", Err: err}
	}
	return result, err
}

// within calls f with a time limit, 0 for none. Beyond it the error says so.
func within(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	if limit == 0 {
		return f(ctx)
	}
	bounded, stop := context.WithTimeoutCause(ctx, limit, timeout(limit.Seconds()))
	defer stop()
	err := f(bounded)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		return context.Cause(bounded)
	}
	return err
}

// certify fills the result with the certificates of the shard.
func (e *Executor) certify(ctx context.Context, run *store.Run, task queue.Task, result *store.ShardResult) error {
	c := task.Combination
	pair, err := e.pair(ctx, run, c)
	if err != nil {
		return err
	}
	certifier, err := pair.Certifier(ctx, c)
	if err != nil {
		return err
	}
	limit := time.Duration(0)
	if c.Model.Limits.Span() == 0 {
		limit = derivedLimit(c.Model.Statistics, task.Shard.Count, pair.Model.RowTime())
	}
	loop := certify.Loop{Source: pair.Inputs(), Indices: c.Data.Indices(task.Shard), MaxFailures: math.Inf(1)}
	err = within(ctx, limit, func(ctx context.Context) error {
		return certifier.Run(ctx, loop, func(cert *certificate.Certificate) error { return collect(result, cert) })
	})
	if errors.Is(err, certify.ErrSomeFailed) {
		return nil
	}
	return err
}

// collect adds a certificate, and the fields outside it, to what a shard yields.
func collect(result *store.ShardResult, cert *certificate.Certificate) error {
	line, err := cert.Marshal()
	if err != nil {
		return err
	}
	result.Rows = append(result.Rows, store.Row{Index: cert.Input.Index, Line: line})
	result.Samples += cert.Statistics.N0 + cert.Statistics.N
	if cert.Status == certificate.Failed {
		result.Failed++
	}
	for _, f := range cert.Fields() {
		if result.Fields[f.SHA256] != nil {
			continue // one field serves all inputs of most cells
		}
		if result.Fields == nil {
			result.Fields = map[string][]byte{}
		}
		result.Fields[f.SHA256] = npy.Encode(f.Values, cert.Input.Shape)
	}
	return nil
}

// pair returns the model and the data of a combination, opening them when they are not among those
// kept. Those that are, it verifies anew: a model that is replaced in the middle of a run is
// noticed.
func (e *Executor) pair(ctx context.Context, run *store.Run, c matrix.Combination) (*cell.Pair, error) {
	if i := slices.IndexFunc(e.open, func(p *cell.Pair) bool { return p.Is(run.Spec, c) }); i >= 0 {
		p := e.open[i]
		e.open = append(slices.Delete(e.open, i, i+1), p)
		return p, p.Verify(ctx)
	}
	for len(e.open) >= e.keep {
		oldest := e.open[0]
		e.open = e.open[1:]
		if err := oldest.Close(); err != nil {
			return nil, fmt.Errorf("close the model %q: %w", oldest.Model.Name(), err)
		}
	}
	pair, err := e.opener.Open(ctx, run.Spec, c)
	if err == nil {
		e.open = append(e.open, pair)
	}
	return pair, err
}

// derivedLimit is the limit of a shard whose zoo names none: fifty times what its samples
// take at the speed that was measured when the model was opened, and at least ten minutes.
func derivedLimit(s matrix.Statistics, inputs int, row time.Duration) time.Duration {
	const least, slower, most = 10 * time.Minute, 50, 365 * 24 * time.Hour
	expected := float64(inputs) * float64(s.N0+s.N) * row.Seconds()
	return max(least, time.Duration(min(slower*expected, most.Seconds())*float64(time.Second)))
}

// timeout is the error of a shard that took longer than so many seconds.
func timeout(seconds float64) error {
	return &queue.Failure{Kind: "timeout", Err: fmt.Errorf("the shard took longer than its limit of %g s; raise runtime.timeout, or make shard_size smaller", seconds)}
}
