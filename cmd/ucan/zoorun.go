package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ucan/internal/progress"
	"ucan/internal/zoo/artifact"
	"ucan/internal/zoo/matrix"
	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/store"
	"ucan/internal/zoo/supervise"
	"ucan/internal/zoo/worker"
	"ucan/runtime"
)

func newZooRunCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run zoo.yaml",
		Short: "Certify a zoo: plan, enqueue, work and write the certificates",
		Long: `Run looks at every model and data source of the zoo, stores the run, and keeps worker processes at work until it is done.
Then it writes certificates.tsv, certificates.jsonl and refused.tsv into the folder --out.

The same command goes on with a run that was interrupted, whatever interrupted it; shards that had been cancelled or
given up get another chance. Models and pairs that cannot be certified soundly are listed in refused.tsv.`,
		Example: `  ucan zoo run zoo.yaml --workers 4 --out results
  ucan zoo run zoo.yaml --store postgres://ucan@db.example/ucan --out results`,
		Args: oneZoo,
		RunE: func(cmd *cobra.Command, args []string) error { return runZooRun(cmd.Context(), a, args[0]) },
	}
	addSettings(cmd.Flags(), append([]string{"zoo.out", "zoo.workers", "zoo.strict", "worker.metrics", "worker.memory", "worker.keep_open", "worker.soft_stop"}, submitKeys...)...)
	return cmd
}

func newZooSubmitCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "submit zoo.yaml",
		Short: "Store and enqueue a zoo's run for workers that run elsewhere",
		Long: `Submit looks at every model and data source of the zoo, stores the run and enqueues its shards; workers that listen to the
store do the rest (see "ucan worker"). With --artifacts it first puts models and data where all machines find them.
Submitting again what was submitted before only adds what is missing.`,
		Example: `  ucan zoo submit zoo.yaml --store postgres://ucan@db.example/ucan --artifacts s3://zoo`,
		Args:    oneZoo,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, run, err := a.submitZoo(cmd.Context(), a.values(), args[0])
			if err == nil {
				err = a.presentSubmission(run)
			}
			return err
		},
	}
	addSettings(cmd.Flags(), append([]string{"zoo.strict"}, submitKeys...)...)
	return cmd
}

var submitKeys = []string{"zoo.store", "zoo.attempts", "zoo.artifacts", "zoo.cache", "zoo.cache_size"}

// presentSubmission prints what was submitted.
func (a *app) presentSubmission(run *store.Run) error {
	if a.json() {
		return writeJSON(a.stdout, map[string]any{"run": run.ID(), "shards": run.Shards, "inputs": run.Inputs, "refused": len(run.Spec.Refusals)})
	}
	fmt.Fprintf(a.stdout, "run %s: %d shards, %d inputs, %d refused\n", run.ID(), run.Shards, run.Inputs, len(run.Spec.Refusals))
	return strictly(a.values(), run.Spec)
}

