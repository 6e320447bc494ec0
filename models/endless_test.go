package models_test

import (
	"errors"
	"testing"
	"time"

	"ucan/fixtures/subtest"
	"ucan/models"
	"ucan/runtime"
	"ucan/runtime/runtimetest"
)

// TestOpenEnds: a model whose run never ends is not opened, and opening it ends.
func TestOpenEnds(t *testing.T) {
	subtest.Long(t)
	for _, skip := range []bool{false, true} {
		_, err := openEndless(t, runtimetest.Nonzero, skip)
		var refusal *models.Refusal
		if !errors.Is(err, runtime.ErrTimeLimit) && !errors.As(err, &refusal) {
			t.Errorf("trial left out: %v: %v", skip, err)
		}
	}
}

// TestEndlessForSeveralRows: a model that ends for one row and not for several treats its rows
// together, so it is given one a call and ends.
func TestEndlessForSeveralRows(t *testing.T) {
	for _, skip := range []bool{false, true} {
		m, err := openEndless(t, runtimetest.Several, skip)
		if err != nil || m.FixedBatch() != 1 {
			t.Errorf("trial left out: %v: %v, opened %v", skip, err, m != nil)
		}
	}
}

func openEndless(t *testing.T, when runtimetest.When, skip bool) (*models.Model, error) {
	t.Helper()
	return models.OpenBytes(t.Context(), runtimetest.Open(t), "endless.onnx", runtimetest.Endless(t, when), models.Options{
		Session: runtime.SessionOptions{IntraOp: 1, RunLimit: time.Second}, SkipLoadTrial: skip,
	})
}
