package report

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"ucan/internal/results"
	"ucan/smooth/stats"
)

// ErrMixed marks rows that one figure cannot show together: another guarantee or norm.
var ErrMixed = errors.New("rows of several guarantees or norms")

// ErrEmpty marks a report without any row.
var ErrEmpty = errors.New("no rows")

// Options configures [Summarise]. Start from [DefaultOptions].
type Options struct {
	// Grid are the radii of the curve, rising, each 0 or more; empty for
	// [NiceGrid] of the rows.
	Grid []float64
	// MeasureGrids are the sizes of the curves by other measures; a measure without one takes Grid.
	MeasureGrids map[Measure][]float64
	// Confidence is the confidence of all intervals, in (0, 1).
	Confidence float64
	// Measures are those to sum up beside the rows' own norm; nil for [ALM]. [ALMCapped] joins ALM.
	Measures []Measure
	// LabelAware says that the run asked whether the true label can be certified;
	// rows without a class then count neither as abstentions nor for accuracy
	// without a radius.
	LabelAware bool
	// Samples is how many noise samples this run drew; 0, for a run that drew none itself, takes
	// the sums of the rows' n and times. That n leaves out the selection of the class.
	Samples int64
	// Votes is how many votes were counted, Invalid how many of them were for no class;
	// both 0 where that is not known.
	Votes, Invalid int64
	// Elapsed is the wall-clock time of the run; 0 takes the sum of the rows' times.
	Elapsed time.Duration
}

// DefaultOptions has intervals at 95 % confidence.
func DefaultOptions() Options { return Options{Confidence: 0.95} }

// Interval is a two-sided confidence interval.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Point is one point of the certified-accuracy curve.
type Point struct {
	// Radius is r, in input units.
	Radius float64 `json:"radius"`
	// CertifiedAccuracy is the share of those inputs that are right and certified
	// at radius r or more.
	CertifiedAccuracy float64 `json:"certified_accuracy"`
	// Interval is the exact (Clopper–Pearson) interval, for this radius alone.
	Interval Interval `json:"interval"`
}

// Summary is what a run amounts to. Field names in JSON are those of the
// command's contract.
type Summary struct {
	// Inputs counts all rows, failed ones included.
	Inputs int `json:"inputs"`
	// Labelled counts the rows with a label; accuracies mean nothing when it is 0.
	Labelled int `json:"labelled"`
	// Correct counts the rows whose class is the label, whatever the radius.
	Correct int `json:"correct"`
	// Certified, Abstained and Failed count rows by status. Abstained is 0 in
	// label-aware runs, which do not tell.
	Certified int `json:"certified"`
	Abstained int `json:"abstained"`
	Failed    int `json:"failed"`
	// Accuracy is Correct over the inputs that have a label or failed; without any label it means
	// nothing.
	Accuracy         float64  `json:"accuracy"`
	AccuracyInterval Interval `json:"accuracy_interval"`
	// ACR is the mean over the same inputs of the radius where correct, else 0.
	ACR float64 `json:"acr"`
	// ACRInterval is Student's t interval for ACR, cut at 0; nil for one input.
	ACRInterval *Interval `json:"acr_interval"`
	// Curve is the certified accuracy at the grid.
	Curve []Point `json:"curve"`
	// Measures has the same figures by other measures of the region.
	Measures []Measured `json:"measures"`
	// PLower holds the quantiles of the bound on p_A over all rows that did not fail.
	PLower []Quantile `json:"p_lower"`
	// Samples is how many noise samples were drawn in Seconds, SamplesPerSecond the rate.
	Samples          int64   `json:"samples"`
	SamplesPerSecond float64 `json:"samples_per_second"`
	// Invalid counts the votes for no class (NaN or a tie among the scores), out of Votes;
	// both are left out where they are not known.
	Invalid int64 `json:"invalid,omitempty"`
	Votes   int64 `json:"votes,omitempty"`
	// Seconds is the time in which Samples were drawn.
	Seconds float64 `json:"seconds"`
	// Norm and Guarantee are those of all rows.
	Norm      string `json:"norm"`
	Guarantee string `json:"guarantee"`
	// Confidence is that of every interval here.
	Confidence float64 `json:"confidence"`
	// Notes are caveats that a reader of the figures must know.
	Notes []string `json:"notes,omitempty"`
}

