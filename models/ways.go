package models

import (
	"fmt"
	"slices"

	"ucan/models/rows"
	"ucan/runtime/onnx"
)

// way is one way of running a file in batches.
type way struct {
	rewrite bool // the baked-in batch is made symbolic
	batch   int  // the only batch; 0: any
	// single: the rows are not proved independent, and run one a call.
	single bool
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

// ways lists how the file may run, the best first. Larger batches are among them only
// where a proof over the graph says that their rows are independent; one row a call
// needs none. The report's Rows is that of the graph as it was meant to run.
func (p *plan) ways() ([]way, error) {
	if p.listed != nil {
		return p.listed, nil
	}
	planned := p.report.Batching.Plan == planRewritten
	var all []way
	m, _, err := p.build(planned, -1)
	if err != nil {
		return nil, err
	}
	proof := rows.Prove(m, inputName, p.output, 0)
	first := proof.Break
	if proof.Proved {
		all = append(all, way{rewrite: planned})
	}
	if !planned {
		// A batch may be baked in all the same. Whether this graph can be built shows when it is its turn.
		baked := proof.Proved
		if !baked {
			if m, _, err = p.buildNew(true, -1); err == nil {
				baked = rows.Prove(m, inputName, p.output, 0).Proved
			}
		}
		if baked {
			all = append(all, way{rewrite: true})
		}
	}
	own := p.ownBatch()
	if own > 1 {
		m, _, err := p.buildNew(false, int64(own))
		if err != nil {
			return nil, err
		}
		if rows.Prove(m, inputName, p.output, own).Proved {
			all = append(all, way{batch: own})
		}
	}
	if len(all) > 0 {
		first = nil
	}
	p.report.Rows = rowsOf(first)
	last := way{rewrite: own > 1, batch: 1, single: len(all) == 0}
	all = append(all, last)
	p.listed = all
	return all, nil
}

// unproved is where the proof of a prepared graph ends, nil where it does not.
func unproved(prepared *onnx.Model, batch int) *rows.Break {
	return rows.Prove(prepared, inputName, labelName, batch).Break
}

// announce writes the way into the report before anything runs.
func (p *plan) announce(w way) {
	b := &p.report.Batching
	switch {
	case w.single:
		b.Plan, b.Size, b.Edits = planFixed, 1, nil
		b.Why = "its rows are not proved independent, so the model runs one row a call"
		p.dropIntention()
		p.report.add(kindWarning, fmt.Sprintf("runs one row a call, n calls for n samples, which is slow: the proof that rows are independent ends at %s",
			p.report.Rows.place()), "")
	case w.batch > 0:
		b.Plan, b.Size = planFixed, w.batch
		b.Why = "its batch cannot be made symbolic"
		p.dropIntention()
	case w.rewrite && b.Plan != planRewritten:
		b.Plan = planRewritten
	}
}

// dropIntention takes back the announcement of a rewrite.
func (p *plan) dropIntention() {
	p.report.Findings = slices.DeleteFunc(p.report.Findings, func(f Finding) bool {
		return f.Text == p.intention() || f.Text == openBatch
	})
}

// mixes refuses a fixed batch of several rows that are not proved independent,
// where the file cannot run one row a call either. why is what the attempt showed.
func (p *plan) mixes(why error) error {
	return refuse(fmt.Sprintf("it runs only in batches of %d rows, which are not proved independent (%s), so that votes may depend on each other; one row a call fails or differs (%s)",
		p.ownBatch(), p.report.Rows.place(), brief(why)), "export it with batch 1, or with an open batch")
}
