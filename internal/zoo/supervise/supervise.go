package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/store"
)

// ErrWorkers says that no worker can be started that works.
var ErrWorkers = errors.New("the workers do not start")

// Config configures how a run is supervised. Start from [DefaultConfig].
type Config struct {
	// Workers is the number of processes for each queue.
	Workers map[string]int
	// Command makes the command of a worker that takes the name id, logs to its output and stops
	// when its standard input ends.
	Command func(queue, id string) *exec.Cmd
	// Progress is told how far the run is, about twice a second; nil for nobody.
	Progress func(queue.Counts, store.Progress)
	// Line is told every line of a worker's log; nil for nobody.
	Line func(worker, line string)
	// Stop is how long workers may take to end before they are killed.
	Stop time.Duration
	// Patience is how long an unreachable store is waited for.
	Patience time.Duration
	// MaxFailures is how many processes of one slot may end in a row without having worked before
	// the run is given up.
	MaxFailures int
}

// DefaultConfig allows workers 45 s to stop (a shard takes 10 s, the queue 20 s), and the store
// two minutes to come back.
func DefaultConfig() Config {
	return Config{Stop: 45 * time.Second, Patience: 2 * time.Minute, MaxFailures: 5}
}

// Run keeps workers at work until every shard is done, poisoned or cancelled, or ctx ends;
// another call goes on.
func Run(ctx context.Context, q *queue.Queue, run *store.Run, c Config, log *slog.Logger) (queue.Counts, error) {
	s := &supervisor{queue: q, run: run, config: c, log: log, causes: map[string]queue.Cause{}}
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var slots sync.WaitGroup
	for name, n := range c.Workers {
		for range n {
			slots.Go(func() {
				if err := s.slot(working, name); err != nil {
					stop(err)
				}
			})
		}
	}
	counts, err := s.watch(working)
	stop(nil)
	slots.Wait()
	// The shards of workers that had to be killed are freed, so that whoever goes on need not wait.
	if _, reapErr := q.Reap(context.WithoutCancel(ctx), s.cause); reapErr != nil {
		log.Warn("cannot free the last shards", "error", reapErr)
	}
	if cause := context.Cause(working); errors.Is(cause, ErrWorkers) {
		return counts, cause
	}
	return counts, err
}

type supervisor struct {
	queue  *queue.Queue
	run    *store.Run
	config Config
	log    *slog.Logger

	mutex  sync.Mutex
	causes map[string]queue.Cause // of workers that died
}

func (s *supervisor) cause(worker string) queue.Cause {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.causes[worker]
}

// pause is how long a slot waits after its n-th death in a row: not at all at first, then from a
// quarter of a second to half a minute.
func pause(n int) time.Duration {
	if n <= 1 {
		return 0
	}
	return min(30*time.Second, 250*time.Millisecond<<min(n-2, 10))
}

// healthy is how long a worker must have lived for its death to count as the first.
const healthy = 10 * time.Second

// slot keeps one worker process at work until ctx ends.
func (s *supervisor) slot(ctx context.Context, name string) error {
	deaths, useless := 0, 0
	for ctx.Err() == nil {
		id := queue.NewID()
		c, err := spawn(id, s.config.Command(name, id), s.config.Line)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrWorkers, err)
		}
		select {
		case <-ctx.Done():
			if c.stop(s.config.Stop); c.err != nil {
				s.recordDeath(ctx, id, c.cause())
			}
			return nil
		case <-c.ended:
			_ = c.stdin.Close()
		}
		if time.Since(c.started) > healthy {
			deaths = 0
		}
		deaths++
		if c.err == nil { // it ended in order, for the sake of memory or because nothing was left
			deaths, useless = 0, 0
			sleep(ctx, 500*time.Millisecond)
			continue
		}
		cause := c.cause()
		s.recordDeath(ctx, id, cause)
		if s.worked(ctx, id, cause) {
			useless = 0
		} else if useless++; useless >= s.config.MaxFailures {
			return fmt.Errorf("%w: %d of them ended in a row without having worked on anything, the last one: %s", ErrWorkers, useless, cause.Message)
		}
		sleep(ctx, pause(deaths))
	}
	return nil
}

// recordDeath frees the shard of a dead worker and keeps the end of its log.
func (s *supervisor) recordDeath(ctx context.Context, id string, cause queue.Cause) {
	ctx = context.WithoutCancel(ctx)
	s.log.Warn("a worker died", "worker", id, "cause", cause.Message)
	s.mutex.Lock()
	s.causes[id] = cause
	s.mutex.Unlock()
	_, err := s.queue.Reap(ctx, s.cause)
	if err = errors.Join(err, s.queue.Store().AddLogTail(ctx, id, cause.Kind, cause.Message, cause.LogTail)); err != nil {
		s.log.Warn("cannot keep the end of a worker's log", "worker", id, "error", err)
	}
	s.mutex.Lock()
	delete(s.causes, id)
	s.mutex.Unlock()
}

// worked reports whether a worker did anything before it died. It is not blamed while the store
// is away, or when it was killed from outside.
func (s *supervisor) worked(ctx context.Context, id string, cause queue.Cause) bool {
	if cause.Kind == "killed" {
		return true
	}
	touched, err := s.queue.Store().Touched(ctx, id)
	return touched || err != nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// watch follows the run until it is done or ctx ends.
func (s *supervisor) watch(ctx context.Context) (counts queue.Counts, err error) {
	answered, still := time.Now(), 0
	for {
		began := time.Now()
		counts, err = s.look(ctx)
		switch {
		case ctx.Err() != nil:
			return counts, ctx.Err()
		case err == nil:
			answered = time.Now()
		case !errors.Is(err, store.ErrUnavailable) || time.Since(answered) > s.config.Patience:
			return counts, err
		default:
			s.log.Warn("waiting for the store", "error", err)
		}
		if err == nil && counts.Running == 0 && counts.Waiting+counts.Unsent == 0 {
			if again, auditErr := s.queue.Audit(ctx, s.run); auditErr != nil || again == 0 {
				return counts, auditErr
			}
		}
		// A shard that is neither done nor to be done, for several looks in a row, was completed
		// without its results.
		if still = s.stuck(ctx, counts, err, still); still >= 6 {
			if again, auditErr := s.queue.Audit(ctx, s.run); auditErr == nil && again > 0 {
				s.log.Warn("shards without results go again", "shards", again)
			}
			still = 0
		}
		// Looking costs the store little even when it takes long.
		sleep(ctx, max(500*time.Millisecond, 20*time.Since(began)))
	}
}

func (s *supervisor) stuck(ctx context.Context, counts queue.Counts, err error, still int) int {
	if err != nil || counts.Running > 0 || counts.Waiting == 0 {
		return 0
	}
	available, err := s.queue.Available(ctx, s.run.Number)
	if err != nil || available {
		return 0
	}
	return still + 1
}

func (s *supervisor) look(ctx context.Context) (queue.Counts, error) {
	counts, err := s.queue.Counts(ctx, s.run)
	if err != nil || s.config.Progress == nil {
		return counts, err
	}
	progress, err := s.queue.Store().Progress(ctx, s.run.Number)
	if err == nil {
		s.config.Progress(counts, progress)
	}
	return counts, err
}
