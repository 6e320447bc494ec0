package runtime_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"ucan/runtime"
	"ucan/runtime/runtimetest"
)

// rowsOf are tensors for n rows of the models of runtimetest.Endless, filled with v.
func rowsOf(t *testing.T, rt *runtime.Runtime, n int, v float32) (in, out []*runtime.Tensor) {
	t.Helper()
	x := make([]float32, 4*n)
	for i := range x {
		x[i] = v
	}
	for _, c := range []struct {
		width int64
		data  []float32
		list  *[]*runtime.Tensor
	}{{4, x, &in}, {3, make([]float32, 3*n), &out}} {
		tensor, err := runtime.NewTensor(rt, []int64{int64(n), c.width}, c.data)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tensor.Close() })
		*c.list = append(*c.list, tensor)
	}
	return in, out
}

// A run that does not end is stopped at its limit, and the session serves the next.
func TestRunLimit(t *testing.T) {
	rt := runtimetest.Open(t)
	o := one()
	o.RunLimit = 200 * time.Millisecond
	s, err := rt.NewSession(t.Context(), runtimetest.Endless(t, runtimetest.Nonzero), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	zeros, out := rowsOf(t, rt, 3, 0)
	ones, _ := rowsOf(t, rt, 3, 1)
	for range 2 {
		if err = s.Run(t.Context(), ones, out); !errors.Is(err, runtime.ErrTimeLimit) {
			t.Fatalf("a run without end: %v", err)
		}
		if err = s.Run(t.Context(), zeros, out); err != nil {
			t.Fatalf("the run after it: %v", err)
		}
		if err = s.Run(context.Background(), zeros, out); err != nil {
			t.Fatalf("and one under another context: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err = s.Run(ctx, ones, out); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was cancelled before its limit: %v", err)
	}
	if err = s.Run(t.Context(), zeros, out); err != nil {
		t.Errorf("the run after that: %v", err)
	}
}

func TestRunLimitIsChecked(t *testing.T) {
	o := one()
	o.RunLimit = -1
	if err := o.Validate(); !errors.Is(err, runtime.ErrOptions) {
		t.Errorf("a negative limit: %v", err)
	}
}

// A call that is told to stop and does not is reported.
func TestStuck(t *testing.T) {
	told := make(chan error, 1)
	runtime.OnStuck(func(err error) { told <- err })
	t.Cleanup(func() { runtime.OnStuck(nil) })
	asked := make(chan struct{}, 1)
	stop := runtime.Watch(time.Millisecond, time.Millisecond, func() error { asked <- struct{}{}; return nil })
	<-asked
	if err := <-told; !errors.Is(err, runtime.ErrTimeLimit) {
		t.Errorf("told %v", err)
	}
	if !stop() {
		t.Error("the call was told to stop, and that is not said")
	}
	stop = runtime.Watch(time.Hour, time.Hour, func() error { t.Error("stopped before its time"); return nil })
	if stop() {
		t.Error("a call that ended in time counts as late")
	}
}

// A trial is ended by the processor time that it takes, whether or not zeros end.
func TestProbeLimitsTime(t *testing.T) {
	rt := runtimetest.Open(t)
	model := runtimetest.Endless(t, runtimetest.Nonzero)
	err := rt.ProbeLoad(t.Context(), model, runtime.ProbeOptions{Session: one(), Known: "-", Timeout: time.Second})
	if !errors.Is(err, runtime.ErrTimeLimit) || !errors.Is(err, runtime.ErrModel) {
		t.Errorf("a trial without end: %v", err)
	}
}
