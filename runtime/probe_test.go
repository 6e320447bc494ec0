package runtime_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

func TestProbeLoad(t *testing.T) {
	rt := runtimetest.Open(t)
	if !runtime.Probed() {
		t.Fatal("TestMain has called RunProbeChild, yet no child would be used")
	}
	known := filepath.Join(t.TempDir(), "sub", "known.txt")
	o := runtime.ProbeOptions{Session: one(), Known: known}
	if err := rt.ProbeLoad(t.Context(), runtime.TinyModel(), o); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(known)
	if err != nil || len(first) != 65 {
		t.Fatalf("remembered %q, %v", first, err)
	}
	// The second time no child is needed: even a limit that none could keep
	// does not matter.
	o.Timeout = time.Nanosecond
	if err := rt.ProbeLoad(t.Context(), runtime.TinyModel(), o); err != nil {
		t.Errorf("a known model: %v", err)
	}
	// Other options are another question.
	o.Session.Optimization = runtime.OptimizeNone
	if err := rt.ProbeLoad(t.Context(), runtime.TinyModel(), o); !errors.Is(err, runtime.ErrModel) || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("the limit of time did not hold: %v", err)
	}
	if again, _ := os.ReadFile(known); len(again) != len(first) {
		t.Error("a model that failed is remembered as good")
	}
}

func TestProbeLoadReportsOrdinaryFaults(t *testing.T) {
	rt := runtimetest.Open(t)
	needCPUBuild(t, rt)
	tiny := runtime.TinyModel()
	for name, c := range subtest.Rows(map[string]struct {
		model []byte
		o     runtime.SessionOptions
		want  error
	}{
		"damaged":  {tiny[:len(tiny)/2], one(), runtime.ErrModel},
		"provider": {tiny, providers("cuda"), runtime.ErrProvider},
		"options":  {tiny, runtime.SessionOptions{}, runtime.ErrOptions},
	}) {
		t.Run(name, func(t *testing.T) {
			err := rt.ProbeLoad(t.Context(), c.model, runtime.ProbeOptions{Session: c.o, Known: "-"})
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: more than one line: %v", name, err)
			}
		})
	}
}

// TestProbeLoadHalfOutput: the binding cannot copy an output of float16 that
// onnxruntime allocated, which says nothing against the model.
func TestProbeLoadHalfOutput(t *testing.T) {
	rt := runtimetest.Open(t)
	for _, rows := range []int64{-1, 2} {
		model := runtime.MakeGraph([][]byte{runtime.MakeNode("Relu", "y", "x"), runtime.MakeNode("Relu", "z", "y")},
			[][]byte{runtime.MakeValue("x", onnx.Float16, rows, 3)},
			[][]byte{runtime.MakeValue("y", onnx.Float16, rows, 3), runtime.MakeValue("z", onnx.Float16, rows, 3)})
		if err := rt.ProbeLoad(t.Context(), model, runtime.ProbeOptions{Session: one(), Known: "-"}); err != nil {
			t.Errorf("%d rows: %v", rows, err)
		}
	}
}

func TestProbeSurvivesTheDeathOfItsChild(t *testing.T) {
	rt := runtimetest.Open(t)
	t.Setenv(dieVariable, "1")
	err := rt.ProbeLoad(t.Context(), runtime.TinyModel(), runtime.ProbeOptions{Session: one(), Known: "-"})
	if !errors.Is(err, runtime.ErrModel) {
		t.Fatalf("a child that aborts: %v", err)
	}
	for _, part := range []string{"the process that tried the model died", "fatal: test"} {
		if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
			t.Errorf("the message does not say %q in one line: %v", part, err)
		}
	}
	for _, guess := range []string{"damaged", " MB"} {
		if strings.Contains(err.Error(), guess) {
			t.Errorf("the message guesses %q: %v", guess, err)
		}
	}
}

func TestProbeLimitsMemory(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("memory is limited on Linux only")
	}
	rt := runtimetest.Open(t)
	// a·b has 2²⁸ values, 1 GiB.
	model := runtime.MakeGraph([][]byte{runtime.MakeNode("MatMul", "m", "a", "b"), runtime.MakeNode("ReduceMax", "y", "m")},
		[][]byte{runtime.MakeValue("a", onnx.Float, 1<<14, 1), runtime.MakeValue("b", onnx.Float, 1, 1<<14)},
		[][]byte{runtime.MakeValue("y", onnx.Float, 1, 1)})
	err := rt.ProbeLoad(t.Context(), model, runtime.ProbeOptions{Session: one(), Known: "-", Memory: 512 << 20})
	if !errors.Is(err, runtime.ErrModel) || !strings.Contains(err.Error(), "memory") {
		t.Errorf("a child short of memory: %v", err)
	}
}

func TestProbeIsCancelled(t *testing.T) {
	rt := runtimetest.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := rt.ProbeLoad(ctx, slow(), runtime.ProbeOptions{Session: one(), Known: "-"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRunProbeChildLeavesOtherProcessesAlone(t *testing.T) {
	for _, args := range [][]string{nil, {"certify"}, {"__ucan-probe-model", "{}"}} {
		if _, child := runtime.RunProbeChild(args); child {
			t.Errorf("%q was taken for a probing child", args)
		}
	}
}
