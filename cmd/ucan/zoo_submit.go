package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ucan/internal/progress"
	"ucan/internal/zoo/artifact"
	"ucan/internal/zoo/matrix"
	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/store"
)

// submitOptions are those of zoo submit; zoo run has them as well.
type submitOptions struct {
	storeOptions
	artifactOptions
	attempts int
	strict   bool
}

func (s *submitOptions) declare(o *options) {
	s.storeOptions.declare(o)
	o.count(&s.attempts, "zoo.attempts", "attempts", 5, 1, 1000, "how often a shard is tried before it is given up")
	declareStrict(o, &s.strict)
	s.artifactOptions.declare(o)
}

func (*submitOptions) check(*faults) {}

func newZooSubmitCommand(a *app) *cobra.Command {
	o := &submitOptions{}
	cmd := &cobra.Command{
		Use:   "submit zoo.yaml",
		Short: "Store and enqueue a zoo's run for workers that run elsewhere",
		Long: `Submit looks at every model and data source of the zoo, stores the run and enqueues its shards; workers that listen to the
store do the rest (see "ucan worker"). With --artifacts it first puts models and data where all machines find them.
Submitting again what was submitted before only adds what is missing.`,
		Example: `  ucan zoo submit zoo.yaml --store postgres://ucan@db.example/ucan --artifacts s3://zoo`,
		Args:    oneArgument("one zoo.yaml"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, run, err := a.submitZoo(cmd.Context(), o, args[0])
			if err == nil {
				err = a.presentSubmission(run, o.strict)
			}
			return err
		},
	}
	a.bind(cmd, o)
	return cmd
}

// presentSubmission prints what was submitted.
func (a *app) presentSubmission(run *store.Run, strict bool) error {
	if a.json() {
		return writeJSON(a.stdout, map[string]any{"run": run.ID(), "shards": run.Shards, "inputs": run.Inputs, "refused": len(run.Spec.Refusals)})
	}
	fmt.Fprintf(a.stdout, "run %s: %d shards, %d inputs, %d refused\n", run.ID(), run.Shards, run.Inputs, len(run.Spec.Refusals))
	return strictly(strict, run.Spec)
}

// submitZoo stores and enqueues the run of a zoo, or finds it and sets going again what was
// cancelled or given up.
func (a *app) submitZoo(ctx context.Context, o *submitOptions, file string) (*queue.Queue, *store.Run, error) {
	options := queue.DefaultSubmission()
	options.Attempts = o.attempts
	depot, err := o.depot()
	if err != nil {
		return nil, nil, err
	}
	resolved, _, err := a.loadZoo(ctx, file)
	if err != nil {
		return nil, nil, err
	}
	for _, refusal := range resolved.Refusals {
		a.note("refused: %s%s%s: %s", refusal.Model, times(refusal.Dataset), times(refusal.Noise), refusal.Reason)
	}
	if depot != nil {
		if err = a.publish(ctx, depot, resolved); err != nil {
			return nil, nil, err
		}
	}
	q, err := a.openQueue(ctx, o.storeOptions, true)
	if err != nil {
		return nil, nil, err
	}
	run, err := q.Store().CreateRun(ctx, resolved)
	if err != nil {
		return nil, nil, err
	}
	a.note("run %.12s: %d cells, %d shards, %d inputs; %s", run.ID(), len(run.Spec.Cells), run.Shards, run.Inputs, q.Store().Name())
	again, err := q.Retry(ctx, run.Number)
	if err != nil {
		return nil, nil, err
	}
	if again > 0 {
		a.note("%d shards that had been cancelled or given up go again", again)
	}
	bar := progress.New(a.progressWriter(), a.zooProgress(run.Shards, run.Enqueued, "shards enqueued"))
	before := run.Enqueued
	options.Progress = func(enqueued int64) {
		bar.Add(enqueued - before)
		before = enqueued
	}
	if before < run.Shards {
		err = q.Enqueue(ctx, run, options)
		bar.Close()
	}
	return q, run, err
}

// publish puts the files of a run where all machines find them.
func (a *app) publish(ctx context.Context, depot artifact.Depot, run *matrix.Run) error {
	var items []artifact.Item
	for _, m := range run.Models {
		items = append(items, m.File)
		if m.Denoiser != nil {
			items = append(items, *m.Denoiser)
		}
	}
	for _, d := range run.Datasets {
		items = append(items, d.Paths...)
		if d.Labels != nil {
			items = append(items, *d.Labels)
		}
	}
	for _, n := range run.Noise {
		items = append(items, n.Files...)
	}
	return artifact.Publish(ctx, depot, items, func(ref artifact.Ref) { a.note("published %s", ref.Name) })
}
