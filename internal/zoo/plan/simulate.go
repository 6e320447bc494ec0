package plan

import (
	"container/heap"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Scenario is a fleet of workers that a run is simulated on. Start from [DefaultScenario].
type Scenario struct {
	// Workers are the sizes of fleet to simulate, each 1 to [MaxWorkers].
	Workers []int
	// MTBF is the mean time between the random (exponential) failures of one worker, in seconds
	// of its work; 0 for none.
	MTBF float64
	// Detect is the time from a worker's death until its shard is available again.
	Detect float64
	// Restart is the time until a dead worker works again.
	Restart float64
	// Rate is the number of shards a second that the database hands out and completes; 0 for no
	// limit.
	Rate float64
	// Setup is the time before a worker's first shard, and again after each restart.
	Setup float64
	Seed  uint64
}

const MaxWorkers = 1_000_000

// DefaultScenario is fleets of 1 to 10,000 workers that each fail once a day, with the times and
// the rate that were measured on two processors (docs/scale.md).
func DefaultScenario() Scenario {
	return Scenario{Workers: []int{1, 10, 100, 1000, 10000}, MTBF: 86400, Detect: 2, Restart: 10, Rate: 385, Seed: 1}
}

// ParseScenario reads "workers=1/100/10000,mtbf=24h,detect=2s,restart=10s,rate=385,setup=1s,seed=1"
// over the default scenario; mtbf=off and rate=off take the limit away.
func ParseScenario(text string) (Scenario, error) {
	s := DefaultScenario()
	var errs []error
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			errs = append(errs, fmt.Errorf("%q is not NAME=VALUE", part))
			continue
		}
		if err := s.set(name, value); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		errs = append(errs, s.Validate())
	}
	return s, errors.Join(errs...)
}

func (s *Scenario) set(name, value string) (err error) {
	spans := map[string]*float64{"mtbf": &s.MTBF, "detect": &s.Detect, "restart": &s.Restart, "setup": &s.Setup}
	switch {
	case name == "workers":
		s.Workers = nil
		for text := range strings.SplitSeq(value, "/") {
			k, parseErr := strconv.Atoi(text)
			if parseErr != nil {
				return fmt.Errorf("workers=%s: %q is not a whole number; write workers=1/100/10000", value, text)
			}
			s.Workers = append(s.Workers, k)
		}
		return nil
	case (name == "rate" || name == "mtbf") && value == "off":
		if name == "rate" {
			s.Rate = 0
		} else {
			s.MTBF = 0
		}
		return nil
	case name == "rate":
		if s.Rate, err = strconv.ParseFloat(value, 64); err != nil {
			return fmt.Errorf("rate=%s: give a number of shards a second, such as 385, or off", value)
		}
		return nil
	case name == "seed":
		if s.Seed, err = strconv.ParseUint(value, 10, 64); err != nil {
			return fmt.Errorf("seed=%s: give a whole number, 0 or more", value)
		}
		return nil
	case spans[name] != nil:
		if *spans[name], err = strconv.ParseFloat(value, 64); err != nil {
			var d time.Duration
			if d, err = time.ParseDuration(value); err != nil {
				return fmt.Errorf("%s=%s: give a length of time: seconds, or 10s, 24h", name, value)
			}
			*spans[name] = d.Seconds()
		}
		return nil
	}
	return fmt.Errorf("unknown parameter %q: use workers, mtbf, detect, restart, rate, setup or seed", name)
}

// Validate reports every value out of range.
func (s Scenario) Validate() error {
	var errs []error
	if len(s.Workers) == 0 {
		errs = append(errs, errors.New("no number of workers is given"))
	}
	for _, k := range s.Workers {
		if k < 1 || k > MaxWorkers {
			errs = append(errs, fmt.Errorf("%d workers are out of range; give 1 to %d", k, MaxWorkers))
		}
	}
	for name, v := range map[string]float64{"mtbf": s.MTBF, "detect": s.Detect, "restart": s.Restart, "rate": s.Rate, "setup": s.Setup} {
		if !(v >= 0) || math.IsInf(v, 0) {
			errs = append(errs, fmt.Errorf("%s is %v; give 0 or more", name, v))
		}
	}
	return errors.Join(errs...)
}

// Outcome is what a simulated fleet makes of a run. Times are in seconds.
type Outcome struct {
	Workers int `json:"workers"`
	// Work is the sum of the shards' times, Longest the longest of them.
	Shards  int64   `json:"shards"`
	Work    float64 `json:"work_seconds"`
	Longest float64 `json:"longest_seconds"`
	// Makespan is the time until the last shard is complete.
	Makespan float64 `json:"makespan_seconds"`
	// Ideal is Work / Workers, or Longest where that is more: no fleet is faster.
	Ideal float64 `json:"ideal_seconds"`
	// Overhead is Makespan / Ideal − 1.
	Overhead float64 `json:"overhead"`
	// Failures counts the deaths of workers, Lost the work that they undid.
	Failures int64   `json:"failures"`
	Lost     float64 `json:"lost_seconds"`
	// Database is the share of the makespan in which the database was busy.
	Database float64 `json:"database_busy"`
}

