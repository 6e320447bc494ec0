package models_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/npy"
	"ucan/models"
	"ucan/runtime/runtimetest"
)

// The files were exported by skl2onnx, and predictions.json holds what scikit-learn itself answers
// (fixtures/scripts/sklearn_matrix.py). A model answers the same on every row, or is refused with
// advice that makes it answer the same.
func TestScikitLearn(t *testing.T) {
	folder := filepath.Join("testdata", "sklearn")
	var predictions map[string][]string
	text, err := os.ReadFile(filepath.Join(folder, "predictions.json"))
	if err == nil {
		err = json.Unmarshal(text, &predictions)
	}
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(folder, "x.npy"))
	if err != nil {
		t.Fatal(err)
	}
	array, err := npy.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	x, err := array.Values(0, int64(array.Shape[0]*array.Shape[1]))
	if err != nil {
		t.Fatal(err)
	}
	const binary = "logisticregression-2-classes-"
	rows := map[string]struct {
		file, output, decision string
		refused                string // "" for answers that are right
	}{
		"scores":                               {file: binary + "text-zipmap-off"},
		"text labels, neural network":          {file: "mlp-2-classes-text-zipmap-off"},
		"labels from 1":                        {file: binary + "int-from-1-zipmap-off"},
		"labels -1 and 1":                      {file: binary + "negative-zipmap-off"},
		"maps of text":                         {file: binary + "text-zipmap-on", refused: "--output probabilities"},
		"maps of text, as advised":             {file: binary + "text-zipmap-on", output: "probabilities"},
		"columns":                              {file: binary + "int-zipmap-columns", refused: "--decision label"},
		"columns, as advised":                  {file: binary + "int-zipmap-columns", decision: "label"},
		"reversed scores":                      {file: "svc-2-classes-int-zipmap-off", refused: "--decision label"},
		"reversed scores, as advised":          {file: "svc-2-classes-int-zipmap-off", decision: "label"},
		"reversed scores, text labels":         {file: "svc-2-classes-text-zipmap-off", refused: "--decision argmin"},
		"reversed scores of texts, as advised": {file: "svc-2-classes-text-zipmap-off", decision: "argmin"},
		"a file of ai.onnx.ml alone":           {file: "xgbclassifier-2-classes"},
		"one score":                            {file: "ridge-2-classes-int-zipmap-off", refused: "--decision label"},
		"one score, as advised":                {file: "ridge-2-classes-int-zipmap-off", decision: "label"},
		"one score, by threshold":              {file: "ridge-2-classes-int-zipmap-off", decision: "threshold:0"},
		"label and map":                        {file: "perceptron-2-classes-int-zipmap-off", refused: "--decision label"},
		"label and map, by the label":          {file: "perceptron-2-classes-int-zipmap-off", decision: "label"},
		"label and map, by the scores":         {file: "perceptron-2-classes-int-zipmap-off", output: "probabilities"},
	}
	for name, row := range subtest.Rows(rows) {
		t.Run(name, func(t *testing.T) {
			answers, err := answers(t, filepath.Join(folder, row.file+".onnx"), row.output, row.decision, x, array.Shape[1])
			if row.refused != "" {
				if err == nil || !strings.Contains(err.Error(), row.refused) {
					t.Fatalf("%v; want a refusal that advises %q", err, row.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(answers, predictions[row.file]) {
				t.Errorf("answers %v\nwant    %v", answers, predictions[row.file])
			}
		})
	}
}

// answers classifies rows and examines the outputs; classes are given by the names in the file.
func answers(t *testing.T, path, output, decision string, x []float64, width int) ([]string, error) {
	t.Helper()
	ctx := context.Background()
	m, err := models.Open(ctx, runtimetest.Open(t), path, models.Options{Declared: outputs(output, decision)})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { m.Close() })
	flat := make([]float32, len(x))
	for i, v := range x {
		flat[i] = float32(v)
	}
	examination, err := m.Examine(ctx, flat, nil)
	if err != nil {
		return nil, err
	}
	if fault := examination.Fault(); fault != "" {
		return nil, errors.New(fault)
	}
	var names []string
	for _, l := range classify(t, m, slices.Collect(slices.Chunk(x, width))) {
		name := strconv.Itoa(int(l))
		if known := m.Labels(); known != nil {
			name = known[l]
		}
		names = append(names, name)
	}
	return names, nil
}
