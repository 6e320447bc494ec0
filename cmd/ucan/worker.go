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
	"time"

	"github.com/spf13/cobra"

	"ucan/internal/zoo/cell"
	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/worker"
	"ucan/runtime"
)

func newWorkerCommand(a *app) *cobra.Command {
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
		RunE: func(cmd *cobra.Command, _ []string) error { return runWorker(cmd.Context(), a) },
	}
	addSettings(cmd.Flags(), "zoo.store", "worker.queue", "worker.exit_when_idle", "worker.metrics", "worker.memory", "worker.keep_open",
		"worker.soft_stop", "zoo.artifacts", "zoo.cache", "zoo.cache_size", "worker.id", "worker.follow")
	return cmd
}

// workerConfig reads the settings of a worker process.
func (a *app) workerConfig(r *values) (worker.Config, error) {
	c := worker.DefaultConfig()
	c.Queue.Queue = r.text("worker.queue")
	c.ExitWhenIdle, c.Metrics = r.flag("worker.exit_when_idle"), r.text("worker.metrics")
	if id := r.text("worker.id"); id != "" {
		c.Queue.ID = id
	}
	if seconds := r.float("worker.soft_stop"); seconds > 0 && seconds < 1e6 {
		c.Queue.SoftStop = time.Duration(seconds * float64(time.Second))
	} else {
		r.fault("worker.soft_stop", "%s is no positive number of seconds", r.text("worker.soft_stop"))
	}
	if limit := r.int("worker.memory", 0, 1<<30) << 20; limit > 0 {
		c.Guard.Memory = limit
	}
	// A process whose shard belongs to another one must end at once, without cleaning up: see package queue.
	c.Queue.Exit = func(reason error) {
		fmt.Fprintln(a.stderr, errorLine(exitFailed, fmt.Errorf("work on a shard: %w; this process ends, start it again", reason)))
		os.Exit(exitFailed)
	}
	if err := c.Queue.Validate(); err != nil {
		r.fault("worker.queue", "%s", err)
	}
	return c, r.err()
}

func runWorker(ctx context.Context, a *app) error {
	r := a.values()
	c, err := a.workerConfig(r)
	if err != nil {
		return err
	}
	keep := int(r.int("worker.keep_open", 1, 1000))
	if err = r.err(); err != nil {
		return err
	}
	if r.flag("worker.follow") {
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
	q, err := a.openQueue(ctx, r, true)
	if err != nil {
		return starting(err)
	}
	artifacts, err := a.artifacts(r)
	if err != nil {
		return err
	}
	config := a.runtimeConfig()
	config.GPU = c.Queue.Queue != "cpu"
	rt, err := runtime.Open(ctx, config)
	if err != nil {
		return starting(err)
	}
	a.onClose(rt.Close)
	executor, err := worker.NewExecutor(&cell.Opener{Runtime: rt, Artifacts: artifacts, CacheDir: cacheFolder(), Version: buildName(), Processor: a.processor}, keep)
	if err != nil {
		return err
	}
	a.onClose(executor.Close)
	return ended(a, worker.Run(ctx, q, executor, c, a.log))
}

// ended says how a worker ended: in order after a signal, which is what a service manager expects, and when it only
// wants to be started afresh.
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