// ErrTooManyFailures marks a scenario in which workers die so often that shards of this length are
// never done.
var ErrTooManyFailures = errors.New("shards hardly ever finish between two failures; make them shorter (shard_size), or give a longer mtbf")

// Simulate runs the shards, in their order, on k workers. Each takes the next shard from the
// database, which serves one request after another at Rate, works for the shard's time, and may
// die: then the shard is first in line after Detect, and the worker works again after Restart and
// Setup. Memory grows with the workers alone.
func (s Scenario) Simulate(k int, shards iter.Seq[float64]) (Outcome, error) {
	if err := s.Validate(); err != nil {
		return Outcome{}, fmt.Errorf("simulate: %w", err)
	}
	if k < 1 || k > MaxWorkers {
		return Outcome{}, fmt.Errorf("simulate: %d workers are out of range; give 1 to %d", k, MaxWorkers)
	}
	next, stop := iter.Pull(shards)
	defer stop()
	f := fleet{Scenario: s, next: next, rng: newRand(s.Seed), out: Outcome{Workers: k}}
	for range k {
		f.push(event{at: s.Setup, kind: workerFree})
	}
	if err := f.run(); err != nil {
		return f.out, err
	}
	o := &f.out
	o.Ideal = math.Max(o.Work/float64(k), o.Longest)
	if o.Ideal > 0 {
		o.Overhead = o.Makespan/o.Ideal - 1
	}
	if o.Makespan > 0 {
		o.Database = f.served / o.Makespan
	}
	return *o, nil
}

// newRand returns the random numbers of a simulation; the same seed gives the same run everywhere.
func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x5eed)) }

type eventKind uint8

const (
	workerFree    eventKind = iota // a worker asks for a shard
	shardComplete                  // a worker has finished one, and asks for the next
	shardBack                      // a dead worker's shard is available again
)

type event struct {
	at    float64
	shard float64 // the time of the shard, for shardBack
	order uint64  // of insertion, so that ties fall the same way everywhere
	kind  eventKind
}

// fleet is a simulation under way.
type fleet struct {
	Scenario
	next   func() (float64, bool)
	rng    *rand.Rand
	out    Outcome
	events queue
	order  uint64

	back   []float64 // shards that are available again, served first
	idle   int       // workers that found nothing while shards of dead ones were out
	busy   int       // shards that are being worked on or waited for
	dbFree float64   // when the database has served all requests so far
	served float64   // seconds that it was busy
	spent  bool      // no fresh shard is left
}

func (f *fleet) push(e event) {
	e.order = f.order
	f.order++
	heap.Push(&f.events, e)
}

// run handles events until nothing is left to do.
func (f *fleet) run() error {
	for len(f.events) > 0 {
		e, _ := heap.Pop(&f.events).(event)
		switch e.kind {
		case workerFree:
			f.work(e.at)
		case shardComplete:
			f.busy--
			f.out.Makespan = math.Max(f.out.Makespan, e.at)
			f.work(e.at)
		case shardBack:
			f.back = append(f.back, e.shard)
			if f.idle > 0 {
				f.idle--
				f.work(e.at)
			}
		}
		if f.out.Failures > 1_000_000+100*f.out.Shards {
			return fmt.Errorf("simulate %d workers: %w", f.out.Workers, ErrTooManyFailures)
		}
	}
	return nil
}

// take gives the next shard: one that came back, or a fresh one.
func (f *fleet) take() (seconds float64, ok bool) {
	if n := len(f.back); n > 0 {
		seconds = f.back[n-1]
		f.back = f.back[:n-1]
		f.busy++
		return seconds, true
	}
	if f.spent {
		return 0, false
	}
	if seconds, ok = f.next(); !ok {
		f.spent = true
		return 0, false
	}
	f.out.Shards++
	f.out.Work += seconds
	f.out.Longest = math.Max(f.out.Longest, seconds)
	f.busy++
	return seconds, true
}

// work gives a worker that is free at a time its next shard.
func (f *fleet) work(at float64) {
	seconds, ok := f.take()
	if !ok {
		if f.busy > 0 {
			f.idle++ // a shard may come back
		}
		return
	}
	start := at
	if f.Rate > 0 {
		start = math.Max(at, f.dbFree) + 1/f.Rate
		f.dbFree = start
		f.served += 1 / f.Rate
	}
	if f.MTBF > 0 {
		if life := f.rng.ExpFloat64() * f.MTBF; life < seconds {
			f.out.Failures++
			f.out.Lost += life
			died := start + life
			f.push(event{at: died + f.Detect, kind: shardBack, shard: seconds})
			f.push(event{at: died + f.Restart + f.Setup, kind: workerFree})
			return
		}
	}
	f.push(event{at: start + seconds, kind: shardComplete})
}

// queue orders events by time.
type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].order < q[j].order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	if e, ok := x.(event); ok {
		*q = append(*q, e)
	}
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
