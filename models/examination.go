package models

import (
	"fmt"
	"math"
)

// Examination is what a model's answers to some rows without noise say of its outputs. It finds
// faults of an export or of a runtime that leave the model a function of the row, but not the
// function that was meant.
type Examination struct {
	Rows int `json:"rows"`
	// NaN counts rows with a NaN among the scores, NoVote all rows that give no vote: these, ties,
	// values equal to the threshold and labels outside the classes.
	NaN    int `json:"nan"`
	NoVote int `json:"no_vote"`
	// Probabilities says why the scores are taken for probabilities; "" where they are not.
	// Negative counts rows with a value below 0, WrongSum rows whose values do not add up to 1 (a
	// single one: that lie outside 0 … 1); WorstSum is the sum farthest from 1.
	Probabilities string  `json:"probabilities,omitempty"`
	Negative      int     `json:"negative"`
	WrongSum      int     `json:"wrong_sum"`
	WorstSum      float64 `json:"worst_sum,omitempty"`
	// Other is another output of the file that names a class, Disagree the number of rows for which
	// it names another one than the decision.
	Other    string `json:"other,omitempty"`
	Disagree int    `json:"disagree"`

	decision string // the decision and its output, for messages
	kind     string // of rows: "clean inputs", "synthetic rows"

	otherLabel bool // the other output is a label
	otherText  bool // and a text
	classes    int
}

// What passes for rounding of probabilities: half and quantised arithmetic included.
const (
	sumTolerance      = 1e-2
	negativeTolerance = 1e-4
)

// tieShare is the share of rows without a vote that is worth a warning.
const tieShare = 0.01

// Fault says in one clause why the answers must be wrong, and what to do; "" where they need not
// be.
func (x Examination) Fault() string {
	switch {
	case x.Contradicted():
		return x.disagreement() + "; " + x.cure()
	case x.Negative > 0:
		return fmt.Sprintf("%d of %d %s get negative probabilities (%s)", x.Negative, x.Rows, x.kind, x.Probabilities)
	case x.WrongSum > 0:
		return fmt.Sprintf("the probabilities of %d of %d %s do not add up to 1 but for instance to %.4g (%s)", x.WrongSum, x.Rows, x.kind, x.WorstSum, x.Probabilities)
	}
	return ""
}

// cure says how to certify what the file itself answers.
func (x Examination) cure() string {
	switch {
	case x.otherText && x.classes == 2 && x.Disagree+x.NoVote >= x.Rows:
		return "the scores are those of the classes in reverse: --decision argmin answers as the label does"
	case x.otherText:
		return "its scores do not lead to its label: export the classifier with labels 0, 1, 2, … and certify the label with --decision label"
	}
	cure := "the label itself is certified with --decision label"
	if x.classes == 2 && x.Disagree+x.NoVote >= x.Rows {
		cure += ", and --decision argmin answers the same"
	}
	return cure
}

// Contradicted reports whether the file's own label names other classes than the decision over its
// scores. The label is the file's answer: against a decision that takes it, scores prove nothing.
func (x Examination) Contradicted() bool { return x.otherLabel && 2*x.Disagree > x.Rows }

// Warnings lists what looks wrong and need not be, a line each.
func (x Examination) Warnings() []string {
	var out []string
	if x.Disagree > 0 && !x.Contradicted() {
		text := x.disagreement()
		if x.otherLabel {
			text += "; " + x.cure()
		}
		out = append(out, text)
	}
	if float64(x.NoVote) > tieShare*float64(x.Rows) {
		why := "ties, or labels outside the classes"
		if x.NaN > 0 {
			why = fmt.Sprintf("%d with NaN among the scores, the others with ties", x.NaN)
		}
		out = append(out, fmt.Sprintf("%d of %d %s give no vote without any noise (%s); such votes count against every class", x.NoVote, x.Rows, x.kind, why))
	}
	return out
}

func (x Examination) disagreement() string {
	return fmt.Sprintf("on %d of %d %s %s and the file's own %s name different classes", x.Disagree, x.Rows, x.kind, x.decision, x.Other)
}

// look counts what labels and scores show; scores are those of a decision over scores.
func (x *Examination) look(m *Model, labels []int32, scores []float32) {
	for _, l := range labels {
		if l < 0 {
			x.NoVote++
		}
	}
	if m.scoreWidth > 0 {
		x.Probabilities = m.probabilities
		x.scores(scores, m.scoreWidth)
	}
}

// scores looks at the scores of all rows.
func (x *Examination) scores(scores []float32, width int) {
	x.WorstSum = 1
	for at := 0; at < len(scores); at += width {
		row, sum, least, nan := scores[at:at+width], 0.0, math.Inf(1), false
		for _, v := range row {
			sum += float64(v)
			least = min(least, float64(v))
			nan = nan || v != v
		}
		if nan {
			x.NaN++
			continue
		}
		if x.Probabilities == "" {
			continue
		}
		off := math.Abs(sum - 1)
		if width == 1 {
			off = max(sum-1, 0)
		}
		if least < -negativeTolerance {
			x.Negative++
		}
		if off > sumTolerance {
			x.WrongSum++
			if off > math.Abs(x.WorstSum-1) {
				x.WorstSum = sum
			}
		}
	}
	if x.WrongSum == 0 {
		x.WorstSum = 0
	}
}
