package certify

import (
	"context"
	"errors"
	"fmt"

	"ucan/internal/dataset"
)

// errTooManyFailures stops a run in which more inputs failed than the limit allows.
var errTooManyFailures = errors.New("too many inputs failed")

// ErrSomeFailed is the outcome of a complete run in which some inputs could not be used. Their rows
// have the status "failed" and stay in every denominator.
var ErrSomeFailed = errors.New("some inputs failed")

// Source gives inputs by index; *dataset.Source is one.
type Source interface {
	At(ctx context.Context, i int) (dataset.Item, error)
}

// Loop is a run over inputs of a source, one after another. It decides what happens to an input
// that cannot be used, and when too many of them stop the run.
type Loop struct {
	Source Source
	// Indices are the inputs to visit, in rising order.
	Indices []int
	// Done says which inputs an earlier run finished already; nil means none.
	Done func(index int) bool
	// MaxFailures is the fraction of Indices, 0 to 1, above which failed inputs stop the run. The
	// first failure alone never does.
	MaxFailures float64
	// Prior is the number of failed inputs among those that an earlier run finished.
	Prior int
}

// Run visits every input that is not done. each gets the usable ones, failed the others; an error
// from either stops the run. So does a cancelled ctx, a fault of the whole source, and too many
// failures. At the end of a complete run with failures the error wraps [ErrSomeFailed].
func (l Loop) Run(ctx context.Context, each func(context.Context, dataset.Item) error, failed func(dataset.Item, error) error) error {
	failures := l.Prior
	for _, index := range l.Indices {
		if l.Done != nil && l.Done(index) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		item, err := l.Source.At(ctx, index)
		var bad *dataset.ItemError
		switch {
		case errors.As(err, &bad):
			failures++
			if failErr := failed(item, err); failErr != nil {
				return failErr
			}
			if failures > 1 && float64(failures) > l.MaxFailures*float64(len(l.Indices)) {
				return fmt.Errorf("%w: %d of %d, the last one: %w; mend the data or raise --max-failures", errTooManyFailures, failures, len(l.Indices), err)
			}
		case err != nil:
			return err
		default:
			if eachErr := each(ctx, item); eachErr != nil {
				return eachErr
			}
		}
	}
	if failures > 0 {
		return fmt.Errorf("%w: %d of %d, see the rows with status failed", ErrSomeFailed, failures, len(l.Indices))
	}
	return nil
}
