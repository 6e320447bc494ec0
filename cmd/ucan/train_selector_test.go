package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime/runtimetest"
)

// runTable writes a table of certificates of the digits, in Cohen's columns.
func runTable(t *testing.T, path string, rows int, radius func(i int) (radius float64, correct bool)) {
	t.Helper()
	var out strings.Builder
	out.WriteString("idx\tlabel\tpredict\tradius\tcorrect\ttime\n")
	for i := range rows {
		r, right := radius(i)
		predict, correct := 0, 1
		if !right {
			predict, correct = 1, 0
		}
		fmt.Fprintf(&out, "%d\t0\t%d\t%.6f\t%d\t0.1\n", i, predict, r, correct)
	}
	if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestSelectorLabels: the label of an input is the run that certifies it best; what no run
// certifies rightly, or what is not in all runs, has none.
func TestSelectorLabels(t *testing.T) {
	dir := t.TempDir()
	small, large := filepath.Join(dir, "small.tsv"), filepath.Join(dir, "large.tsv")
	runTable(t, small, 6, func(i int) (float64, bool) { return 0.4, i != 2 && i != 3 })
	runTable(t, large, 5, func(i int) (float64, bool) {
		if i == 0 {
			return 0.1, true
		}
		return 0.9, i != 3
	})
	got, _, err := selectorLabels(t.Context(), []string{small, large}, "l2")
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]int{0: 0, 1: 1, 2: 1, 4: 1}
	if fmt.Sprint(got.Labels) != fmt.Sprint(want) || fmt.Sprint(got.Names) != "[small large]" {
		t.Errorf("labels %v of %v, want %v", got.Labels, got.Names, want)
	}
}

func TestTrainSelector(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	runtimetest.Open(t)
	dir := t.TempDir()
	small, large, out := filepath.Join(dir, "small.tsv"), filepath.Join(dir, "large.tsv"), filepath.Join(dir, "selector")
	runTable(t, small, 200, func(i int) (float64, bool) { return 0.5, true })
	runTable(t, large, 200, func(i int) (float64, bool) { return float64(i%10) / 10, true })
	args := func(more ...string) []string {
		return append([]string{"train", "base", "--arch", "mlp", "--data", "digits?n=200", "--sigma", "0.25", "--epochs", "2", "--batch", "32", "--selector-of", small + "," + large, "--out", out, "--seed", "1", "--quiet"}, more...)
	}
	want(t, exitDone, args()...)
	if !strings.Contains(read(t, filepath.Join(out, "train.yaml")), "best ℓ2 radius of ") {
		t.Error("the record does not name the runs")
	}
	got := want(t, exitDone, "inspect", out, "--format", "json")
	if !strings.Contains(got.stdout, `"classes": 2`) && !strings.Contains(got.stdout, `"classes":2`) {
		t.Errorf("a selector of two runs is\n%s", got.stdout)
	}
	for name, row := range subtest.Rows(map[string][]string{
		"one run":               {"--selector-of", small},
		"data to validate on":   {"--val", "digits?n=100"},
		"a measure, no runs":    {"--selector-of", "", "--selector-measure", "alm"},
		"a run that never wins": {"--selector-of", small + "," + small},
	}) {
		t.Run(name, func(t *testing.T) {
			want(t, exitUsage, args(append(row, "--out", filepath.Join(dir, "other"))...)...)
		})
	}
	want(t, exitFailed, args("--selector-of", small+","+filepath.Join(dir, "absent.tsv"), "--out", filepath.Join(dir, "other"))...)
}
