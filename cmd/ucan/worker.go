package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"ucan/internal/zoo/cell"
	"ucan/internal/zoo/matrix"
	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/worker"
	"ucan/runtime"
)

// workerOptions are those of worker.
type workerOptions struct {
	storeOptions
	artifactOptions
	workerLimits
	queue        string
	id           string
	exitWhenIdle bool
	follow       bool
}

func (w *workerOptions) declare(o *options) {
	w.storeOptions.declare(o)
	o.text(&w.queue, "worker.queue", "queue", matrix.QueueCPU, "queue to take shards from: cpu or cuda").offers(func() []string { return []string{matrix.QueueCPU, matrix.QueueCUDA} })
	o.on(&w.exitWhenIdle, "worker.exit_when_idle", "exit-when-idle", "end when nothing is left to run, shards of dead workers included")
	o.text(&w.id, "worker.id", "worker-id", "", "name of the process in the store; unique for ever (default: machine, process and a random part)")
	o.on(&w.follow, "worker.follow", "follow-stdin", "stop when standard input ends, as that of a supervisor's child does")
	w.artifactOptions.declare(o)
	w.workerLimits.declare(o)
}

func (w *workerOptions) check(f *faults) {
	w.workerLimits.check(f)
	if err := w.config(f.app).Queue.Validate(); err != nil {
		f.add(&w.queue, "%w", err)
	}
}

func newWorkerCommand(a *app) *cobra.Command {
	o := &workerOptions{}
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Work on the shards of zoo runs",
		Long: `Worker takes shards from a queue of the store, one at a time, until it is stopped; start one process for each provider
slot, on as many machines as you like. SIGTERM lets it finish its shard, or release it after --soft-stop seconds.

A worker verifies the hashes of models and data before it uses them. It ends when its shard was given to another process,
when the store stays away, or when it holds too much memory; whatever starts it should start it again.`,
		Example: `  ucan worker --store postgres://ucan@db.example/ucan --queue cuda --artifacts s3://zoo --metrics 9464
  ucan worker --queue cpu --exit-when-idle`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runWorker(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

// config configures the worker process.
func (w *workerOptions) config(a *app) worker.Config {
	c := worker.DefaultConfig()
	c.Queue.Queue, c.Queue.SoftStop = w.queue, w.softStop()
	c.ExitWhenIdle, c.Metrics = w.exitWhenIdle, w.metrics
	if w.id != "" {
		c.Queue.ID = w.id
	}
	if w.memory > 0 {
		c.Guard.Memory = w.memory << 20
	}
	// A process whose shard belongs to another one must end at once, without cleaning up: see
	// package queue.
	c.Queue.Exit = func(reason error) {
		fmt.Fprintln(a.stderr, errorLine(exitFailed, fmt.Errorf("work on a shard: %w; this process ends, start it again", reason)))
		os.Exit(exitFailed)
	}
	return c
}

func runWorker(ctx context.Context, a *app, o *workerOptions) error {
	if o.follow {
		signal.Ignore(syscall.SIGPIPE) // a supervisor that died reads no more logs; that must not kill us before the shard is released
		var stop context.CancelFunc
		ctx, stop = context.WithCancel(ctx)
		defer stop()
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // only its end matters
			stop()
		}()
	}
	// A worker that is stopped before it took a shard ends in order, as it does later.
	starting := func(err error) error {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // whatever the stop surfaced as
		}
		return err
	}
	q, err := a.openQueue(ctx, o.storeOptions, true)
	if err != nil {
		return starting(err)
	}
	artifacts, err := o.resolver()
	if err != nil {
		return err
	}
	c, config := o.config(a), a.runtimeConfig()
	config.GPU = o.queue != matrix.QueueCPU
	rt, err := runtime.Open(ctx, config)
	if err != nil {
		return starting(err)
	}
	a.onClose(rt.Close)
	executor, err := worker.NewExecutor(&cell.Opener{Runtime: rt, Artifacts: artifacts, CacheDir: cacheFolder(), Version: buildName(), Processor: a.processor}, o.keepOpen)
	if err != nil {
		return err
	}
	a.onClose(executor.Close)
	return ended(a, worker.Run(ctx, q, executor, c, a.log))
}

// ended says how a worker ended: in order after a signal, which is what a service manager expects,
// and when it only wants to be started afresh.
func ended(a *app, err error) error {
	switch {
	case errors.Is(err, worker.ErrRecycle):
		a.log.Info("the worker ends to be started afresh", slog.String("reason", err.Error()))
		return nil
	case errors.Is(err, queue.ErrStore):
		return fmt.Errorf("%w; start the worker again when the store is back", err)
	}
	return err
}
