package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ucan/internal/table"
	"ucan/internal/zoo/matrix"
	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/store"
)

// statusOptions are those of zoo status.
type statusOptions struct {
	zooRunOptions
	watch    bool
	failures int
}

// shownFailures is how many of the newest failures are shown unless the user says otherwise.
const shownFailures = 5

func (s *statusOptions) declare(o *options) {
	s.zooRunOptions.declare(o)
	o.on(&s.watch, "zoo.watch", "watch", "show the status again and again until the run has ended")
	o.count(&s.failures, "zoo.failures", "failures", shownFailures, 0, 10000, "how many of the newest failures to show")
}

func newZooStatusCommand(a *app) *cobra.Command {
	o := &statusOptions{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how far zoo runs are, what failed and what was refused",
		Long: `Status shows every run of the store, or with --run one of them in full: its cells, its newest failures and what was
refused. With --watch it does so again and again until the run has ended.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runZooStatus(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

func runZooStatus(ctx context.Context, a *app, o *statusOptions) error {
	q, err := a.openQueue(ctx, o.storeOptions, false)
	if err != nil {
		return err
	}
	runs, err := q.Store().Runs(ctx)
	if err != nil {
		return err
	}
	if o.run == "" && len(runs) != 1 {
		return a.listRuns(ctx, q, runs)
	}
	run, err := q.Store().Find(ctx, o.run)
	if errors.Is(err, store.ErrNotFound) {
		return usage(err)
	}
	for err == nil {
		if err = a.showStatus(ctx, q, run, o.failures); err != nil || !o.watch {
			break
		}
		var counts queue.Counts
		if counts, err = q.Counts(ctx, run); err != nil || counts.Running+counts.Waiting+counts.Unsent == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Second):
		}
		fmt.Fprintln(a.stdout)
		run, err = q.Store().Find(ctx, run.ID())
	}
	return err
}

// runStatus is a run as status prints it in JSON.
type runStatus struct {
	Run      string               `json:"run"`
	Created  time.Time            `json:"created"`
	Shards   int64                `json:"shards"`
	Counts   map[string]int64     `json:"counts"`
	Inputs   int64                `json:"inputs"`
	Rows     int64                `json:"certificates"`
	Failed   int64                `json:"failed_inputs"`
	Samples  int64                `json:"samples"`
	Seconds  float64              `json:"worker_seconds"`
	Cells    []store.CellProgress `json:"cells,omitempty"`
	Failures []store.Failure      `json:"failures,omitempty"`
	Kinds    map[string]int64     `json:"failures_by_kind"`
	Refused  []matrix.Refusal     `json:"refused"`
}

func (a *app) status(ctx context.Context, q *queue.Queue, run *store.Run) (runStatus, error) {
	counts, err := q.Counts(ctx, run)
	if err != nil {
		return runStatus{}, err
	}
	p, err := q.Store().Progress(ctx, run.Number)
	if err != nil {
		return runStatus{}, err
	}
	kinds, err := q.Store().FailureKinds(ctx, run.Number)
	return runStatus{
		Run: run.ID(), Created: run.Created.UTC(), Shards: run.Shards, Inputs: run.Inputs,
		Counts: map[string]int64{
			"done": counts.Done, "running": counts.Running, "waiting": counts.Waiting, "unsent": counts.Unsent,
			"poisoned": counts.Poisoned, "cancelled": counts.Cancelled,
		},
		Rows: p.Rows, Failed: p.Failed, Samples: p.Samples, Seconds: p.Seconds, Kinds: kinds, Refused: run.Spec.Refusals,
	}, err
}

func (a *app) listRuns(ctx context.Context, q *queue.Queue, runs []*store.Run) error {
	var all []runStatus
	for _, run := range runs {
		s, err := a.status(ctx, q, run)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	if a.json() {
		return writeJSON(a.stdout, map[string]any{"store": q.Store().Name().String(), "runs": all})
	}
	if len(all) == 0 {
		fmt.Fprintf(a.stdout, "no runs in %s\n", q.Store().Name())
		return nil
	}
	t := table.New("run", "created", ">shards", ">done", ">running", ">waiting", ">poisoned", ">cancelled")
	for _, s := range all {
		n := func(key string) string { return fmt.Sprint(s.Counts[key]) }
		t.Row(s.Run[:12], s.Created.Local().Format("2006-01-02 15:04"), fmt.Sprint(s.Shards), n("done"), n("running"), fmt.Sprint(s.Counts["waiting"]+s.Counts["unsent"]), n("poisoned"), n("cancelled"))
	}
	_, err := t.WriteTo(a.stdout)
	return err
}

// showStatus prints one run in full.
func (a *app) showStatus(ctx context.Context, q *queue.Queue, run *store.Run, failures int) error {
	s, err := a.status(ctx, q, run)
	if err != nil {
		return err
	}
	if s.Cells, err = q.Store().Cells(ctx, run.Number); err != nil {
		return err
	}
	if s.Failures, err = q.Store().Failures(ctx, run.Number, failures); err != nil {
		return err
	}
	if a.json() {
		return writeJSON(a.stdout, s)
	}
	cells := table.New("model", "dataset", "noise", ">inputs", ">certified so far", ">failed")
	for _, c := range s.Cells {
		if c.Refused == "" {
			cells.Row(c.Model, c.Dataset, c.Noise, fmt.Sprint(c.Inputs), fmt.Sprint(c.Rows), fmt.Sprint(c.Failed))
		}
	}
	if _, err = cells.WriteTo(a.stdout); err != nil {
		return err
	}
	a.printStatus(s)
	return nil
}

func (a *app) printStatus(s runStatus) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(a.stdout, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(a.stdout)
	line("run", "%s", s.Run)
	line("shards", "%d: %d done, %d running, %d waiting, %d poisoned, %d cancelled",
		s.Shards, s.Counts["done"], s.Counts["running"], s.Counts["waiting"]+s.Counts["unsent"], s.Counts["poisoned"], s.Counts["cancelled"])
	line("inputs", "%d, %d with a certificate, %d of them could not be used", s.Inputs, s.Rows, s.Failed)
	if s.Seconds > 0 {
		line("samples", "%d in %.1f s of work, %.0f a second and worker", s.Samples, s.Seconds, float64(s.Samples)/s.Seconds)
	}
	for _, r := range s.Refused {
		line("refused", "%s%s%s: %s", r.Model, times(r.Dataset), times(r.Noise), r.Reason)
	}
	for _, f := range s.Failures {
		line("failure", "%s shard %d, attempt %d: %s: %s", f.At.Format(time.DateTime), f.Shard, f.Try, f.Kind, f.Message)
		for text := range strings.Lines(lastLines(f.LogTail, 5)) {
			line("", "  | %s", strings.TrimRight(text, "\n"))
		}
	}
}

// lastLines is the end of a log.
func lastLines(text string, n int) string {
	lines := strings.SplitAfter(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}
