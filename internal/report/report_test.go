package report

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ucan/fixtures/shared"
	"ucan/fixtures/subtest"
	"ucan/internal/results"
)

func certified(index, label, predict int, radius float64) results.Row {
	return results.Row{Index: index, Label: label, Predict: predict, Correct: label == predict, Radius: radius, L2: radius, Seconds: 2, Norm: "l2", PLower: 0.9, K: 95, N: 100, Guarantee: "deployed", Status: results.Certified}
}

func without(index, label int, status results.Status) results.Row {
	r := results.Row{Index: index, Label: label, Predict: results.NoClass, Seconds: 1, Norm: "l2", Guarantee: "deployed", Status: status}
	if status == results.Abstained {
		r.PLower, r.K, r.N = 0.4, 50, 100
	}
	return r
}

// five inputs: right at 0.5, right at 0, wrong at 9, abstained, failed.
func five() []results.Row {
	return []results.Row{certified(0, 1, 1, 0.5), certified(1, 2, 2, 0), certified(2, 1, 2, 9), without(3, 1, results.Abstained), without(4, results.NoClass, results.Failed)}
}

func TestEveryInputCounts(t *testing.T) {
	opt := DefaultOptions()
	opt.Grid = []float64{0, 0.25, 0.5, 0.75}
	s, err := Summarise(five(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if s.Inputs != 5 || s.Correct != 2 || s.Certified != 3 || s.Abstained != 1 || s.Failed != 1 || s.Labelled != 4 {
		t.Errorf("counts %+v", s)
	}
	if s.Accuracy != 0.4 || math.Abs(s.ACR-0.1) > 1e-15 || s.Samples != 400 || s.Seconds != 8 || s.SamplesPerSecond != 50 {
		t.Errorf("accuracy %v, ACR %v, %d samples in %v s, %v a second", s.Accuracy, s.ACR, s.Samples, s.Seconds, s.SamplesPerSecond)
	}
	for i, want := range []float64{0.4, 0.2, 0.2, 0} {
		if s.Curve[i].CertifiedAccuracy != want || s.Curve[i].Radius != opt.Grid[i] {
			t.Errorf("point %d: %+v, want %v", i, s.Curve[i], want)
		}
	}
	// Clopper–Pearson for 2 of 5 and 0 of 5 at 95 % (scipy 1.17 binomtest(k, 5).proportion_ci()).
	for i, want := range map[int]Interval{0: {0.05274495052631566, 0.8533672003653274}, 3: {0, 0.5218237501049814}} {
		if got := s.Curve[i].Interval; math.Abs(got.Low-want.Low) > 1e-9 || math.Abs(got.High-want.High) > 1e-9 {
			t.Errorf("interval %d: %+v, want %+v", i, got, want)
		}
	}
	// Mean of 0.5, 0, 0, 0, 0: 0.1 ± t(0.975; 4)·0.1, cut at 0 (t from scipy 1.17).
	if s.ACRInterval == nil || s.ACRInterval.Low != 0 || math.Abs(s.ACRInterval.High-(0.1+2.7764451051977934*0.1)) > 1e-9 {
		t.Errorf("interval of ACR %+v", s.ACRInterval)
	}
	if notes := strings.Join(s.Notes, "\n"); !strings.Contains(notes, "1 inputs failed") || !strings.Contains(notes, "5 inputs are few") {
		t.Errorf("notes %q", notes)
	}
	want := []Quantile{{0, 0.4}, {0.1, 0.4}, {0.25, 0.4}, {0.5, 0.9}, {0.75, 0.9}, {0.9, 0.9}, {1, 0.9}}
	if !slices.Equal(s.PLower, want) {
		t.Errorf("quantiles of p_lower %v, want %v", s.PLower, want)
	}
}

func TestSummaryOptions(t *testing.T) {
	opt := DefaultOptions()
	opt.LabelAware, opt.Samples, opt.Elapsed = true, 1000, 4*time.Second
	s, err := Summarise(five(), opt)
	if err != nil || s.Abstained != 0 || s.Samples != 1000 || s.SamplesPerSecond != 250 {
		t.Errorf("%+v, %v", s, err)
	}
	// A resumed run that had nothing left to draw: samples and time are those of its rows.
	opt.Samples, opt.Elapsed = 0, time.Microsecond
	if s, err = Summarise(five(), opt); err != nil || s.Samples != 400 || s.Seconds != 8 || s.SamplesPerSecond != 50 {
		t.Errorf("nothing drawn: %+v, %v", s, err)
	}
	one, err := Summarise(five()[:1], DefaultOptions())
	if err != nil || one.ACRInterval != nil || one.ACR != 0.5 {
		t.Errorf("one input: %+v, %v", one, err)
	}
	for i := range 3 {
		opt := DefaultOptions()
		opt.Confidence = []float64{0, 1, math.NaN()}[i]
		if _, err := Summarise(five(), opt); err == nil {
			t.Errorf("confidence %v is accepted", opt.Confidence)
		}
		opt = DefaultOptions()
		opt.Grid = [][]float64{{0, 0}, {-1}, {math.NaN()}}[i]
		if _, err := Summarise(five(), opt); err == nil {
			t.Errorf("grid %v is accepted", opt.Grid)
		}
	}
	unknown := []results.Row{certified(0, results.NoClass, 1, 1)}
	unknown[0].Correct = false
	if s, err := Summarise(unknown, DefaultOptions()); err != nil || s.Labelled != 0 || !strings.Contains(s.Notes[0], "no input has a label") {
		t.Errorf("no labels: %+v, %v", s, err)
	}
}

// An input without a label is neither right nor wrong; one that failed stays in every denominator.
func TestUnlabelledRows(t *testing.T) {
	rows := append(five(), certified(5, results.NoClass, 1, 9))
	rows[5].Correct = false
	s, err := Summarise(rows, DefaultOptions())
	without, _ := Summarise(five(), DefaultOptions())
	if err != nil || s.Inputs != 6 || s.Accuracy != without.Accuracy || s.ACR != without.ACR || s.Curve[0] != without.Curve[0] {
		t.Errorf("%+v, %v", s, err)
	}
	if !strings.Contains(s.Notes[0], "1 of 6 inputs has no label") {
		t.Errorf("notes %q", s.Notes)
	}
	if n := len(Judged(five())); n != 5 {
		t.Errorf("%d of 5 rows are judged; the failed one counts as wrong", n)
	}
}

func TestNoMixing(t *testing.T) {
	pinned := certified(9, 1, 1, 1)
	pinned.Guarantee = "pinned"
	other := certified(8, 1, 1, 1)
	other.Norm = "l1"
	for _, r := range []results.Row{pinned, other} {
		if _, err := Summarise(append(five(), r), DefaultOptions()); !errors.Is(err, ErrMixed) {
			t.Errorf("%s %s among deployed l2: %v, want ErrMixed", r.Guarantee, r.Norm, err)
		}
	}
	if _, err := Summarise(nil, DefaultOptions()); !errors.Is(err, ErrEmpty) {
		t.Errorf("no rows: %v", err)
	}
	groups := Split(append(append(five(), pinned, other), five()...))
	if len(groups) != 3 || len(groups[0].Rows) != 10 || groups[1].Guarantee != "pinned" || groups[2].Norm != "l1" {
		t.Errorf("groups %+v", groups)
	}
	if s, err := Summarise(groups[1].Rows, DefaultOptions()); err != nil || !strings.Contains(strings.Join(s.Notes, ""), "recomputes the noise") {
		t.Errorf("pinned rows lack their caveat: %+v, %v", s.Notes, err)
	}
}

// The average certified radii of published logs: those of Cohen et al. were recomputed from the
// logs, those of eth-sri/acr-weakness are as its paper's table gives them.
func TestPublishedLogs(t *testing.T) {
	dir := shared.Path(t, "reference")
	for file, want := range subtest.Rows(map[string]float64{
		"cohen_logs/cifar10__resnet110__noise_0.25__test__sigma_0.25.tsv": 0.429,
		"cohen_logs/cifar10__resnet110__noise_0.50__test__sigma_0.50.tsv": 0.538,
		"cohen_logs/cifar10__resnet110__noise_1.00__test__sigma_1.00.tsv": 0.542,
		"cohen_logs/imagenet__resnet50__noise_0.50__test__sigma_0.50.tsv": 0.733,
		"acr_logs/cifar10_gaussian_0.25.tsv":                              0.487,
		"acr_logs/cifar10_gaussian_0.5.tsv":                               0.571,
		"acr_logs/cifar10_gaussian_1.0.tsv":                               0.543,
		"acr_logs/cifar10_acrtrained_0.25.tsv":                            0.564,
		"acr_logs/cifar10_acrtrained_0.5.tsv":                             0.760,
		"acr_logs/cifar10_acrtrained_1.0.tsv":                             0.844,
	}) {
		t.Run(file, func(t *testing.T) {
			table, err := results.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Error(err)
				return
			}
			opt := DefaultOptions()
			opt.Grid = []float64{0, 0.25, 0.5, 0.75}
			s, err := Summarise(table.Rows, opt)
			if err != nil || math.Abs(s.ACR-want) > 0.0006 {
				t.Errorf("%s: ACR %.4f of %d inputs, %v; published %.3f", file, s.ACR, s.Inputs, err, want)
			}
			if file == "acr_logs/cifar10_gaussian_0.25.tsv" {
				for i, want := range []float64{0.804, 0.668, 0.505, 0.327} {
					if math.Abs(s.Curve[i].CertifiedAccuracy-want) > 0.0006 {
						t.Errorf("certified accuracy at %v: %.4f, published %.3f", opt.Grid[i], s.Curve[i].CertifiedAccuracy, want)
					}
				}
			}
		})
	}
}

func TestNiceGrid(t *testing.T) {
	for largest, want := range map[float64][]float64{
		0:     {0},
		0.85:  {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8},
		1.0:   {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1},
		0.003: {0, 0.00025, 0.0005, 0.00075, 0.001, 0.00125, 0.0015, 0.00175, 0.002, 0.00225, 0.0025, 0.00275, 0.003},
		250:   {0, 25, 50, 75, 100, 125, 150, 175, 200, 225, 250},
	} {
		if got := NiceGrid([]results.Row{certified(0, 1, 1, largest), certified(1, 1, 2, 1e9)}); !slices.Equal(got, want) {
			t.Errorf("largest radius %v: %v, want %v", largest, got, want)
		}
	}
	inf := certified(0, 1, 1, math.Inf(1))
	if got := NiceGrid([]results.Row{inf}); !slices.Equal(got, []float64{0}) {
		t.Errorf("infinite radius: %v", got)
	}
}

// On simulated data the exact band covers the true curve at least as often as it says.
func TestCoverage(t *testing.T) {
	miss, trials := 0, 400
	state := uint64(1)
	for range trials {
		var rows []results.Row
		for i := range 60 {
			state = state*6364136223846793005 + 1442695040888963407
			u := float64(state>>11) / (1 << 53) // the radius; P[radius ≥ 0.3] = 0.7
			rows = append(rows, certified(i, 1, 1, u))
		}
		points, err := Curve(rows, []float64{0.3}, 0.95)
		if err != nil {
			t.Fatal(err)
		}
		if p := points[0].Interval; p.Low > 0.7 || p.High < 0.7 {
			miss++
		}
	}
	// At most 5 %, here 20 of 400; 40 has probability below 1e-4.
	if miss > 40 {
		t.Errorf("the interval missed the truth %d times of %d", miss, trials)
	}
}

// TestOneClassIsNoted checks that a run over inputs of one class says so: a stride that goes with
// the order of the classes makes one, and looks like any other.
func TestOneClassIsNoted(t *testing.T) {
	rows := make([]results.Row, 40)
	for i := range rows {
		rows[i] = results.Row{Index: 10 * i, Label: 3, Predict: 3, Correct: true, Radius: 0.1, Norm: "l2", Guarantee: "deployed", Status: results.Certified}
	}
	noted := func() bool {
		s, err := Summarise(rows, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(strings.Join(s.Notes, " "), "all 40 inputs are of class 3")
	}
	if !noted() {
		t.Error("40 inputs of class 3 are not noted")
	}
	rows[7].Label, rows[7].Correct = 4, false
	if noted() {
		t.Error("inputs of two classes are noted as of one")
	}
}
