package dataset

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"ucan/smooth/stats"
)

const (
	// CleanInputs is how many labelled inputs the check before a run classifies.
	CleanInputs = 200
	// cleanEnough is how many labels the check needs to say anything.
	cleanEnough = 50
	// cleanLevel is the error probability of each of its tests.
	cleanLevel = 0.001
)

// CleanVerdict is the outcome of [CheckClean].
type CleanVerdict int

// The values of [CleanVerdict].
const (
	// CleanOK: nothing speaks against model and data.
	CleanOK CleanVerdict = iota
	// CleanTooFew: not enough labels to tell.
	CleanTooFew
	// CleanChance: the accuracy is not above chance.
	CleanChance
	// CleanPermuted: the model knows the classes under other numbers.
	CleanPermuted
	// CleanFaulty: the model's outputs cannot be what they are said to be.
	CleanFaulty
	// CleanContradicted: the file's own label names other classes than the decision.
	CleanContradicted
)

// CleanReport tells how a model without noise did on the first labelled inputs.
type CleanReport struct {
	Verdict CleanVerdict
	// Inputs, Correct and Classes are what the tests saw.
	Inputs, Correct, Classes int
	// PValue is P[Bin(Inputs, 1/Classes) ≥ Correct]: how often a guesser does as well.
	PValue float64
	// Mapping, when the verdict is [CleanPermuted], gives for each label the class
	// the model seems to use for it, where it is another.
	Mapping map[int]int
	// Cause is the likely cause in a few words; empty when the verdict is good.
	Cause string
	// Warnings are what looks wrong and need not be.
	Warnings []string
}

// OK reports whether a run may start.
func (r CleanReport) OK() bool { return r.Verdict == CleanOK || r.Verdict == CleanTooFew }

// String is one line for people.
func (r CleanReport) String() string {
	if r.Verdict == CleanTooFew {
		return fmt.Sprintf("%d labels are too few to check the clean accuracy", r.Inputs)
	}
	if r.Verdict == CleanFaulty || r.Verdict == CleanContradicted {
		return r.Cause
	}
	s := fmt.Sprintf("without noise the model gets %d of the first %d labelled inputs right (%.1f %%, chance %.1f %%)", r.Correct, r.Inputs, 100*float64(r.Correct)/float64(r.Inputs), 100/float64(r.Classes))
	if r.Cause != "" {
		s += "; " + r.Cause
	}
	return s
}

// CheckClean tests predictions for labelled inputs, as many of the one as of
// the other; classes is the model's number of classes, 2 or more. Labels below 0
// are left out; a prediction below 0 (NaN, a tie) counts as wrong.
//
// With 50 labels or more it tests two things at level 0.001. First,
// the exact binomial test of the accuracy against 1/classes. Second, whether
// another numbering of the classes fits better: a one-to-one mapping (or a shift
// of all numbers) is chosen on one half of the inputs and must win on the other
// half by an exact sign test, so that the choice cannot flatter itself.
func CheckClean(labels, predictions []int, classes int) (CleanReport, error) {
	if len(labels) != len(predictions) || classes < 2 {
		return CleanReport{}, fmt.Errorf("check of the clean accuracy: %d labels, %d predictions, %d classes; want as many of the first two, and 2 classes or more", len(labels), len(predictions), classes)
	}
	var pairs []pair
	r := CleanReport{Classes: classes, PValue: 1}
	for i, label := range labels {
		if label < 0 {
			continue
		}
		pairs = append(pairs, pair{label, predictions[i]})
		r.Inputs++
		if label == predictions[i] {
			r.Correct++
		}
	}
	if r.Inputs < cleanEnough {
		r.Verdict = CleanTooFew
		return r, nil
	}
	p, err := stats.BinomialSurvival(int64(r.Correct), int64(r.Inputs), 1/float64(classes))
	if err != nil {
		return CleanReport{}, fmt.Errorf("check of the clean accuracy: %w", err)
	}
	r.PValue = p
	if m, cause := findPermutation(pairs, classes); m != nil {
		r.Verdict, r.Mapping, r.Cause = CleanPermuted, m, cause
		return r, nil
	}
	if p > cleanLevel {
		r.Verdict, r.Cause = CleanChance, chanceCause(pairs)
	}
	return r, nil
}

// pair is the label of an input and the model's class.
type pair struct{ label, predict int }

// chanceCause guesses why a model is no better than chance.
func chanceCause(pairs []pair) string {
	counts := map[int]int{}
	top := 0
	for _, p := range pairs {
		counts[p.predict]++
		if counts[p.predict] > counts[top] {
			top = p.predict
		}
	}
	switch {
	case counts[-1] > len(pairs)/2:
		return "it gives no class for most of them: NaN scores or ties, check the input's scale and the decision"
	case counts[top] > len(pairs)*9/10:
		return fmt.Sprintf("it says class %d to nearly all: likely the scale or the normalisation (--scale, --mean, --std), or the layout (--layout, --channels)", top)
	}
	return "its answers vary but do not fit: likely the normalisation (--mean, --std), the layout (--layout), the order of colours (--channels bgr), or another order of the classes"
}

