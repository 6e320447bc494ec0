package trial

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"ucan/runtime/onnx/soundness"
)

// RowCheck is what trial batches showed before a run; see [Graph.CheckRows].
type RowCheck struct {
	// Batch is the physical batch, Batches the number of trial batches, Inputs the number of
	// inputs whose rows filled them, Noise whether these were noisy.
	Batch   int  `json:"batch"`
	Batches int  `json:"batches"`
	Inputs  int  `json:"inputs"`
	Noise   bool `json:"noise"`
	// Alone is the number of rows that were also run in a batch of one.
	Alone int `json:"alone"`
	// MaxDifference is the largest difference of a score between two places of a batch, relative
	// to the largest score; 0 when all were equal bit for bit. NearTies is the number of decisions
	// that such rounding changed.
	MaxDifference float64 `json:"max_difference"`
	NearTies      int     `json:"near_ties"`
}

// String is one line for people. It claims what was tried.
func (r RowCheck) String() string {
	rows := fmt.Sprintf("rows of %d inputs", r.Inputs)
	if r.Inputs == 1 {
		rows = "rows of 1 input"
	}
	if r.Noise {
		rows = "noisy " + rows
	}
	if r.Batch == 1 {
		return fmt.Sprintf("tried %d runs of one row a call with %s: each row got the same answer again", r.Batches, rows)
	}
	s := fmt.Sprintf("tried %d batches of %d with %s: each row tried got the same answer again, moved to other positions, and beside other rows", r.Batches, r.Batch, rows)
	if r.Alone > 0 {
		s += fmt.Sprintf("; %d rows also alone", r.Alone)
	}
	switch {
	case r.MaxDifference == 0:
		s += "; all scores were equal bit for bit"
	case r.NearTies == 0:
		s += fmt.Sprintf("; scores differ by up to %.1g of the largest between positions", r.MaxDifference)
	default:
		s += fmt.Sprintf("; scores differ by up to %.1g of the largest between positions, which changed %d decisions at near ties", r.MaxDifference, r.NearTies)
	}
	return s
}

// Session is what [Graph.CheckRows] needs of a classifier that will run; a classifier of package
// models is one.
type Session interface {
	Input() []float32
	Classify(ctx context.Context, rows int) ([]int32, error)
}

// mostAlone bounds the rows that are run one by one.
const mostAlone = 8

// CheckRows runs trial batches and refuses the model (a *Refusal) when the answer for a row
// depends on the rest of its batch. batches are what a run will be given: each one physical batch
// of noisy rows of one input, one batch an input, all of one size. sessions are those of the run,
// of that batch.
//
// It is the second line of defence, behind what the graph's operators prove: against kernels
// whose result for a row depends on the batch. It shows what the tried rows show, no more.
//
// The rule. The same row at the same place of a batch, run again or beside other rows
// (rows of another input, zeros, large values, copies of one row), leaves rounding nothing to
// explain: on the CPU its scores must be equal bit for bit. At another place or alone a kernel
// may add in another order: scores may differ by rounding (1e-3 of the largest score; 2e-2 for
// float16 inputs and on other providers, from one run to the next too), and a decision only where
// the two best scores are as close as that difference. Each session must decide as the trial did.
//
// What then holds for a model that is what it seemed: with one batch on one provider the vote of
// sample i is a function of its row and of its place, and the place follows from i alone. Votes
// are independent, and the class probability that a certificate bounds is the mean over places,
// which differ at near ties only. (The bound holds for such a mean: by Hoeffding 1956 the upper
// tail of a sum of independent votes is at most the binomial tail at their mean.)
//
// Graph has the options and the threads of the run. alone says whether it takes a batch of one row
// too.
func (g Graph) CheckRows(ctx context.Context, batches [][]float32, alone bool, sessions []Session) (RowCheck, error) {
	if len(batches) == 0 || len(batches[0]) == 0 || len(batches[0])%g.Dim != 0 {
		return RowCheck{}, errors.New("give at least one batch of whole rows")
	}
	t := &rowTrial{Graph: g, size: len(batches[0]) / g.Dim, batches: batches, c: comparison{bits: true}}
	t.result = RowCheck{Batch: t.size, Inputs: len(batches)}
	steps := []func(context.Context) error{t.first, t.replaced, t.moved}
	if alone {
		steps = append(steps, t.alone)
	}
	steps = append(steps, t.again, func(ctx context.Context) error { return t.sessions(ctx, sessions) })
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return t.result, err
		}
	}
	t.result.MaxDifference, t.result.NearTies = t.c.largest, t.c.ties
	return t.result, nil
}

// rowTrial is one check in progress.
type rowTrial struct {
	Graph
	size    int
	batches [][]float32
	want    []Answer   // of batches
	scale   float64    // the largest score
	c       comparison // over all places
	result  RowCheck
}

func (t *rowTrial) run(ctx context.Context, rows []float32) (Answer, error) {
	if len(rows) == t.size*t.Dim {
		t.result.Batches++
	}
	return t.Run(ctx, rows)
}

// place copies a row of one of the batches to a place of another.
func (t *rowTrial) place(to []float32, at int, from []float32, row int) {
	copy(to[at*t.Dim:(at+1)*t.Dim], from[row*t.Dim:(row+1)*t.Dim])
}

// first runs the batches as a run will.
func (t *rowTrial) first(ctx context.Context) error {
	for _, rows := range t.batches {
		a, err := t.run(ctx, rows)
		if err != nil {
			return err
		}
		t.want = append(t.want, a)
		t.scale = max(t.scale, largestScore(a))
	}
	return nil
}

