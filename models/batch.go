package models

import (
	"fmt"
	"slices"

	"ucan/models/internal/rewrite"
	"ucan/models/rows"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/soundness"
)

// batchMode is one way of running a file in batches.
type batchMode struct {
	rewrite bool // the baked-in batch is made symbolic
	batch   int  // the only batch; 0: any
	// single: the rows are not proved independent, and run one a call.
	single bool
}

// declaredBatch is the batch that the graph declares: −1 for any.
func (w batchMode) declaredBatch() int64 {
	if w.batch == 0 {
		return -1
	}
	return int64(w.batch)
}

// Rows says whether the rows of a batch are proved independent. Where they are
// not, every row is a call of its own, which is sound whatever the graph does.
type Rows struct {
	Proved bool `json:"proved"`
	// Node is where the proof ends, with its operator, and Reason why.
	Node     string `json:"node,omitempty"`
	Operator string `json:"operator,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

func rowsOf(b *rows.Break) *Rows {
	if b == nil {
		return &Rows{Proved: true}
	}
	return &Rows{Node: b.Node, Operator: b.Operator, Reason: b.Reason}
}

// place is the node and the reason of a proof that ends.
func (r *Rows) place() string { return (&rows.Break{Node: r.Node, Reason: r.Reason}).String() }

// String says what was proved and what that means for a run.
func (r *Rows) String() string {
	if r.Proved {
		return "proved independent: by the operators' definitions, a row's answer depends on that row alone"
	}
	return "not proved independent (" + r.place() + "): the model runs one row a call"
}

// planBatch decides how rows are batched as far as the file tells.
func (p *plan) planBatch() {
	r := &p.report
	b := Batching{Declared: "?", Plan: planDynamic}
	if p.input.HasShape && len(p.input.Shape) > 0 {
		b.Declared = p.input.Shape[0].String()
	}
	if p.static > 0 || p.denoiser != nil && p.denoiser.static > 0 {
		b.Plan = planRewritten
	}
	r.Batching = b
	switch b.Plan {
	case planRewritten:
		r.add(kindWillDo, p.rewriteFinding(), "")
	default:
		r.add(kindFound, openBatch, "")
	}
}

// batchModes lists how the file may run, the best first. Larger batches are among them only
// where a proof over the graph says that their rows are independent; one row a call
// needs none. The report's Rows is that of the graph as it was meant to run.
func (p *plan) batchModes() ([]batchMode, error) {
	if p.listed != nil {
		return p.listed, nil
	}
	planned := p.report.Batching.Plan == planRewritten
	var all []batchMode
	m, _, err := p.build(planned, -1)
	if err != nil {
		return nil, err
	}
	proof := rows.Prove(m, rewrite.InputName, p.output, 0)
	first := proof.Break
	if proof.Proved {
		all = append(all, batchMode{rewrite: planned})
	}
	if !planned {
		// A batch may be baked in all the same. Whether this graph can be built is tried in its
		// turn.
		baked := proof.Proved
		if !baked {
			if m, _, err = p.buildNew(true, -1); err == nil {
				baked = rows.Prove(m, rewrite.InputName, p.output, 0).Proved
			}
		}
		if baked {
			all = append(all, batchMode{rewrite: true})
		}
	}
	own := p.ownBatch()
	if own > 1 {
		m, _, err := p.buildNew(false, int64(own))
		if err != nil {
			return nil, err
		}
		if rows.Prove(m, rewrite.InputName, p.output, own).Proved {
			all = append(all, batchMode{batch: own})
		}
	}
	if len(all) > 0 {
		first = nil
	}
	p.report.Rows = rowsOf(first)
	last := batchMode{rewrite: own > 1, batch: 1, single: len(all) == 0}
	all = append(all, last)
	p.listed = all
	return all, nil
}

// ownBatch is the batch that the file was exported at.
func (p *plan) ownBatch() int {
	size := max(p.static, 1)
	if p.denoiser != nil {
		size = max(size, p.denoiser.static)
	}
	return size
}

// proofBreak is where the proof of a prepared graph ends, nil where it does not.
func proofBreak(prepared *onnx.Model, batch int) *rows.Break {
	return rows.Prove(prepared, rewrite.InputName, rewrite.LabelName, batch).Break
}

// reportMode writes the way into the report before anything runs.
func (p *plan) reportMode(w batchMode) {
	b := &p.report.Batching
	switch {
	case w.single:
		b.Plan, b.Size, b.Edits = planFixed, 1, nil
		b.Why = "its rows are not proved independent, so the model runs one row a call"
		p.dropRewriteFinding()
		p.report.add(kindWarning, fmt.Sprintf("runs one row a call, n calls for n samples, which is slow: the proof that rows are independent ends at %s",
			p.report.Rows.place()), "")
	case w.batch > 0:
		b.Plan, b.Size = planFixed, w.batch
		b.Why = "its batch cannot be made symbolic"
		p.dropRewriteFinding()
	case w.rewrite && b.Plan != planRewritten:
		b.Plan = planRewritten
	}
}

// reportChosen writes the way that works into the report; why says why none before it did.
func (p *plan) reportChosen(w batchMode, why error) {
	b := &p.report.Batching
	switch {
	case w.batch > 0 && why != nil:
		p.dropRewriteFinding()
		b.Plan, b.Size, b.Edits, b.Why = planFixed, w.batch, nil, "a larger batch fails or changes the results"
		p.report.add(kindWarning, fmt.Sprintf("runs at a batch of %d only, which is slow: %s (%s)", w.batch, b.Why, brief(why)), "")
	case w.rewrite && w.batch == 0:
		b.Plan = planRewritten
	}
}

// rewriteFinding announces a rewrite of the batch.
func (p *plan) rewriteFinding() string {
	return fmt.Sprintf("rewrite the fixed batch %s to a symbolic one, if the results stay the same", p.report.Batching.Declared)
}

// openBatch announces that any batch runs.
const openBatch = "the batch is open"

// dropRewriteFinding takes back the announcement of a rewrite.
func (p *plan) dropRewriteFinding() {
	p.report.Findings = slices.DeleteFunc(p.report.Findings, func(f Finding) bool {
		return f.Text == p.rewriteFinding() || f.Text == openBatch
	})
}

// refuseDependentRows refuses a fixed batch of several rows that are not proved independent,
// where the file cannot run one row a call either. why is what the attempt showed.
func (p *plan) refuseDependentRows(why error) error {
	return soundness.Refuse(fmt.Sprintf("it runs only in batches of %d rows, which are not proved independent (%s), so that votes may depend on each other; one row a call fails or differs (%s)",
		p.ownBatch(), p.report.Rows.place(), brief(why)), "export it with batch 1, or with an open batch")
}
