// Package compare sets files of certificates beside each other: certified accuracy against the ℓ2
// radius, against the ALM radius R·(∏σ)^{1/d}, and against the ALM radius of the section of the
// region through the inputs that vary in training. Runs under isotropic noise form an envelope, at
// each radius the best of them.
package compare

import (
	"fmt"
	"math"
	"slices"

	"ucan/internal/fault"
	"ucan/internal/report"
	"ucan/smooth/certificate"
	"ucan/smooth/stats"
)

// Options configures a comparison.
type Options struct {
	// Radii are those of the tables; nil for round ones up to the largest certified radius of each
	// measure.
	Radii []float64
	// Common compares on the inputs that all arms hold. Without it, arms with other inputs are an
	// error.
	Common bool
	// Least is the certified accuracy of the other arm from which ratios are taken, in [0, 1].
	Least float64
	// Confidence is that of every interval, each for its radius alone.
	Confidence float64
	// Varies tells which coordinates vary in training; nil leaves the measure of sections out.
	Varies []bool
}

// Comparison is the outcome.
type Comparison struct {
	Inputs     int       `json:"inputs"`
	Confidence float64   `json:"confidence"`
	Arms       []*Arm    `json:"arms"`
	Measures   []Measure `json:"measures"`
}

// Measure is the comparison by one way to say how large a region is.
type Measure struct {
	// Name is "l2", "alm" or "alm of varying inputs", Text says it in words.
	Name   string  `json:"name"`
	Text   string  `json:"text"`
	Curves []Curve `json:"curves"`
	// Envelope is the best of the isotropic arms at each radius; nil without such.
	Envelope []report.Point `json:"envelope,omitempty"`
	// Pairs set each arm against the envelope or, without one, against the first arm.
	Pairs []Pair `json:"pairs"`
}

// Curve is the certified accuracy of an arm.
type Curve struct {
	Name   string         `json:"name"`
	Points []report.Point `json:"points"`
}

// Pair compares an arm with another on the same inputs, at one radius.
type Pair struct {
	Name    string  `json:"name"`
	Against string  `json:"against"`
	Radius  float64 `json:"radius"`
	// Difference is the certified accuracy less that of the other, in its interval
	// (stats.Paired.Difference).
	Difference         float64         `json:"difference"`
	DifferenceInterval report.Interval `json:"difference_interval"`
	// Ratio is the certified accuracy over that of the other, in its interval (stats.Paired.Ratio);
	// nil where the other certifies less than Options.Least.
	Ratio *Ratio `json:"ratio,omitempty"`
}

// Ratio is a ratio of certified accuracies in its interval.
type Ratio struct {
	Value certificate.Float `json:"value"`
	Low   certificate.Float `json:"low"`
	High  certificate.Float `json:"high"`
}

// measure is one way to say how large a region is.
type measure struct {
	name, text string
	norm       string // under which rows show it
	of         func(size) float64
}

func measures(varies []bool) []measure {
	all := []measure{
		{"l2", "ℓ2 radius", "l2", func(s size) float64 { return s.l2 }},
		{"alm", "ALM radius", "alm", func(s size) float64 { return s.alm }},
	}
	if varies != nil {
		n := 0
		for _, v := range varies {
			if v {
				n++
			}
		}
		text := fmt.Sprintf("ALM radius over the %d of %d inputs that vary in training", n, len(varies))
		all = append(all, measure{"alm of varying inputs", text, "alm", func(s size) float64 { return s.section }})
	}
	return all
}

// Compare compares arms, which it brings to the inputs that all hold.
func Compare(arms []*Arm, o Options) (Comparison, error) {
	names := map[string]bool{}
	for _, a := range arms {
		if names[a.Name] {
			return Comparison{}, fault.Wrongf("compare: two files are called %q; give one another name, NAME=FILE", a.Name)
		}
		names[a.Name] = true
	}
	if o.Common {
		keepCommon(arms)
	}
	if err := sameInputs(arms); err != nil {
		return Comparison{}, err
	}
	c := Comparison{Inputs: len(arms[0].certified), Confidence: o.Confidence, Arms: arms}
	for _, a := range arms {
		a.summarise()
	}
	all := measures(o.Varies)
	if capped(arms) {
		all = append(all, measure{"alm_capped", "capped ALM", "alm_capped", func(s size) float64 { return s.capped }})
	}
	for _, m := range all {
		measured, err := m.compare(arms, o)
		if err != nil {
			return c, fmt.Errorf("compare: %w", err)
		}
		c.Measures = append(c.Measures, measured)
	}
	return c, nil
}

