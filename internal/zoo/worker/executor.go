package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/internal/zoo/artifact"
	"ucan/internal/zoo/cell"
	"ucan/internal/zoo/matrix"
	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/store"
	"ucan/models"
	"ucan/runtime"
	"ucan/runtime/files"
	"ucan/smooth/certificate"
)

// Executor certifies shards on onnxruntime. It works on one shard at a time.
type Executor struct {
	opener *cell.Opener
	keep   int
	temp   string
	open   []kept // the least recently used first
}

// kept is a prepared model.
type kept struct {
	run            int64
	model, dataset string
	pair           *cell.Pair
}

var _ queue.Executor = (*Executor)(nil)

// NewExecutor makes an executor that opens models and data with the opener, which stays the caller's, and keeps so many
// of them open between shards, at least 1.
func NewExecutor(opener *cell.Opener, keep int) (*Executor, error) {
	if keep < 1 {
		return nil, fmt.Errorf("make the executor: %d models to keep open; give at least 1", keep)
	}
	temp, err := os.MkdirTemp("", "ucan-worker-")
	if err != nil {
		return nil, fmt.Errorf("make the executor: %w", err)
	}
	return &Executor{opener: opener, keep: keep, temp: temp}, nil
}

// Close closes every model that is open.
func (e *Executor) Close() (err error) {
	for _, k := range e.open {
		err = errors.Join(err, k.pair.Close())
	}
	e.open = nil
	return errors.Join(err, os.RemoveAll(e.temp))
}

// Execute implements queue.Executor. A pair that cannot be certified soundly yields a result that says so.
func (e *Executor) Execute(ctx context.Context, run *store.Run, task queue.Task) (*store.ShardResult, error) {
	model, ok := run.Spec.Model(task.Shard.Model)
	if !ok {
		return nil, fmt.Errorf("execute %s: the run lacks the model", task)
	}
	if limit := model.Limits.Span(); limit > 0 {
		bounded, stop := context.WithTimeoutCause(ctx, limit, timeout{limit.Seconds()})
		defer stop()
		result, err := e.execute(bounded, run, task)
		if err != nil && ctx.Err() == nil && bounded.Err() != nil {
			err = context.Cause(bounded)
		}
		return result, err
	}
	return e.execute(ctx, run, task)
}

func (e *Executor) execute(ctx context.Context, run *store.Run, task queue.Task) (*store.ShardResult, error) {
	begin := time.Now()
	result := &store.ShardResult{Cell: task.Cell}
	err := e.certify(ctx, run, task, result)
	result.Seconds = time.Since(begin).Seconds()
	var refusal *models.Refusal
	switch {
	case errors.As(err, &refusal):
		return &store.ShardResult{Cell: task.Cell, Refused: refusal.Error()}, nil
	case errors.Is(err, artifact.ErrMismatch):
		return nil, mismatch{err}
	case errors.Is(err, runtime.ErrTimeLimit):
		return nil, overran{err}
	}
	return result, err
}

// certify fills the result with the certificates of the shard.
func (e *Executor) certify(ctx context.Context, run *store.Run, task queue.Task, result *store.ShardResult) error {
	c, ok := run.Spec.Cell(task.Shard.Model, task.Shard.Dataset, task.Shard.Noise)
	if !ok {
		return fmt.Errorf("execute %s: the run lacks the combination", task)
	}
	pair, err := e.pair(ctx, run, c)
	if err != nil {
		return err
	}
	certifier, err := pair.Certifier(ctx, c)
	if err != nil {
		return err
	}
	sink := shardSink{folder: e.temp, result: result}
	if err = sink.clear(); err != nil {
		return err
	}
	// pair and certifier were made from the same run, so that its data and model are there.
	data, _ := run.Spec.Dataset(c.Dataset)
	model, _ := run.Spec.Model(c.Model)
	if model.Limits.Span() == 0 {
		limit := derivedLimit(model.Statistics, task.Shard.Count, pair.Model.RowTime())
		bounded, stop := context.WithTimeoutCause(ctx, limit, timeout{limit.Seconds()})
		defer stop()
		ctx = bounded
	}
	loop := pipeline.Loop{Source: pair.Inputs(), Indices: data.Indices(task.Shard), MaxFailures: math.Inf(1)}
	err = loop.Run(ctx,
		func(ctx context.Context, item dataset.Item) error {
			if model.Statistics.LabelAware && item.Label < 0 {
				return &models.Refusal{Reason: fmt.Sprintf("input %d of %s has no label, and a label-aware run tests the label", item.Index, pair.Info.Name), Remedy: "leave label_aware out"}
			}
			_, cert, certifyErr := certifier.Certify(ctx, item)
			if certifyErr != nil {
				return certifyErr
			}
			result.Samples += cert.Statistics.N0 + cert.Statistics.N
			return sink.put(cert)
		},
		func(item dataset.Item, reason error) error {
			_, cert, failErr := certifier.Fail(item, reason)
			if failErr != nil {
				return failErr
			}
			result.Failed++
			return sink.put(cert)
		})
	if errors.Is(err, pipeline.ErrSomeFailed) {
		return nil
	}
	return err
}

