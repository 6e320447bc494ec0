package runtime

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of time. A graph may hold loops, so one run of it need not end.
const (
	// DefaultRunLimit is what one Run, or loading, may take where nothing else is said.
	DefaultRunLimit = 10 * time.Minute
	// runLimitFactor: a Run that takes this many times as long as the longest before it
	// in the session is not given up yet.
	runLimitFactor = 50
	// stuckGrace is how long a Run may go on after it was told to stop, which it does
	// between two operators.
	stuckGrace = 15 * time.Second
	// postponements: a limit is one of processor time, so that a busy machine does not end
	// runs early. It is postponed until the process has used as much, so many times at most.
	postponements = 5
)

// stuck is told when onnxruntime does not come back.
var stuck atomic.Pointer[func(error)]

// OnStuck sets what is done when a call into onnxruntime passed its limit and does not
// heed the request to stop either: an operator that never ends. No call can be made to
// return then; a program should save what it has and end. nil, the default, waits.
func OnStuck(f func(error)) {
	if f == nil {
		stuck.Store(nil)
		return
	}
	stuck.Store(&f)
}

// watchdog watches one call into onnxruntime at a time.
type watchdog struct {
	terminate func() error // asks the call to stop; nil where that is impossible
	what      string
	grace     time.Duration // 0 for stuckGrace

	mu        sync.Mutex
	timer     *time.Timer
	call      int // the number of the call that is watched, 0 between calls
	calls     int
	limit     time.Duration
	begin     time.Duration // processor time of the process when the call began, or little before
	sampled   time.Time     // when begin was taken
	postponed int
	late      bool // the call was told to stop
}

// start watches a call that may take the given time.
func (d *watchdog) start(limit time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	d.call, d.limit, d.postponed, d.late = d.calls, limit, 0, false
	// Asking the system costs a microsecond, which runs of small models would feel.
	if now := time.Now(); now.Sub(d.sampled) > time.Second {
		d.sampled, d.begin = now, processorTime()
	}
	d.arm(limit)
}

func (d *watchdog) arm(after time.Duration) {
	if d.timer == nil {
		d.timer = time.AfterFunc(after, d.expire)
		return
	}
	d.timer.Reset(after)
}

// stop ends watching; late reports whether the call was told to stop.
func (d *watchdog) stop() (late bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.call = 0
	d.timer.Stop()
	return d.late
}

// expire is called when the time is over. A timer that fired while its call ended finds no
// call, or the next one, whose time is not over yet.
func (d *watchdog) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.call == 0 {
		return
	}
	if d.late {
		if f := stuck.Load(); f != nil {
			go (*f)(fmt.Errorf("%s: %w of %v, and does not stop when asked; the model holds an operator that does not end", d.what, ErrTimeLimit, d.limit))
		}
		return
	}
	if used := processorTime() - d.begin; used < d.limit && d.postponed < postponements {
		d.postponed++
		d.arm(max(d.limit-used, d.limit/4))
		return
	}
	d.late = true
	if d.terminate != nil {
		_ = d.terminate() // fails only for options that were destroyed
	}
	d.arm(cmp.Or(d.grace, stuckGrace))
}
