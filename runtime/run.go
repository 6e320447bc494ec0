package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	ort "github.com/yalue/onnxruntime_go"
)

// Run computes the outputs from the inputs, both in the session's order, and
// returns when onnxruntime is done with their memory. All tensors must be
// there: nothing is allocated for the caller.
//
// When ctx ends, onnxruntime is told to stop, which it does between two
// operators; Run waits for that and returns an error that wraps ctx's. A Run
// that finished all the same returns nil. After an error the outputs hold
// anything. A graph without inputs runs to its end: it is computed the same
// every time, and most often nothing but constants.
func (s *Session) Run(ctx context.Context, inputs, outputs []*Tensor) error {
	if ctx.Err() != nil {
		return fmt.Errorf("run session: %w", context.Cause(ctx))
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.inner == nil {
		return fmt.Errorf("run session: %w", ErrClosed)
	}
	if len(inputs) != len(s.inputs) || len(outputs) != len(s.outputs) {
		return fmt.Errorf("run session: %w: %d inputs and %d outputs wanted, got %d and %d",
			ErrTensor, len(s.inputs), len(s.outputs), len(inputs), len(outputs))
	}
	sl, err := s.takeSlot(ctx)
	if err != nil {
		return fmt.Errorf("run session: %w", err)
	}
	defer s.putSlot(sl)
	// Tensors are released before the slot goes back.
	defer sl.releaseTensors()
	if err = sl.acquireTensors(s, inputs, outputs); err != nil {
		return fmt.Errorf("run session: %w", err)
	}
	limit := max(s.limit, runLimitFactor*time.Duration(s.slowest.Load()))
	begin := time.Now()
	sl.dog.start(limit)
	if len(inputs) == 0 {
		err = s.runAlone(sl.out)
	} else {
		err = s.inner.RunWithOptions(sl.in, sl.out, sl.opts)
	}
	late := sl.dog.stop()
	if late { // the flag must not end the next Run
		err = errors.Join(err, sl.opts.UnsetTerminate())
	}
	if err != nil {
		if late && ctx.Err() == nil {
			return fmt.Errorf("run session: %w of %v; the model does not end for this input, or raise the limit", ErrTimeLimit, limit)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("run session: %w", context.Cause(ctx))
		}
		return fmt.Errorf("run session: %w", err)
	}
	if took := int64(time.Since(begin)); took > s.slowest.Load() {
		s.slowest.Store(took) // a race loses one of two measurements
	}
	return nil
}

// runAlone runs a graph that has no inputs. The binding's ordinary way takes
// the address of the first input; by name, outputs alone can be given. That
// way has no run options, and so no cancellation.
func (s *Session) runAlone(outputs []ort.Value) (err error) {
	b, err := s.inner.CreateIoBinding()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Destroy()) }()
	for i, v := range outputs {
		if err = b.BindOutput(s.outputs[i].Name, v); err != nil {
			return fmt.Errorf("output %q: %w", s.outputs[i].Name, err)
		}
	}
	return s.inner.RunWithBinding(b)
}

// slot is what one Run in flight needs besides the tensors: scratch lists and
// the run options by which it is cancelled. Slots are reused, and so is their
// registration with a context: a loop of Runs under one context costs no more
// than without one.
type slot struct {
	in, out         []ort.Value
	inputs, outputs []*Tensor // acquired so far

	dog  watchdog
	opts *ort.RunOptions
	done <-chan struct{} // of the context that stop belongs to
	stop func() bool

	mu         sync.Mutex
	generation int  // guards against a late cancellation of an earlier context
	terminated bool // the flag is set in opts
}

