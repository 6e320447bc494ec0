package queue

import (
	"context"
	"fmt"

	"github.com/riverqueue/river"

	"ucan/internal/zoo/store"
)

// enqueueChunk is how many shards are inserted in a transaction: memory stays small, and an
// interrupted submission loses at most so much work.
const enqueueChunk = 5000

// Submission says how a run is enqueued.
type Submission struct {
	// Attempts is how often a shard is tried before it is given up as poisoned, at least 1.
	Attempts int
	// Progress, when not nil, is told how many shards are enqueued after each chunk.
	Progress func(enqueued int64)
}

// DefaultSubmission tries every shard five times.
func DefaultSubmission() Submission { return Submission{Attempts: 5} }

// Enqueue hands the shards of a stored run to the queues of their models. It streams them, goes on
// where an earlier call ended, and may run in several processes at once.
func (q *Queue) Enqueue(ctx context.Context, run *store.Run, o Submission) error {
	if run.Enqueued >= run.Shards {
		return nil
	}
	client, err := q.client(clientConfig(q.log))
	if err != nil {
		return err
	}
	e := enqueuer{store: q.store, client: client, run: run, options: o}
	var number int64
	for i := range run.Spec.Cells {
		cell := &run.Spec.Cells[i]
		model, ok := run.Spec.Model(cell.Model)
		if !ok {
			return fmt.Errorf("enqueue the run: cell %d names the model %q, which the run lacks", i, cell.Model)
		}
		name := model.Runtime.Queue()
		for range run.Spec.CellShards(cell) {
			if number >= run.Enqueued+int64(len(e.jobs)) {
				task := Task{Run: run.Number, Number: number, Cell: int64(i), Limit: model.Limits.Timeout}
				e.jobs = append(e.jobs, task.insertion(name, o.Attempts))
			}
			number++
			if len(e.jobs) < enqueueChunk {
				continue
			}
			if err = e.flush(ctx, number); err != nil {
				return err
			}
		}
	}
	return e.flush(ctx, number)
}

type enqueuer struct {
	store   *store.Store
	client  engine
	run     *store.Run
	options Submission
	jobs    []river.InsertManyParams
}

// flush inserts what was collected; the run is enqueued up to the shard number then. Where another
// process got further in the meantime, what it inserted is left out.
func (e *enqueuer) flush(ctx context.Context, number int64) error {
	for len(e.jobs) > 0 {
		ok, err := e.client.enqueue(ctx, [3]int64{number, e.run.Number, e.run.Enqueued}, e.jobs)
		if err != nil {
			return fmt.Errorf("enqueue the run: %w", store.Explain(err))
		}
		if ok {
			e.run.Enqueued, e.jobs = number, e.jobs[:0]
			break
		}
		current, err := e.store.ByNumber(ctx, e.run.Number)
		if err != nil {
			return err
		}
		e.jobs = e.jobs[min(current.Enqueued-e.run.Enqueued, int64(len(e.jobs))):]
		e.run.Enqueued = current.Enqueued
	}
	if e.options.Progress != nil {
		e.options.Progress(e.run.Enqueued)
	}
	return nil
}
