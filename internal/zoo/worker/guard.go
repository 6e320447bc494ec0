package worker

import (
	"context"
	"fmt"
	"time"

	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/store"
)

// Guard ends a process whose shard does not heed its time limit, or which holds too much memory: a
// call into a provider may never come back, and a session may leak.
type Guard struct {
	// Memory is the most bytes that the process may hold, 0 for no limit beyond the model's own and
	// the control group's.
	Memory int64
	// Resident measures what the process holds.
	Resident func() (int64, error)
	// Every is the pace of watching, Grace how long a shard may overrun its limit before the
	// process ends.
	Every, Grace time.Duration
}

// defaultGuard looks four times a second and allows ten seconds.
func defaultGuard() Guard {
	return Guard{Memory: groupLimit(), Resident: resident, Every: 250 * time.Millisecond, Grace: 10 * time.Second}
}

var _ queue.Guard = Guard{}

// Limit is the most bytes that a process may hold while it works on a model with a limit of its
// own.
func (g Guard) Limit(model int64) int64 {
	switch {
	case g.Memory == 0:
		return model
	case model == 0:
		return g.Memory
	}
	return min(g.Memory, model)
}

// Watch implements queue.Guard.
func (g Guard) Watch(ctx context.Context, _ *store.Run, task queue.Task) error {
	limits := task.Combination.Model.Limits
	memory, limit := g.Limit(limits.Memory), limits.Timeout
	begin, tick := time.Now(), time.NewTicker(g.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if limit > 0 && time.Since(begin).Seconds() > limit+g.Grace.Seconds() {
			return timeout(limit)
		}
		if err := g.checkMemory(memory); err != nil {
			return err
		}
	}
}

func (g Guard) checkMemory(limit int64) error {
	if limit == 0 {
		return nil
	}
	// On a system that cannot say, there is no limit.
	if held, err := g.Resident(); err == nil && held > limit {
		return &queue.Failure{Kind: "memory", Err: fmt.Errorf("the worker holds %d MiB of memory, and its limit is %d MiB; raise runtime.memory, or lower the model's batch", held>>20, limit>>20)}
	}
	return nil
}
