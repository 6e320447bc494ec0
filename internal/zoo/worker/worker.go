package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/store"
)

// Config says how a worker process works. Start from DefaultConfig.
type Config struct {
	// Queue is that of package queue; Exit and ID must be set there.
	Queue queue.Config
	// Guard watches over time and memory.
	Guard Guard
	// ExitWhenIdle ends the process when nothing is left to run in its queue.
	ExitWhenIdle bool
	// Metrics is the address at which metrics are shown, "" for none.
	Metrics string
	// Recycle is the share of the memory limit, 0 to 1, above which the process ends in order after
	// a shard, to be started afresh: a leak then costs no shard. 0 never does.
	Recycle float64
}

// DefaultConfig works on the queue cpu.
func DefaultConfig() Config {
	return Config{Queue: queue.DefaultConfig(), Guard: defaultGuard(), Recycle: 0.8}
}

// ErrRecycle is the outcome of a process that ended in order to be started afresh, because it holds
// much memory.
var ErrRecycle = errors.New("the worker holds much of the memory that it may, and ends to be started afresh")

// Run works on the queue of a store until ctx ends, or until there is nothing left to do. It
// returns ErrRecycle when it ended for the sake of memory.
func Run(ctx context.Context, q *queue.Queue, executor queue.Executor, c Config, log *slog.Logger) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	metrics := NewMetrics()
	if c.Metrics != "" {
		address, err := metrics.Serve(ctx, c.Metrics, q)
		if err != nil {
			return err
		}
		log.Info("metrics", slog.String("url", "http://"+address+"/metrics"))
	}
	var recycle atomic.Bool
	c.Queue.Guard = c.Guard
	done := c.Queue.Done
	c.Queue.Done = func(task queue.Task, kind string, result *store.ShardResult, elapsed time.Duration) {
		metrics.Done(task, kind, result, elapsed)
		if done != nil {
			done(task, kind, result, elapsed)
		}
		if task.Combination.Model == nil {
			return // the run lacks it
		}
		limit := c.Guard.Limit(task.Combination.Model.Limits.Memory)
		if err := c.Guard.checkMemory(int64(float64(limit) * c.Recycle)); err != nil {
			log.Warn("the worker will be started afresh", slog.String("reason", err.Error()))
			recycle.Store(true)
			stop()
		}
	}
	log.Info("worker", slog.String("id", c.Queue.ID), slog.String("queue", c.Queue.Queue), slog.String("store", q.Store().Name().String()))
	err := q.Work(ctx, c.Queue, executor, c.ExitWhenIdle)
	if err == nil && recycle.Load() {
		return ErrRecycle
	}
	if err != nil {
		return fmt.Errorf("work on the queue %s: %w", c.Queue.Queue, err)
	}
	return nil
}
