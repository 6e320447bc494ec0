// Package replay repeats what certificates say with the model and the data at hand: fresh votes
// against their bounds (verify --resample), and inputs answered with the very noise that a
// certificate stores (predict --pin).
package replay

import (
	"context"

	"ucan/internal/dataset"
)

// Source gives inputs by their index in the whole source; *dataset.Source is one.
type Source interface {
	At(ctx context.Context, i int) (dataset.Item, error)
	Len() int
}