// Summarise sums up rows of one guarantee and norm. Errors match [ErrEmpty] or
// [ErrMixed], or say what is wrong with the options.
func Summarise(rows []results.Row, opt Options) (Summary, error) {
	if err := opt.validate(); err != nil {
		return Summary{}, err
	}
	if err := Uniform(rows); err != nil {
		return Summary{}, err
	}
	s := Summary{Inputs: len(rows), Norm: rows[0].Norm, Guarantee: rows[0].Guarantee, Confidence: opt.Confidence, Samples: opt.Samples, Invalid: opt.Invalid, Votes: opt.Votes, Seconds: opt.Elapsed.Seconds()}
	var samples int64
	var seconds float64
	for _, r := range rows {
		s.count(r)
		samples += r.N
		seconds += r.Seconds
	}
	if opt.LabelAware {
		s.Abstained = 0
	}
	if opt.Samples == 0 {
		s.Samples = samples
	}
	if opt.Elapsed == 0 || opt.Samples == 0 {
		s.Seconds = seconds
	}
	if s.Seconds > 0 {
		s.SamplesPerSecond = float64(s.Samples) / s.Seconds
	}
	var err error
	judged := len(Judged(rows))
	s.Accuracy = float64(s.Correct) / float64(judged)
	if s.AccuracyInterval, err = exact(s.Correct, judged, opt.Confidence); err != nil {
		return Summary{}, err
	}
	if s.ACR, s.ACRInterval, s.Curve, err = sizes(rows, opt.Grid, opt.Confidence); err != nil {
		return Summary{}, err
	}
	for _, m := range opt.measures(Measure(s.Norm)) {
		if !known(rows, m) {
			if m == ALMCapped && s.Certified > 0 && known(rows, ALM) {
				s.Notes = append(s.Notes, "no capped ALM: the certificates do not name the range of the data's values (images have one; tables and arrays of results have none)")
			}
			continue
		}
		measured := Measured{Measure: m, Equal: Equal(rows, m)}
		if measured.Mean, measured.MeanInterval, measured.Curve, err = sizes(In(rows, m), opt.grid(m), opt.Confidence); err != nil {
			return Summary{}, err
		}
		if m == ALMCapped {
			share := cappedShare(rows)
			measured.CappedShare = &share
		}
		s.Measures = append(s.Measures, measured)
	}
	s.PLower = pQuantiles(rows)
	s.notes(rows, opt)
	return s, nil
}

// measures lists what is summed up beside the norm of the rows.
func (o Options) measures(norm Measure) []Measure {
	all := o.Measures
	if all == nil {
		all = []Measure{ALM}
	}
	return slices.DeleteFunc(slices.Clone(WithCapped(all)), func(m Measure) bool { return m == norm })
}

// grid is the grid of another measure.
func (o Options) grid(m Measure) []float64 {
	if grid := o.MeasureGrids[m]; len(grid) > 0 {
		return grid
	}
	return o.Grid
}

// sizes gives the mean of the rows' radii and their curve on the grid.
func sizes(rows []results.Row, grid []float64, confidence float64) (mean float64, interval *Interval, curve []Point, err error) {
	if len(grid) == 0 {
		grid = NiceGrid(rows)
	}
	mean, interval = meanRadius(rows, confidence)
	curve, err = Curve(rows, grid, confidence)
	return mean, interval, curve, err
}

func (o Options) validate() error {
	if !(o.Confidence > 0 && o.Confidence < 1) {
		return fmt.Errorf("confidence %v: want a number between 0 and 1, for example 0.95", o.Confidence)
	}
	for m, grid := range o.MeasureGrids {
		if err := checkGrid(grid); err != nil {
			return fmt.Errorf("%s: %w", m, err)
		}
	}
	return checkGrid(o.Grid)
}

func checkGrid(grid []float64) error {
	for i, r := range grid {
		if math.IsNaN(r) || math.IsInf(r, 0) || r < 0 || (i > 0 && r <= grid[i-1]) {
			return fmt.Errorf("grid of radii %v: want rising numbers, 0 or more", grid)
		}
	}
	return nil
}

// Uniform reports rows that may not be averaged: none at all ([ErrEmpty]), or
// more than one guarantee or norm ([ErrMixed]).
func Uniform(rows []results.Row) error {
	if len(rows) == 0 {
		return fmt.Errorf("report: %w; certify some inputs first", ErrEmpty)
	}
	for _, r := range rows[1:] {
		if r.Guarantee != rows[0].Guarantee || r.Norm != rows[0].Norm {
			return fmt.Errorf("report: %w: input %d has %s %s, input %d %s %s; report them apart", ErrMixed, rows[0].Index, rows[0].Guarantee, rows[0].Norm, r.Index, r.Guarantee, r.Norm)
		}
	}
	return nil
}

// Group is the rows under one guarantee and norm.
type Group struct {
	Guarantee, Norm string
	Rows            []results.Row
}