// submitZoo stores and enqueues the run of a zoo, or finds it and sets going again what was cancelled or given up.
func (a *app) submitZoo(ctx context.Context, r *values, file string) (*queue.Queue, *store.Run, error) {
	options := queue.DefaultSubmission()
	options.Attempts = int(r.int("zoo.attempts", 1, 1000))
	depot, err := a.depot(r)
	if err = errors.Join(err, r.err()); err != nil {
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
	q, err := a.openQueue(ctx, r, true)
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

func times(name string) string {
	if name == "" {
		return ""
	}
	return " × " + name
}

func (a *app) zooProgress(total, done int64, unit string) progress.Options {
	o := progress.DefaultOptions(a.progressWriter(), total, unit)
	o.Done = done
	return o
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

func runZooRun(ctx context.Context, a *app, file string) error {
	r := a.values()
	out, workers := r.text("zoo.out"), int(r.int("zoo.workers", 0, 4096))
	if err := r.err(); err != nil {
		return err
	}
	q, run, err := a.submitZoo(ctx, r, file)
	if err != nil {
		return err
	}
	if address := r.text("worker.metrics"); address != "" {
		taken, serveErr := worker.NewMetrics().Serve(ctx, address, q)
		if serveErr != nil {
			return serveErr
		}
		a.note("metrics: http://%s/metrics", taken)
	}
	counts, err := a.superviseRun(ctx, q, run, workers)
	if err != nil {
		if ctx.Err() != nil {
			return interruptedRun(ctx, q, run)
		}
		return err
	}
	if run, err = q.Store().Find(ctx, run.ID()); err != nil {
		return err
	}
	if out != "" {
		if _, err = a.exportRun(ctx, q.Store(), run.ID(), out, false); err != nil {
			return err
		}
		a.note("certificates: %s", out)
	}
	return a.presentRun(ctx, q, run, counts)
}

// interruptedRun is the error of a run that was interrupted: it says what the store holds by now, since workers finish
// shards after the interruption, too.
func interruptedRun(ctx context.Context, q *queue.Queue, run *store.Run) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	counts, err := q.Counts(ctx, run)
	if err != nil {
		return errors.New("interrupted: finished shards are kept; run the same command again to go on")
	}
	return fmt.Errorf("interrupted: %d of %d shards are finished and kept; run the same command again to go on", counts.Done, run.Shards)
}

// superviseRun keeps workers at work on the run.
func (a *app) superviseRun(ctx context.Context, q *queue.Queue, run *store.Run, workers int) (queue.Counts, error) {
	c := supervise.DefaultConfig()
	c.Workers = workersOf(run.Spec, workers)
	executable, err := os.Executable()
	if err != nil {
		return queue.Counts{}, fmt.Errorf("find the program itself: %w", err)
	}
	environment := a.workerEnvironment(q.Store().Name().URL())
	c.Command = func(name, id string) *exec.Cmd {
		command := exec.Command(executable, workerArguments(name, id)...) // ends by its standard input
		command.Env = environment
		return command
	}
	before, err := q.Counts(ctx, run)
	if err != nil {
		return before, err
	}
	bar := progress.New(a.progressWriter(), a.zooProgress(run.Shards, before.Done, "shards"))
	defer bar.Close()
	shown := before.Done
	c.Progress = func(counts queue.Counts, _ store.Progress) {
		bar.Add(counts.Done - shown)
		shown = counts.Done
	}
	c.Line = func(id, line string) { bar.Message("%s: %s", id, line) }
	return supervise.Run(ctx, q, run, c, a.log)
}

// workerArguments are those of a child process. Every user of the machine sees them, so settings, which may hold a
// password, go by the environment.
func workerArguments(queue, id string) []string {
	return []string{"worker", "--queue", queue, "--worker-id", id, "--follow-stdin"}
}

// workersOf is how many processes work on each queue that the run uses.
func workersOf(run *matrix.Run, wanted int) map[string]int {
	threads := map[string]int{}
	for _, cell := range run.Cells {
		if m, ok := run.Model(cell.Model); ok {
			name := m.Runtime.Queue()
			threads[name] = max(threads[name], m.Runtime.Threads, 1)
		}
	}
	counts := map[string]int{}
	for name, n := range threads {
		switch {
		case wanted > 0:
			counts[name] = wanted
		case name == matrix.QueueCPU:
			counts[name] = max(1, runtime.CPUCount()/n)
		default:
			counts[name] = 1
		}
	}
	return counts
}

// workerEnvironment hands the settings of workers to child processes, the store's password among them, which is why
// they do not stand in the command line.
func (a *app) workerEnvironment(storeURL string) []string {
	environment := os.Environ()
	if os.Getenv("GOTRACEBACK") == "" {
		environment = append(environment, "GOTRACEBACK=single") // a crash in a provider must not bury its message
	}
	values := a.values()
	for _, key := range []string{
		"config", "log_level", "runtime.library", "zoo.artifacts", "zoo.cache", "zoo.cache_size", "worker.memory", "worker.keep_open", "worker.soft_stop",
	} {
		if values.changed(key) {
			environment = append(environment, findSetting(key).variable()+"="+values.text(key))
		}
	}
	return append(environment, findSetting("zoo.store").variable()+"="+storeURL, findSetting("worker.metrics").variable()+"=")
}

// presentRun sums up a run that has ended, and says what is wrong with it.
func (a *app) presentRun(ctx context.Context, q *queue.Queue, run *store.Run, counts queue.Counts) error {
	if err := a.showStatus(ctx, q, run); err != nil {
		return err
	}
	done, err := q.Store().Progress(ctx, run.Number)
	if err != nil {
		return err
	}
	switch {
	case counts.Poisoned > 0:
		return fmt.Errorf("certify the zoo: %d shards failed in every attempt (%s); mend the cause and run the same command again", counts.Poisoned, a.lastFailure(ctx, q, run))
	case counts.Cancelled > 0:
		return fmt.Errorf("certify the zoo: %d shards were cancelled; run the same command again to go on", counts.Cancelled)
	case done.Failed > 0:
		return fmt.Errorf("certify the zoo: %d of %d inputs could not be used, see the rows with status failed", done.Failed, done.Rows)
	}
	return strictly(a.values(), run.Spec)
}

// lastFailure says in a few words why the newest failed attempt failed.
func (a *app) lastFailure(ctx context.Context, q *queue.Queue, run *store.Run) string {
	failures, err := q.Store().Failures(ctx, run.Number, 1)
	if err != nil || len(failures) == 0 {
		return "\"ucan zoo status\" shows why"
	}
	f := failures[0]
	return fmt.Sprintf("%s: %s", f.Kind, strings.TrimRight(f.Message, "."))
}