// takeSlot returns an idle slot that ctx cancels, preferring one that already
// is registered with it.
func (s *Session) takeSlot(ctx context.Context) (*slot, error) {
	done := ctx.Done()
	s.slotMu.Lock()
	var sl *slot
	if n := len(s.slots); n > 0 {
		pick := n - 1
		for i := range s.slots {
			if s.slots[i].done == done {
				pick = i
				break
			}
		}
		sl = s.slots[pick]
		s.slots[pick] = s.slots[n-1]
		s.slots = s.slots[:n-1]
	}
	s.slotMu.Unlock()
	if sl == nil {
		sl = &slot{
			in: make([]ort.Value, 0, len(s.inputs)), out: make([]ort.Value, 0, len(s.outputs)),
			inputs: make([]*Tensor, 0, len(s.inputs)), outputs: make([]*Tensor, 0, len(s.outputs)),
		}
	}
	if err := sl.watch(ctx); err != nil {
		s.putSlot(sl)
		return nil, err
	}
	return sl, nil
}

func (s *Session) putSlot(sl *slot) {
	s.slotMu.Lock()
	s.slots = append(s.slots, sl)
	s.slotMu.Unlock()
}

// watch arranges that ctx's end terminates the slot's Run. Contexts are told
// apart by their Done channel: equal channels mean equal cancellation.
func (sl *slot) watch(ctx context.Context) error {
	if sl.opts == nil {
		opts, err := ort.NewRunOptions()
		if err != nil {
			return err
		}
		env.runOptions.Add(1)
		sl.opts = opts
		sl.dog.what, sl.dog.terminate = "run session", opts.Terminate
	}
	done := ctx.Done()
	if sl.done == done {
		return nil
	}
	if err := sl.unwatch(); err != nil {
		return err
	}
	if done == nil {
		return nil
	}
	sl.done = done
	mine := sl.generation
	sl.stop = context.AfterFunc(ctx, func() {
		sl.mu.Lock()
		defer sl.mu.Unlock()
		if sl.generation == mine {
			// It can fail only for options that were destroyed.
			sl.terminated = sl.opts.Terminate() == nil
		}
	})
	return nil
}

// unwatch detaches the slot from its context; afterwards nothing of it can
// terminate a Run.
func (sl *slot) unwatch() error {
	if sl.stop != nil {
		sl.stop()
		sl.stop = nil
	}
	sl.done = nil
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.generation++
	if !sl.terminated {
		return nil
	}
	sl.terminated = false
	return sl.opts.UnsetTerminate()
}

func (sl *slot) close() error {
	if err := sl.unwatch(); err != nil {
		return err
	}
	if sl.opts == nil {
		return nil
	}
	env.runOptions.Add(-1)
	err := sl.opts.Destroy()
	sl.opts = nil
	return err
}

// acquireTensors checks the tensors against the graph (onnxruntime itself does
// not compare the element type of a preallocated output) and takes them.
func (sl *slot) acquireTensors(s *Session, inputs, outputs []*Tensor) error {
	for i, t := range inputs {
		if t == nil {
			return fmt.Errorf("%w: input %q is nil", ErrTensor, s.inputs[i].Name)
		}
		if err := s.inputs[i].fits(t); err != nil {
			return fmt.Errorf("input: %w", err)
		}
		v, err := t.acquire(true)
		if err != nil {
			return fmt.Errorf("input %q: %w", s.inputs[i].Name, err)
		}
		sl.in, sl.inputs = append(sl.in, v), append(sl.inputs, t)
	}
	for i, t := range outputs {
		if t == nil {
			return fmt.Errorf("%w: output %q is nil", ErrTensor, s.outputs[i].Name)
		}
		if err := s.outputs[i].fits(t); err != nil {
			return fmt.Errorf("output: %w", err)
		}
		v, err := t.acquire(false)
		if err != nil {
			return fmt.Errorf("output %q: %w", s.outputs[i].Name, err)
		}
		sl.out, sl.outputs = append(sl.out, v), append(sl.outputs, t)
	}
	return nil
}

func (sl *slot) releaseTensors() {
	for _, t := range sl.inputs {
		t.release(false)
	}
	for _, t := range sl.outputs {
		t.release(true)
	}
	clear(sl.in)
	clear(sl.out)
	clear(sl.inputs)
	clear(sl.outputs)
	sl.in, sl.out = sl.in[:0], sl.out[:0]
	sl.inputs, sl.outputs = sl.inputs[:0], sl.outputs[:0]
}
