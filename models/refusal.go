package models

import (
	"errors"
	"fmt"

	"ucan/runtime/onnx/hazard"
)

// Refusal is the error for a model, or a pair of model and data, that cannot be
// smoothed soundly, or not without a choice that only the user can make. Match it
// with errors.As.
type Refusal = hazard.Refusal

// refuse makes a Refusal.
func refuse(reason, remedy string, nodes ...string) *Refusal {
	return hazard.Refuse(reason, remedy, nodes...)
}

// ErrDeclaration is wrapped by errors about what the user declared: an unknown input
// or output name, a value that does not fit the model, a fault in a model.yaml. It
// is a wrong usage, not a refusal.
var ErrDeclaration = errors.New("wrong declaration")

// declared makes an error that wraps ErrDeclaration.
func declared(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDeclaration, fmt.Errorf(format, args...))
}
