package models_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/models"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// TestInspectRun: one pass over a file tells the same as opening it and examining it after that,
// whatever the decision and the batch, and whether the file declares its output rightly or not.
func TestInspectRun(t *testing.T) {
	rt := runtimetest.Open(t)
	for name, tt := range subtest.Rows(map[string]struct {
		path string
		o    models.Options
	}{
		"scores":            {plain(t, 17, "N").node("Identity", "l", "y").scores("N").write(), models.Options{}},
		"label beside":      {plain(t, 17, "N").node("Identity", "l", "y").scores("N").node("ArgMax", "l", "c", aInt("axis", 1), aInt("keepdims", 0)).out("c", onnx.Int64, "N").write(), models.Options{}},
		"wrong label":       {plain(t, 17, "N").node("Identity", "l", "y").scores("N").node("ArgMin", "l", "c", aInt("axis", 1), aInt("keepdims", 0)).out("c", onnx.Int64, "N").write(), models.Options{}},
		"probabilities":     {plain(t, 17, "N").node("Softmax", "l", "y").scores("N").write(), models.Options{}},
		"one row":           {plain(t, 17, 1).node("Identity", "l", "y").scores(1).write(), models.Options{}},
		"five rows":         {plain(t, 17, int64(5)).node("Identity", "l", "y").scores(5).write(), models.Options{}},
		"arg-min":           {plain(t, 17, "N").node("Identity", "l", "y").scores("N").write(), models.Options{Declared: outputs("y", "argmin")}},
		"inner value":       {plain(t, 17, "N").node("Identity", "l", "y").scores("N").write(), models.Options{Declared: outputs("l", "")}},
		"undeclared":        {plain(t, 17, "N").node("Identity", "l", "y").out("y", onnx.Float).write(), models.Options{}},
		"rows mixed":        {plain(t, 17, "N").node("Softmax", "l", "y", aInt("axis", 0)).scores("N").write(), models.Options{}},
		"two answers a row": {plain(t, 17, "N").node("Concat", "l l", "y", aInt("axis", 0)).scores("M").write(), models.Options{}},
		"refused":           {plain(t, 17, "N").node("RandomNormalLike", "l", "y").scores("N").write(), models.Options{}},
	}) {
		t.Run(name, func(t *testing.T) {
			got, gotErr := models.InspectRun(t.Context(), tt.path, tt.o, func() (*runtime.Runtime, error) { return rt, nil })
			want, wantErr := openAndExamine(t, rt, tt.path, tt.o)
			if (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() {
				t.Fatalf("error %v, opened: %v", gotErr, wantErr)
			}
			if wantErr != nil {
				var refusal *models.Refusal
				if errors.As(wantErr, &refusal) && !reflect.DeepEqual(got.Refusal, refusal) {
					t.Errorf("refusal %v, want %v", got.Refusal, refusal)
				}
				return
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("one pass:\n%+v\nafter opening:\n%+v", got, want)
			}
		})
	}
}

func openAndExamine(t *testing.T, rt *runtime.Runtime, path string, o models.Options) (models.Report, error) {
	t.Helper()
	m, err := models.Open(t.Context(), rt, path, o)
	if err != nil {
		return models.Report{}, err
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	return m.ExamineSamples(t.Context())
}

// TestInspectRunWithoutRuntime: what can be said without a run needs no runtime.
func TestInspectRunWithoutRuntime(t *testing.T) {
	none := func() (*runtime.Runtime, error) {
		t.Error("the runtime was opened")
		return nil, errors.New("no runtime")
	}
	refused := plain(t, 17, "N").node("RandomNormalLike", "l", "y").scores("N").write()
	if r, err := models.InspectRun(t.Context(), refused, models.Options{}, none); err == nil || r.Refusal == nil {
		t.Errorf("random scores: %v, %v", r.Refusal, err)
	}
	broken := filepath.Join(t.TempDir(), "broken.onnx")
	if err := os.WriteFile(broken, []byte("no model"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := models.InspectRun(t.Context(), broken, models.Options{}, none); err == nil {
		t.Error("a file that is no model was inspected")
	}
}
