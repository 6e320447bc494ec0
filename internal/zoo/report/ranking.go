package report

import (
	"cmp"
	"fmt"
	"slices"

	"ucan/internal/report"
)

// Ranking orders the entries of a board by one measure of their regions.
type Ranking struct {
	Board   *Board
	Measure report.Measure
	Places  []Place
}

// Place is an entry's place in a ranking, with its sizes by the measure.
type Place struct {
	*Entry
	// Rank is 1 for the first; equal means share a rank.
	Rank int
	// Mean is the average certified radius or, for another measure, the same average of it.
	Mean         float64
	MeanInterval *report.Interval
	Curve        []report.Point
	// CappedShare is, by capped ALM, the mean share of axes at their cap; nil by other measures.
	CappedShare *float64
}

// Rankings lists the board's ranking by its norm, then those by other measures. A measure that
// equals the radius in every entry, as under isotropic noise, has none, nor has capped ALM where
// no axis is at its cap.
func (b *Board) Rankings() []Ranking {
	first := Ranking{Board: b, Measure: report.Measure(b.Norm)}
	others := map[report.Measure]*Ranking{}
	var order []report.Measure
	for i := range b.Entries {
		e := &b.Entries[i]
		first.Places = append(first.Places, Place{Entry: e, Mean: e.Summary.ACR, MeanInterval: e.Summary.ACRInterval, Curve: e.Summary.Curve})
		for _, m := range e.Summary.Measures {
			if others[m.Measure] == nil {
				others[m.Measure] = &Ranking{Board: b, Measure: m.Measure}
				order = append(order, m.Measure)
			}
			r := others[m.Measure]
			r.Places = append(r.Places, Place{Entry: e, Mean: m.Mean, MeanInterval: m.MeanInterval, Curve: m.Curve, CappedShare: m.CappedShare})
		}
	}
	all := []Ranking{first.sorted()}
	for _, m := range order {
		if !b.equal(m) {
			all = append(all, others[m].sorted())
		}
	}
	return all
}

// equal reports whether the measure equals the radius, or ALM where it is capped ALM, in every
// entry.
func (b *Board) equal(m report.Measure) bool {
	return !slices.ContainsFunc(b.Entries, func(e Entry) bool {
		return slices.ContainsFunc(e.Summary.Measures, func(s report.Measured) bool { return s.Measure == m && !s.Equal && !s.Uncapped() })
	})
}

func (r Ranking) sorted() Ranking {
	slices.SortStableFunc(r.Places, func(x, y Place) int {
		return cmp.Or(cmp.Compare(y.Mean, x.Mean), cmp.Compare(x.Model, y.Model), cmp.Compare(x.Noise, y.Noise))
	})
	for i := range r.Places {
		r.Places[i].Rank = i + 1
		if i > 0 && cmp.Compare(r.Places[i].Mean, r.Places[i-1].Mean) == 0 {
			r.Places[i].Rank = r.Places[i-1].Rank
		}
	}
	return r
}

// Title names the ranking.
func (r Ranking) Title() string {
	return fmt.Sprintf("%s: %s, guarantee %s", r.Board.Dataset, r.Measure, r.Board.Guarantee)
}

// Average names the column of the means.
func (r Ranking) Average() string {
	if r.Measure == report.ALM || r.Measure == report.ALMCapped {
		return "mean " + r.Measure.String()
	}
	return "ACR"
}

// Capped reports whether the ranking is by capped ALM, and so has shares of axes at their cap.
func (r Ranking) Capped() bool { return r.Measure == report.ALMCapped }

// Radii are those of the curves.
func (r Ranking) Radii() []float64 {
	var radii []float64
	for _, p := range r.Places[0].Curve {
		radii = append(radii, p.Radius)
	}
	return radii
}
