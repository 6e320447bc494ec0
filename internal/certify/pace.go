package certify

import (
	"context"
	"errors"
	"time"

	"ucan/internal/dataset"
	"ucan/smooth"
	"ucan/smooth/stream"
)

// leastPaceTime is how long samples are drawn to measure their rate.
const leastPaceTime = 50 * time.Millisecond

// Pace measures how many noisy samples are drawn and classified in a second, on the first input
// that can be read; 0 where none can. The samples are of the phase for cost estimates, and no
// certificate depends on them.
func (s *Setup) Pace(ctx context.Context, c *Certifier) (float64, error) {
	inputs := s.Inputs()
	for _, i := range s.Indices[:min(len(s.Indices), 8)] {
		item, err := inputs.At(ctx, i)
		var bad *dataset.ItemError
		if errors.As(err, &bad) {
			continue
		}
		if err != nil {
			return 0, err
		}
		sealed, err := c.Noise.Seal(ctx, item.X)
		if err != nil {
			return 0, err
		}
		return pace(ctx, c.Smoother, item, sealed, uint64(s.Setting.Batch*s.Setting.Workers))
	}
	return 0, nil
}

// pace draws whole batches, after one that warms up, until the clock can tell their time.
func pace(ctx context.Context, smoother *smooth.Smoother, item dataset.Item, noise *smooth.SealedNoise, rows uint64) (float64, error) {
	drawn := uint64(0)
	draw := func() error {
		_, err := smoother.Sample(ctx, item.X, item.SHA256, noise, stream.Pilot, drawn, drawn+rows)
		drawn += rows
		return err
	}
	begin := time.Now()
	if err := draw(); err != nil {
		return 0, err
	}
	if took := time.Since(begin); took > leastPaceTime {
		return float64(rows) / took.Seconds(), nil // so slow that a warm start does not count
	}
	begin, first := time.Now(), drawn
	for time.Since(begin) < leastPaceTime {
		if err := draw(); err != nil {
			return 0, err
		}
	}
	return float64(drawn-first) / time.Since(begin).Seconds(), nil
}
