// Package report sums up a zoo's run: how its models compare, and how each of them does. Records of
// different guarantees, norms or data are never averaged together, nor ranked in one list.
package report

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"ucan/internal/report"
	"ucan/internal/results"
	"ucan/internal/zoo/export"
	"ucan/internal/zoo/matrix"
)

// Options configures how a run is summed up. Start from [DefaultOptions].
type Options struct {
	// Radii at which certified accuracy is given, rising; empty for round ones up to the largest
	// radius of each board.
	Radii []float64
	// Measures are those to rank by beside the norm's own radius.
	Measures []report.Measure
	// Confidence is that of all intervals, in (0, 1).
	Confidence float64
}

// DefaultOptions ranks by the radius, by ALM and by capped ALM, with intervals at 95 % confidence.
func DefaultOptions() Options {
	return Options{Measures: []report.Measure{report.ALM}, Confidence: 0.95}
}

// Report is a run summed up.
type Report struct {
	Run string `json:"run"`
	// Rows is the number of certificates, Want that of the finished run.
	Rows int64 `json:"rows"`
	Want int64 `json:"inputs"`
	// Boards rank what can be compared: one for each data source, norm and guarantee, sorted by
	// these.
	Boards []Board `json:"boards"`
	// Refusals made no certificates.
	Refusals []matrix.Refusal `json:"refusals"`
	// Confidence is that of all intervals.
	Confidence float64 `json:"confidence"`
}

// Board ranks models and noise settings on one data source, for one norm and one guarantee, the
// largest average certified radius first.
type Board struct {
	Dataset   string `json:"dataset"`
	Norm      string `json:"norm"`
	Guarantee string `json:"guarantee"`
	// Radii are those of every entry's curve.
	Radii   []float64 `json:"radii"`
	Entries []Entry   `json:"entries"`
}

// Entry is one model under one noise setting.
type Entry struct {
	Model string `json:"model"`
	Noise string `json:"noise"`
	// Rank is the place in the board, 1 for the first; equal averages share a place.
	Rank int `json:"rank"`
	// Want is the number of inputs of the cell: more than Summary.Inputs while the run goes on.
	Want int `json:"want"`
	// SamplesPerInput is the mean of the estimation samples.
	SamplesPerInput float64 `json:"samples_per_input"`
	// Alpha is the failure probability of each certificate.
	Alpha float64 `json:"alpha"`
	// Summary has accuracies, the average radius and the curve, each with its interval.
	Summary report.Summary `json:"summary"`

	rows []results.Row
}

// Partial says whether certificates are still missing.
func (e *Entry) Partial() bool { return e.Summary.Inputs < e.Want }

// Make sums up a run. It holds the rows (not the certificates), about 200 bytes each.
func Make(ctx context.Context, source export.Source, id string, o Options) (*Report, error) {
	if !(o.Confidence > 0 && o.Confidence < 1) {
		return nil, fmt.Errorf("report: confidence %v is out of range: give a probability between 0 and 1", o.Confidence)
	}
	run, err := source.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	r := &Report{Run: run.ID, Want: run.Inputs(), Refusals: run.Refusals, Confidence: o.Confidence}
	cells := map[[3]string][]results.Row{}
	var order [][3]string
	for record, err := range source.Records(ctx, run.ID) {
		if err != nil {
			return nil, err
		}
		row, err := results.ParseCertificate(record.Certificate)
		if err != nil {
			return nil, fmt.Errorf("stored certificate of %s × %s × %s, input %d: %w", record.Model, record.Dataset, record.Noise, record.Index, err)
		}
		key := [3]string{record.Model, record.Dataset, record.Noise}
		if cells[key] == nil {
			order = append(order, key)
		}
		cells[key] = append(cells[key], row)
		r.Rows++
	}
	for _, key := range order {
		r.add(run, key, cells[key])
	}
	for i := range r.Boards {
		if err := r.Boards[i].finish(run, o); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(r.Boards, func(a, b Board) int {
		return cmp.Or(cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Norm, b.Norm), cmp.Compare(a.Guarantee, b.Guarantee))
	})
	return r, nil
}

// add sorts the rows of a cell into boards.
func (r *Report) add(run *matrix.Run, key [3]string, rows []results.Row) {
	want := len(rows)
	if c, ok := run.Cell(key[0], key[1], key[2]); ok {
		want = c.Inputs
	}
	for _, group := range report.Split(rows) {
		i := slices.IndexFunc(r.Boards, func(b Board) bool {
			return b.Dataset == key[1] && b.Norm == group.Norm && b.Guarantee == group.Guarantee
		})
		if i < 0 {
			i = len(r.Boards)
			r.Boards = append(r.Boards, Board{Dataset: key[1], Norm: group.Norm, Guarantee: group.Guarantee})
		}
		r.Boards[i].Entries = append(r.Boards[i].Entries, Entry{Model: key[0], Noise: key[2], Want: want, rows: group.Rows})
	}
}

// finish sums up the entries of a board and ranks them.
func (b *Board) finish(run *matrix.Run, o Options) error {
	b.Radii = o.Radii
	grids := map[report.Measure][]float64{}
	if len(b.Radii) == 0 {
		var all []results.Row
		for _, e := range b.Entries {
			all = append(all, e.rows...)
		}
		b.Radii = report.NiceGrid(all)
		for _, m := range report.WithCapped(o.Measures) {
			grids[m] = report.NiceGrid(report.In(all, m))
		}
	}
	for i := range b.Entries {
		e := &b.Entries[i]
		options := report.DefaultOptions()
		options.Grid, options.MeasureGrids, options.Confidence = b.Radii, grids, o.Confidence
		options.Measures = append([]report.Measure{}, o.Measures...) // not nil, which would ask for the default
		if m, ok := run.Model(e.Model); ok {
			options.LabelAware = m.Statistics.LabelAware
			e.Alpha = m.Statistics.Alpha
		}
		var err error
		if e.Summary, err = report.Summarise(e.rows, options); err != nil {
			return fmt.Errorf("sum up %s × %s × %s: %w", e.Model, b.Dataset, e.Noise, err)
		}
		e.SamplesPerInput = float64(e.Summary.Samples) / float64(max(e.Summary.Inputs, 1))
	}
	slices.SortStableFunc(b.Entries, func(x, y Entry) int {
		return cmp.Or(cmp.Compare(y.Summary.ACR, x.Summary.ACR), cmp.Compare(x.Model, y.Model), cmp.Compare(x.Noise, y.Noise))
	})
	for i := range b.Entries {
		b.Entries[i].Rank = i + 1
		if i > 0 && math.Abs(b.Entries[i].Summary.ACR-b.Entries[i-1].Summary.ACR) == 0 {
			b.Entries[i].Rank = b.Entries[i-1].Rank
		}
	}
	return nil
}

// Models lists the models that have entries, by name.
func (r *Report) Models() []string {
	var names []string
	for _, b := range r.Boards {
		for _, e := range b.Entries {
			names = append(names, e.Model)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
