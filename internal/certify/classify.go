package certify

import (
	"context"
	"errors"
	"fmt"

	"ucan/internal/dataset"
	"ucan/smooth"
)

// Classify classifies inputs as they are, without noise, in batches of the classifier, so that many
// inputs share one run of the model. decided gets each usable input with its class, or
// smooth.NoVote, in index order; failed those that cannot be used. dim is the number of values of
// an input.
func Classify(ctx context.Context, l Loop, classifier smooth.Classifier, dim int, decided func(dataset.Item, int32) error, failed func(dataset.Item, error) error) error {
	buffer := classifier.Input()
	batch := make([]dataset.Item, 0, len(buffer)/dim)
	flush := func(ctx context.Context) error {
		if len(batch) == 0 {
			return nil
		}
		labels, err := classifier.Classify(ctx, len(batch))
		if err != nil {
			return fmt.Errorf("classify inputs %d to %d: %w", batch[0].Index, batch[len(batch)-1].Index, err)
		}
		for i, item := range batch {
			if err := decided(item, labels[i]); err != nil {
				return err
			}
		}
		batch = batch[:0]
		return nil
	}
	err := l.Run(ctx,
		func(ctx context.Context, item dataset.Item) error {
			copy(buffer[len(batch)*dim:(len(batch)+1)*dim], item.X)
			item.X = nil // the buffer holds it
			if batch = append(batch, item); len(batch) < cap(batch) {
				return nil
			}
			return flush(ctx)
		},
		func(item dataset.Item, reason error) error {
			if err := flush(ctx); err != nil { // keep index order
				return err
			}
			return failed(item, reason)
		})
	if err != nil && !errors.Is(err, ErrSomeFailed) {
		return err
	}
	if flushErr := flush(ctx); flushErr != nil {
		return flushErr
	}
	return err
}
