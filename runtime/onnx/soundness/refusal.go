package soundness

import (
	"slices"
	"strings"
)

// Refusal is the error for a model, or a pair of model and data, that cannot be
// smoothed soundly, or not without a choice that only the user can make. Match it
// with errors.As.
type Refusal struct {
	// Reason says what is wrong, in one clause.
	Reason string `json:"reason"`
	// Remedy says what to do about it, in one clause.
	Remedy string `json:"remedy"`
	// Nodes names the nodes of the graph that are to blame, where there are any.
	Nodes []string `json:"nodes,omitempty"`
}

// Error returns the reason, the nodes and the remedy on one line.
func (r *Refusal) Error() string {
	return "cannot be smoothed: " + r.ReasonText() + "; " + r.Remedy
}

// ReasonText is the reason with the first few nodes.
func (r *Refusal) ReasonText() string {
	const most = 4
	if len(r.Nodes) == 0 {
		return r.Reason
	}
	return r.Reason + ": " + strings.Join(shorten(r.Nodes, most), ", ")
}

// Refuse makes a Refusal.
func Refuse(reason, remedy string, nodes ...string) *Refusal {
	return &Refusal{Reason: reason, Remedy: remedy, Nodes: nodes}
}

func shorten(list []string, most int) []string {
	if len(list) <= most {
		return list
	}
	return append(slices.Clone(list[:most]), "…")
}