// compare makes the curves of a measure, the envelope, and the pairs.
func (m measure) compare(arms []*Arm, o Options) (Measure, error) {
	out := Measure{Name: m.name, Text: m.text, Pairs: []Pair{}}
	radii := o.Radii
	if radii == nil {
		for _, a := range arms {
			if grid := report.NiceGrid(a.rows(m)); len(grid) > 0 && (radii == nil || grid[len(grid)-1] > radii[len(radii)-1]) {
				radii = grid
			}
		}
	}
	best := make([]*Arm, len(radii)) // the arm to compare with at each radius
	for _, a := range arms {
		points, err := report.Curve(a.rows(m), radii, o.Confidence)
		if err != nil {
			return out, err
		}
		out.Curves = append(out.Curves, Curve{a.Name, points})
		if !a.Isotropic {
			continue
		}
		if out.Envelope == nil {
			out.Envelope = slices.Clone(points)
		}
		for j, p := range points {
			if best[j] == nil || p.CertifiedAccuracy > out.Envelope[j].CertifiedAccuracy {
				best[j], out.Envelope[j] = a, p
			}
		}
	}
	for i, a := range arms {
		if a.Isotropic || out.Envelope == nil && i == 0 {
			continue
		}
		for j, r := range radii {
			other := best[j]
			if other == nil {
				other = arms[0]
			}
			pair, err := m.pair(a, other, r, o)
			if err != nil {
				return out, err
			}
			out.Pairs = append(out.Pairs, pair)
		}
	}
	return out, nil
}

// pair compares two arms at a radius.
func (m measure) pair(a, b *Arm, radius float64, o Options) (Pair, error) {
	var counts stats.Paired
	for i, x := range a.certified {
		y := b.certified[i]
		first, second := x.correct && m.of(x.size) >= radius, y.correct && m.of(y.size) >= radius
		switch {
		case first && second:
			counts.Both++
		case first:
			counts.First++
		case second:
			counts.Second++
		default:
			counts.Neither++
		}
	}
	n := float64(len(a.certified))
	p := Pair{Name: a.Name, Against: b.Name, Radius: radius, Difference: float64(counts.First-counts.Second) / n}
	i, err := counts.Difference(1 - o.Confidence)
	if err != nil {
		return p, err
	}
	p.DifferenceInterval = report.Interval{Low: max(i.Low, -1), High: min(i.High, 1)}
	if with := counts.Both + counts.Second; with == 0 || float64(with) < o.Least*n {
		return p, nil
	}
	if i, err = counts.Ratio(1 - o.Confidence); err != nil {
		return p, err
	}
	value := float64(counts.Both+counts.First) / float64(counts.Both+counts.Second)
	p.Ratio = &Ratio{certificate.Float(value), certificate.Float(i.Low), certificate.Float(i.High)}
	return p, nil
}

// Extremes returns the pair with the largest ratio and the one with the smallest difference among
// those of an arm; nil where no ratio is taken.
func (m Measure) Extremes(name string) (highest, lowest *Pair) {
	least := math.Inf(1)
	for i, p := range m.Pairs {
		if p.Name != name {
			continue
		}
		if p.Ratio != nil && (highest == nil || p.Ratio.Value > highest.Ratio.Value) {
			highest = &m.Pairs[i]
		}
		if p.Difference < least {
			least, lowest = p.Difference, &m.Pairs[i]
		}
	}
	return highest, lowest
}

// Plot draws the curves of ℓ2 and ALM radii into PREFIX-l2.png and PREFIX-alm.png, and returns
// these names.
func Plot(prefix string, arms []*Arm) (paths []string, err error) {
	for _, m := range measures(nil) {
		var series []report.Series
		for _, a := range arms {
			series = append(series, a.series(m))
		}
		options := report.DefaultPlotOptions()
		options.Width, options.Height, options.NoBand = 1000, 600, true
		path := prefix + "-" + m.name + ".png"
		if err = report.SavePlot(path, series, options); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// keepCommon leaves every arm the inputs that all hold.
func keepCommon(arms []*Arm) {
	held := map[string]int{} // by how many arms
	for _, a := range arms {
		own := map[string]bool{}
		for _, in := range a.inputs() {
			if !own[in] {
				own[in] = true
				held[in]++
			}
		}
	}
	for _, a := range arms {
		a.certified = slices.DeleteFunc(a.certified, func(c certified) bool { return held[c.input] < len(arms) })
	}
}

// sameInputs refuses arms that were not certified on the same inputs.
func sameInputs(arms []*Arm) error {
	first := arms[0].inputs()
	if len(first) == 0 {
		return fault.Wrongf("compare: the files hold no input in common; certify the same selection")
	}
	for _, a := range arms[1:] {
		if other := a.inputs(); !slices.Equal(other, first) {
			return fault.Wrongf("compare: %s and %s hold other inputs (%d and %d); certify the same selection, or pass --common", arms[0].Name, a.Name, len(first), len(other))
		}
	}
	return nil
}
