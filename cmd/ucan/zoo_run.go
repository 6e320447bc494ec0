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
	"ucan/internal/zoo/matrix"
	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/store"
	"ucan/internal/zoo/supervise"
	"ucan/internal/zoo/worker"
	"ucan/runtime"
)

// superviseOptions are those of zoo run.
type superviseOptions struct {
	submitOptions
	workerLimits
	out     string
	workers int
}

func (s *superviseOptions) declare(o *options) {
	s.submitOptions.declare(o)
	declareZooWorkers(o, &s.workers, maxThreads)
	s.workerLimits.declare(o)
	declareZooOut(o, &s.out)
}

func (s *superviseOptions) check(f *faults) { s.workerLimits.check(f) }

func newZooRunCommand(a *app) *cobra.Command {
	o := &superviseOptions{}
	cmd := &cobra.Command{
		Use:   "run zoo.yaml",
		Short: "Certify a zoo: plan, enqueue, work and write the certificates",
		Long: `Run looks at every model and data source of the zoo, stores the run, and keeps worker processes at work until it is done.
Then it writes certificates.tsv, certificates.jsonl and refused.tsv into the folder --out.

The same command goes on with a run that was interrupted, whatever interrupted it; shards that had been cancelled or
given up get another chance. Models and pairs that cannot be certified soundly are listed in refused.tsv.`,
		Example: `  ucan zoo run zoo.yaml --workers 4 --out results
  ucan zoo run zoo.yaml --store postgres://ucan@db.example/ucan --out results`,
		Args: oneArgument("one zoo.yaml"),
		RunE: func(cmd *cobra.Command, args []string) error { return runZooRun(cmd.Context(), a, o, args[0]) },
	}
	a.bind(cmd, o)
	return cmd
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

func runZooRun(ctx context.Context, a *app, o *superviseOptions, file string) error {
	q, run, err := a.submitZoo(ctx, &o.submitOptions, file)
	if err != nil {
		return err
	}
	if o.metrics != "" {
		taken, serveErr := worker.NewMetrics().Serve(ctx, o.metrics, q)
		if serveErr != nil {
			return serveErr
		}
		a.note("metrics: http://%s/metrics", taken)
	}
	counts, err := a.superviseRun(ctx, q, run, o)
	if err != nil {
		if ctx.Err() != nil {
			return interruptedRun(ctx, q, run)
		}
		return err
	}
	if run, err = q.Store().Find(ctx, run.ID()); err != nil {
		return err
	}
	if o.out != "" {
		if _, err = a.exportRun(ctx, q.Store(), run.ID(), o.out, false); err != nil {
			return err
		}
		a.note("certificates: %s", o.out)
	}
	return a.presentRun(ctx, q, run, counts, o.strict)
}

// interruptedRun is the error of a run that was interrupted: it says what the store holds by now,
// since workers finish shards after the interruption, too.
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
func (a *app) superviseRun(ctx context.Context, q *queue.Queue, run *store.Run, o *superviseOptions) (queue.Counts, error) {
	c := supervise.DefaultConfig()
	c.Workers = workersOf(run.Spec, o.workers)
	executable, err := os.Executable()
	if err != nil {
		return queue.Counts{}, fmt.Errorf("find the program itself: %w", err)
	}
	environment := a.workerEnvironment(o, q.Store().Name().URL())
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

// workerArguments are those of a child process. Every user of the machine sees them, so options,
// which may hold a password, go by the environment.
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

// workerEnvironment hands the options of workers to child processes, the store's password among
// them, which is why they do not stand in the command line.
func (a *app) workerEnvironment(o *superviseOptions, storeURL string) []string {
	environment := os.Environ()
	if os.Getenv("GOTRACEBACK") == "" {
		environment = append(environment, "GOTRACEBACK=single") // a crash in a provider must not bury its message
	}
	for _, into := range []any{
		&a.global.config, &a.global.logLevel, &a.global.library, &o.location, &o.cache, &o.cacheMiB, &o.memory, &o.keepOpen, &o.seconds,
	} {
		if s := a.asked.of(into); a.asked.changed(into) {
			environment = append(environment, s.variable()+"="+text(a.viper.Get(s.key)))
		}
	}
	return append(environment, a.asked.of(&o.store).variable()+"="+storeURL, a.asked.of(&o.metrics).variable()+"=")
}

// presentRun sums up a run that has ended, and says what is wrong with it.
func (a *app) presentRun(ctx context.Context, q *queue.Queue, run *store.Run, counts queue.Counts, strict bool) error {
	if err := a.showStatus(ctx, q, run, shownFailures); err != nil {
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
	return strictly(strict, run.Spec)
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
