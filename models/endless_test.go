package models_test

import (
	"errors"
	"testing"
	"time"

	"ucan/models"
	"ucan/runtime"
	"ucan/runtime/runtimetest"
)

// Opening a model ends, whether it loops in the trial or only for what this process asks.
func TestOpenEnds(t *testing.T) {
	rt := runtimetest.Open(t)
	for name, when := range map[string]runtimetest.When{"for noise": runtimetest.Nonzero, "for several rows": runtimetest.Several} {
		for _, skip := range []bool{false, true} {
			_, err := models.OpenBytes(t.Context(), rt, "endless.onnx", runtimetest.Endless(t, when), models.Options{
				Session: runtime.SessionOptions{IntraOp: 1, RunLimit: time.Second}, SkipLoadTrial: skip,
			})
			var refusal *models.Refusal
			if !errors.Is(err, runtime.ErrTimeLimit) && !errors.As(err, &refusal) {
				t.Errorf("%s, trial left out: %v: %v", name, skip, err)
			}
		}
	}
}
