package models

import (
	"errors"
	"fmt"
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
	return "cannot be smoothed: " + r.reasonText() + "; " + r.Remedy
}

// reasonText is the reason with the first few nodes.
func (r *Refusal) reasonText() string {
	const most = 4
	if len(r.Nodes) == 0 {
		return r.Reason
	}
	return r.Reason + ": " + strings.Join(shorten(r.Nodes, most), ", ")
}

// refuse makes a Refusal.
func refuse(reason, remedy string, nodes ...string) *Refusal {
	return &Refusal{Reason: reason, Remedy: remedy, Nodes: nodes}
}

// ErrDeclaration is wrapped by errors about what the user declared: an unknown input
// or output name, a value that does not fit the model, a fault in a model.yaml. It
// is a wrong usage, not a refusal.
var ErrDeclaration = errors.New("wrong declaration")

// declared makes an error that wraps ErrDeclaration.
func declared(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDeclaration, fmt.Errorf(format, args...))
}
