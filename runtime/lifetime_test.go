package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// slow squares a 512 × 512 matrix many times over: seconds of work in steps of
// milliseconds.
func slow() []byte {
	const steps = 2000
	nodes := make([][]byte, steps)
	last := "x"
	for i := range nodes {
		out := fmt.Sprintf("v%d", i)
		if i == steps-1 {
			out = "y"
		}
		nodes[i] = runtime.MakeNode("MatMul", out, last, "x")
		last = out
	}
	return runtime.MakeGraph(nodes,
		[][]byte{runtime.MakeValue("x", onnx.Float, 512, 512)},
		[][]byte{runtime.MakeValue("y", onnx.Float, 512, 512)})
}

func TestCancelStopsARunningGraph(t *testing.T) {
	rt := runtimetest.Open(t)
	s := newSession(t, rt, slow(), one())
	x := newTensor(t, rt, []int64{512, 512}, make([]float32, 512*512))
	y := newTensor(t, rt, []int64{512, 512}, make([]float32, 512*512))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := s.Run(ctx, list(x), list(y))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v after %v", err, time.Since(start))
	}
	// Cancelled before the start.
	if err := s.Run(ctx, list(x), list(y)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second run under the same context: %v", err)
	}
	// The flag is cleared for the next context, and tensors are free again.
	cause := errors.New("user pressed a key")
	again, stop := context.WithCancelCause(t.Context())
	time.AfterFunc(30*time.Millisecond, func() { stop(cause) })
	if err := s.Run(again, list(x), list(y)); !errors.Is(err, cause) {
		t.Errorf("the cause is lost: %v", err)
	}
	if err := errors.Join(x.Close(), y.Close()); err != nil {
		t.Error(err)
	}
}

func TestACancelledContextDoesNotSpoilTheNext(t *testing.T) {
	rt := runtimetest.Open(t)
	s := newSession(t, rt, runtime.TinyModel(), one())
	x := newTensor(t, rt, []int64{2, 3}, runtime.TinyInput())
	y := newTensor(t, rt, []int64{2, 2}, make([]float32, 4))
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		if err := s.Run(ctx, list(x), list(y)); err != nil {
			t.Fatal(err)
		}
		// Between Runs, and racing with the next.
		go cancel()
		if err := s.Run(t.Context(), list(x), list(y)); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	if n := s.Slots(); n != 1 {
		t.Errorf("%d slots for one goroutine", n)
	}
}

func TestSessionsRunConcurrently(t *testing.T) {
	rt := runtimetest.Open(t)
	shared := newSession(t, rt, runtime.TinyModel(), one())
	var wg sync.WaitGroup
	for w := range 8 {
		s := shared
		if w%2 == 0 {
			s = newSession(t, rt, runtime.TinyModel(), one())
		}
		in, out := make([]float32, 6), make([]float32, 4)
		x, y := newTensor(t, rt, []int64{2, 3}, in), newTensor(t, rt, []int64{2, 2}, out)
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			defer cancel()
			for i := range 500 {
				v := float32(w*1000 + i)
				in[0], in[3] = v, v+1
				if err := s.Run(ctx, list(x), list(y)); err != nil {
					t.Error(err)
					return
				}
				if out[0] != v || out[2] != v+1 { // (v,0,0)·W = (v,−v), then Relu
					t.Errorf("worker %d got %v for %v", w, out, v)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestCloseWaitsForRun(t *testing.T) {
	rt := runtimetest.Open(t)
	s := newSession(t, rt, slow(), one())
	x := newTensor(t, rt, []int64{512, 512}, make([]float32, 512*512))
	y := newTensor(t, rt, []int64{512, 512}, make([]float32, 512*512))
	ctx, cancel := context.WithCancel(t.Context())
	finished := make(chan error, 1)
	go func() { finished <- s.Run(ctx, list(x), list(y)) }()
	time.Sleep(20 * time.Millisecond)
	if err := x.Close(); err == nil {
		t.Error("a tensor was closed while a Run read it")
	}
	time.AfterFunc(30*time.Millisecond, cancel)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-finished:
		if !errors.Is(err, context.Canceled) && !errors.Is(err, runtime.ErrClosed) {
			t.Errorf("run ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Close returned before Run")
	}
}

// residentKB is the resident set of this process.
func residentKB(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory() // what Go's collector keeps for later is no leak; the race detector makes it large
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skipf("no resident set size on this system: %v", err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kb
		}
	}
	t.Skip("no VmRSS")
	return 0
}

func TestNothingStaysAlive(t *testing.T) {
	rt := runtimetest.Open(t)
	before := runtime.Live()
	use := func() {
		s, err := rt.NewSession(t.Context(), runtime.TinyModel(), one())
		if err != nil {
			t.Fatal(err)
		}
		x, err := runtime.NewTensor(rt, []int64{2, 3}, runtime.TinyInput())
		if err != nil {
			t.Fatal(err)
		}
		y, err := runtime.Empty[float32](rt, 2, 2)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context(), list(x), list(y)); err != nil {
			t.Fatal(err)
		}
		if now := runtime.Live(); now.Total() <= before.Total() {
			t.Fatalf("the counter does not count: %+v", now)
		}
		if err := errors.Join(s.Close(), x.Close(), y.Close()); err != nil {
			t.Fatal(err)
		}
	}
	// Failures must not leak either.
	fail := func() {
		if _, err := rt.NewSession(t.Context(), []byte("\x3a\x00"), one()); err == nil {
			t.Fatal("an empty graph was loaded")
		}
	}
	for range 100 {
		use()
		fail()
	}
	start := residentKB(t)
	for range 1000 {
		use()
		fail()
	}
	if after := runtime.Live(); after != before {
		t.Errorf("live objects went from %+v to %+v", before, after)
	}
	grown := residentKB(t) - start
	t.Logf("resident set grew by %d kB over 1,000 sessions", grown)
	// The allocator's noise; 1,000 leaked sessions of even this graph would be over
	// 20 MB. The race detector takes 11 MB for itself.
	if grown > 8<<10 && !raceEnabled {
		t.Errorf("resident set grew by %d kB over 1,000 sessions", grown)
	}
}

func TestOpenRefusesASecondLibrary(t *testing.T) {
	rt := runtimetest.Open(t)
	copied := t.TempDir() + "/" + "libonnxruntime.so.1.32.0"
	if err := os.Symlink(rt.Library().Path, copied); err != nil {
		t.Skip(err)
	}
	same, err := runtime.Open(t.Context(), runtime.Config{Library: copied})
	if err != nil {
		t.Errorf("a link to the loaded library: %v", err)
	}
	if same.Library().Path != rt.Library().Path {
		t.Errorf("opened %q", same.Library().Path)
	}
	if _, err := runtime.Open(t.Context(), runtime.Config{Library: "/nonexistent/libonnxruntime.so"}); err == nil {
		t.Error("a missing library was opened")
	}
}
