package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/models"
	"ucan/models/zoo/artifact"
	"ucan/models/zoo/queue"
	"ucan/models/zoo/spec"
	"ucan/models/zoo/store"
	"ucan/runtime"
	"ucan/smooth/certificate"
)

// ExecutorConfig says how shards are executed.
type ExecutorConfig struct {
	// Keep is how many prepared models stay open between shards, at least 1.
	Keep int
	// CacheDir is where measurements and known models are kept, "" for nowhere.
	CacheDir string
	// Version is that of the program, as certificates record it.
	Version string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Executor certifies shards on onnxruntime. It works on one shard at a time.
type Executor struct {
	runtime   *runtime.Runtime
	artifacts *artifact.Resolver
	config    ExecutorConfig
	temp      string
	emptyYAML string
	open      []kept // the least recently used first
}

// kept is a prepared model.
type kept struct {
	run            int64
	model, dataset string
	bench          *bench
}

var _ queue.Executor = (*Executor)(nil)

// NewExecutor makes an executor on a runtime and a resolver of artifacts, which both stay the caller's.
func NewExecutor(rt *runtime.Runtime, artifacts *artifact.Resolver, c ExecutorConfig) (*Executor, error) {
	if c.Keep < 1 {
		return nil, fmt.Errorf("make the executor: %d models to keep open; give at least 1", c.Keep)
	}
	temp, err := os.MkdirTemp("", "ucan-worker-")
	if err != nil {
		return nil, fmt.Errorf("make the executor: %w", err)
	}
	e := &Executor{runtime: rt, artifacts: artifacts, config: c, temp: temp}
	if e.emptyYAML, err = writeEmptyYAML(temp); err != nil {
		return nil, errors.Join(fmt.Errorf("make the executor: %w", err), e.Close())
	}
	return e, nil
}

// Close closes every model that is open.
func (e *Executor) Close() (err error) {
	for _, k := range e.open {
		err = errors.Join(err, k.bench.close())
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
	if limit := model.Limits.Timeout; limit > 0 {
		bounded, stop := context.WithTimeoutCause(ctx, time.Duration(limit*float64(time.Second)), timeout{limit})
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
	var refusal *models.Refusal
	if errors.As(err, &refusal) {
		return &store.ShardResult{Cell: task.Cell, Refused: refusal.Error()}, nil
	}
	result.Seconds = time.Since(begin).Seconds()
	return result, err
}

// certify fills the result with the certificates of the shard.
func (e *Executor) certify(ctx context.Context, run *store.Run, task queue.Task, result *store.ShardResult) error {
	shard := task.Shard
	cell, ok := run.Spec.Cell(shard.Model, shard.Dataset, shard.Noise)
	if !ok {
		return fmt.Errorf("execute %s: the run lacks the combination", task)
	}
	b, err := e.bench(ctx, run, cell)
	if err != nil {
		return err
	}
	certifier, err := b.certifier(ctx, cell)
	if err != nil {
		return err
	}
	sink := shardSink{executor: e, result: result}
	labelAware := b.model.Statistics.LabelAware
	loop := pipeline.Loop{Source: b.Inputs(), Indices: b.data.Indices(shard), MaxFailures: 1}
	err = loop.Run(ctx,
		func(ctx context.Context, item dataset.Item) error {
			if labelAware && item.Label < 0 {
				return &models.Refusal{Reason: fmt.Sprintf("input %d of %s has no label, and a label-aware run tests the label", item.Index, b.Info.Name), Remedy: "leave label_aware out"}
			}
			_, cert, certifyErr := certifier.Certify(ctx, item)
			if certifyErr != nil {
				return certifyErr
			}
			result.Samples += cert.Statistics.N0 + cert.Statistics.N
			return sink.put(item.Index, cert)
		},
		func(item dataset.Item, reason error) error {
			_, cert, failErr := certifier.Fail(item, reason)
			if failErr != nil {
				return failErr
			}
			result.Failed++
			return sink.put(item.Index, cert)
		})
	if errors.Is(err, pipeline.ErrSomeFailed) {
		return nil
	}
	return err
}

// bench returns the prepared model of a cell, opening it when it is not among those kept. It verifies the files anew,
// which costs little while they do not change: a model that is replaced in the middle of a run is noticed.
func (e *Executor) bench(ctx context.Context, run *store.Run, cell *spec.Cell) (*bench, error) {
	i := slices.IndexFunc(e.open, func(k kept) bool {
		return k.run == run.Number && k.model == cell.Model && k.dataset == cell.Dataset
	})
	if i >= 0 {
		k := e.open[i]
		e.open = append(slices.Delete(e.open, i, i+1), k)
		return k.bench, k.bench.verify(ctx)
	}
	for len(e.open) >= e.config.Keep {
		oldest := e.open[0]
		e.open = e.open[1:]
		if err := oldest.bench.close(); err != nil {
			return nil, fmt.Errorf("close the model %q: %w", oldest.model, err)
		}
	}
	b, err := e.openBench(ctx, run.Spec, cell)
	if err != nil {
		return nil, err
	}
	e.open = append(e.open, kept{run: run.Number, model: cell.Model, dataset: cell.Dataset, bench: b})
	return b, nil
}

// verify checks that the files the bench was made from are still those of the run.
func (b *bench) verify(ctx context.Context) error {
	items := append([]artifact.Item{b.model.File}, b.data.Paths...)
	for _, item := range items {
		held, err := b.executor.artifacts.Hold(ctx, item)
		if errors.Is(err, artifact.ErrMismatch) {
			return mismatch{err}
		}
		if err == nil {
			err = held.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shardSink collects certificates and the fields beside them.
type shardSink struct {
	executor *Executor
	result   *store.ShardResult
}

func (s shardSink) put(index int, c *certificate.Certificate) error {
	if err := certificate.NewFolder(s.executor.temp).Save(c); err != nil {
		return err
	}
	line, err := c.Marshal()
	if err != nil {
		return err
	}
	s.result.Rows = append(s.result.Rows, store.Row{Index: int64(index), Line: line})
	return s.collectFields()
}

// collectFields moves the files that Save made into the result. One field serves all inputs of most cells: then there
// is a file for the first of them only.
func (s shardSink) collectFields() error {
	found, err := filepath.Glob(filepath.Join(s.executor.temp, "*.npy"))
	if err != nil {
		return err
	}
	for _, path := range found {
		hash := filepath.Base(path[:len(path)-len(".npy")])
		if s.result.Fields[hash] != nil {
			continue
		}
		content, err := os.ReadFile(path)
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

// timeout is a shard that took too long.
type timeout struct{ seconds float64 }

func (t timeout) Error() string {
	return fmt.Sprintf("the shard took longer than its limit of %g s; raise runtime.timeout, or make shard_size smaller", t.seconds)
}

// FailureKind counts time limits apart.
func (timeout) FailureKind() string { return "timeout" }
