package queue

import (
	"encoding/json"
	"fmt"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"ucan/internal/zoo/matrix"
)

// kind names our jobs in River's tables.
const kind = "ucan_zoo_shard"

// Task is one shard as it lies in the queue. Run and Number identify it; the rest follows from the
// run.
type Task struct {
	// Run is the run's number in the store, Number the shard's position in the run, from 0.
	Run    int64 `json:"run" river:"unique"`
	Number int64 `json:"shard" river:"unique"`
	// Cell is the position of the shard's combination in the run.
	Cell int64 `json:"cell"`
	// Shard is what to do. It follows from the run, so that it is not stored a million times.
	Shard matrix.Shard `json:"-"`
	// Combination is what the shard's names stand for.
	Combination matrix.Combination `json:"-"`
	// Limit is the wall-clock limit in seconds, 0 for none. Long after it, the shard is given to
	// another process although the first one seems alive.
	Limit float64 `json:"limit"`
}

// Kind makes a Task the arguments of a River job.
func (Task) Kind() string { return kind }

// String names the task for logs.
func (t Task) String() string { return fmt.Sprintf("shard %d (%s)", t.Number, t.Shard) }

// locate fills in the task's shard and combination from its run.
func (t Task) locate(run *matrix.Run) (Task, error) {
	number := t.Number
	for i := range run.Cells {
		cell := &run.Cells[i]
		n := int64((cell.Inputs + run.ShardSize - 1) / run.ShardSize)
		if number >= n {
			number -= n
			continue
		}
		first := int(number) * run.ShardSize
		t.Shard = matrix.Shard{Run: run.ID, Model: cell.Model, Dataset: cell.Dataset, Noise: cell.Noise, First: first, Count: min(run.ShardSize, cell.Inputs-first)}
		var err error
		t.Combination, err = run.Resolve(cell)
		return t, err
	}
	return t, fmt.Errorf("find shard %d: the run has %d; a newer ucan may have stored it", t.Number, run.ShardCount())
}

// insertion is the task as River inserts it. Unlike River's default, cancelled and discarded jobs
// keep a shard's place as well: a shard has one row in all, which [Queue.Retry] sets going again.
func (t Task) insertion(queue string, attempts int) river.InsertManyParams {
	return river.InsertManyParams{Args: t, InsertOpts: &river.InsertOpts{
		Queue: queue, MaxAttempts: attempts,
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: rivertype.JobStates()},
	}}
}

// attemptError is an entry of river_job.errors, as River writes them.
func attemptError(at string, attempt int64, message string) (string, error) {
	text, err := json.Marshal(map[string]any{"at": at, "attempt": attempt, "error": message, "trace": ""})
	return string(text), err
}