// replaced keeps some rows of the first batch at their places and replaces the others.
func (t *rowTrial) replaced(ctx context.Context) error {
	if t.size == 1 {
		return nil
	}
	rng := rand.New(rand.NewPCG(0x0ddba11, uint64(t.size)))
	other := t.batches[len(t.batches)-1]
	copies := make([]float32, t.size*t.Dim)
	for i := range t.size {
		t.place(copies, i, t.batches[0], 0)
	}
	few, half, rest := make([]bool, t.size), make([]bool, t.size), make([]bool, t.size)
	for i := range t.size {
		few[i] = i <= t.size/3
		half[i] = rng.IntN(2) == 0
	}
	half[0], half[t.size-1] = true, false
	for i := range rest {
		rest[i] = !half[i]
	}
	for _, n := range []struct {
		rows []float32
		keep []bool
	}{
		{t.reversed(other), half},
		{make([]float32, t.size*t.Dim), rest},
		{outlierRows(t.size, t.Dim, t.size), half},
		{copies, few}, // how a last batch is filled up
	} {
		for i, kept := range n.keep {
			if kept {
				t.place(n.rows, i, t.batches[0], i)
			}
		}
		a, err := t.run(ctx, n.rows)
		if err != nil {
			return err
		}
		c := compareWhere(t.want[0], a, t.scale, func(i int) bool { return n.keep[i] })
		if !t.samePlace(&c) {
			return t.refuse("its answer for a row depends on the other rows of the batch", c.largest)
		}
	}
	return nil
}

func (t *rowTrial) reversed(rows []float32) []float32 {
	out := make([]float32, len(rows))
	for i := range t.size {
		t.place(out, i, rows, t.size-1-i)
	}
	return out
}

// samePlace says whether answers for rows at their old places agree.
func (t *rowTrial) samePlace(c *comparison) bool {
	if !t.Exact {
		t.c.merge(*c)
	}
	return c.within(t.samePlaceLimit())
}

// moved moves rows: the first batch backwards, and rows of all batches mixed.
func (t *rowTrial) moved(ctx context.Context) error {
	if t.size == 1 {
		return nil
	}
	type from struct{ batch, row int }
	orders := [][]from{make([]from, t.size)}
	for i := range t.size {
		orders[0][i] = from{0, t.size - 1 - i}
	}
	if n := len(t.batches); n > 1 {
		mixed := make([]from, t.size)
		for i := range mixed {
			mixed[i] = from{i % n, (i + t.size/2) % t.size}
		}
		orders = append(orders, mixed)
	}
	for _, order := range orders {
		rows := make([]float32, t.size*t.Dim)
		for i, f := range order {
			t.place(rows, i, t.batches[f.batch], f.row)
		}
		a, err := t.run(ctx, rows)
		if err != nil {
			return err
		}
		c := comparison{bits: true}
		for i, f := range order {
			c.rows(t.want[f.batch], f.row, a, i, t.scale)
		}
		t.c.merge(c)
		if !c.within(t.Limit) {
			return t.refuse("its answer for a row depends on the row's place in the batch, or on the other rows of it", c.largest)
		}
	}
	return nil
}

// alone runs a few rows one by one: what a batch of one row says is a function of that row.
func (t *rowTrial) alone(ctx context.Context) error {
	if t.size == 1 {
		return nil
	}
	c := comparison{bits: true}
	for i := range min(mostAlone, t.size) {
		batch, row := i%len(t.batches), i*(t.size-1)/max(1, min(mostAlone, t.size)-1)
		a, err := t.run(ctx, t.batches[batch][row*t.Dim:(row+1)*t.Dim])
		if err != nil {
			return err
		}
		c.rows(t.want[batch], row, a, 0, t.scale)
		t.result.Alone++
	}
	t.c.merge(c)
	if !c.within(t.Limit) {
		return t.refuse(fmt.Sprintf("its answer for a row in a batch of %d is another than for the row alone", t.size), c.largest)
	}
	return nil
}

// again repeats the first questions after everything else.
func (t *rowTrial) again(ctx context.Context) error {
	repeat := 1
	if t.size == 1 {
		repeat = len(t.batches)
	}
	for i := range repeat {
		a, err := t.run(ctx, t.batches[i])
		if err != nil {
			return err
		}
		c := compareWhere(t.want[i], a, t.scale, everywhere)
		if !t.samePlace(&c) {
			return t.refuse("the same rows get different answers from one run to the next", c.largest)
		}
	}
	return nil
}

// sessions compares the decisions of the run's own sessions.
func (t *rowTrial) sessions(ctx context.Context, all []Session) error {
	for _, s := range all {
		if len(s.Input()) != t.size*t.Dim {
			return fmt.Errorf("a session takes %d values a batch and the trial's %d", len(s.Input()), t.size*t.Dim)
		}
		copy(s.Input(), t.batches[0])
		labels, err := s.Classify(ctx, t.size)
		if err != nil {
			return err
		}
		want := t.want[0]
		for row, label := range labels {
			if label == want.Labels[row] {
				continue
			}
			if t.Exact || want.Scores == nil || margin(want.row(row)) > 4*t.Limit*t.scale {
				return t.refuse("two sessions of it give the same row different answers", 0)
			}
			t.c.ties++
		}
	}
	return nil
}

func (t *rowTrial) refuse(reason string, difference float64) error {
	if difference > 0 {
		reason += fmt.Sprintf(" (scores differ by %.1g of the largest)", difference)
	}
	return soundness.Refuse(fmt.Sprintf("at batch %d %s: votes would not be independent", t.size, reason),
		"export it for inference, without operators that mix the batch, or run one row a call with --batch 1")
}