// Split separates rows by guarantee and norm, in order of first appearance.
func Split(rows []results.Row) []Group {
	var groups []Group
	for _, r := range rows {
		i := slices.IndexFunc(groups, func(g Group) bool { return g.Guarantee == r.Guarantee && g.Norm == r.Norm })
		if i < 0 {
			i = len(groups)
			groups = append(groups, Group{Guarantee: r.Guarantee, Norm: r.Norm})
		}
		groups[i].Rows = append(groups[i].Rows, r)
	}
	return groups
}

func (s *Summary) count(r results.Row) {
	if r.Label != results.NoClass {
		s.Labelled++
	}
	if r.Correct {
		s.Correct++
	}
	switch r.Status {
	case results.Certified:
		s.Certified++
	case results.Abstained:
		s.Abstained++
	case results.Failed:
		s.Failed++
	case results.Predicted:
	}
}

// invalidShare is the share of votes for no class above which a summary says so.
const invalidShare = 0.01

func (s *Summary) notes(rows []results.Row, opt Options) {
	note := func(format string, args ...any) { s.Notes = append(s.Notes, fmt.Sprintf(format, args...)) }
	if s.Labelled == 0 {
		note("no input has a label: accuracy and ACR mean nothing here")
	} else if n := s.Inputs - len(Judged(rows)); n > 0 {
		note("%s", Unlabelled(n, s.Inputs))
	}
	if s.Failed > 0 {
		note("%d inputs failed and count as wrong", s.Failed)
	}
	if s.Inputs > 1 && s.Inputs < 30 {
		note("%d inputs are few: the interval of ACR is rough", s.Inputs)
	}
	if label, ok := onlyClass(rows); ok && s.Labelled >= 10 {
		note("all %d inputs are of class %d: the figures say nothing of others (data in an order of classes, cut by --max or in step with --stride?)", s.Labelled, label)
	}
	if float64(s.Invalid) > invalidShare*float64(s.Votes) {
		note("%d of %d votes (%.1f %%) are for no class: NaN or a tie among the scores; they count against every certificate", s.Invalid, s.Votes, 100*float64(s.Invalid)/float64(s.Votes))
	}
	if opt.LabelAware {
		note("label-aware: accuracy counts inputs whose true label is certified, abstentions are unknown")
	}
	if s.Guarantee == "pinned" {
		note("pinned: no guarantee for a service that recomputes the noise from each request")
	}
}

// onlyClass is the label of all labelled rows, if they have one only.
func onlyClass(rows []results.Row) (label int, ok bool) {
	label = results.NoClass
	for _, r := range rows {
		if r.Label == results.NoClass || r.Label == label {
			continue
		}
		if label != results.NoClass {
			return label, false
		}
		label = r.Label
	}
	return label, label != results.NoClass
}

// Judged lists the rows that accuracies and means are over: those with a label, and failed ones,
// which count as wrong. Without any label it lists all rows.
func Judged(rows []results.Row) []results.Row {
	if !slices.ContainsFunc(rows, func(r results.Row) bool { return r.Label != results.NoClass }) {
		return rows
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r results.Row) bool {
		return r.Label == results.NoClass && r.Status != results.Failed
	})
}

// Unlabelled says that n of so many inputs are left out of accuracies.
func Unlabelled(n, inputs int) string {
	have := "inputs have"
	if n == 1 {
		have = "inputs has"
	}
	return fmt.Sprintf("%d of %d %s no label: accuracies and means are over the others", n, inputs, have)
}

// credit is what a row adds to the radii: its radius when right.
func credit(r results.Row) float64 {
	if r.Correct && r.Status == results.Certified {
		return r.Radius
	}
	return 0
}

// meanRadius is the mean credit of the judged rows with Student's t interval for the mean of
// independent inputs.
func meanRadius(rows []results.Row, confidence float64) (float64, *Interval) {
	rows = Judged(rows)
	n := float64(len(rows))
	mean := 0.0
	for _, r := range rows {
		mean += credit(r) / n
	}
	if len(rows) < 2 || math.IsInf(mean, 0) {
		return mean, nil
	}
	sum := 0.0
	for _, r := range rows {
		d := credit(r) - mean
		sum += d * d
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile((1 + confidence) / 2)
	half := t * math.Sqrt(sum/(n-1)/n)
	return mean, &Interval{Low: math.Max(0, mean-half), High: mean + half}
}

func exact(k, n int, confidence float64) (Interval, error) {
	i, err := stats.ExactInterval(int64(k), int64(n), 1-confidence)
	if err != nil {
		return Interval{}, fmt.Errorf("interval of %d of %d: %w", k, n, err)
	}
	return Interval{Low: i.Low, High: i.High}, nil
}