// pair returns the model and the data of a cell, opening them when they are not among those kept. It verifies the files
// anew, which costs next to nothing while they do not change: a model that is replaced in the middle of a run is noticed.
func (e *Executor) pair(ctx context.Context, run *store.Run, c *matrix.Cell) (*cell.Pair, error) {
	i := slices.IndexFunc(e.open, func(k kept) bool {
		return k.run == run.Number && k.model == c.Model && k.dataset == c.Dataset
	})
	if i >= 0 {
		k := e.open[i]
		e.open = append(slices.Delete(e.open, i, i+1), k)
		return k.pair, e.verify(ctx, run.Spec, c)
	}
	for len(e.open) >= e.keep {
		oldest := e.open[0]
		e.open = e.open[1:]
		if err := oldest.pair.Close(); err != nil {
			return nil, fmt.Errorf("close the model %q: %w", oldest.model, err)
		}
	}
	pair, err := e.opener.Open(ctx, run.Spec, c)
	if err != nil {
		return nil, err
	}
	e.open = append(e.open, kept{run: run.Number, model: c.Model, dataset: c.Dataset, pair: pair})
	return pair, nil
}

// verify checks that the files of an open pair are still those of the run.
func (e *Executor) verify(ctx context.Context, run *matrix.Run, c *matrix.Cell) error {
	var items []artifact.Item
	if m, ok := run.Model(c.Model); ok {
		items = append(items, m.File)
	}
	if d, ok := run.Dataset(c.Dataset); ok {
		items = append(items, d.Paths...)
	}
	for _, item := range items {
		held, err := e.opener.Artifacts.Hold(ctx, item)
		if err == nil {
			err = held.Close()
		}
		if err != nil {
			return fmt.Errorf("verify %s × %s: %w", c.Model, c.Dataset, err)
		}
	}
	return nil
}

// mismatch is an artifact that is not the one that was planned.
type mismatch struct{ error }

func (m mismatch) Unwrap() error { return m.error }

// FailureKind counts replaced files apart.
func (mismatch) FailureKind() string { return "mismatch" }

// shardSink collects certificates and the fields beside them.
type shardSink struct {
	folder string
	result *store.ShardResult
}

func (s shardSink) put(c *certificate.Certificate) error {
	if err := certificate.NewFolder(s.folder).Save(c); err != nil {
		return err
	}
	line, err := c.Marshal()
	if err != nil {
		return err
	}
	s.result.Rows = append(s.result.Rows, store.Row{Index: c.Input.Index, Line: line})
	return s.collectFields()
}

func (s shardSink) files() ([]string, error) { return filepath.Glob(filepath.Join(s.folder, "*.npy")) }

// clear removes the files of the shard before.
func (s shardSink) clear() error {
	found, err := s.files()
	for _, path := range found {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// maxField is the most bytes of a field's file: the largest input in float32, and a header.
const maxField = 4*certificate.MaxDim + 1<<16

// collectFields takes the files that Save made into the result. One field serves all inputs of most cells: then the
// first of them alone brings a file.
func (s shardSink) collectFields() error {
	found, err := s.files()
	if err != nil {
		return err
	}
	for _, path := range found {
		hash := filepath.Base(path[:len(path)-len(".npy")])
		if s.result.Fields[hash] != nil {
			continue
		}
		content, err := files.Read(path, maxField)
		if err != nil {
			return err
		}
		if s.result.Fields == nil {
			s.result.Fields = map[string][]byte{}
		}
		s.result.Fields[hash] = content
	}
	return nil
}

// derivedLimit is the limit of a shard whose zoo names none: fifty times what its samples
// take at the speed that was measured when the model was opened, and at least ten minutes.
func derivedLimit(s matrix.Statistics, inputs int, row time.Duration) time.Duration {
	const least, slower, most = 10 * time.Minute, 50, 365 * 24 * time.Hour
	expected := float64(inputs) * float64(s.N0+s.N) * row.Seconds()
	return max(least, time.Duration(min(slower*expected, most.Seconds())*float64(time.Second)))
}

// overran is a run of the model that took too long.
type overran struct{ error }

// FailureKind counts these with the shards that took too long.
func (overran) FailureKind() string { return "timeout" }

// timeout is a shard that took too long.
type timeout struct{ seconds float64 }

func (t timeout) Error() string {
	return fmt.Sprintf("the shard took longer than its limit of %g s; raise runtime.timeout, or make shard_size smaller", t.seconds)
}

// FailureKind counts time limits apart.
func (timeout) FailureKind() string { return "timeout" }