// findPermutation looks for a renumbering that beats the identity; nil for none.
func findPermutation(pairs []pair, classes int) (map[int]int, string) {
	var train, test []pair
	seen := map[int]int{}
	for _, p := range pairs {
		// Every other input of each class goes to each half, whatever their order.
		if seen[p.label]%2 == 0 {
			train = append(train, p)
		} else {
			test = append(test, p)
		}
		seen[p.label]++
	}
	if m := bestMapping(train); wins(m, test) {
		return m, "its answers fit the labels under another numbering (" + describeMapping(m) + "): check the order of the classes, or give a label map"
	}
	// Classes that appear once or twice leave nothing to learn a mapping from; a
	// shift by one (an extra background class) can be told all the same.
	for _, shift := range []int{1, -1} {
		m := map[int]int{}
		for _, p := range pairs {
			if to := p.label + shift; to >= 0 && to < classes {
				m[p.label] = to
			}
		}
		if wins(m, pairs) {
			return m, fmt.Sprintf("its answers fit the labels shifted by %+d: likely an extra background class, give a label map", shift)
		}
	}
	return nil, ""
}

// wins reports whether answers fit the mapped labels better than the labels, by an
// exact one-sided sign test over the inputs on which the two differ, and by a
// tenth of all inputs at least. A mapping that concerns one class only is no
// renumbering: the model just confuses that class.
func wins(m map[int]int, pairs []pair) bool {
	better, worse := 0, 0
	moved := map[int]bool{}
	for _, p := range pairs {
		to, ok := m[p.label]
		if !ok || to == p.label {
			continue
		}
		switch p.predict {
		case to:
			better++
			moved[p.label] = true
		case p.label:
			worse++
		}
	}
	if len(moved) < 2 || 10*(better-worse) < len(pairs) {
		return false
	}
	p, err := stats.BinomialSurvival(int64(better), int64(better+worse), 0.5)
	return err == nil && p <= cleanLevel
}

// bestMapping is the one-to-one mapping of labels to classes with the most hits,
// without the labels that stay.
func bestMapping(pairs []pair) map[int]int {
	rows, cols := map[int]int{}, map[int]int{}
	var labels, targets []int
	index := func(m map[int]int, list *[]int, v int) int {
		if i, ok := m[v]; ok {
			return i
		}
		m[v] = len(*list)
		*list = append(*list, v)
		return m[v]
	}
	for _, p := range pairs {
		index(rows, &labels, p.label)
		// A label's own number competes too, so that staying is possible.
		index(cols, &targets, p.label)
		if p.predict >= 0 {
			index(cols, &targets, p.predict)
		}
	}
	gain := make([][]float64, len(labels))
	for i := range gain {
		gain[i] = make([]float64, len(targets))
		gain[i][cols[labels[i]]] = 0.5 // between equals, the label stays
	}
	for _, p := range pairs {
		if p.predict >= 0 {
			gain[rows[p.label]][cols[p.predict]]++
		}
	}
	m := map[int]int{}
	for i, j := range assignment(gain) {
		if to := targets[j]; to != labels[i] && gain[i][j] > 0 {
			m[labels[i]] = to
		}
	}
	return m
}

// assignment solves the assignment problem: for each row another column, the sum
// of gains as large as possible (Hungarian algorithm, O(rows²·columns)). There
// are at least as many columns as rows.
func assignment(gain [][]float64) []int {
	n := len(gain)
	if n == 0 {
		return nil
	}
	m := len(gain[0])
	u, v := make([]float64, n+1), make([]float64, m+1)
	rowOf, way := make([]int, m+1), make([]int, m+1)
	for i := 1; i <= n; i++ {
		rowOf[0] = i
		least, used := make([]float64, m+1), make([]bool, m+1)
		for j := range least {
			least[j] = math.Inf(1)
		}
		at := 0
		for rowOf[at] != 0 {
			used[at] = true
			row, next, delta := rowOf[at], 0, math.Inf(1)
			for j := 1; j <= m; j++ {
				if used[j] {
					continue
				}
				if cost := -gain[row-1][j-1] - u[row] - v[j]; cost < least[j] {
					least[j], way[j] = cost, at
				}
				if least[j] < delta {
					delta, next = least[j], j
				}
			}
			for j := range least {
				if used[j] {
					u[rowOf[j]] += delta
					v[j] -= delta
				} else {
					least[j] -= delta
				}
			}
			at = next
		}
		for at != 0 {
			rowOf[at] = rowOf[way[at]]
			at = way[at]
		}
	}
	out := make([]int, n)
	for j := 1; j <= m; j++ {
		if rowOf[j] > 0 {
			out[rowOf[j]-1] = j - 1
		}
	}
	return out
}

// describeMapping names a few of the changes in the order of the labels.
func describeMapping(m map[int]int) string {
	var parts []string
	for _, label := range slices.Sorted(maps.Keys(m)) {
		if len(parts) == 4 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, fmt.Sprintf("%d→%d", label, m[label]))
	}
	return strings.Join(parts, ", ")
}
